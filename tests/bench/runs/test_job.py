import errno
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import toy

from bench.errors import SpecError
from bench.runs import job as jobs
from bench.runs.failure import LONGEST
from bench.runs.job import Outcome, resolve, run
from bench.runs.planning.plan import plan as make_plan
from bench.store.claims import ATTEMPTS


@pytest.fixture
def dense(store):
    (unit,) = make_plan(toy.suite(("dense",))).units.values()
    return toy.job(store.root, unit)


def test_a_job_is_trained_and_committed(dense, store):
    outcome, reports = toy.told(pickle.loads(pickle.dumps(dense)), run)  # noqa: S301  own bytes
    assert outcome == Outcome(status="ok", commit="committed")
    assert reports == [10, 20, 30]
    assert len(store.records()) == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_while_training_halts(dense, store, error, monkeypatch):
    def work(*_, **__):
        raise error

    monkeypatch.setattr(jobs, "resolve", lambda _: work)
    outcome, _ = toy.told(dense, run)
    assert outcome.status == "halt"
    assert outcome.reason == (
        f"no room left in {store.root}: make room or name another --store, then run again: what is finished stays"
    )
    assert not list((store.root / ATTEMPTS).iterdir())


LIMITED = """
import resource, sys, numpy, toy
from pathlib import Path
from safetensors.numpy import save_file
from bench.runs.job import run
from bench.runs.planning.plan import plan

def work(unit, *, parents, folder, device, report):
    if sys.argv[2] == "plain":
        (folder / "plain").write_bytes(bytes(50_000))
    save_file({"w": numpy.zeros(50_000)}, folder / "final.safetensors")

(unit,) = plan(toy.suite(("dense",))).units.values()
toy.work = work
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
print(toy.told(toy.job(Path(sys.argv[1]), unit), run))
"""


