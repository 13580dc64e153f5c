"""Whatever is changed in a store after the fact is found, and nothing that is found there can break the finder."""

import json
import shutil

import numpy as np
import pytest
import toy
from safetensors.numpy import load_file, save_file

from bench.digests import file_digest, json_digest, tensors_digest
from bench.runs.planning.plan import plan as make_plan
from bench.spec import unit_id
from bench.store import tensors as reading
from bench.store.integrity import revived, verify
from bench.store.tensors import read_mask


@pytest.fixture
def place(filled):
    """Method and level -> folder in the filled store."""
    store, plan = filled
    return {(unit.method.name, unit.level): store.folder(unit) for unit in plan.units.values()}


def edit(folder, change):
    """Change the record as somebody would who knows nothing of digests."""
    record = json.loads((folder / "record.json").read_text())
    change(record)
    (folder / "record.json").write_text(json.dumps(record))


def forge(folder, change):
    """Change the record as somebody would who knows what its digests are over."""

    def sealed(record):
        change(record)
        digests = record["digests"]
        digests["files"] = {name: file_digest(folder / name) for name in digests["files"]}
        digests["mask"] = tensors_digest(read_mask(folder))
        if (folder / "final.safetensors").exists():
            final = load_file(folder / "final.safetensors")
            digests["weights"] = tensors_digest({name.removeprefix("weights/"): each for name, each in final.items()})
        parts = {name: digests[name] for name in ("curve", "mask", "weights")}
        digests["result"] = json_digest({**parts, "metrics": record["metrics"]})

    edit(folder, sealed)


def retouch(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


ITEMS = {"metric": "bleu", "split": "test", "signature": "s", "statistics": []}
NODES = [
    {
        "layer": "hidden1",
        "teachers": {
            "fanout": [2.5, 1.25], "dead": [False, True], "correlation_initial": [0.25, 0.0], "correlation_early": None,
            "correlation_final": [1, 0], "initial_rank": [0.5, None],
        },
        "students": {
            "fanout_initial": [0.01], "fanout_final": [2.5], "kept_in": [3], "kept_out": [0], "correlation_initial": [0.25],
            "teacher_initial": [1], "correlation_final": [1], "teacher_final": [0],
        },
    }
]  # fmt: skip


def test_an_honest_store_has_no_findings(filled):
    assert verify(filled[0]) == []


def elsewhere(record):
    record["spec"]["seed"] = 5
    record["unit_id"] = unit_id(record["spec"])


def thinner(record):
    record["counts"]["kept"] = 1
    record["density"] = 1 / record["counts"]["prunable"]


def test_cleaned_states_are_no_finding(filled, place):
    for name in ("initial", "rewind", "final"):
        (place["dense", 0] / f"{name}.safetensors").unlink()
    assert verify(filled[0]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record["metrics"][0].update(value=99.9), "result digest is not that of its metrics"),
        (lambda record: record.update(items=ITEMS), "its test items are not the ones"),
        (lambda record: record["digests"].update(items="0" * 64), "its test items are not the ones"),
        (lambda record: record.update(nodes=NODES), "its nodes are not the ones"),
        (lambda record: record["digests"].update(nodes="0" * 64), "its nodes are not the ones"),
        (lambda record: record.update(fit={"accuracy": 99.0}), "its metrics of training examples are not the ones"),
        (lambda record: record["digests"].update(fit="0" * 64), "its metrics of training examples are not the ones"),
        (lambda record: record.update(survival={"initial": 0.5, "movement": 0}), "its survivors are not the ones"),
        (lambda record: record["digests"].update(survival="0" * 64), "its survivors are not the ones"),
        (lambda record: record["digests"].update(result="x"), "cannot be read: Expected `str` matching regex"),
        (lambda record: record["spec"].update(seed=5), "the id of its spec is"),
        (lambda record: record["spec"]["task"].update(budget=50), "the id of its spec is"),
        (elsewhere, "its spec belongs in"),
        (lambda record: record["spec"].update(spec_version=9), "Invalid enum value 9 - at `$.spec.spec_version`"),
        (lambda record: record.update(unit_id="0" * 64), "the record says 0000000000"),
        (lambda record: record.update(density=0.1), "its density is 0.8"),
        (lambda record: record.update(density_weights=0.5), "its density_weights is 0.8"),
        (thinner, "its layers have 45 weights (kept), the record says 1"),
        (lambda record: record["counts"]["layers"]["a.weight"].update(kept=1), "its mask keeps 32 weights of a.weight"),
        (lambda record: record["counts"]["layers"]["a.weight"].update(all=1), "has 40 entries, the layer 1"),
        (lambda record: record["counts"]["layers"].pop("a.weight"), "its mask names a.weight, which has no counts"),
        (lambda record: record["parents"].update(dict.fromkeys(record["parents"], "0" * 64)), "has another result than the one"),
        (lambda record: record.update(parents={}), "its record and its spec name different parents"),
        (lambda record: record["digests"]["files"].pop("mask.safetensors"), "mask.safetensors is not in the record"),
        (lambda record: record["curve"].pop(), "its curve is not the one"),
        (lambda record: record.pop("curve"), "record.json cannot be read: a record of format 2 holds its curve"),
        (lambda record: record.update(format=1), "record.json cannot be read: a record of format 1 holds no curve"),
        (lambda record: record["digests"]["files"].update(more="0" * 64), "more is missing"),
        (lambda record: record.update(format=99), "record.json cannot be read: Invalid enum value 99 - at `$.format`"),
        (lambda record: record.update(counts=7), "Expected `object`, got `int` - at `$.counts`"),
        (lambda record: record["digests"].update(files=None), "Expected `object`, got `null` - at `$.digests.files`"),
    ],
)  # fmt: skip
def test_a_changed_record_is_found(filled, place, change, said):
    edit(place["ticket", 1], change)
    findings = verify(filled[0])
    name = str(place["ticket", 1].relative_to(filled[0].root))
    assert any(finding.startswith(name) and said in finding for finding in findings), findings
    assert all("\n" not in finding for finding in findings)


