"""A ticket file becomes the source of a transfer, under its own unit id, without what it was found with."""

import errno
import json
import shutil

import numpy as np
import pytest
import toy
from example import MOONS, TURNED, ExampleDomain, Moons
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from bench import registry
from bench.digests import file_digest
from bench.errors import StoreError, SubmissionError
from bench.exchange import remeasure
from bench.exchange.imports import import_ticket
from bench.exchange.pack import pack as write_archive
from bench.exchange.ticketfile import read_ticket, write_ticket
from bench.exchange.verify import findings_of
from bench.runs.clean import clean
from bench.runs.estimates.pace import Pace
from bench.runs.overview import planned, status
from bench.runs.planning.frontier import Frontier
from bench.runs.planning.plan import plan as make_plan
from bench.runs.planning.stacking import Stacking
from bench.store.attempt import Attempt, read_record
from bench.store.claims import ATTEMPTS, Claims, sweep
from bench.store.store import Store
from bench.tickets.units.work import work

SUITE = toy.suite(("dense", "ticket"), (2,), of=TURNED)
TARGET = ("dense", "transfer+turned", "transfer-reinit+turned")


def train(plan, root, frontier=None):
    """Whatever a frontier asks for, one after the other; gives the labels."""
    store = Store(root)
    store.prepare()
    frontier, labels = Frontier(plan, store), []
    while unit := frontier.next():
        attempt = Attempt(root, unit)
        record = work(unit, parents=frontier.places(unit), folder=attempt.folder)
        attempt.commit(record)
        frontier.finish(unit, record["status"], None)
        labels.append(unit.label)
    assert not frontier.is_waiting
    return labels


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A store of another machine, and a ticket file of its."""
    root = tmp_path_factory.mktemp("source")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain()})
        train(make_plan(SUITE), root / "runs")
        (folder,) = (root / "runs/example/turned/ticket/s0").glob("L02-*")
        write_ticket(Store(root / "runs"), folder, root / "a.ticket")
    return root


@pytest.fixture
def store(source, example, tmp_path):
    """A store that holds nothing but the imported ticket."""
    import_ticket(source / "a.ticket", Store(tmp_path / "runs"))
    return Store(tmp_path / "runs")


@pytest.fixture
def plan(example):
    return make_plan(toy.suite(TARGET, (2,), of=MOONS))


def test_another_run_that_comes_or_leaves_meanwhile_takes_nothing_from_it(source, example, tmp_path, monkeypatch):
    copy, store = shutil.copyfile, Store(tmp_path / "runs")

    def disturbed(*paths):
        sweep(store.root)  # as every run does when it begins, and when it ends
        return copy(*paths)

    monkeypatch.setattr(shutil, "copyfile", disturbed)
    unit = import_ticket(source / "a.ticket", store)
    assert "imported" in store.record(unit)
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_ticket_that_is_being_trained_is_not_imported(source, example, tmp_path):
    store = Store(tmp_path / "runs")
    store.prepare()
    unit = read_ticket(source / "a.ticket").unit
    assert Claims(store.root).take(unit.id) is None
    with pytest.raises(StoreError, match=r"ticket L2 s0 is being trained in .*: wait for that run"):
        import_ticket(source / "a.ticket", store)
    assert not store.record(unit)


def test_it_stands_under_its_own_id_and_says_where_it_came_from(source, store):
    (folder,) = store.folders()
    theirs = source / "runs" / folder.relative_to(store.root)
    assert sorted(path.name for path in folder.iterdir()) == ["mask.safetensors", "record.json", "rewind.safetensors"]
    ours, was = read_record(folder), read_record(theirs)
    assert len(ours.pop("imported")) == 64
    for record in (ours, was):
        del record["digests"]["files"]
    assert ours == was


def test_nothing_of_the_source_is_trained(store, plan):
    frontier = Frontier(plan, store)
    assert {frontier.plan.units[each].task.name for each in frontier.todo} == {"example/moons"}
    assert len(frontier.units) == 4
    assert "example/turned@smoke        1      1     1" in planned(plan, store, Pace(), Stacking(), workers=1).replace(
        "  1  ", "  1  "
    )
    assert "example/turned@smoke  dense" not in status(plan, store)
    assert sorted(train(plan, store.root)) == [
        "example/moons@smoke dense L0 s0",
        "example/moons@smoke transfer+turned L2 s0",
        "example/moons@smoke transfer-reinit+turned L2 s0",
    ]


def test_what_comes_of_it_is_what_comes_of_the_source_itself(store, plan, tmp_path):
    train(plan, store.root)
    train(plan, tmp_path / "whole")
    for unit in plan.units.values():
        if unit.task.name == "example/moons":
            imported, whole = store.record(unit), Store(tmp_path / "whole").record(unit)
            assert imported["digests"]["result"] == whole["digests"]["result"]
            assert imported["parents"] == whole["parents"], "the digest of the source's dense network, too"
            assert imported["search_cost"] == whole["search_cost"]


def test_where_a_file_says_that_it_came_from_it_is_not_asked(source, example, tmp_path):
    with safe_open(source / "a.ticket", framework="np") as opened:
        metadata = opened.metadata()
    metadata["record"] = json.dumps({**json.loads(metadata["record"]), "imported": "0" * 64})
    save_file(load_file(source / "a.ticket"), tmp_path / "b.ticket", metadata=metadata)
    store = Store(tmp_path / "runs")
    assert store.record(import_ticket(tmp_path / "b.ticket", store))["imported"] == file_digest(tmp_path / "b.ticket")


def test_its_store_is_verified_with_a_note(store, plan):
    train(plan, store.root)
    found = findings_of(store.root)
    assert (found.findings, found.doubts, found.missing) == ([], [], [])
    assert found.notes == [
        "example/turned@smoke ticket L2 s0 was imported from a ticket file: what it was found with is not here"
    ]
    assert found.believed == 1


@pytest.fixture
def packed(plan, store, tmp_path):
    """An archive of a store with an imported ticket, without weights."""
    train(plan, store.root)
    write_archive(plan.units.values(), store, tmp_path / "a.zip", suite=plan.suite, weights=False)
    return tmp_path / "a.zip"


def test_an_archive_with_an_imported_ticket_stands_and_says_what_cannot_be_shown(
    command, packed, tmp_path, monkeypatch
):
    code, out, err = command("verify", packed)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "note: example/turned@smoke ticket L2 s0 was imported from a ticket file: what it was found with is not here",
        "note: mask believed of 1 units: the weights that ranked it were not submitted",
        f"{packed}: 4 units, no findings",
    ]
    monkeypatch.setitem(remeasure.WORKS, "retrain", "example_again:retrain")
    code, out, _ = command("verify", packed, "--retrain", 4, "--draw", 0, "--workers", 1)
    assert code == 0, out
    assert out.splitlines()[-1] == f"{packed}: 4 units, no findings"
    assert command("unpack", packed, "--into", tmp_path / "theirs")[0] == 0


def test_whoever_calls_a_ticket_imported_to_leave_out_what_it_was_found_with_is_told(command, store, tmp_path):
    """Its own store may hold one that no transfer has taken yet."""
    said = (
        "example/turned@smoke ticket L2 s0 was imported from a ticket file, yet no transfer that starts from it is here"
    )
    suite = toy.suite(("ticket",), (2,), of=TURNED)
    write_archive(make_plan(suite).units.values(), store, tmp_path / "a.zip", suite=suite, weights=False)
    code, out, _ = command("verify", tmp_path / "a.zip")
    assert code == 1
    assert out.splitlines()[0] == said
    code, out, _ = command("verify", store.root)
    assert code == 0
    assert out.splitlines()[0] == f"note: {said}"


def test_another_digest_of_the_sources_dense_is_found(store, plan, forge):
    train(plan, store.root)
    dense = next(unit for unit in plan.units.values() if unit.label == "example/turned@smoke dense L0 s0")

    def change(units):
        units["transfer+turned", 2, 0].record["parents"][dense.id] = "0" * 64

    forge(store.root, change)
    assert any("(source-dense) has another result" in line for line in findings_of(store.root).findings)


def test_brought_weights_are_checked_like_those_of_the_file(store, plan, forge):
    def change(units):
        unit = units["ticket", 2, 0]
        unit.states["rewind.safetensors"]["weights/0.weight"][~unit.mask["0.weight"]] = 1.0

    forge(store.root, change)
    assert any(
        "pruned weights of '0.weight' are not zero at the start" in line for line in findings_of(store.root).findings
    )


def test_its_weights_outlive_a_cleaning(store, plan):
    train(plan, store.root)
    (folder,) = (store.root / "example/turned/ticket/s0").iterdir()
    assert clean(store, plan).files == 3, "those of the target's dense network"
    clean(store)
    assert (folder / "rewind.safetensors").exists()


@pytest.mark.parametrize("name", ["mask", "rewind"])
def test_where_a_file_of_it_is_lost_the_source_is_trained_here(store, plan, name):
    (folder,) = (store.root / "example/turned/ticket/s0").iterdir()
    (folder / f"{name}.safetensors").unlink()
    labels = train(plan, store.root)
    assert "example/turned@smoke dense L0 s0" in labels
    assert ("example/turned@smoke ticket L2 s0" in labels) == (name == "mask")
    assert "example/moons@smoke transfer+turned L2 s0" in labels
    assert findings_of(store.root).findings == []


def test_a_suite_that_asks_for_the_source_itself_trains_the_rest_of_it(store, example):
    assert sorted(train(make_plan(SUITE), store.root)) == [
        "example/turned@smoke dense L0 s0",
        "example/turned@smoke ticket L1 s0",
    ]


def test_a_transfer_from_a_deeper_level_trains_what_it_takes_to_go_on(store, example):
    labels = train(make_plan(toy.suite(TARGET, (2, 3), of=MOONS)), store.root)
    assert "example/turned@smoke ticket L2 s0" in labels, "its trained weights were not in the file"
    assert "example/moons@smoke transfer+turned L3 s0" in labels
    (folder,) = (store.root / "example/turned/ticket/s0").glob("L02-*")
    assert {path.name for path in folder.iterdir()} >= {"rewind.safetensors", "final.safetensors"}
    assert "imported" in read_record(folder)
    assert findings_of(store.root).findings == []


class Elsewhere(Moons):
    """The same learner on a machine that rounds otherwise."""

    def __init__(self, *args):
        super().__init__(*args)
        self.module[0].weight.data += 0.02


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A store with a ticket of a machine that rounds otherwise, and its file."""
    monkeypatch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Elsewhere)})
    train(make_plan(SUITE), tmp_path / "theirs")
    (folder,) = (tmp_path / "theirs/example/turned/ticket/s0").glob("L02-*")
    write_ticket(Store(tmp_path / "theirs"), folder, tmp_path / "a.ticket")
    monkeypatch.setattr(registry, "domains", lambda: {"example": ExampleDomain()})
    import_ticket(tmp_path / "a.ticket", Store(tmp_path / "runs"))
    return Store(tmp_path / "runs")


