"""What a store reads, refuses, finds and sweeps away."""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import older
import pytest
import toy

from bench.errors import StoreError
from bench.record import FORMAT
from bench.runs.planning.plan import plan as make_plan
from bench.store import files
from bench.store import store as stores
from bench.store.integrity import verify
from bench.store.store import Store, curve
from bench.tickets.methods import METHODS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            json.dumps({"format": FORMAT + 1}),
            rf"newer ticketbench \(format {FORMAT + 1}, this one reads {FORMAT}\): upgrade",
        ),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
    ],
)
def test_a_store_that_this_version_cannot_read_is_refused(tmp_path, content, said):
    (tmp_path / "store.json").write_text(content)
    with pytest.raises(StoreError, match=said):
        Store(tmp_path)


def test_a_folder_of_other_things_is_no_store(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(StoreError, match=r"holds files but no store\.json"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "thesis.tex")


def test_an_absent_or_empty_folder_is_an_empty_store(tmp_path):
    for root in (tmp_path, tmp_path / "absent"):
        assert Store(root).records() == []
    assert not (tmp_path / "absent").exists(), "looking creates nothing"


@pytest.mark.parametrize(
    "inside", ["toy", "toy/chain", "toy/chain/ticket", "toy/chain/ticket/s0", "toy/chain/ticket/s0/L*", ".attempts"]
)
@pytest.mark.parametrize("dangling", [False, True])
def test_a_linked_folder_is_refused_and_named(filled, tmp_path, inside, dangling):
    """A run would see what is behind it, and a table would not."""
    store, _ = filled
    folder = next(store.root.glob(inside))
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / ("gone" if dangling else "elsewhere"))
    with pytest.raises(
        StoreError, match=f"^{folder} is a link to {tmp_path}/.*whole or not at all, so move the folder"
    ):
        Store(store.root)
    with pytest.raises(StoreError, match="is a link"):
        store.records()


def test_a_store_that_is_a_link_itself_is_whole(filled, tmp_path):
    store, plan = filled
    (tmp_path / "link").symlink_to(store.root)
    (store.root / "toy" / "notes").symlink_to(store.root / "store.json")  # a file hides no unit
    assert len(Store(tmp_path / "link").records()) == len(plan.units)


