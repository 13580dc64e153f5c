"""A ticket as one file: a bit a weight, the weights it starts from, and what it says it is worth."""

import json
import shutil

import numpy as np
import older
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from toy import flip

from bench.errors import DamagedUnit, StoreError, SubmissionError
from bench.exchange.ticketfile import _unpacked, read_ticket, unfold, write_ticket
from bench.exchange.verify import findings_of_ticket
from bench.store.store import Store


def folder_of(root, method, level=2, seed=0):
    return next((root / f"example/moons/{method}/s{seed}").glob(f"L{level:02d}-*"))


@pytest.fixture
def ticket(trained, example, tmp_path):
    """A ticket file of level 2."""
    write_ticket(Store(trained), folder_of(trained, "ticket"), tmp_path / "a.ticket")
    return tmp_path / "a.ticket"


def parts(path):
    with safe_open(path, framework="np") as file:
        return load_file(path), file.metadata()


def findings(path, tmp_path):
    root = tmp_path / "unfolded"
    return findings_of_ticket(root, unfold(read_ticket(path), root)).findings


def test_a_round_trip_gives_mask_weights_and_what_it_is(ticket, trained):
    read = read_ticket(ticket)
    folder, dense = folder_of(trained, "ticket"), folder_of(trained, "dense", 0)
    assert (read.unit.task.key, read.unit.task.version) == ("example/moons@smoke", 1)
    assert (read.unit.method.name, read.unit.level, read.unit.seed) == ("ticket", 2, 0)
    assert {**read.record, "curve": read.curve} == json.loads((folder / "record.json").read_text())
    mask, rewind = load_file(folder / "mask.safetensors"), load_file(dense / "rewind.safetensors")
    assert read.mask.keys() == mask.keys()
    for name, each in mask.items():
        assert np.array_equal(read.mask[name], each)
        weights = read.state[f"weights/{name}"]
        assert np.array_equal(weights[each], rewind[f"weights/{name}"][each])
        assert weights[~each].tobytes() == bytes(weights[~each].nbytes), "exact zeros, and positive ones"
    for name in rewind.keys() - {f"weights/{each}" for each in mask}:
        assert np.array_equal(read.state[name], rewind[name])
    assert read.rest["step"] == read.unit.task.rewind_step == 10


def test_a_mask_takes_a_bit_a_weight(ticket):
    arrays, _ = parts(ticket)
    assert {name: (str(each.dtype), each.size) for name, each in arrays.items() if name.startswith("mask/")} == {
        "mask/0.weight": ("uint8", 4),
        "mask/4.weight": ("uint8", 4),
    }


@pytest.mark.parametrize(("method", "name"), [("ticket", "mask"), ("dense", "rewind")])
def test_no_ticket_is_made_of_damaged_files(moons, tmp_path, method, name):
    flip(folder_of(moons, method, 0 if method == "dense" else 2) / f"{name}.safetensors")
    with pytest.raises(DamagedUnit, match=f"{name}.safetensors was changed since it was recorded"):
        write_ticket(Store(moons), folder_of(moons, "ticket"), tmp_path / "a.ticket")
    assert not (tmp_path / "a.ticket").exists()


def test_the_first_bit_is_the_highest(ticket):
    arrays, _ = parts(ticket)
    mask = read_ticket(ticket).mask["0.weight"].reshape(-1)
    assert [bool(arrays["mask/0.weight"][0] >> (7 - place) & 1) for place in range(8)] == list(mask[:8])


def test_the_same_ticket_gives_the_same_bytes(ticket, trained, tmp_path):
    write_ticket(Store(trained), folder_of(trained, "ticket"), tmp_path / "b.ticket")
    assert read_ticket(tmp_path / "b.ticket").record == read_ticket(ticket).record
    assert {name: each.tobytes() for name, each in parts(ticket)[0].items()} == {
        name: each.tobytes() for name, each in parts(tmp_path / "b.ticket")[0].items()
    }
    assert parts(ticket)[1] == parts(tmp_path / "b.ticket")[1]


@pytest.mark.parametrize("method", ["ticket", "one-shot"])
def test_an_honest_ticket_has_no_findings(trained, example, tmp_path, method):
    write_ticket(Store(trained), folder_of(trained, method), tmp_path / "a.ticket")
    assert findings(tmp_path / "a.ticket", tmp_path) == []


def test_sizes_that_are_no_multiple_of_eight():
    generator = np.random.default_rng(0)
    for shape in ((5, 5), (1,), (), (0, 3), (2, 3, 7)):
        mask = generator.random(shape) < 0.5
        assert np.array_equal(_unpacked("a", np.packbits(np.reshape(mask, -1)), list(shape)), mask)


def test_bits_behind_the_end_of_a_mask_are_refused():
    packed = np.packbits(np.ones(25, bool))
    assert _unpacked("a", packed, [5, 5]).all()
    packed[-1] |= 1
    with pytest.raises(SubmissionError, match="has bits behind its end"):
        _unpacked("a", packed, [5, 5])


