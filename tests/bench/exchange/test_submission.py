"""What was submitted, read once: who is whose parent, who stands beside whom, and what is kept of each layer."""

import json

import pytest
from safetensors.numpy import load_file

from bench.exchange import submission as reading
from bench.exchange.submission import read
from bench.store.store import Store


@pytest.fixture
def submitted(runs):
    return read(Store(runs))


def entry_of(submitted, method, level, seed=0):
    places = {(each.unit.method.name, each.unit.level, each.unit.seed): each for each in submitted.entries.values()}
    return places[method, level, seed]


def test_every_unit_is_an_entry_with_its_own_files(submitted, runs):
    assert {each.folder for each in submitted.entries.values()} == set(Store(runs).folders())
    for unit_id, each in submitted.entries.items():
        assert unit_id == each.unit.id == each.record["unit_id"]
        assert each.curve == json.loads((each.folder / "record.json").read_text())["curve"]
        masked = each.unit.method.name != "dense"
        assert each.mask.keys() == (load_file(each.folder / "mask.safetensors").keys() if masked else set())
        assert not each.diverged


def test_parents_are_found_by_their_role(submitted):
    ticket = entry_of(submitted, "ticket", 3, 1)
    assert submitted.parent(ticket, "previous") is entry_of(submitted, "ticket", 2, 1)
    assert submitted.parent(ticket, "dense") is entry_of(submitted, "dense", 0, 1)
    assert submitted.parent(ticket, "ticket") is None
    assert submitted.parent(entry_of(submitted, "reinit", 1), "ticket") is entry_of(submitted, "ticket", 1)


def test_others_are_found_by_their_place(submitted):
    random = entry_of(submitted, "random-ticket", 3, 1)
    assert submitted.beside(random, "ticket") is entry_of(submitted, "ticket", 3, 1)
    assert submitted.beside(random, "dense", level=0) is entry_of(submitted, "dense", 0, 1)
    assert submitted.beside(random, "random-ticket", seed=0) is entry_of(submitted, "random-ticket", 3, 0)
    assert submitted.beside(random, "shuffled") is None
    assert submitted.seeds["toy/chain@smoke", 1, "reinit", 1] == [0, 1]
    assert ("toy/chain@smoke", 1, "reinit", 2) not in submitted.seeds


def test_kept_weights_are_counted_in_the_mask_and_not_believed(submitted, runs, forge):
    entry = entry_of(submitted, "random-ticket", 3)
    assert entry.sizes == {"a.weight": 40, "b.weight": 16}
    assert entry.kept == {name: int(each.sum()) for name, each in entry.mask.items()}
    dense = entry_of(submitted, "dense", 0)
    assert dense.kept == dense.sizes, "what has no mask is kept whole"


def test_entries_that_may_not_be_pruned_are_not_counted(submitted):
    entry = entry_of(submitted, "random-ticket", 3)
    entry.record["counts"]["layers"]["a.weight"]["prunable"] = 35
    assert entry.sizes["a.weight"] == 35
    assert entry.kept["a.weight"] == int(entry.mask["a.weight"].sum()) - 5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.update(unit_id="0" * 64),
        lambda record: record["spec"].update(seed=7),
        lambda record: record["spec"].update(level=True),
        lambda record: record["spec"].update(seed=10**9),
        lambda record: record["spec"]["task"].update(version="1"),
        lambda record: record["spec"]["task"].update(name=None),
        lambda record: record["spec"]["method"].update(parents=None),
        lambda record: record.update(spec={}),
        lambda record: record.update(digests=[]),
        lambda record: record.clear(),
    ],
)
def test_a_unit_that_is_not_what_it_says_is_no_entry(runs, spoil):
    """And the others still are."""
    path = next((runs / "toy/chain/reinit/s0").glob("L03-*/record.json"))
    record = json.loads(path.read_text())
    spoil(record)
    path.write_text(json.dumps(record))
    found = read(Store(runs))
    assert len(found.entries) == 15
    assert path.parent not in {each.folder for each in found.entries.values()}


def test_a_copied_folder_is_no_second_entry(runs, submitted):
    import shutil

    folder = entry_of(submitted, "reinit", 1).folder
    shutil.copytree(folder, folder.with_name("L01-0000000000"))
    assert len(read(Store(runs)).entries) == 16


def test_masks_are_read_once_and_not_all_kept(runs, monkeypatch):
    read_mask, seen = reading.read_mask, []
    monkeypatch.setattr(reading, "read_mask", lambda folder: seen.append(folder) or read_mask(folder))
    submitted = read(Store(runs))
    for _ in range(3):
        for each in submitted.entries.values():
            assert each.mask is not None
    assert len(seen) == len(submitted.entries) == 16
