"""Suites in real worker processes: failures, deaths and divergence stay with their own units."""

import json
import os
import resource
import signal
import threading
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path

import pytest
import toy

from bench.errors import StoreError
from bench.runs import drive as driving
from bench.runs.drive import drive
from bench.runs.job import Outcome, Works
from bench.runs.launch import local
from bench.runs.launch.local import FILES, SPARE, LocalLauncher, usable_cores
from bench.runs.planning.plan import plan as make_plan
from bench.spec import DIGITS
from bench.store import files
from bench.store.attempt import FAILED
from bench.store.claims import ATTEMPTS, claim_of
from bench.store.integrity import verify
from bench.store.owner import me
from bench.verbs.arguments.execution import Execution

NAME = "toy/chain@smoke"


def short(labels):
    return [label.removeprefix(f"{NAME} ") for label in labels]


def test_a_suite_is_run_parents_first(store, go):
    frontier, watch = go(toy.suite(("dense", "ticket", "reinit", "snip"), seeds=(0, 1)))
    assert len(frontier.finished) == len(frontier.plan.units) == 16
    assert [frontier.todo, frontier.failed, frontier.blocked] == [{}, {}, {}]
    assert [outcome.commit for outcome in watch.outcomes] == ["committed"] * 16
    assert watch.labels.index(f"{NAME} ticket L1 s0") < watch.labels.index(f"{NAME} ticket L2 s0")
    assert verify(store) == []
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_finished_suite_starts_no_worker(filled, monkeypatch):
    store, plan = filled
    launcher = LocalLauncher(progress=lambda *_: None)
    monkeypatch.setattr(launcher, "submit", None)
    assert len(drive(plan, store, launcher, watch=_Silent(), works=toy.WORKS).finished) == 6


def test_a_unit_that_fails_blocks_what_needs_it_and_is_tried_again(store, go, trouble):
    suite = toy.suite(("ticket", "reinit", "snip"), levels=(1, 3))
    trouble({f"{NAME} ticket L2 s0": "fail"})
    frontier, watch = go(suite)
    (reason,) = frontier.failed.values()
    assert reason.startswith("RuntimeError: the toy was told to fail (")
    blocked = {frontier.plan.units[each].label: why for each, why in frontier.blocked.items()}
    assert blocked == dict.fromkeys(
        [f"{NAME} ticket L3 s0", f"{NAME} reinit L3 s0"], f"{NAME} ticket L2 s0 failed: {reason}"
    )
    assert {"snip L3 s0", "reinit L1 s0"} <= set(short(watch.labels))
    (folder,) = (store.root / FAILED).iterdir()
    told = (folder / "reason.txt").read_text()
    assert told.startswith(f"{reason}\n\nTraceback")
    assert "and has more to say" in told
    trouble({})
    again, watch = go(suite)
    assert sorted(short(watch.labels)) == ["reinit L3 s0", "ticket L2 s0", "ticket L3 s0"]
    assert [again.failed, again.blocked] == [{}, {}]


def test_divergence_is_a_result_and_not_tried_again(store, go, trouble):
    suite = toy.suite(("ticket", "reinit"), levels=(1, 2))
    trouble({f"{NAME} ticket L1 s0": "diverge"})
    frontier, watch = go(suite)
    assert short(watch.labels) == ["dense L0 s0", "ticket L1 s0"]
    assert set(frontier.blocked.values()) == {f"{NAME} ticket L1 s0 diverged: loss is not finite at step 20"}
    assert verify(store) == []
    again, watch = go(suite)
    assert watch.labels == []
    assert len(again.blocked) == 3


def test_a_worker_that_is_killed_once_loses_nothing(store, trouble):
    trouble({f"{NAME} dense L0 s0": "hang"})
    launcher = LocalLauncher(workers=1, progress=lambda *_: None)
    killed = []

    def kill():
        while not killed:
            time.sleep(0.05)
            for _ in (store.root / ATTEMPTS).glob("*/"):  # it has begun
                trouble({})
                killed.append(children()[0])
                os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        frontier = drive(make_plan(toy.suite(("snip",))), store, launcher, watch=_Silent(), works=toy.WORKS)
        assert len(frontier.finished) == 2
        frontier = drive(make_plan(toy.suite(("ticket",))), store, launcher, watch=_Silent(), works=toy.WORKS)
    finally:
        killed.append(0)
        launcher.close()
        thread.join()
    assert killed[0] > 0
    assert len(frontier.finished) == 4
    assert not frontier.failed
    assert not list((store.root / ATTEMPTS).iterdir()), "nor leaves anything"