@pytest.mark.parametrize("name", ["mask.safetensors", "final.safetensors"])
def test_a_changed_file_is_found(filled, place, name):
    path = place["ticket", 2] / name
    path.write_bytes(path.read_bytes() + b" ")
    assert any(f"{name} was changed" in finding for finding in verify(filled[0]))


def test_a_missing_or_additional_file_is_found(filled, place):
    (place["ticket", 2] / "mask.safetensors").unlink()
    (place["ticket", 2] / "notes.txt").write_text("")
    found = " ".join(verify(filled[0]))
    assert "mask.safetensors is missing" in found
    assert "notes.txt is not in the record" in found


def test_a_forged_curve_is_found(filled, place):
    forge(place["reinit", 1], lambda record: record["curve"][-1].update(step=31))
    assert any("its curve is not the one" in finding for finding in verify(filled[0]))


def test_a_weight_under_the_mask_is_found_even_if_all_digests_agree(filled, place):
    mask = load_file(place["ticket", 3] / "mask.safetensors")["a.weight"]

    def leak(tensors):
        tensors["weights/a.weight"][~mask] = 1e-30

    retouch(place["ticket", 3] / "final.safetensors", leak)
    forge(place["ticket", 3], lambda record: None)
    assert [finding for finding in verify(filled[0]) if "pruned weights of a.weight are not zero" in finding]


@pytest.mark.parametrize(("value", "leaks"), [(np.nan, False), (1e-30, True), (np.inf, True)])
def test_what_diverged_under_a_mask_is_no_number_there_and_nothing_else(filled, place, value, leaks):
    mask = load_file(place["ticket", 3] / "mask.safetensors")["a.weight"]

    def diverge(tensors):
        tensors["weights/a.weight"][~mask] = value

    retouch(place["ticket", 3] / "final.safetensors", diverge)
    forge(place["ticket", 3], lambda record: record.update(status="diverged", reason="a.weight is not finite"))
    assert any("not zero" in finding for finding in verify(filled[0])) is leaks
    forge(place["ticket", 3], lambda record: record.update(status="ok", reason=""))
    assert any("not zero" in finding for finding in verify(filled[0]))


