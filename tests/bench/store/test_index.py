"""What the index tells is what the folders tell, whatever became of either of them."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import toy

from bench.runs.planning.plan import plan as make_plan
from bench.store import index
from bench.store.claims import FileClock
from bench.store.index import INDEX, load
from bench.store.integrity import verify
from bench.store.store import Store


@pytest.fixture
def indexed(filled, monkeypatch):
    """A filled store whose files have been as they are for long, and its plan; the index knows everything."""
    monkeypatch.setattr(index, "WORTH", 1)
    monkeypatch.setattr(index, "SETTLED", -1e18)
    store, plan = filled
    store.finished(plan.units.values())
    return store, plan


@pytest.fixture
def look(indexed, monkeypatch):
    """What the store tells of the plan, checked against the folders themselves; gives the folders that had to be read, too."""
    store, plan = indexed
    known = {store.folder(unit): unit.id for unit in plan.units.values()}
    read, seen = index.read, []
    monkeypatch.setattr(index, "read", lambda folder: seen.append(str(folder)) or read(folder))

    def check():
        seen.clear()
        time.sleep(0.01)  # the clock of a file system ticks every few milliseconds
        found = store.finished(plan.units.values())
        assert found == {unit_id: told for folder, unit_id in known.items() if (told := read(str(folder)))}
        assert list(found) == [unit_id for unit_id in plan.units if unit_id in found]
        return found, [known[folder] for folder in known if str(folder) in seen]

    return check


@pytest.fixture
def dense(indexed):
    """The folder of a unit and its id."""
    store, plan = indexed
    unit = next(iter(plan.units.values()))
    return store.folder(unit), unit.id


def test_what_is_known_is_not_read_again(look, indexed):
    assert look()[1] == []
    assert look()[0].keys() == indexed[1].units.keys()


def test_an_edited_record_is_read_again_even_if_it_looks_as_old_and_as_long(look, dense):
    folder, unit_id = dense
    path = folder / "record.json"
    before = path.stat()
    text = path.read_text().replace('"status": "ok",', '"status":"ok", ')
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert look()[1] == [unit_id]
    path.write_text(text.replace('"status":"ok", ', '"status":"diverged",'))
    assert look()[0][unit_id].status == "diverged"
    path.write_text("{}")
    assert unit_id not in look()[0]
    path.write_text(text)
    assert look()[0][unit_id].status == "ok"
    assert look()[1] == []


def test_a_file_that_was_removed_is_missing_and_one_that_was_put_back_is_not(look, dense):
    folder, unit_id = dense
    content = (folder / "rewind.safetensors").read_bytes()
    (folder / "rewind.safetensors").unlink()
    assert look()[0][unit_id] == ("ok", ("rewind.safetensors",))
    assert look()[1] == []
    (folder / "rewind.safetensors").write_bytes(content)
    assert look()[0][unit_id] == ("ok", ())


def test_another_folder_in_its_place_is_read_again(look, dense, tmp_path):
    folder, unit_id = dense
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "final.safetensors").unlink()
    shutil.rmtree(folder)
    assert unit_id not in look()[0]
    (tmp_path / "copy").rename(folder)
    found, read = look()
    assert (found[unit_id].missing, read) == (("final.safetensors",), [unit_id])


def test_a_unit_that_finished_since_is_found(look, indexed, dense):
    store, plan = indexed
    shutil.rmtree(dense[0])
    look()
    toy.finish(plan.units[dense[1]], store, plan)
    assert look()[0][dense[1]] == ("ok", ())


def flipped(position):
    def spoil(path):
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        path.write_bytes(bytes(data))

    return spoil


def lying(text):
    return lambda path: path.write_bytes(index._digest(text) + b"\n" + text)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:70]),
        lambda path: path.write_bytes(b"\xff" * 200),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"ok"', b'"diverged"')),
        *(flipped(at) for at in (0, 63, 64, 65, 100, 200, -1)),
        *(lying(text) for text in (b"", b"[]", b'{"a": 1}', b"[" * 10_000, b'{"x": [[1, 2], ["ok", []]]}')),
        lambda path: (path.rename(path.with_name("elsewhere")), path.symlink_to("elsewhere")),
    ],
)
def test_an_index_that_cannot_be_believed_is_made_again(look, indexed, spoil):
    store, plan = indexed
    spoil(store.root / INDEX)
    assert look()[1] == list(plan.units)
    assert look()[1] == []
    assert len(load(store.root)) == len(plan.units)


def test_a_folder_in_the_place_of_the_index_only_costs_time(look, indexed):
    (indexed[0].root / INDEX).unlink()
    (indexed[0].root / INDEX).mkdir()
    assert look()[1] == look()[1] == list(indexed[1].units)


def test_the_index_of_a_copied_store_is_not_believed(look, indexed, tmp_path):
    store, plan = indexed
    shutil.copytree(store.root, tmp_path / "copy")
    look()
    copied = Store(tmp_path / "copy")
    next(iter(copied.folders())).joinpath("initial.safetensors").unlink()
    assert [each.missing for each in copied.finished(plan.units.values()).values()].count(("initial.safetensors",)) == 1


def test_an_index_that_lies_is_told_to_nobody_who_reads_results(indexed, dense):
    store, plan = indexed
    rows = load(store.root)
    index.save(
        store.root, {path: index.Indexed(row.stamp, index.Finished("diverged", ())) for path, row in rows.items()}
    )
    assert {each.status for each in store.finished(plan.units.values()).values()} == {"diverged"}, "it lies well"
    assert {record["status"] for record in store.records()} == {"ok"}
    assert store.record(plan.units[dense[1]])["status"] == "ok"
    assert verify(store) == []


def test_a_store_that_cannot_be_written_is_read_without_it(look, indexed, monkeypatch):
    (indexed[0].root / INDEX).unlink()

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(FileClock, "now", refuse)
        assert look()[1] == list(indexed[1].units)
        patch.setattr(index, "SETTLED", -1e19)
        patch.setattr(index, "save", refuse)
        assert look()[1] == list(indexed[1].units)
    assert not (indexed[0].root / INDEX).exists()


def test_what_changed_a_moment_ago_may_change_again_unseen_and_is_not_kept(look, indexed, monkeypatch):
    store, plan = indexed
    (store.root / INDEX).unlink()
    monkeypatch.setattr(index, "SETTLED", 1e12)
    assert look()[1] == look()[1] == list(plan.units)
    assert not (store.root / INDEX).exists()
    later = FileClock(store.root).now() + 1001
    monkeypatch.setattr(FileClock, "now", lambda _: later)
    assert look()[1] == list(plan.units)
    assert look()[1] == []


def test_units_of_other_plans_stay_in_the_index(look, indexed):
    store, plan = indexed
    other = make_plan(toy.suite(("random-ticket",), levels=(1,)))
    for unit in other.units.values():
        toy.finish(unit, store, other)
    assert store.finished(other.units.values()).keys() == other.units.keys()
    assert len(load(store.root)) == len(plan.units) + len(other.units)
    assert look()[1] == []


def test_a_few_units_are_read_without_it(filled, monkeypatch):
    store, plan = filled
    monkeypatch.setattr(index, "SETTLED", -1e18)
    assert len(store.finished(plan.units.values())) == len(plan.units) < index.WORTH
    assert not (store.root / INDEX).exists()
    monkeypatch.setattr(index, "WORTH", len(plan.units))
    store.finished(plan.units.values())
    assert len(load(store.root)) == len(plan.units)


LOOKING = """
import json, sys, toy
from bench.runs.planning.plan import plan
from bench.store import index
from bench.store.store import Store
index.WORTH, index.SETTLED = 1, -1e18
store, units = Store(sys.argv[1]), plan(toy.suite()).units
for _ in range(60):
    (store.root / index.INDEX).unlink(missing_ok=True)
    assert len(store.finished(units.values())) == len(units)
"""


def test_many_who_write_it_at_once_leave_a_whole_one(look, indexed):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LOOKING, str(indexed[0].root)]
    running = [subprocess.Popen(command, env=environment) for _ in range(3)]
    while any(process.poll() is None for process in running):
        look()
    assert [process.returncode for process in running] == [0, 0, 0]
    look()
    assert len(load(indexed[0].root)) == len(indexed[1].units)
    assert json.loads((indexed[0].root / INDEX).read_bytes().partition(b"\n")[2])
    assert [path.name for path in indexed[0].root.iterdir() if path.name.startswith((f".{INDEX}", ".clock"))] == []