def children():
    """Processes that this one has started."""
    return [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


class _Silent:
    def started(self, unit, seats): ...
    def ended(self, unit, outcome): ...
    def stands(self, frontier): ...
    def waits(self, holders): ...


def test_a_unit_that_kills_its_workers_fails_alone(store, go, trouble):
    trouble({f"{NAME} snip L1 s0": "die"})
    frontier, _ = go(toy.suite(("snip", "ticket")))
    (reason,) = frontier.failed.values()
    assert reason == "the worker process was killed by SIGKILL, 2 times: out of memory? try fewer --workers"
    assert len(frontier.finished) == 5
    (folder,) = (store.root / FAILED).iterdir()
    assert f"training {NAME} snip L1 s0" in (folder / "reason.txt").read_text(), "what it printed last"
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_full_disk_ends_the_drive_with_one_line(store, go, trouble):
    trouble({f"{NAME} dense L0 s0": "full"})
    with pytest.raises(StoreError, match=r"no room left in .*: make room or name another --store, then run again"):
        go(toy.suite(("dense",)))
    assert not list((store.root / ATTEMPTS).iterdir())
    assert not (store.root / FAILED).exists()


def test_work_that_cannot_be_imported_is_the_reason(store):
    launcher = LocalLauncher(workers=1, progress=lambda *_: None)
    try:
        plan = make_plan(toy.suite(("dense",)))
        frontier = drive(plan, store, launcher, watch=_Silent(), works=Works("no.such:work"))
    finally:
        launcher.close()
    (reason,) = frontier.failed.values()
    assert reason.startswith("work 'no.such:work' cannot be imported as package.module:name (ModuleNotFoundError")


def test_two_drives_share_the_work(store, monkeypatch):
    monkeypatch.setattr(driving, "POLL", 0.05)
    suite = toy.suite(("ticket", "reinit"), seeds=(0, 1, 2), of=toy.TASKS[2])
    found = []

    def one():
        launcher = LocalLauncher(workers=1, progress=lambda *_: None)
        watch = _Counting()
        try:
            found.append((drive(make_plan(suite), store, launcher, watch=watch, works=toy.WORKS), watch.count))
        finally:
            launcher.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first, mine), (second, theirs) = found
    assert len(first.finished) == len(second.finished) == 18
    assert mine + theirs == 18, "nothing is done twice"
    assert min(mine, theirs) > 3, "and both have work"
    assert verify(store) == []
    assert not (store.root / "conflicts").exists()


class _Counting(_Silent):
    count = 0

    def started(self, unit, seats):
        self.count += 1


def test_progress_is_reported_for_each_unit(store):
    seen = []
    launcher = LocalLauncher(workers=1, progress=lambda *report: seen.append(report))
    try:
        plan = make_plan(toy.suite(("dense",)))
        drive(plan, store, launcher, watch=_Silent(), works=toy.WORKS)
    finally:
        launcher.close()
    (unit,) = plan.units
    assert seen == [(unit, step, {"accuracy": 50.0 + step}) for step in (10, 20, 30)]


def test_as_many_workers_as_cores_unless_told(store):
    assert LocalLauncher(progress=None).workers == usable_cores() >= 1