def test_a_folder_that_cannot_be_read_is_named(filled, monkeypatch):
    store, _ = filled
    scandir = os.scandir

    def locked(path):
        if str(path).endswith("ticket/s0"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(StoreError, match="ticket/s0 cannot be read: Permission denied; a store is read whole"):
        Store(store.root)


def test_a_record_that_the_user_may_not_read_is_not_trained_again(filled, monkeypatch):
    """As of a colleague, in a store that is shared: it is finished, and it would have been moved aside."""
    store, plan = filled
    first, *_ = plan.units.values()
    read = files.read

    def locked(path, **options):
        if path == store.folder(first) / "record.json":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return read(path, **options)

    monkeypatch.setattr(files, "read", locked)
    for ask in (lambda: store.finished(plan.units.values()), store.records, lambda: store.find(first.id)):
        with pytest.raises(
            StoreError, match=rf"^cannot read .*{first.path}/record.json: Permission denied; get the right"
        ):
            ask()


def test_units_are_found_by_id_and_by_folder(filled):
    store, plan = filled
    unit = next(iter(plan.units.values()))
    folder = store.folder(unit)
    for text in (unit.id, unit.id[:10], unit.id[:6], unit.id[:14], unit.path, str(folder), str(folder / "record.json")):
        assert store.find(text) == folder
    for text in ("zzzz", "", unit.id[:12] + "zz"):
        with pytest.raises(StoreError, match="no record"):
            store.find(text)


def test_an_ambiguous_id_lists_what_it_may_mean(store):
    seventeen = make_plan(toy.suite(("dense",), seeds=range(17))).units.values()  # more than there are first digits
    for unit in seventeen:
        toy.finish(unit, store, None)
    first = [unit.id[0] for unit in seventeen]
    digit = max(first, key=first.count)
    with pytest.raises(
        StoreError, match=rf"'{digit}' begins the ids of {first.count(digit)} records .toy/chain.*give more"
    ):
        store.find(digit)


@pytest.mark.parametrize("text", ["", "[]", '"text"', "{}", '{"spec": 1}', "NaN", "[" * 100_000, "\xff"])
def test_readers_skip_what_is_no_record(store, text):
    folder = store.root / "toy" / "L01-0123456789"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(text, encoding="latin-1")
    assert store.records() == []


def test_a_curve_that_cannot_be_read_says_so(filled):
    store, plan = filled
    folder = store.folder(next(iter(plan.units.values())))
    (folder / "record.json").write_text((folder / "record.json").read_text().replace('"step": 30', '"step": -1'))
    with pytest.raises(StoreError, match=r"record\.json cannot be read \(Expected `int` >= 0"):
        curve(folder)


def test_what_is_finished_and_what_was_removed_of_it_is_told_at_once(filled):
    store, plan = filled
    dense, ticket, *_ = plan.units.values()
    (store.folder(dense) / "initial.safetensors").unlink()
    (store.folder(ticket) / "record.json").write_text("{}")
    found = store.finished(plan.units.values())
    assert found.keys() == plan.units.keys() - {ticket.id}
    assert found[dense.id] == ("ok", ("initial.safetensors",))
    assert {each.missing for each in found.values()} == {(), ("initial.safetensors",)}
    assert store.finished([dense]) == {dense.id: found[dense.id]}
    assert Store(store.root / "absent").finished(plan.units.values()) == {}


def test_a_record_that_lists_no_files_is_taken_to_have_had_every_state(filled):
    store, plan = filled
    dense = next(iter(plan.units.values()))
    path = store.folder(dense) / "record.json"
    record = json.loads(path.read_text())
    del record["digests"]["files"]
    path.write_text(json.dumps(record))
    (store.folder(dense) / "final.safetensors").unlink()
    assert store.finished([dense])[dense.id].missing == ("final.safetensors",)


def test_an_older_store_is_read_as_it_is(filled):
    store, plan = filled
    ours = {unit.id: (store.record(unit), curve(store.folder(unit))) for unit in plan.units.values()}
    older.store(store.root)
    before = sorted(store.root.rglob("*"))
    reopened = Store(store.root)
    for unit in plan.units.values():
        record = reopened.record(unit)
        assert record["format"] == 1
        assert record["digests"].pop("files") != ours[unit.id][0]["digests"].pop("files")
        assert {**record, "format": FORMAT} == ours[unit.id][0]
        assert curve(store.folder(unit)) == ours[unit.id][1] != []
    assert verify(reopened) == []
    assert {each.missing for each in reopened.finished(plan.units.values()).values()} == {()}
    assert sorted(store.root.rglob("*")) == before


def test_the_curve_of_an_older_unit_is_read_from_its_file(filled):
    store, plan = filled
    folder = store.folder(next(iter(plan.units.values())))
    older.unit(folder)
    (folder / "curve.jsonl").write_text('{"step": NaN}\n')
    with pytest.raises(StoreError, match=r"curve\.jsonl cannot be read"):
        curve(folder)


def test_an_older_store_is_completed_and_then_refused_by_older_versions(filled, monkeypatch):
    """New units stand beside old ones; a child may start from an old parent."""
    store, plan = filled
    suite = {"suite": {"name": "toy", "title": "", "tasks": []}}
    (store.root / "store.json").write_text(json.dumps({"format": FORMAT, **suite}))
    for unit in plan.units.values():
        if unit.method.name == "ticket":
            shutil.rmtree(store.folder(unit))
    older.store(store.root)
    reopened = Store(store.root)
    monkeypatch.setattr(stores, "FORMAT", 1)
    Store(store.root)
    monkeypatch.undo()
    reopened.prepare()
    for unit in plan.units.values():
        if unit.method.name == "ticket":
            assert toy.finish(unit, reopened, plan) == "committed"
    assert {record["format"] for record in reopened.records()} == {1, 2}
    assert verify(reopened) == []
    assert json.loads((store.root / "store.json").read_text()) == {"format": FORMAT, **suite}
    monkeypatch.setattr(stores, "FORMAT", 1)
    with pytest.raises(StoreError, match=r"written by a newer ticketbench \(format 2, this one reads 1\): upgrade"):
        Store(store.root)


def test_a_cleaned_older_unit_is_restored_in_its_own_layout(filled):
    store, plan = filled
    dense = next(iter(plan.units.values()))
    folder = store.folder(dense)
    older.unit(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("initial", "rewind", "final"):
        (folder / f"{name}.safetensors").unlink()
    assert toy.finish(dense, store, plan) == "kept"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert verify(store) == []


def test_records_in_memory_hold_no_curve(filled):
    store, plan = filled
    unit = next(iter(plan.units.values()))
    assert "curve" in json.loads((store.folder(unit) / "record.json").read_text())
    assert not any("curve" in record for record in [store.record(unit), *store.records()])


def test_a_store_has_at_most_four_inodes_a_record(template, toys, tmp_path):
    """Folders of tasks, methods and seeds, and its own files included; the plan is that of the smoke suite."""
    suite = toy.suite(tuple(METHODS), levels=(1, 3), seeds=(0, 1), of=toy.TASKS[3])
    store, plan = template(suite, tmp_path / "runs")
    assert len(plan.units) == 106
    assert sum(1 for _ in store.root.rglob("*")) <= 4 * 106


def test_a_pipe_in_the_place_of_a_reason_is_not_waited_for(filled):
    store, _ = filled
    why = store.root / "failed" / "0123456789.00000000" / "reason.txt"
    why.parent.mkdir(parents=True)
    os.mkfifo(why)
    assert store.failures()["0123456789"].reason == "nobody knows why (reason.txt: it is no plain file)"


def test_folders_may_be_deep_inside_each_other(filled, monkeypatch):
    store, plan = filled
    monkeypatch.chdir(store.root)
    for _ in range(1_100):
        Path("a").mkdir()
        os.chdir("a")
    try:
        assert len(list(Store(store.root).folders())) == len(plan.units)
        assert list(store.folders()) == sorted(store.folders())
    finally:
        subprocess.run(["rm", "-r", store.root / "a"], check=True)  # pytest's own way is recursive
