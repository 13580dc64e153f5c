"""One unit, made ready to be trained anywhere: what every launcher hands to a worker, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.errors import FULL, AttemptVanished, StoreError
from bench.named import named
from bench.record import StoredRecord
from bench.runs import failure
from bench.spec import Role, Unit
from bench.store import files
from bench.store.attempt import RECORD, Attempt, Committed

WORK = "bench.tickets.units.work:work"
"""What trains a unit; named and not imported, because only workers need torch."""

LATE = 60.0
"""Seconds that a network file system may take to show what another machine has written."""
LOOK = 0.5

Report = Callable[[int, Mapping[str, float]], None]


class Work(Protocol):
    """Trains a unit into a folder; see `bench.tickets.units.work.work`."""

    def __call__(
        self, unit: Unit, *, parents: Mapping[Role, Path], folder: Path, device: str, report: Report
    ) -> StoredRecord: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A unit to be trained; pickles anywhere.

    Args:
        spec: of the unit.
        root: of the store.
        parents: role -> folder of the finished unit that plays it.
        device: `cpu`, `cuda`, ...
        work: `package.module:function`, a `Work`.
    """

    spec: dict[str, Any]
    root: Path
    parents: dict[Role, Path]
    device: str = "cpu"
    work: str = WORK


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a job. Plain data, because not every exception survives a pickle.

    Args:
        status: `ok` and `diverged` are results; `failed` is tried again by the next run; `halt` ends the drive.
        reason: one line, if it is not `ok`.
        commit: what the store made of a result.
    """

    status: Literal["ok", "diverged", "failed", "halt"]
    reason: str | None = None
    commit: Committed | None = None


def run(job: Job, *, report: Report) -> Outcome:
    """Train the job's unit and commit what came out, or the reason why nothing did."""
    unit = Unit.from_spec(job.spec)
    try:
        attempt = Attempt(job.root, unit)
        try:
            work = resolve(job.work)
            _await(list(job.parents.values()))
            record = work(unit, parents=job.parents, folder=attempt.folder, device=job.device, report=report)
            return Outcome(status=record["status"], reason=record["reason"], commit=attempt.commit(record))
        except StoreError:
            raise
        except BaseException as error:  # noqa: BLE001  whatever a domain raises fails its unit, not the suite
            number = failure.number_of(error)
            if number in FULL:
                attempt.drop()
                return Outcome(status="halt", reason=f"no room left in {job.root}: {files.REMEDIES[number]}")
            error = AttemptVanished(unit.label) if attempt.has_vanished else error
            attempt.fail(failure.report(error))
            return Outcome(status="failed", reason=failure.summary(error))
    except StoreError as error:
        return Outcome(status="halt", reason=str(error))


def _await(parents: Collection[Path]) -> None:
    """Wait for records that another machine has just committed; whoever misses one says so."""
    end = time.monotonic() + LATE
    while not all((folder / RECORD).exists() for folder in parents) and time.monotonic() < end:
        time.sleep(LOOK)


def resolve(path: str) -> Work:
    """The function behind `package.module:function`.

    Raises:
        SpecError: if there is none.
    """
    work: Work = named(path, "work")
    return work
