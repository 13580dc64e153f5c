"""Measures some units of a submission again, each in a worker process and a private store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from pathlib import Path

from bench.errors import TicketBenchError
from bench.exchange.agreement import Remeasured
from bench.exchange.submission import Submission, SubmittedUnit
from bench.record import SUBMITTED, How
from bench.runs.job import Job, Outcome, Part
from bench.runs.launch import WorkerDied
from bench.runs.launch.local import LocalLauncher
from bench.spec import Role, Unit
from bench.stopping import undisturbed
from bench.store.store import Store, curve

WORKS: dict[How, str] = {
    "replay": "bench.tickets.units.retrain:replay",
    "retrain": "bench.tickets.units.retrain:retrain",
}


def remeasure(
    submission: Submission,
    asked: Sequence[tuple[How, SubmittedUnit]],
    *,
    workers: int,
    threads: int,
    device: str,
    step: Callable[[SubmittedUnit, int], None],
    done: Callable[[Remeasured], None],
) -> list[Remeasured]:
    """Measure units again.

    Args:
        submission: where their parents are.
        asked: which, and how.
        workers: processes.
        threads: torch threads of each.
        device: `cpu`, `cuda`, ...
        step: called with a unit and how far it is.
        done: called with each as it is ready.
    """
    entries = {entry.unit.id: entry for _, entry in asked}
    with tempfile.TemporaryDirectory(prefix="ticketbench-") as folder:
        stores = {how: Store(Path(folder) / how) for how in WORKS}
        for store in stores.values():
            store.prepare()
        launcher = LocalLauncher(
            workers=max(1, min(workers, len(asked))),
            threads=threads,
            progress=lambda unit, at, _: step(entries[unit], at),
        )
        try:
            waiting = {
                launcher.submit(_job(submission, entry, how, stores[how].root, device))[entry.unit.id]: (how, entry)
                for how, entry in asked
            }
            remeasured = []
            for future in as_completed(waiting):
                how, entry = waiting[future]
                remeasured.append(_outcome(submission, entry, how, stores[how], _reason(future)))
                done(remeasured[-1])
            return remeasured
        finally:
            with undisturbed():
                launcher.close()


def _job(submission: Submission, entry: SubmittedUnit, how: How, root: Path, device: str) -> Job:
    parents: dict[Role, Path] = {SUBMITTED: entry.folder}
    if how == "retrain":
        family = ((role, submission.parent(entry, role)) for role in entry.unit.parents)
        parents |= {role: parent.folder for role, parent in family if parent is not None}
    part = Part(spec=_as_installed(entry).spec(), parents=parents)
    return Job(parts=(part,), root=root, device=device, work=WORKS[how])


def _as_installed(entry: SubmittedUnit) -> Unit:
    """The same unit, defined by this installation: of the submission's definition nothing is run."""
    unit, (task, method, *_) = entry.unit, entry.installed
    assert task is not None
    assert method is not None
    return Unit(task=task, method=method, level=unit.level, seed=unit.seed, parents=unit.parents)


def _reason(future: Future[Outcome]) -> str | None:
    """Why nothing came out, if so."""
    try:
        return future.result().reason
    except (TicketBenchError, WorkerDied) as error:
        return str(error)


def _outcome(submission: Submission, entry: SubmittedUnit, how: How, store: Store, reason: str | None) -> Remeasured:
    record = store.record(entry.unit)
    if record is None:
        return Remeasured(entry=entry, how=how, record=None, reason=(reason or "nothing came out").partition("\n")[0])
    points, believes = curve(store.folder(entry.unit)), how == "retrain" and submission.believes_mask(entry)
    return Remeasured(entry=entry, how=how, record=record, curve=points, reason=reason, believes_mask=believes)
