"""Units that are trained together in real worker processes: the same results, and whatever befalls a stack loses nothing."""

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future

import pytest
import toy

from bench.runs import drive as driving
from bench.runs.clean import clean
from bench.runs.drive import drive
from bench.runs.job import Outcome
from bench.runs.launch import WorkerDied
from bench.runs.launch.local import LocalLauncher
from bench.runs.planning.plan import plan as make_plan
from bench.runs.planning.stacking import Stacking
from bench.store.attempt import CONFLICTS, FAILED
from bench.store.claims import ATTEMPTS
from bench.store.integrity import verify
from bench.store.store import Store

NAME = "toy/stack@smoke"
SUITE = toy.suite(("dense", "ticket", "snip"), levels=(1, 2), seeds=(0, 1, 2, 3), of=toy.STACKED)
DENSE = toy.suite(("dense",), seeds=(0, 1, 2, 3), of=toy.STACKED)

pytestmark = pytest.mark.usefixtures("toys")


def digests(store):
    return {record["unit_id"]: record["digests"]["result"] for record in store.records()}


def seats(store):
    """Label without the task -> seats of the stack that the unit was trained in."""
    records = store.records()
    return {
        f"{each['spec']['method']['name']} L{each['spec']['level']} s{each['spec']['seed']}": each["provenance"].get(
            "stack"
        )
        for each in records
    }


@pytest.fixture
def one_by_one(tmp_path):
    store = Store(tmp_path / "one by one")
    store.prepare()
    plan = make_plan(SUITE)
    for unit in plan.units.values():
        toy.finish(unit, store, plan)
    return digests(store)


class Fake:
    """Workers that train nothing; every job ends when it is told to, unit by unit."""

    def __init__(self, workers):
        self.workers, self.jobs, self.open = workers, [], []

    def submit(self, job):
        futures = {part.id: Future() for part in job.parts}
        self.jobs.append(job)
        self.open += futures.values()
        return futures

    def close(self): ...


class Silent:
    def started(self, unit, seats): ...
    def ended(self, unit, outcome): ...
    def waits(self, holders): ...
    def stands(self, frontier): ...


class Ending(Silent):
    """A watch that lets the units of a fake launcher end as soon as as many jobs as can were given away."""

    def __init__(self, launcher):
        self.launcher = launcher

    def stands(self, frontier):
        while self.launcher.open:
            self.launcher.open.pop(0).set_result(Outcome(status="ok"))


def sizes(store, suite, workers, stack=None):
    """Sizes of the jobs in their order; 0: a unit without a stack."""
    launcher = Fake(workers)
    drive(make_plan(suite), store, launcher, watch=Ending(launcher), stacking=Stacking(stack))
    return [len(job.parts) if job.stack else 0 for job in launcher.jobs]


@pytest.mark.parametrize(
    ("workers", "stack", "expected"),
    [
        (1, None, [8, 2]),
        (2, None, [5, 5]),
        (3, None, [4, 3, 3]),
        (16, None, [1] * 10),
        (2, 3, [3, 3, 2, 2]),
        (2, 1, [1] * 10),
        (2, 0, [0] * 10),
    ],
)
def test_ready_units_are_shared_by_the_free_workers_up_to_the_best_number(store, workers, stack, expected):
    suite = toy.suite(("dense",), seeds=tuple(range(10)), of=toy.STACKED)
    assert sizes(store, suite, workers, stack) == expected


def test_whoever_is_free_first_does_not_take_what_another_will_be_free_for(store, monkeypatch):
    """Two pairs are in training; of one pair both have ended, of the other one, and three tickets wait: two are taken."""
    monkeypatch.setattr("bench.runs.planning.frontier.Frontier._lacks", lambda *_: False)  # nothing is trained
    launcher = Fake(2)

    class Watch(Silent):
        def stands(self, frontier):
            count = 3 if not frontier.finished else len(launcher.open) if len(launcher.jobs) > 2 else 0
            for _ in range(count):
                launcher.open.pop(0).set_result(Outcome(status="ok"))

    of = toy.task("toy/stack", config=toy.STACKED.config, constant_rate=True)
    plan = make_plan(toy.suite(("ticket",), levels=(1,), seeds=(0, 1, 2, 3), of=of))
    drive(plan, store, launcher, watch=Watch())
    assert [len(job.parts) for job in launcher.jobs] == [2, 2, 2, 1, 1], "the last two by one worker each"