def test_it_is_not_held_against_a_chain_that_was_trained_here(foreign, plan, forge):
    train(plan, foreign.root)
    train(make_plan(SUITE), foreign.root)
    assert findings_of(foreign.root).findings == []

    def native(units):
        del units["ticket", 2, 0].record["imported"]

    forge(foreign.root, native)
    assert any("its mask differs in" in line for line in findings_of(foreign.root).findings)


@pytest.mark.parametrize("beside", [False, True])
def test_written_again_it_has_the_weights_that_it_brought(foreign, tmp_path, beside):
    if beside:
        train(make_plan(toy.suite(("dense",), (0,), of=TURNED)), foreign.root)
    (folder,) = (foreign.root / "example/turned/ticket/s0").iterdir()
    write_ticket(foreign, folder, tmp_path / "b.ticket")
    one, other = load_file(tmp_path / "a.ticket"), load_file(tmp_path / "b.ticket")
    assert all(np.array_equal(one[name], other[name]) for name in {*one, *other})
    import_ticket(tmp_path / "b.ticket", Store(tmp_path / "again"))
    (folder / "rewind.safetensors").unlink()
    with pytest.raises(StoreError, match="are not in .*: import it again"):
        write_ticket(foreign, folder, tmp_path / "c.ticket")


# What is refused.


