"""What a unit leaves on disk comes back to the bit."""

import json
import math

import pytest
import torch
from safetensors import safe_open

from bench.learner import State
from bench.tickets.units import artifacts


def bits(tensor):
    return tensor.dtype, tensor.shape, tensor.contiguous().view(-1).view(torch.uint8).tolist()


def same(one, other):
    return one.keys() == other.keys() and all(bits(one[name]) == bits(other[name]) for name in one)


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
    back = artifacts.load_state("rewind", tmp_path)
    assert same(back.weights, STRANGE)
    assert same(back.buffers, BUFFERS)
    assert (back.scalars, back.step, back.updates, back.origin) == (SCALARS, 2048, 96, 512)
    assert [path.name for path in tmp_path.iterdir()] == ["rewind.safetensors"]


def test_a_state_with_nothing_but_weights_comes_back(tmp_path):
    artifacts.save_state(State(weights={"w": torch.ones(2)}), "final", tmp_path)
    back = artifacts.load_state("final", tmp_path)
    assert (back.buffers, back.scalars, back.step, back.updates, back.origin) == ({}, {}, 0, 0, 0)


def test_parameters_that_need_gradients_are_saved_as_plain_tensors(tmp_path):
    layer = torch.nn.Linear(2, 2)
    artifacts.save_state(State(weights=dict(layer.named_parameters())), "final", tmp_path)
    back = artifacts.load_state("final", tmp_path)
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
    back = artifacts.load_mask(tmp_path)
    assert same(back, mask)
    assert all(each.dtype == torch.bool for each in back.values())


def test_files_are_plain_safetensors_that_any_reader_opens(tmp_path):
    artifacts.save_state(
        State(weights={"w": torch.ones(2)}, buffers={"w": torch.zeros(1)}, step=3), "initial", tmp_path
    )
    with safe_open(tmp_path / "initial.safetensors", framework="np") as file:
        assert set(file.keys()) == {"weights/w", "buffers/w"}
        assert json.loads(file.metadata()["state"])["step"] == 3


def test_the_same_content_gives_the_same_bytes(tmp_path):
    files = []
    for order in (list(STRANGE), list(reversed(STRANGE))):
        artifacts.save_state(State(weights={name: STRANGE[name] for name in order}, step=1), "final", tmp_path)
        files.append(artifacts.digest(artifacts.load_state("final", tmp_path).weights))
    assert files[0] == files[1] == artifacts.digest(STRANGE)


def test_a_parent_is_its_mask_its_states_its_cost_and_its_digest(tmp_path):
    mask = {"w": torch.tensor([True, False])}
    artifacts.save_mask(mask, tmp_path)
    artifacts.save_state(State(weights={"w": torch.ones(2)}, step=7), "rewind", tmp_path)
    (tmp_path / "record.json").write_text(json.dumps({"search_cost": 99, "digests": {"result": "abc", "mask": "def"}}))
    parent = artifacts.load_parent(tmp_path)
    assert same(dict(parent.mask), mask)
    assert parent.state("rewind").step == 7
    (tmp_path / "rewind.safetensors").unlink()
    assert parent.state("rewind").step == 7, "weights and training both ask for it; it is read once"
    assert (parent.search_cost, parent.result) == (99, "abc")


def test_a_parent_that_masks_nothing_has_no_file_of_it(tmp_path):
    artifacts.save_mask({}, tmp_path)
    assert list(tmp_path.iterdir()) == []
    for digest, mask in ((artifacts.digest({}), {}), ("0" * 64, None)):
        told = {"search_cost": 9, "digests": {"result": "abc", "mask": digest}}
        (tmp_path / "record.json").write_text(json.dumps(told))
        if mask is None:
            with pytest.raises(FileNotFoundError):
                artifacts.load_parent(tmp_path)
        else:
            assert artifacts.load_parent(tmp_path).mask == mask


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