@pytest.mark.parametrize(
    ("kind", "limit", "status", "told"),
    [
        ("plain", 20_000, "failed", "OSError: [Errno 27] File too large; raise the limit"),
        ("safetensors", 20_000, "failed", "File too large (os error 27)"),
        ("plain", 10, "halt", "cannot write toy/chain@smoke dense L0 s0 to .*: File too large; raise the limit"),
    ],
)
def test_a_limit_on_the_size_of_files_is_called_that(store, kind, limit, status, told):
    """And its signal kills no worker: Python ignores it."""
    command = [sys.executable, "-c", LIMITED, str(store.root), kind, str(limit)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"status='{status}'" in done.stdout
    assert re.search(told if status == "halt" else re.escape(told), done.stdout)
    assert "raise the limit on the size of files (`ulimit -f`)" in done.stdout
    assert "make room" not in done.stdout
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_store_that_cannot_be_written_halts(dense, store):
    (store.root / ATTEMPTS).rmdir()
    (store.root / ATTEMPTS).write_text("")
    outcome, _ = toy.told(dense, run)
    assert outcome.status == "halt"
    assert "cannot write toy/chain@smoke dense L0 s0" in outcome.reason


class Mute(Exception):
    def __str__(self):
        raise TypeError("no text")


def deep(level=0):
    return deep(level + 1)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(1), "SystemExit: 1"),
        (MemoryError(), "MemoryError"),
        (Mute(), "Mute: its text cannot be had: TypeError"),
        (RuntimeError("x" * 5_000_000), f"RuntimeError: {'x' * 386} ..."),
        (RuntimeError("\ud800\x1b[2J\nmore"), "RuntimeError:   [2J"),
        (deep, "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_whatever_a_learner_raises_is_a_line_of_its_own_and_a_text_that_fits(dense, store, monkeypatch, error, line):
    def work(*_, **__):
        if error is deep:
            deep()
        raise error

    monkeypatch.setattr(jobs, "resolve", lambda _: work)
    outcome, _ = toy.told(dense, run)
    assert outcome.status == "failed"
    assert outcome.reason.startswith(line)
    assert "\n" not in outcome.reason
    assert f"{Path(__file__)}:" in outcome.reason
    ((reason, path),) = store.failures().values()
    assert reason == outcome.reason
    assert path.stat().st_size <= LONGEST
    assert "Traceback" in path.read_text() or isinstance(error, Mute)
    assert toy.told(dense, run)[0].status == "failed", "and the next one is tried"


@pytest.mark.parametrize("path", ["toy", "toy:none", "no.such:work", ":", "toy:work:more"])
def test_work_that_does_not_exist_is_named(path):
    with pytest.raises(SpecError, match=f"work '{path}' cannot be imported"):
        resolve(path)


def test_a_parent_that_a_network_file_system_shows_late_is_waited_for(store, monkeypatch):
    plan = make_plan(toy.suite(("ticket",), levels=(1,)))
    dense, ticket = plan.units.values()
    parents = {role: store.folder(dense) for role in ticket.parents}
    job = toy.job(store.root, ticket, parents=parents)
    monkeypatch.setattr(jobs, "LOOK", 0.01)
    late = threading.Timer(0.3, toy.finish, (dense, store, plan))
    late.start()
    assert toy.told(job, run)[0].status == "ok"
    late.join()


def test_a_parent_that_never_comes_fails_the_unit(store, monkeypatch):
    plan = make_plan(toy.suite(("ticket",), levels=(1,)))
    dense, ticket = plan.units.values()
    job = toy.job(store.root, ticket, parents={role: store.folder(dense) for role in ticket.parents})
    monkeypatch.setattr(jobs, "LATE", 0.1)
    outcome, _ = toy.told(job, run)
    assert outcome.status == "failed"
    assert str(store.folder(dense)) in outcome.reason


@pytest.fixture
def stack(store):
    units = make_plan(toy.suite(("dense",), seeds=(0, 1, 2), of=toy.STACKED)).units.values()
    return toy.job(store.root, *units, stack=True)


@pytest.fixture
def does(monkeypatch):
    """Let a stack do what a generator of (place, record or error) says; it is given `toy.work_in_stack`'s."""

    def set_to(work):
        monkeypatch.setattr(
            jobs, "resolve", lambda _: lambda seatings, *, device: work(toy.work_in_stack(seatings, device=device))
        )

    return set_to


def test_a_stack_is_committed_unit_by_unit(stack, store, does):
    done = []

    def work(found):
        for each in found:
            yield each
            done.append(len(store.records()))

    does(work)
    outcomes, steps = toy.told(pickle.loads(pickle.dumps(stack)), run)  # noqa: S301  own bytes
    assert outcomes == [Outcome(status="ok", commit="committed")] * 3
    assert done == [1, 2, 3], "as each ends, and not all in the end"
    assert steps == [10, 20, 30] * 3
    assert [record["provenance"]["stack"] for record in store.records()] == [3] * 3


def test_a_stack_that_breaks_fails_those_that_have_not_ended(stack, store, does):
    def work(found):
        yield next(found)
        raise ZeroDivisionError("a mistake\nand more")

    does(work)
    (first, *others), _ = toy.told(stack, run)
    assert first.status == "ok"
    for outcome in others:
        assert outcome.status == "failed"
        assert outcome.reason.startswith("ZeroDivisionError: a mistake (")
        assert outcome.reason.endswith("; it was in a stack of 3, whose units the next run tries one by one")
    assert store.crashed_in_stacks() == {part.id[:10] for part in stack.parts[1:]}
    assert not list((store.root / ATTEMPTS).iterdir())
    assert all("and more" in failure.path.read_text() for failure in store.failures().values())


def test_a_stack_that_forgets_a_unit_fails_it(stack, does):
    does(lambda found: iter([next(found)]))
    outcomes, _ = toy.told(stack, run)
    assert [outcome.status for outcome in outcomes] == ["ok", "failed", "failed"]
    assert "ended without a word about toy/stack@smoke dense L0 s1" in outcomes[2].reason


@pytest.mark.parametrize("how", ["yielded", "raised"])
def test_a_full_disk_halts_a_stack_and_leaves_nothing(stack, store, does, how):
    def work(found):
        yield next(found)
        if how == "raised":
            raise OSError(errno.ENOSPC, "No space left on device")
        yield 1, OSError(errno.ENOSPC, "No space left on device")
        yield 2, OSError(errno.ENOSPC, "No space left on device")

    does(work)
    outcomes, _ = toy.told(stack, run)
    assert [outcome.status for outcome in outcomes] == ["ok", "halt", "halt"]
    assert not list((store.root / ATTEMPTS).iterdir())
    assert store.crashed_in_stacks() == set()


def test_a_store_that_cannot_be_written_halts_every_unit_of_a_stack(stack, store, monkeypatch):
    whole, made = jobs.Attempt, []

    def attempt(root, unit):
        if len(made) == 2:
            raise jobs.StoreError("cannot write")
        made.append(whole(root, unit))
        return made[-1]

    monkeypatch.setattr(jobs, "Attempt", attempt)
    outcomes, _ = toy.told(stack, run)
    assert outcomes == [Outcome(status="halt", reason="cannot write")] * 3
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_lone_unit_of_a_stack_names_no_others(store, trouble):
    (unit,) = make_plan(toy.suite(("dense",), of=toy.STACKED)).units.values()
    trouble({unit.label: "crash"})
    ((outcome,), _) = toy.told(toy.job(store.root, unit, stack=True), run)
    assert outcome.reason.startswith("RuntimeError: the stack was told to crash (")
    assert "it was in a stack" not in outcome.reason
    assert store.crashed_in_stacks() == {unit.id[:10]}, "nobody sits beside it the next time, either"