def test_a_unit_that_is_there_is_left_as_it_is(source, store):
    before = {path: path.read_bytes() for path in store.root.rglob("*.*") if path.is_file()}
    with pytest.raises(StoreError, match=r"ticket L2 s0 is in .*runs already: nothing was imported"):
        import_ticket(source / "a.ticket", store)
    assert {path: path.read_bytes() for path in store.root.rglob("*.*") if path.is_file()} == before


def test_a_disk_that_refuses_is_told_in_a_line_and_nothing_is_left(source, example, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    store = Store(tmp_path / "runs")
    monkeypatch.setattr("shutil.copyfile", refuse)
    with pytest.raises(
        StoreError, match="cannot write example/turned@smoke ticket L2 s0 to .*: Disk quota exceeded; make room"
    ):
        import_ticket(source / "a.ticket", store)
    assert list(store.folders()) == list((store.root / ATTEMPTS).iterdir()) == []


def test_only_tickets_are_sources(trained, example, tmp_path):
    (folder,) = (trained / "example/moons/one-shot/s0").glob("L02-*")
    write_ticket(Store(trained), folder, tmp_path / "a.ticket")
    with pytest.raises(
        SubmissionError, match=r"holds 'example/moons@smoke one-shot L2 s0' \(ok\): a transfer takes a `ticket`"
    ):
        import_ticket(tmp_path / "a.ticket", Store(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("layers", "told"), [(("0",), "at the start; see"), (("0", "4"), r"at the start \(and 1 more\); see")]
)
def test_a_file_that_contradicts_itself_is_not_imported(source, example, tmp_path, layers, told):
    file = tmp_path / "a.ticket"
    with safe_open(source / "a.ticket", framework="np") as opened:
        metadata = opened.metadata()
    arrays = load_file(source / "a.ticket")
    for layer in layers:
        arrays[f"weights/{layer}.weight"] = arrays[f"weights/{layer}.weight"] + 1
    save_file(arrays, file, metadata=metadata)
    with pytest.raises(SubmissionError, match=f"is not believed: .*are not zero {told} `ticketbench verify {file}`"):
        import_ticket(file, Store(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_a_unit_that_another_run_finished_meanwhile_stays(source, example, tmp_path, monkeypatch):
    monkeypatch.setattr(Store, "record", lambda *_: None)  # at the moment of that look
    store = Store(tmp_path / "runs")
    unit = import_ticket(source / "a.ticket", store)
    path = store.folder(unit) / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "digests": {**record["digests"], "result": "0" * 64}}))
    with pytest.raises(StoreError, match="L2 s0 was finished in .*runs meanwhile, otherwise: see conflicts/ there"):
        import_ticket(source / "a.ticket", store)
    assert json.loads(path.read_text())["digests"]["result"] == "0" * 64
    assert len(list((store.root / "conflicts").iterdir())) == 1


def test_a_ticket_of_a_task_that_is_not_installed_is_no_source(source, tmp_path, toys):
    with pytest.raises(
        SubmissionError, match="is not believed: .*'example/turned@smoke' version 1 is not installed here"
    ):
        import_ticket(source / "a.ticket", Store(tmp_path / "runs"))


def test_the_command(source, command, example, tmp_path):
    asked = ("import", source / "a.ticket", "--store", tmp_path / "runs")
    code, out, err = command(*asked)
    assert (code, err) == (0, "")
    assert out == (
        f"{tmp_path / 'runs'}: example/turned@smoke ticket L2 s0, believed and not made here; next: a suite with the method "
        "transfer+turned\n"
    )
    code, out, err = command(*asked)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert command("import", tmp_path / "none", "--store", tmp_path / "runs")[0] == 2
