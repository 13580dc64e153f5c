"""A store is whole at every instant: whatever fails while a unit is committed, what was there before is there after."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import toy

from bench.errors import FULL, AttemptVanished, StoreError
from bench.runs.planning.plan import plan as make_plan
from bench.store import attempt as attempts
from bench.store import files
from bench.store.attempt import CONFLICTS, FAILED, STATES, Attempt
from bench.store.claims import ATTEMPTS
from bench.store.integrity import verify
from bench.store.store import Store, curve


def dense():
    return next(iter(make_plan(toy.suite(("dense",))).units.values()))


def trained(store, unit):
    attempt = Attempt(store.root, unit)
    return attempt, toy.work(unit, parents={}, folder=attempt.folder, device="cpu", report=lambda *_: None)


def snapshot(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_finished_unit_is_a_folder_with_everything_in_it(store):
    unit = dense()
    attempt, record = trained(store, unit)
    assert store.record(unit) is None
    assert attempt.commit(record) == "committed"
    folder = store.root / "toy/chain/dense/s0" / f"L00-{unit.id[:10]}"
    names = {path.name for path in folder.iterdir()}
    assert names == {"record.json", *STATES}
    found = store.record(unit)
    assert set(found["digests"]["files"]) == names - {"record.json"}
    assert found["spec"] == unit.spec()
    assert curve(folder)[-1]["step"] == 30
    assert not list((store.root / ATTEMPTS).iterdir())


class Fault:
    """Break the n-th call of one of the steps of a commit."""

    def __init__(self, monkeypatch, action):
        self.calls, self.at, self.action = 0, None, action
        for owner, name in (
            (os, "fsync"),
            (Path, "rename"),
            (Path, "mkdir"),
            (files, "write"),
            (attempts, "file_digest"),
        ):
            monkeypatch.setattr(owner, name, self.wrapped(getattr(owner, name)))

    def wrapped(self, function):
        def call(*args, **kwargs):
            self.calls += 1
            if self.calls == self.at:
                self.action()
            return function(*args, **kwargs)

        return call


def no_room():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def extra(store, method):
    """A unit that is not in the store; its folder's parent is made, so that every commit takes the same steps."""
    unit = make_plan(toy.suite((method,), levels=(3,))).units.popitem()[1]
    store.folder(unit).parent.mkdir(parents=True)
    return unit


def steps_of_a_commit(store, monkeypatch):
    attempt, record = trained(store, extra(store, "random-ticket"))
    with monkeypatch.context() as patch:
        fault = Fault(patch, no_room)
        attempt.commit(record)
        return fault.calls


def test_a_full_disk_at_any_step_leaves_the_store_as_it_was(filled, monkeypatch):
    store, _ = filled
    steps = steps_of_a_commit(store, monkeypatch)
    assert steps >= 8
    before = snapshot(store.root)
    unit = extra(store, "snip")
    for step in range(1, steps + 1):
        attempt, record = trained(store, unit)
        with monkeypatch.context() as patch:
            fault = Fault(patch, no_room)
            fault.at = step
            with pytest.raises(StoreError, match="No space left on device; make room") as error:
                attempt.commit(record)
        assert "\n" not in str(error.value)
        assert not list((store.root / ATTEMPTS).iterdir())
        if store.record(unit) is None:
            assert snapshot(store.root) == before
        else:
            assert step == steps, "only the flush of the parent comes after the rename"
    assert verify(store) == []


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "No space left on device; make room or name another --store, then run again"),
        (errno.EDQUOT, "Disk quota exceeded; make room or"),
        (
            errno.EXDEV,
            "Invalid cross-device link; it spans several file systems, so put all of its folders, .attempts too",
        ),
        (errno.EFBIG, "File too large; raise the limit on the size of files"),
        (errno.EROFS, "Read-only file system; it is mounted read-only: mount it writable or"),
        (errno.EACCES, "Permission denied; get the right to write there or"),
        (errno.EPERM, "Operation not permitted; get the right to write there or"),
        (errno.ENAMETOOLONG, "File name too long; give the task or the method a shorter name, or"),
        (errno.EIO, "Input/output error; see to that or name another --store"),
    ],
)
def test_what_is_the_matter_with_the_disk_is_said(store, monkeypatch, number, told):
    attempt, record = trained(store, dense())

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError) as error:
        attempt.commit(record)
    assert str(error.value).startswith(f"cannot write toy/chain@smoke dense L0 s0 to {store.root}: {told}")
    assert ("make room" in str(error.value)) == (number in FULL)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,  # noqa: S108  what is elsewhere
    reason="it takes two file systems",
)
def test_attempts_on_another_file_system_are_no_full_disk(store):
    """A mounted folder, as a link that is refused when the store is opened; it is met before anything is trained."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (store.root / ATTEMPTS).rmdir()
        (store.root / ATTEMPTS).symlink_to(elsewhere)
        with pytest.raises(StoreError, match=f"cannot write to {store.root}: .* it spans several file systems"):
            store.prepare()
        attempt, record = trained(store, dense())
        with pytest.raises(StoreError, match="it spans several file systems"):
            attempt.commit(record)


KILLED = """
import os, sys, time, toy
from bench.store import attempt, files
from bench.store.attempt import Attempt
from bench.store.claims import Claims
from bench.runs.planning.plan import plan
from bench.store.store import Store
from pathlib import Path
store, step, calls = Store(sys.argv[1]), int(sys.argv[2]), 0
unit = plan(toy.suite(("snip",), levels=(3,))).units.popitem()[1]
while Claims(store.root).take(unit.id):  # whoever comes while it is held would lose its attempt with the holder's
    time.sleep(0.05)
