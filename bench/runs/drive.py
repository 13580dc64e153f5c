"""The loop: units that can run go to a launcher, records come back, until nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Collection
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Protocol

from bench.errors import StoreError
from bench.runs.frontier import NEEDS, Frontier
from bench.runs.job import WORK, Job, Outcome
from bench.runs.launch import Launcher, WorkerDied
from bench.runs.plan import Plan
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

    def started(self, unit: Unit) -> None:
        """The unit was handed to a worker."""
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
    plan: Plan, store: Store, launcher: Launcher, *, watch: Watch, device: str = "cpu", work: str = WORK
) -> Frontier:
    """Do what is left of a plan.

    Units whose parents failed or diverged are blocked; the rest goes on.

    Args:
        plan: what is asked.
        store: prepared; other drives may use it at the same time, also on other machines.
        launcher: where units are trained.
        watch: is told of every unit.
        device: `cpu`, `cuda`, ...
        work: what trains a unit.

    Returns:
        What is finished, failed and blocked now.

    Raises:
        StoreError: if the store can no longer be written.
    """
    with Claims(store.root) as claims:
        try:
            return _drive(plan, store, claims, launcher, watch=watch, device=device, work=work)
        except BaseException:
            with undisturbed():
                launcher.close()  # before the claims of what it trains are given back
            raise


def _drive(
    plan: Plan, store: Store, claims: Claims, launcher: Launcher, *, watch: Watch, device: str, work: str
) -> Frontier:
    frontier, others = Frontier(plan, store), _Others()
    running: dict[Future[Outcome], Unit] = {}
    ended: SimpleQueue[Future[Outcome]] = SimpleQueue()
    while frontier.is_waiting or running:
        check()
        others.give_back(frontier)
        while len(running) < launcher.workers and (unit := _claimed(frontier, claims, others)):
            future = launcher.submit(_job(unit, frontier, device, work))
            running[future] = unit
            watch.started(unit)
            future.add_done_callback(ended.put)
        watch.stands(frontier)
        if others.holders and not running:
            watch.waits(others.holders)
        try:
            future = ended.get(timeout=POLL)
        except Empty:
            continue
        unit = running.pop(future)
        outcome = _outcome(future, unit, store, claims)
        claims.release(unit.id)
        _settle(frontier, unit, outcome)
        watch.stands(frontier)
        watch.ended(unit, outcome)
    return frontier


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


def _claimed(frontier: Frontier, claims: Claims, others: _Others) -> Unit | None:
    """The next unit that nobody else is at, and nobody has done since the plan was looked at."""
    while unit := frontier.next():
        holder = claims.take(unit.id)
        if holder:
            others.add(unit, holder)
        elif frontier.is_settled(unit):
            claims.release(unit.id)
        else:
            return unit
    return None


def _job(unit: Unit, frontier: Frontier, device: str, work: str) -> Job:
    parents = frontier.places(unit)
    assert parents.keys() <= NEEDS.keys()
    return Job(spec=unit.spec(), root=frontier.store.root, parents=parents, device=device, work=work)


def _outcome(future: Future[Outcome], unit: Unit, store: Store, claims: Claims) -> Outcome:
    try:
        return future.result()
    except WorkerDied as error:
        claims.clear(unit.id)
        Attempt(store.root, unit).fail(str(error))
        return Outcome(status="failed", reason=str(error).partition("\n")[0])


def _settle(frontier: Frontier, unit: Unit, outcome: Outcome) -> None:
    if outcome.status == "halt":
        raise StoreError(outcome.reason)
    if outcome.status == "failed":
        frontier.fail(unit, outcome.reason or "without a reason")
    else:
        frontier.finish(unit, outcome.status, outcome.reason)