@pytest.mark.parametrize(
    ("told", "count"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "350000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1600000 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
    ],
)
def test_a_container_has_as_many_workers_as_it_gets_cores_time(tmp_path, monkeypatch, told, count):
    """A pod that may use 16 of a node's 64 cores sees all of them; 64 workers would share the time of 16, and its memory."""
    for name, text in told.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(local, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_cores() == LocalLauncher(progress=None).workers == count


@pytest.mark.parametrize(("threads", "count"), [(1, 8), (2, 4), (3, 2), (8, 1), (16, 1)])
def test_workers_of_several_threads_share_the_cores(monkeypatch, threads, count):
    monkeypatch.setattr(local, "usable_cores", lambda: 8)
    assert LocalLauncher(progress=None, threads=threads).workers == count
    assert Execution(threads=threads).team == count


def test_many_workers_may_have_as_many_files_open_as_they_need(store):
    """Each holds four, and a process has often 1,024: a machine of 256 cores could not train with all of them."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (sum(1 for _ in Path("/proc/self/fd").iterdir()) + 8, before[1]))
        launcher = LocalLauncher(workers=6, progress=lambda *_: None)
        try:
            plan = make_plan(toy.suite(("dense",), seeds=range(6)))
            drive(plan, store, launcher, watch=_Silent(), works=toy.WORKS)
        finally:
            launcher.close()
        LocalLauncher(workers=1, progress=None)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (FILES * 6 + SPARE, before[1]), "no more, and never less"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_failures_hold_the_spec_of_their_unit(store, go, trouble):
    trouble({f"{NAME} dense L0 s0": "fail"})
    frontier, _ = go(toy.suite(("dense",)))
    (folder,) = (store.root / FAILED).iterdir()
    (unit,) = frontier.plan.units.values()
    assert json.loads((folder / "spec.json").read_text()) == unit.spec()


def held(store, unit, **owner):
    """A claim of somebody else's."""
    claim = claim_of(store.root / ATTEMPTS, unit.id[:DIGITS])
    claim.write_text(files.to_text({**me(), **owner}))
    return claim


class _Waiting(_Counting):
    def __init__(self, then):
        self.then, self.told = then, []

    def waits(self, holders):
        self.told.append(holders)
        self.then()


@pytest.fixture
def alone(store, monkeypatch):
    """Drive a plan by one worker and an impatient look at others."""
    monkeypatch.setattr(driving, "POLL", 0.05)
    launcher = LocalLauncher(workers=1, progress=lambda *_: None)
    yield lambda plan, watch: drive(plan, store, launcher, watch=watch, works=toy.WORKS)
    launcher.close()


def test_a_run_waits_for_what_another_machine_trains_and_takes_its_result(store, alone):
    plan = make_plan(toy.suite(("ticket",), levels=(1,)))
    dense = next(iter(plan.units.values()))
    claim = held(store, dense, host="node-7", pid=17)

    def they_finish():
        if claim.exists():
            toy.finish(dense, store, plan)
            claim.unlink()

    watch = _Waiting(they_finish)
    frontier = alone(plan, watch)
    assert len(frontier.finished) == 2
    assert watch.count == 1, "only the ticket is trained here"
    ((holder,), *_) = watch.told
    assert (holder.owner["host"], holder.owner["pid"]) == ("node-7", 17)


@pytest.mark.parametrize("owner", [{"host": "node-7"}, {"namespace": "1"}, {"boot": "before"}])
def test_a_run_takes_over_what_another_machine_left_when_its_heart_stopped(store, alone, owner):
    plan = make_plan(toy.suite(("dense",)))
    (dense,) = plan.units.values()
    claim = held(store, dense, **owner)
    (claim.parent / f"{claim.stem}.half").mkdir()
    watch = _Waiting(lambda: os.utime(claim, (0, 0)))
    assert len(alone(plan, watch).finished) == 1
    assert watch.told
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_number_that_was_given_again_holds_up_nobody(store, alone):
    """A restart is enough: the pid of the killed drive is somebody else's now."""
    plan = make_plan(toy.suite(("dense",)))
    held(store, next(iter(plan.units.values())), started="1")
    watch = _Waiting(lambda: None)
    assert len(alone(plan, watch).finished) == 1
    assert watch.told == []


def test_an_attempt_that_vanishes_fails_its_unit_and_never_the_drive(store, trouble):
    trouble({f"{NAME} dense L0 s0": "vanish"})
    launcher = LocalLauncher(workers=1, progress=lambda *_: None)
    try:
        plan = make_plan(toy.suite(("dense", "snip"), levels=(1,)))
        frontier = drive(plan, store, launcher, watch=_Silent(), works=toy.WORKS)
    finally:
        launcher.close()
    (reason,) = frontier.failed.values()
    assert "was trained is gone: another run took this one for dead, or somebody removed it" in reason
    assert len(frontier.finished) == 1
    assert not list((store.root / ATTEMPTS).iterdir())


def test_what_is_stopped_gives_back_its_claims_after_its_workers_ended(store, monkeypatch):
    """Else another run would begin what is still being trained here."""
    launcher = LocalLauncher(workers=1, progress=lambda *_: None)
    close, held_at_close = launcher.close, []

    def closing():
        held_at_close.append(len(store.holders()))
        close()

    monkeypatch.setattr(launcher, "close", closing)

    class Stopping(_Silent):
        def started(self, unit, seats):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(make_plan(toy.suite(("dense",))), store, launcher, watch=Stopping(), works=toy.WORKS)
    assert held_at_close == [1]
    assert store.holders() == []


class _Fake:
    """Workers that take some seconds for every unit, and train nothing."""

    def __init__(self, workers, seconds):
        self.workers, self._seconds = workers, seconds
        self._due, self._more = deque(), threading.Event()
        self.busy = 0.0
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, job):
        future = Future()
        self._due.append((time.monotonic() + self._seconds, future))
        self._more.set()
        return {job.parts[0].id: future}

    def _work(self):
        while self._more.wait():
            while self._due:
                due, future = self._due.popleft()
                time.sleep(max(0, due - time.monotonic()))
                future.set_result(Outcome(status="ok"))
            self._more.clear()

    def close(self): ...


def test_units_of_launchers_that_grow_and_shrink_are_never_more_than_its_workers(store):
    launcher = _Fake(1, 0.05)
    running, most = set(), []

    class Growing(_Silent):
        def started(self, unit, seats):
            running.add(unit.id)
            most.append((len(running), launcher.workers))

        def ended(self, unit, outcome):
            running.discard(unit.id)
            launcher.workers = 1 + len(most) % 4

    plan = make_plan(toy.suite(("snip", "grasp"), levels=(1, 2, 3), seeds=(0, 1)))
    assert len(drive(plan, store, launcher, watch=Growing()).finished) == len(plan.units)
    assert all(count <= workers for count, workers in most)
    assert max(count for count, _ in most) > 1