def test_a_worker_is_busy_until_the_last_of_its_stack_has_ended(store):
    launcher, busy = Fake(1), []

    class Watch(Silent):
        waits_for_one = False

        def ended(self, unit, outcome):
            self.waits_for_one = False

        def stands(self, frontier):
            busy.append(len(launcher.open))
            if launcher.open and not self.waits_for_one:
                self.waits_for_one = True
                launcher.open.pop(0).set_result(Outcome(status="ok"))

    plan = make_plan(toy.suite(("dense",), seeds=(0, 1, 2, 3, 4, 5), of=toy.STACKED))
    drive(plan, store, launcher, watch=Watch(), stacking=Stacking(3))
    assert [len(job.parts) for job in launcher.jobs] == [3, 3]
    assert max(busy) == 3


@pytest.mark.parametrize("again", [False, True])
def test_a_worker_that_dies_between_a_commit_and_its_word_of_it_has_lost_nothing(store, again):
    """Unless the unit was there before and is made again: of that only its word tells."""
    plan = make_plan(toy.suite(("dense", "one-shot"), levels=(1,), of=toy.STACKED))
    dense = next(iter(plan.units.values()))
    if again:
        toy.finish(dense, store, plan, stack=2)
        (store.folder(dense) / "rewind.safetensors").unlink()

    class Dying(Fake):
        def submit(self, job):
            futures = super().submit(job)
            if not again:
                toy.finish(dense, store, plan, stack=2)
            if job is self.jobs[0]:
                self.open.pop().set_exception(WorkerDied("killed"))
            return futures

    launcher = Dying(1)
    frontier = drive(plan, store, launcher, watch=Ending(launcher), stacking=Stacking())
    assert frontier.failed == ({dense.id: "killed"} if again else {})
    assert len(launcher.jobs) == (1 if again else 2), "its child goes on"


def test_what_cannot_sit_together_does_not(store, one_by_one, go):
    """Rewound units begin later in the schedule than those that start."""
    frontier, watch = go(SUITE, workers=1)
    assert len(frontier.finished) == len(frontier.plan.units) == 20
    assert Counter(seats(store).values()) == {8: 8, 4: 12}, "4 dense and 4 snip; 4 snip; 4 tickets, twice"
    assert digests(store) == one_by_one
    assert set(watch.seats) == {4, 8}
    assert [outcome.commit for outcome in watch.outcomes] == ["committed"] * 20
    assert verify(store) == []
    assert not list((store.root / ATTEMPTS).iterdir())


@pytest.mark.parametrize(("stack", "expected"), [(0, {None}), (1, {1}), (3, {1, 2, 3})])
def test_records_are_the_same_however_many_sit_together(store, one_by_one, go, stack, expected):
    go(SUITE, stack=stack)
    assert digests(store) == one_by_one
    assert set(seats(store).values()) <= expected


@pytest.mark.parametrize("how", ["told", "killed"])
def test_a_worker_that_dies_in_mid_stack_loses_nothing_and_the_rest_goes_one_by_one(store, go, trouble, how):
    label = f"{NAME} dense L0 s2"
    trouble({label: "die" if how == "told" else "hang"})
    plan, is_hanging, killed = make_plan(DENSE), threading.Event(), []
    (last,) = [(unit_id, unit.task.budget) for unit_id, unit in plan.units.items() if unit.label == label]

    def progress(unit_id, step, _):
        if (unit_id, step) == last:
            is_hanging.set()

    launcher = LocalLauncher(workers=1, progress=progress)

    def kill():
        is_hanging.wait(60)
        while len(store.records()) < 2:
            time.sleep(0.02)
        (child,) = [each._process._child.pid for each in launcher._all]
        killed.append(child)
        os.kill(child, signal.SIGKILL)

    thread = threading.Thread(target=kill if how == "killed" else lambda: None)
    thread.start()
    try:
        frontier = drive(plan, store, launcher, watch=Silent(), works=toy.WORKS)
    finally:
        launcher.close()
        thread.join()
    assert len(killed) == (how == "killed")
    assert set(seats(store)) == {"dense L0 s0", "dense L0 s1"}, "who had ended before"
    reason = (
        "the worker process was killed by SIGKILL: out of memory? try fewer --workers or a smaller --stack; "
        "it was in a stack of 4, whose units the next run tries one by one"
    )
    assert list(frontier.failed.values()) == [reason] * 2
    assert {failure.reason for failure in store.failures().values()} == {reason}
    assert all(f"training {label}" in failure.path.read_text() for failure in store.failures().values())
    assert not list((store.root / ATTEMPTS).iterdir())
    trouble({})
    again, watch = go(DENSE, workers=1)
    assert (watch.labels, watch.seats) == ([f"{NAME} dense L0 s2", f"{NAME} dense L0 s3"], [1, 1])
    assert len(again.finished) == 4
    assert verify(store) == []


