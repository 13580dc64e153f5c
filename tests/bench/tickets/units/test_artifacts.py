"""What a unit leaves on disk comes back to the bit."""

import hashlib
import json
import math

import pytest
import torch
from records import build_record
from safetensors import safe_open
from safetensors.torch import load_file
from toy import flip, seal

from bench.errors import DamagedUnit
from bench.learner import State
from bench.tickets.units import artifacts


def bits(tensor):
    return tensor.dtype, tensor.shape, tensor.contiguous().view(-1).view(torch.uint8).tolist()


def same(one, other):
    return one.keys() == other.keys() and all(bits(one[name]) == bits(other[name]) for name in one)


def state_in(folder, name):
    return artifacts.state_of((folder / f"{name}.safetensors").read_bytes())


STRANGE = {
    "layer.weight": torch.tensor([[0.1, -0.0], [math.inf, 1e-45]]),
    "half": torch.tensor([1.0, -2.5], dtype=torch.float16),
    "brain": torch.tensor([[3.14159, -0.0]], dtype=torch.bfloat16),
    "double": torch.tensor([math.pi, math.nan], dtype=torch.float64),
    "transposed": torch.arange(6.0).view(2, 3).T,
    "channels-last": torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last),
    "expanded": torch.ones(1).expand(3),
    "empty": torch.zeros(0, 4),
}
BUFFERS = {
    "norm.num_batches_tracked": torch.tensor(12345678901234),
    "window": torch.tensor([1, -2, 3], dtype=torch.int32),
    "done": torch.tensor([True, False]),
    "weights/like": torch.tensor([1.0]),
}
SCALARS = {"episodes": 17, "mean": 0.1, "best": None, "name": "é", "nested": {"list": [1, 2.5, True]}}


def test_a_state_comes_back_to_the_bit(tmp_path):
    state = State(weights=STRANGE, buffers=BUFFERS, scalars=SCALARS, step=2048, updates=96, origin=512)
    artifacts.save_state(state, "rewind", tmp_path)
    back = state_in(tmp_path, "rewind")
    assert same(back.weights, STRANGE)
    assert same(back.buffers, BUFFERS)
    assert (back.scalars, back.step, back.updates, back.origin) == (SCALARS, 2048, 96, 512)
    assert [path.name for path in tmp_path.iterdir()] == ["rewind.safetensors"]


def test_a_state_with_nothing_but_weights_comes_back(tmp_path):
    artifacts.save_state(State(weights={"w": torch.ones(2)}), "final", tmp_path)
    back = state_in(tmp_path, "final")
    assert (back.buffers, back.scalars, back.step, back.updates, back.origin) == ({}, {}, 0, 0, 0)


def test_parameters_that_need_gradients_are_saved_as_plain_tensors(tmp_path):
    layer = torch.nn.Linear(2, 2)
    artifacts.save_state(State(weights=dict(layer.named_parameters())), "final", tmp_path)
    back = state_in(tmp_path, "final")
    assert not back.weights["weight"].requires_grad
    assert torch.equal(back.weights["weight"], layer.weight)


def test_a_number_that_is_not_finite_among_the_scalars_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        artifacts.save_state(State(weights={}, scalars={"mean": math.nan}), "final", tmp_path)


@pytest.mark.parametrize("mask", [
    {"w": torch.tensor([[True, False, True]])},
    {"a.b": torch.zeros(3, dtype=torch.bool), "c": torch.ones(2, 2, 1, 1, dtype=torch.bool)},
    {"split": torch.tensor([True, False, True, True]).split(2)[1], "t": torch.eye(3).bool().T},
])  # fmt: skip
def test_a_mask_comes_back_as_bools(tmp_path, mask):
    artifacts.save_mask(mask, tmp_path)
    back = load_file(tmp_path / "mask.safetensors")
    assert same(back, mask)
    assert all(each.dtype == torch.bool for each in back.values())


def test_files_are_plain_safetensors_that_any_reader_opens(tmp_path):
    artifacts.save_state(
        State(weights={"w": torch.ones(2)}, buffers={"w": torch.zeros(1)}, step=3), "initial", tmp_path
    )
    with safe_open(tmp_path / "initial.safetensors", framework="np") as file:
        assert set(file.keys()) == {"weights/w", "buffers/w"}
        assert json.loads(file.metadata()["state"])["step"] == 3


def test_whoever_may_read_the_record_may_read_the_tensors(tmp_path):
    artifacts.save_mask({"w": torch.ones(2, dtype=torch.bool)}, tmp_path)
    artifacts.save_state(State(weights={"w": torch.zeros(2)}), "final", tmp_path)
    (tmp_path / "record.json").write_text("{}")
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1
    assert len(list(tmp_path.iterdir())) == 3