def test_a_negative_zero_under_the_mask_is_a_zero(filled, place):
    mask = load_file(place["ticket", 3] / "mask.safetensors")["a.weight"]

    def turn(tensors):
        tensors["weights/a.weight"][~mask] = -0.0

    retouch(place["ticket", 3] / "final.safetensors", turn)
    forge(place["ticket", 3], lambda record: None)
    assert not [finding for finding in verify(filled[0]) if "not zero" in finding]


def test_a_mask_that_revives_a_weight_is_found(filled, place):
    def revive(tensors):
        alive = load_file(place["ticket", 1] / "mask.safetensors")["a.weight"].ravel()
        flat = tensors["a.weight"].ravel()
        flat[flat.nonzero()[0][0]] = False
        flat[(~alive).nonzero()[0][0]] = True

    retouch(place["ticket", 2] / "mask.safetensors", revive)
    forge(place["ticket", 2], lambda record: None)
    assert any("keeps 1 weights of a.weight that the level before had pruned" in each for each in verify(filled[0]))


def test_a_missing_parent_is_found(filled, place):
    shutil.rmtree(place["ticket", 1])
    found = verify(filled[0])
    assert len([finding for finding in found if "is missing" in finding]) == 2, "of ticket 2 and of reinit 1"


def test_a_copied_unit_is_found(filled, place):
    folder = place["ticket", 1]
    shutil.copytree(folder, folder.parent / "L01-0000000000")
    assert any("its spec belongs in" in finding for finding in verify(filled[0]))


def test_a_narrower_network_refers_its_densities_to_the_whole_one(store):
    plan = make_plan(toy.suite(("small-dense",), levels=(3,)))
    (unit,) = plan.units.values()
    toy.finish(unit, store, plan)
    forge(store.folder(unit), lambda record: record.update(density=0.5, density_weights=0.5, density_total=0.5))
    assert verify(store) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff" * 64),
        lambda path: path.write_bytes((2**62).to_bytes(8, "little") + b"{}"),
        lambda path: path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR."),
        lambda path: save_file({"a.weight": load_file(path)["a.weight"].astype("uint8")}, path),
    ],
    ids=["empty", "noise", "huge header", "pickle", "not bool"],
)
def test_hostile_tensors_are_findings(filled, place, spoil):
    spoil(place["ticket", 3] / "mask.safetensors")
    assert any("cannot be checked" in finding for finding in verify(filled[0]))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[" * 200_000, '{"unit_id": NaN}', '{"spec": {}, "digests": {}}', "\xff\xfe"]
)
def test_hostile_records_are_findings(filled, place, text):
    (place["ticket", 3] / "record.json").write_text(text, encoding="latin-1")
    found = verify(filled[0])
    assert [finding for finding in found if "record.json cannot be read" in finding]
    assert all(len(finding) < 1000 for finding in found)


def test_files_that_are_too_large_are_not_read(filled, place, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 10)
    assert any("mask.safetensors is larger than 10 bytes" in finding for finding in verify(filled[0]))
    with (place["ticket", 3] / "record.json").open("r+b") as file:
        file.truncate(2**40)
    assert any("record.json cannot be read: larger than" in finding for finding in verify(filled[0]))


def test_links_out_of_the_store_are_findings(filled, place, tmp_path):
    outside = tmp_path / "secret"
    outside.write_text("x")
    for name in ("mask.safetensors", "record.json"):
        folder = place["ticket", 1 if name == "mask.safetensors" else 2]
        (folder / name).unlink()
        (folder / name).symlink_to(outside)
    found = " ".join(verify(filled[0]))
    assert "mask.safetensors is not a plain file" in found
    assert "record.json cannot be read: it is a symbolic link" in found


def test_weights_come_back_in_a_parameter_that_a_mask_leaves_out_and_so_keeps_whole():
    before = {"a": np.array([True, False, False]), "b": np.array([True, False])}
    assert revived({"a": np.array([True, False, True])}, before) == {"a": 1, "b": 1}
    assert revived({"a": np.array([False, False, False]), "b": np.array([True, False])}, before) == {}
    assert revived({"a": np.array([True, True, True])}, {}) == {}, "after the dense network, which has no mask"