def test_a_unit_that_takes_its_stack_down_fails_alone_in_the_end(store, go, trouble):
    trouble({f"{NAME} dense L0 s1": "crash"})
    frontier, _ = go(DENSE, workers=1)
    assert len(frontier.failed) == 3
    (reason,) = set(frontier.failed.values())
    assert reason.startswith("RuntimeError: the stack was told to crash (")
    assert reason.endswith("; it was in a stack of 4, whose units the next run tries one by one")
    frontier, watch = go(DENSE)
    assert watch.seats == [1] * 3
    (reason,) = frontier.failed.values()
    assert "stack of" not in reason
    trouble({})
    wider = toy.suite(("dense",), seeds=tuple(range(7)), of=toy.STACKED)
    frontier, watch = go(wider, workers=1)
    assert dict(zip(watch.labels, watch.seats, strict=True)) == {
        f"{NAME} dense L0 s1": 1, **{f"{NAME} dense L0 s{seed}": 3 for seed in (4, 5, 6)}
    }  # fmt: skip
    assert len(frontier.finished) == 7


@pytest.mark.parametrize(("kind", "status"), [("fail", "failed"), ("diverge", "diverged"), ("vanish", "failed")])
def test_a_seat_that_ends_badly_leaves_the_others_alone(store, go, trouble, kind, status):
    trouble({f"{NAME} dense L0 s1": kind})
    frontier, watch = go(DENSE, workers=1)
    assert watch.seats == [4] * 4
    assert [outcome.status for outcome in watch.outcomes] == ["ok", status, "ok", "ok"]
    assert len(frontier.failed) == (status == "failed")
    assert store.crashed_in_stacks() == set(), "it is no crash of the stack"
    assert not list((store.root / ATTEMPTS).iterdir())


def test_two_drives_share_stacks_and_train_nothing_twice(store, monkeypatch):
    monkeypatch.setattr(driving, "POLL", 0.05)
    suite = toy.suite(
        ("ticket", "snip"), seeds=tuple(range(8)), of=toy.task("toy/stack", config={"seconds": 0.02, "seats": 2})
    )
    counts = []

    class Counting(Silent):
        count = 0

        def started(self, unit, seats):
            self.count += 1

    def one():
        launcher, watch = LocalLauncher(workers=1, progress=lambda *_: None), Counting()
        try:
            drive(make_plan(suite), store, launcher, watch=watch, works=toy.WORKS)
            counts.append(watch.count)
        finally:
            launcher.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == len(make_plan(suite).units) == 48
    assert min(counts) > 4
    assert verify(store) == []
    assert not (store.root / CONFLICTS).exists()


@pytest.mark.parametrize(("before", "now"), [(None, 0), (0, None), (None, 2)])
def test_what_is_made_again_is_made_as_it_was(store, go, before, now):
    go(DENSE, stack=before, workers=1)
    told = digests(store)
    assert clean(store, make_plan(DENSE)).files == 12
    wider = toy.suite(("dense", "snip", "one-shot"), levels=(1,), seeds=(0, 1, 2, 3), of=toy.STACKED)
    frontier, watch = go(wider, stack=now, workers=1)
    assert (frontier.failed, frontier.blocked) == ({}, {})
    started = dict(zip(watch.labels, watch.seats, strict=True))
    again = {started[f"{NAME} dense L0 s{seed}"] for seed in range(4)}
    assert again == ({None} if before == 0 else {1} if now == 0 else {2})
    assert {started[f"{NAME} snip L1 s{seed}"] is None for seed in range(4)} == {now == 0}
    assert digests(store).items() >= told.items()
    assert verify(store) == []


def test_a_full_disk_ends_the_drive_with_one_line(store, go, trouble):
    trouble({f"{NAME} dense L0 s1": "full"})
    with pytest.raises(driving.StoreError, match="no room left in .*: make room or name another --store"):
        go(DENSE, workers=1)
    assert len(store.records()) == 1
    assert not (store.root / FAILED).exists()
