"""The loop: units that can run go to a launcher, records come back, until nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from math import ceil
from queue import Empty, SimpleQueue
from typing import Protocol

from bench.errors import StoreError
from bench.runs.job import WORKS, Job, Outcome, Part, Works, in_stack
from bench.runs.launch import Launcher, WorkerDied
from bench.runs.planning.frontier import NEEDS, Frontier
from bench.runs.planning.plan import Plan
from bench.runs.planning.stacking import Lockstep, Seats, Stacking
from bench.spec import Unit
from bench.stopping import check, undisturbed
from bench.store.attempt import Attempt
from bench.store.claims import Claims, Holder
from bench.store.store import Store

POLL = 1.0
"""Seconds between two looks at what another drive on the same store has finished; more where it works on many units."""
LOOKS = 100
"""At most so many claims of others are looked at in a second."""


class Watch(Protocol):
    """Who is told how it goes."""

    def started(self, unit: Unit, seats: int | None) -> None:
        """The unit was handed to a worker, in a stack of so many if it sits in one."""
        ...

    def ended(self, unit: Unit, outcome: Outcome) -> None:
        """The unit came back."""
        ...

    def stands(self, frontier: Frontier) -> None:
        """This is done, and this is left; called whenever that changes."""
        ...

    def waits(self, holders: Collection[Holder]) -> None:
        """Nothing can run here until these have ended; called at every look at them."""
        ...


def drive(
    plan: Plan,
    store: Store,
    launcher: Launcher,
    *,
    watch: Watch,
    device: str = "cpu",
    stacking: Stacking | None = None,
    works: Works = WORKS,
) -> Frontier:
    """Do what is left of a plan.

    Units whose parents failed or diverged are blocked; the rest goes on.

    Args:
        plan: what is asked.
        store: prepared; other drives may use it at the same time, also on other machines.
        launcher: where units are trained.
        watch: is told of every unit.
        device: `cpu`, `cuda`, ...
        stacking: which units are trained together; those for which it pays, unless given.
        works: what trains units.

    Returns:
        What is finished, failed and blocked now.

    Raises:
        StoreError: if the store can no longer be written.
    """
    seats = Seats(stacking or Stacking(device=device), store)
    frontier = Frontier(plan, store, group=seats.group)
    with Claims(store.root) as claims:
        try:
            _Drive(frontier, seats, claims, launcher, watch, device, works).run()
        except BaseException:
            with undisturbed():
                launcher.close()  # before the claims of what it trains are given back
            raise
    return frontier


@dataclass(eq=False, slots=True)
class _Given:
    """A job that was given to a launcher, and how many of its units have not come back."""

    job: Job
    group: Lockstep | None
    left: int


@dataclass
class _Drive:
    frontier: Frontier
    seats: Seats
    claims: Claims
    launcher: Launcher
    watch: Watch
    device: str
    works: Works

    def __post_init__(self) -> None:
        self._others = _Others()
        self._jobs: set[_Given] = set()
        self._running: dict[Future[Outcome], tuple[Unit, _Given]] = {}
        self._ended: SimpleQueue[Future[Outcome]] = SimpleQueue()

    def run(self) -> None:
        while self.frontier.is_waiting or self._running:
            check()
            self._others.give_back(self.frontier)
            while (free := self.launcher.workers - len(self._jobs)) > 0 and (units := self._claimed(free)):
                self._submit(units)
            self.watch.stands(self.frontier)
            if self._others.holders and not self._running:
                self.watch.waits(self._others.holders)
            for future in self._news():
                self._take(future)

    def _news(self) -> Iterator[Future[Outcome]]:
        """What has come back; waits a while for the first."""
        try:
            yield self._ended.get(timeout=POLL)
            while True:
                yield self._ended.get_nowait()
        except Empty:
            return

    def _claimed(self, free: int) -> list[Unit]:
        """The next unit that nobody else is at, and those beside it; the free workers get equal parts of these."""
        first = next(self._claim(self.frontier.next), None)
        if first is None:
            return []
        size = self._size(first, free)
        beside = self._claim(lambda: self.frontier.next_beside(first))
        return [first, *(unit for _, unit in zip(range(size - 1), beside, strict=False))]

    def _size(self, unit: Unit, free: int) -> int:
        """How many units are to sit in one stack with this one: in each as many, those of the group included that run already."""
        most, group = self.seats.most(unit), self._group(unit)
        if group is None or most == 1:
            return 1
        same = [given for given in self._jobs if given.group == group]
        workers, running = free + len(same), sum(given.left for given in same)
        ready = 1 + self.frontier.count_beside(unit, most=most * workers)
        return min(most, ceil(ready / free), ceil((ready + running) / workers))

    def _group(self, unit: Unit) -> Lockstep | None:
        return self.seats.group(unit, unit.id in self.frontier.finished)

    def _submit(self, units: list[Unit]) -> None:
        stack = self.seats.is_stacked(units[0], units[0].id in self.frontier.finished)
        job = Job(
            parts=tuple(self._part(unit) for unit in units),
            root=self.frontier.store.root,
            device=self.device,
            stack=stack,
            work=self.works.stack if stack else self.works.alone,
        )
        given = _Given(job, self._group(units[0]), len(units))
        futures = self.launcher.submit(job)
        self._jobs.add(given)
        for unit in units:
            self._running[futures[unit.id]] = unit, given
            self.watch.started(unit, job.seats)
            futures[unit.id].add_done_callback(self._ended.put)

    def _part(self, unit: Unit) -> Part:
        parents = self.frontier.places(unit)
        assert parents.keys() <= NEEDS.keys()
        return Part(spec=unit.spec(), parents=parents)

    def _claim(self, following: Callable[[], Unit | None]) -> Iterator[Unit]:
        """Of units that can run those that nobody else is at, and nobody has done since the plan was looked at."""
        while unit := following():
            holder = self.claims.take(unit.id)
            if holder:
                self._others.add(unit, holder)
            elif self.frontier.is_settled(unit):
                self.claims.release(unit.id)
            else:
                yield unit

    def _take(self, future: Future[Outcome]) -> None:
        unit, given = self._running.pop(future)
        given.left -= 1
        if not given.left:
            self._jobs.discard(given)
        outcome = self._outcome(future, unit, given.job.seats)
        self.claims.release(unit.id)
        _settle(self.frontier, unit, outcome)
        self.watch.stands(self.frontier)
        self.watch.ended(unit, outcome)

    def _outcome(self, future: Future[Outcome], unit: Unit, stack: int | None) -> Outcome:
        try:
            return future.result()
        except WorkerDied as error:
            self.claims.clear(unit.id)
            record = self.frontier.store.record(unit)
            if record and unit.id not in self.frontier.finished:  # it died between the commit and its word of it
                return Outcome(status=record["status"], reason=record["reason"], commit="committed")
            reason = in_stack(str(error), stack)
            Attempt(self.frontier.store.root, unit).fail(reason, stack=stack)
            return Outcome(status="failed", reason=reason.partition("\n")[0])


class _Others:
    """Units that other drives are at: each is asked for again after a while."""

    def __init__(self) -> None:
        self._units: dict[str, tuple[Unit, Holder]] = {}
        self._asked = time.monotonic()

    @property
    def holders(self) -> list[Holder]:
        return [holder for _, holder in self._units.values()]

    def add(self, unit: Unit, holder: Holder) -> None:
        self._units[unit.id] = (unit, holder)

    def give_back(self, frontier: Frontier) -> None:
        if time.monotonic() - self._asked < max(POLL, len(self._units) / LOOKS):
            return
        self._asked = time.monotonic()
        for unit, _ in self._units.values():
            frontier.put_back(unit)
        self._units.clear()


def _settle(frontier: Frontier, unit: Unit, outcome: Outcome) -> None:
    if outcome.status == "halt":
        raise StoreError(outcome.reason)
    if outcome.status == "failed":
        frontier.fail(unit, outcome.reason or "without a reason")
    else:
        frontier.finish(unit, outcome.status, outcome.reason)