made = Attempt(store.root, unit)
record = toy.work(unit, parents={}, folder=made.folder, device="cpu", report=lambda *_: None)
def dying(function):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), 9)
        return function(*args, **kwargs)
    return call
for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "mkdir"), (files, "write"), (attempt, "file_digest")):
    setattr(owner, name, dying(getattr(owner, name)))
made.commit(record)
"""


def test_a_kill_at_any_step_leaves_a_whole_store_and_nothing_behind(filled, monkeypatch):
    store, _ = filled
    steps = steps_of_a_commit(store, monkeypatch)
    unit, before = extra(store, "snip"), snapshot(store.root)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    commands = [[sys.executable, "-c", KILLED, str(store.root), str(step)] for step in range(1, steps + 1)]
    for command in commands[:-1]:  # one after another: whoever takes over from a dead one sweeps what others are at
        assert subprocess.run(command, env=environment, check=False, timeout=60).returncode == -9
    left = {path: data for path, data in snapshot(store.root).items() if not path.startswith(ATTEMPTS)}
    assert left == before
    assert subprocess.run(commands[-1], env=environment, check=False, timeout=60).returncode == -9
    assert len(snapshot(store.root)) > len(before)
    Store(store.root).prepare()
    assert not list((store.root / ATTEMPTS).iterdir())
    assert verify(store) == []
    assert store.record(unit)["unit_id"] == unit.id, "killed after the rename: it is there"


def test_the_same_result_twice_keeps_the_first(store):
    unit = dense()
    one, first = trained(store, unit)
    two, second = trained(store, unit)
    one.commit(first)
    before = snapshot(store.root / "toy")
    assert two.commit(second) == "kept"
    assert snapshot(store.root / "toy") == before
    assert not list((store.root / ATTEMPTS).iterdir())


def test_another_result_is_a_conflict_that_keeps_the_first(store, trouble):
    unit = dense()
    one, first = trained(store, unit)
    one.commit(first)
    before = snapshot(store.root / "toy")
    trouble({unit.label: "differ"})
    two, second = trained(store, unit)
    assert two.commit(second) == "conflict"
    assert snapshot(store.root / "toy") == before
    (path,) = (store.root / CONFLICTS).iterdir()
    assert path.name.startswith(f"{unit.id[:10]}.")
    told = json.loads(path.read_text())
    assert told["kept"]["digests"]["result"] == first["digests"]["result"]
    assert told["discarded"]["digests"]["result"] == second["digests"]["result"]
    assert told["discarded"]["metrics"] == second["metrics"]


@pytest.mark.parametrize(("first", "second"), [(None, 4), (4, None)])
def test_a_stacked_result_beside_one_without_a_stack_is_no_conflict_and_the_first_stays(store, trouble, first, second):
    unit = dense()
    assert toy.finish(unit, store, None, stack=first) == "committed"
    (store.folder(unit) / STATES[1]).unlink()
    before = snapshot(store.root / "toy")
    trouble({unit.label: "differ"})
    assert toy.finish(unit, store, None, stack=second) == "kept"
    assert snapshot(store.root / "toy") == before, "nor are its files filled up with the other's"
    assert not (store.root / CONFLICTS).exists()
    assert toy.finish(unit, store, None, stack=first) == "conflict"


def test_the_same_result_of_a_stack_brings_states_back(store):
    unit = dense()
    toy.finish(unit, store, None)
    (store.folder(unit) / STATES[1]).unlink()
    assert toy.finish(unit, store, None, stack=4) == "kept"
    assert (store.folder(unit) / STATES[1]).exists()
    assert verify(store) == []


@pytest.mark.parametrize("other_bytes", [False, True])
def test_cleaned_states_come_back_with_the_same_result(store, other_bytes):
    unit = dense()
    one, first = trained(store, unit)
    one.commit(first)
    for name in STATES[1:]:
        (store.folder(unit) / name).unlink()
    two, second = trained(store, unit)
    if other_bytes:  # the same tensors with other metadata, as another version may write them
        path = two.folder / STATES[2]
        path.write_bytes(toy.resaved(path))
    assert two.commit(second) == "kept"
    assert all((store.folder(unit) / name).exists() for name in STATES)
    assert verify(store) == []


def test_a_folder_without_a_record_that_parses_gives_way(store):
    unit = dense()
    folder = store.folder(unit)
    folder.mkdir(parents=True)
    (folder / "record.json").write_text('{"half')
    assert store.record(unit) is None
    assert store.records() == []
    attempt, record = trained(store, unit)
    assert attempt.commit(record) == "committed"
    assert store.record(unit)
    assert [path.name.startswith("unreadable-") for path in (store.root / FAILED).iterdir()] == [True]


def test_a_failure_keeps_its_reason_and_nothing_else(store):
    unit = dense()
    attempt, _ = trained(store, unit)
    attempt.fail("it broke\n\nTraceback ...")
    (folder,) = (store.root / FAILED).iterdir()
    assert {path.name for path in folder.iterdir()} == {"spec.json", "reason.txt"}
    assert json.loads((folder / "spec.json").read_text())["seed"] == 0
    assert store.failures()[unit.id[:10]].reason == "it broke"
    Attempt(store.root, unit).fail("again\n")
    (later,) = set((store.root / FAILED).iterdir()) - {folder}
    os.utime(later / "reason.txt", (time.time() + 9, time.time() + 9))
    assert store.failures()[unit.id[:10]].reason == "again"
    assert store.records() == []


def test_a_crash_of_a_stack_is_told_from_other_failures(store):
    one, two = make_plan(toy.suite(("dense",), seeds=(0, 1))).units.values()
    Attempt(store.root, one).fail("its own fault")
    assert store.crashed_in_stacks() == set()
    Attempt(store.root, two).fail("the worker died", stack=7)
    Attempt(store.root, two).fail("its own fault")
    assert store.crashed_in_stacks() == {two.id[:10]}
    assert {failure.reason for failure in store.failures().values()} == {"its own fault"}


def test_no_nan_is_ever_written(store):
    attempt, record = trained(store, dense())
    record["metrics"][0]["value"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        attempt.commit(record)
    assert store.records() == []


def test_an_attempt_whose_folder_is_gone_says_so_and_fails_its_unit(store):
    unit = dense()
    attempt, record = trained(store, unit)
    shutil.rmtree(attempt.folder)
    with pytest.raises(AttemptVanished, match=f"the folder in which {unit.label} was trained is gone: another run"):
        attempt.commit(record)
    attempt.fail("it vanished")
    assert store.failures()[unit.id[:10]].reason == "it vanished"
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_rename_whose_answer_was_lost_is_a_commit(store, monkeypatch):
    attempt, record = trained(store, dense())
    rename = Path.rename

    def twice(path, target):
        rename(path, target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", twice)
    assert attempt.commit(record) == "committed"
    assert verify(store) == []