def test_the_same_content_gives_the_same_bytes(tmp_path):
    files = []
    for order in (list(STRANGE), list(reversed(STRANGE))):
        artifacts.save_state(State(weights={name: STRANGE[name] for name in order}, step=1), "final", tmp_path)
        files.append(artifacts.digest(state_in(tmp_path, "final").weights))
    assert files[0] == files[1] == artifacts.digest(STRANGE)


MASK = {"w": torch.tensor([True, False])}


@pytest.fixture
def parent(tmp_path):
    """The folder of a unit with a mask and a rewind state."""
    artifacts.save_mask(MASK, tmp_path)
    artifacts.save_state(State(weights={"w": torch.ones(2)}, step=7), "rewind", tmp_path)
    record = build_record("ticket", 1, 0, 0.5, search_cost=99)
    record["digests"]["mask"] = artifacts.digest(MASK)
    (tmp_path / "record.json").write_text(json.dumps(record))
    seal(tmp_path)
    return tmp_path


def test_a_parent_is_its_mask_its_states_its_cost_and_its_digest(parent):
    found = artifacts.load_parent(parent)
    assert same(dict(found.mask), MASK)
    assert found.state("rewind").step == 7
    (parent / "rewind.safetensors").unlink()
    assert found.state("rewind").step == 7, "weights and training both ask for it; it is read once"
    assert (found.search_cost, found.result) == (99, build_record("ticket", 1, 0, 0.5)["digests"]["result"])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: flip(folder / "mask.safetensors"), "mask.safetensors was changed since it was recorded"),
        (lambda folder: flip(folder / "rewind.safetensors"), "rewind.safetensors was changed since it was recorded"),
        (lambda folder: flip(folder / "rewind.safetensors", 0), "rewind.safetensors was changed since it was recorded"),
        (lambda folder: (folder / "mask.safetensors").unlink(), "mask.safetensors cannot be read: No such file"),
        (lambda folder: (folder / "rewind.safetensors").unlink(), "rewind.safetensors cannot be read: No such file"),
        (lambda folder: (folder / "record.json").write_text("{}"), "record.json cannot be read: Object missing required"),
        (lambda folder: (folder / "record.json").unlink(), "record.json cannot be read: .* No such file"),
        (lambda folder: edit(folder, lambda digests: digests.pop("files")), "record.json does not tell the digests"),
        (lambda folder: edit(folder, lambda digests: digests["files"].clear()), "mask.safetensors was changed"),
    ],
)  # fmt: skip
def test_a_damaged_parent_is_named_and_never_used(parent, damage, told):
    damage(parent)
    with pytest.raises(DamagedUnit, match=f"^{parent}: {told}.*ticketbench verify`, then remove this folder"):
        artifacts.load_parent(parent).state("rewind")


def edit(folder, change):
    record = json.loads((folder / "record.json").read_text())
    change(record["digests"])
    (folder / "record.json").write_text(json.dumps(record))


def test_what_is_hashed_is_what_is_used(parent, monkeypatch):
    """A file that changes while it is read, or after, changes nothing any more."""
    sha256 = hashlib.sha256

    def spoil(data):
        flip(parent / "rewind.safetensors")
        return sha256(data)

    found = artifacts.load_parent(parent)
    monkeypatch.setattr(hashlib, "sha256", spoil)
    assert torch.equal(found.state("rewind").weights["w"], torch.ones(2))


def test_a_parent_that_masks_nothing_has_no_file_of_it(parent):
    (parent / "mask.safetensors").unlink()
    edit(parent, lambda digests: digests.update(mask=artifacts.digest({})))
    seal(parent)
    artifacts.save_mask({}, parent)
    assert not (parent / "mask.safetensors").exists()
    assert artifacts.load_parent(parent).mask == {}


@pytest.mark.parametrize("other", [
    {"w": torch.tensor([1.0, 2.0])},
    {"v": torch.tensor([1.0, 2.5])},
    {"w": torch.tensor([[1.0, 2.5]])},
    {"w": torch.tensor([1.0, 2.5], dtype=torch.float64)},
    {"w": torch.tensor([1.0, 2.5]), "v": torch.zeros(0)},
    {},
])  # fmt: skip
def test_a_digest_tells_names_types_shapes_and_values_apart(other):
    assert artifacts.digest({"w": torch.tensor([1.0, 2.5])}) != artifacts.digest(other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_a_digest_sees_fractions_in_every_precision(dtype):
    one, other = ({"w": torch.tensor(value, dtype=dtype)} for value in (3.25, 3.75))
    assert artifacts.digest(one) != artifacts.digest(other)


def test_a_digest_does_not_depend_on_order_memory_or_gradients():
    one = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}
    other = {"b": torch.ones(4, dtype=torch.bfloat16)[::2], "a": torch.arange(6.0).view(2, 3).T.contiguous().T}
    other["a"].requires_grad_()
    assert artifacts.digest(one) == artifacts.digest(other)


def test_a_zeros_sign_is_part_of_a_digest():
    assert artifacts.digest({"w": torch.tensor([0.0])}) != artifacts.digest({"w": torch.tensor([-0.0])})