@pytest.mark.parametrize("method", ["dense", "reinit", "random-ticket", "fine-tune", "ticket-init", "snip"])
def test_what_starts_elsewhere_is_refused(trained, example, tmp_path, method):
    with pytest.raises(StoreError, match="starts from weights that its seed gives: `ticketbench pack` its suite"):
        write_ticket(Store(trained), folder_of(trained, method, 0 if method == "dense" else 2), tmp_path / "a.ticket")
    assert list(tmp_path.iterdir()) == []


def test_cleaned_weights_are_one_line(moons, tmp_path):
    (folder_of(moons, "dense", 0) / "rewind.safetensors").unlink()
    with pytest.raises(StoreError, match="the weights that .* starts from are not in .*: run its dense again"):
        write_ticket(Store(moons), folder_of(moons, "ticket"), tmp_path / "a.ticket")
    with pytest.raises(StoreError, match="holds no finished unit"):
        write_ticket(Store(moons), moons, tmp_path / "a.ticket")
    assert not (tmp_path / "a.ticket").exists()


@pytest.mark.parametrize("output", ["no/where.ticket", "file/a.ticket", "folder", "."])
def test_an_output_that_cannot_be_written_is_one_line(trained, example, tmp_path, output, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="cannot write .*name another --output"):
        write_ticket(Store(trained), folder_of(trained, "ticket"), type(tmp_path)(output))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


# Cheats, with every digest of the record right.


def retouched(ticket, change):
    arrays, metadata = parts(ticket)
    told = {name: json.loads(metadata[name]) for name in ("shapes", "state", "record", "curve")}
    change(arrays, told)
    save_file(arrays, ticket, metadata={**metadata, **{name: json.dumps(each) for name, each in told.items()}})


def leak(arrays, _told):
    weights = arrays["weights/0.weight"].reshape(-1)
    weights[np.flatnonzero(weights == 0)[0]] = 1e-30


def trained_to_the_end(_arrays, told):
    told["state"]["step"] = 40


def another_mask(arrays, _told):
    arrays["mask/0.weight"][0] ^= 0xFF


def not_finite(arrays, _told):
    arrays["weights/0.bias"][0] = np.nan


def another_score(_arrays, told):
    told["record"]["metrics"][0]["value"] += 1


def another_seed(_arrays, told):
    told["record"]["spec"]["seed"] = 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (leak, "1 pruned weights of '0.weight' are not zero at the start"),
        (trained_to_the_end, "its weights are those of step 40, its method starts at 10"),
        (another_mask, "its mask is not the one that the record was made with"),
        (not_finite, "'weights/0.bias' is not finite"),
        (another_score, "its result digest is not that of its metrics"),
    ],
)
def test_a_ticket_that_lies_is_found(ticket, tmp_path, change, said):
    retouched(ticket, change)
    found = findings(ticket, tmp_path)
    assert any(said in line for line in found), found


def drop(name):
    return lambda arrays, _: arrays.pop(name)


def told(key, value):
    return lambda _, parts: parts.update({key: value})


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


REFUSED = [
    drop("mask/0.weight"),
    lambda arrays, _: arrays.update(other=np.zeros(2)),
    lambda arrays, _: arrays.update({"mask/0.weight": np.zeros(5, "u1")}),
    lambda arrays, _: arrays.update({"mask/0.weight": np.zeros(4, "i1")}),
    lambda arrays, _: arrays.update({"mask/0.weight": np.zeros((2, 2), "u1")}),
    lambda arrays, _: arrays.update({"weights/0.bias": np.zeros(16, "i4")}),
    lambda _, parts: parts["shapes"].update({"0.weight": [2, 15]}),
    lambda _, parts: parts["shapes"].update({"0.weight": [-4, -8]}),
    lambda _, parts: parts["shapes"].update({"0.weight": [2**40, 2**40]}),
    lambda _, parts: parts["shapes"].update({"0.weight": "32"}),
    lambda _, parts: parts["shapes"].update({"0.weight": [True, 32]}),
    lambda _, parts: parts["shapes"].update({"0.weight": [1] * 9 + [32]}),
    told("shapes", []),
    told("shapes", {"other": [32]}),
    told("state", []),
    told("state", {"pickle": 1}),
    told("curve", {}),
    told("record", {}),
    told("record", []),
    lambda _, parts: parts["record"].update(format=3),
    lambda _, parts: parts["record"].update(spec={}),
    another_seed,
    lambda _, parts: parts["record"]["spec"].update(level="../../x"),
    lambda _, parts: parts["record"]["spec"].update(level=1.5),
    lambda _, parts: parts["record"]["spec"].update(seed="../../../x"),
    lambda _, parts: parts["record"]["spec"]["task"].update(name="../../x"),
    lambda _, parts: parts["record"]["spec"]["task"].update(name="/tmp/x"),  # noqa: S108
    lambda _, parts: parts["record"]["spec"]["task"].update(name="a\x00/b"),
    lambda _, parts: parts["record"]["spec"]["task"].update(name="a/" + "b" * 10_000),
    lambda _, parts: parts["record"]["spec"]["method"].update(name="\u202eevil"),
    lambda _, parts: parts["record"]["spec"]["method"].update(name="<script>"),
    lambda _, parts: parts["record"]["spec"]["method"].update(weights="fresh"),
    lambda _, parts: parts["record"]["spec"]["method"].update(weights=["rewind"]),
    lambda _, parts: parts["record"].update(reason="\ud800"),
    lambda _, parts: parts["record"].update(provenance=deep(3000)),
]


