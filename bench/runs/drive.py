"""The loop: units that can run go to a launcher, records come back, until nothing is left to do."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Protocol

from bench.errors import StoreError
from bench.runs.frontier import NEEDS, Frontier
from bench.runs.job import WORK, Job, Outcome
from bench.runs.launch import Launcher, WorkerDied
from bench.runs.plan import Plan
from bench.spec import Unit
from bench.store.attempt import Attempt
from bench.store.store import Store

POLL = 1.0
"""Seconds between two looks at what another drive on the same store has finished."""


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


def drive(
    plan: Plan, store: Store, launcher: Launcher, *, watch: Watch, device: str = "cpu", work: str = WORK
) -> Frontier:
    """Do what is left of a plan.

    Units whose parents failed or diverged are blocked; the rest goes on.

    Args:
        plan: what is asked.
        store: prepared; other drives may use it at the same time.
        launcher: where units are trained.
        watch: is told of every unit.
        device: `cpu`, `cuda`, ...
        work: what trains a unit.

    Returns:
        What is finished, failed and blocked now.

    Raises:
        StoreError: if the store can no longer be written.
    """
    frontier = Frontier(plan, store)
    running: dict[Future[Outcome], Unit] = {}
    while frontier.is_waiting or running:
        while len(running) < launcher.workers and (unit := frontier.next()):
            running[launcher.submit(_job(unit, plan, store, device, work))] = unit
            watch.started(unit)
        watch.stands(frontier)
        if not running:
            time.sleep(POLL)
            continue
        for future in wait(running, timeout=POLL, return_when=FIRST_COMPLETED).done:
            unit = running.pop(future)
            outcome = _outcome(future, unit, store)
            _settle(frontier, unit, outcome)
            watch.stands(frontier)
            watch.ended(unit, outcome)
    return frontier


def _job(unit: Unit, plan: Plan, store: Store, device: str, work: str) -> Job:
    parents = {role: store.folder(plan.units[parent]) for role, parent in unit.parents.items()}
    assert parents.keys() <= NEEDS.keys()
    return Job(spec=unit.spec(), root=store.root, parents=parents, device=device, work=work)


def _outcome(future: Future[Outcome], unit: Unit, store: Store) -> Outcome:
    try:
        return future.result()
    except WorkerDied as error:
        Attempt(store.root, unit).fail(str(error))
        store.sweep()
        return Outcome(status="failed", reason=str(error).partition("\n")[0])


def _settle(frontier: Frontier, unit: Unit, outcome: Outcome) -> None:
    if outcome.status == "halt":
        raise StoreError(outcome.reason)
    if outcome.status == "failed":
        frontier.fail(unit, outcome.reason or "without a reason")
    else:
        frontier.finish(unit, outcome.status, outcome.reason)