@pytest.mark.parametrize("change", REFUSED, ids=range(len(REFUSED)))
def test_a_ticket_of_another_form_is_refused_and_nothing_is_written(ticket, tmp_path, change):
    if change is REFUSED[-1]:
        arrays, metadata = parts(ticket)
        nested = "[" * 900 + "]" * 900
        record = metadata["record"].replace('"nulls":{', f'"nulls":{{"a":{nested},', 1).replace(",}", "}")
        save_file(arrays, ticket, metadata={**metadata, "record": record})
    else:
        retouched(ticket, change)
    before = sorted(tmp_path.rglob("*"))
    try:
        found = findings(ticket, tmp_path)
    except SubmissionError as error:
        found = [str(error)]
    assert found
    assert all(line.isprintable() and len(line) < 700 for line in found)
    assert [path for path in sorted(tmp_path.rglob("*")) if "unfolded" not in str(path)] == before


@pytest.mark.parametrize("key", ["kind", "format", "shapes", "state", "record", "curve", "more"])
def test_metadata_are_the_ones_that_are_known(ticket, key):
    arrays, metadata = parts(ticket)
    metadata = {**metadata, "more": "x"} if key == "more" else {k: v for k, v in metadata.items() if k != key}
    save_file(arrays, ticket, metadata=metadata)
    with pytest.raises(SubmissionError, match="is no ticket file: "):
        read_ticket(ticket)


def test_a_newer_format_says_so(ticket):
    arrays, metadata = parts(ticket)
    save_file(arrays, ticket, metadata={**metadata, "format": "3"})
    with pytest.raises(SubmissionError, match="its format is 3, this ticketbench reads 2: upgrade"):
        read_ticket(ticket)


def test_a_ticket_of_an_older_unit_and_an_older_file_are_read_as_well(trained, example, ticket, tmp_path):
    ours = read_ticket(ticket)
    root = shutil.copytree(trained, tmp_path / "older")
    older.unit(folder_of(root, "ticket"))
    write_ticket(Store(root), folder_of(root, "ticket"), ticket)
    arrays, metadata = parts(ticket)
    save_file(arrays, ticket, metadata={**metadata, "format": "1"})
    theirs = read_ticket(ticket)
    assert (theirs.record["format"], theirs.curve) == (1, ours.curve)
    assert theirs.record["digests"]["result"] == ours.record["digests"]["result"]
    assert findings(ticket, tmp_path) == []


def test_other_safetensors_say_what_to_do(trained):
    with pytest.raises(SubmissionError, match="make one with `ticketbench ticket`"):
        read_ticket(folder_of(trained, "ticket") / "mask.safetensors")


def test_deep_nesting_is_refused(ticket):
    arrays, metadata = parts(ticket)
    nested = "[" * 300 + ",".join(["0"] * 20_000) + "]" * 300
    record = metadata["record"].replace('"nulls":{}', f'"nulls":{{"a":{nested}}}', 1)
    assert record != metadata["record"]
    save_file(arrays, ticket, metadata={**metadata, "record": record})
    with pytest.raises(SubmissionError, match=r"Expected `str`, got `array` - at `\$.nulls\[...\]`"):
        read_ticket(ticket)


# The command.


def test_a_ticket_is_written_verified_and_trained_again(command, example, trained, tmp_path, monkeypatch):
    from bench.exchange import remeasure

    for how in ("replay", "retrain"):
        monkeypatch.setitem(remeasure.WORKS, how, f"example_again:{how}")
    file = tmp_path / "a.ticket"
    code, out, err = command("ticket", folder_of(trained, "ticket"), "--store", trained, "--output", file)
    assert (code, err) == (0, "")
    assert out.endswith(f"next: ticketbench verify {file} --retrain 1\n")
    code, out, err = command("verify", file, "--retrain", 1, "--workers", 1)
    assert (code, err) == (0, "")
    assert "example/moons@smoke ticket L2 s0: claimed" in out
    assert "equal to the bit" in out
    assert out.endswith(f"{file}: 1 units, no findings\n")
    retouched(file, leak)
    code, out, err = command("verify", file)
    assert (code, err) == (1, "")
    assert "are not zero at the start" in out
