"""Units made ready to be trained anywhere: what every launcher hands to a worker, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast

from bench.code.named import named
from bench.errors import FULL, AttemptVanished, SpecError, StoreError
from bench.record import StoredRecord
from bench.runs import failure
from bench.spec import Role, Unit, unit_id
from bench.store import files
from bench.store.attempt import RECORD, Attempt, Committed
from bench.tickets.units.seating import Seating

LATE = 60.0
"""Seconds that a network file system may take to show what another machine has written."""
LOOK = 0.5

Report = Callable[[int, Mapping[str, float]], None]


class Work(Protocol):
    """Trains a unit into a folder; see `bench.tickets.units.work.work`."""

    def __call__(
        self, unit: Unit, *, parents: Mapping[Role, Path], folder: Path, device: str, report: Report
    ) -> StoredRecord: ...


class StackWork(Protocol):
    """Trains units in one stack; see `bench.tickets.units.work.work_in_stack`."""

    def __call__(
        self, seatings: Sequence[Seating], *, device: str
    ) -> Iterator[tuple[int, StoredRecord | Exception]]: ...


class Works(NamedTuple):
    """What trains units, as `package.module:function`: named and not imported, because only workers need torch.

    Args:
        alone: a `Work`.
        stack: a `StackWork`.
    """

    alone: str = "bench.tickets.units.work:work"
    stack: str = "bench.tickets.units.work:work_in_stack"


WORKS = Works()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One unit of a job.

    Args:
        spec: of the unit.
        parents: role -> folder of the finished unit that plays it.
    """

    spec: dict[str, Any]
    parents: dict[Role, Path]

    @property
    def id(self) -> str:
        """Of the unit."""
        return unit_id(self.spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Units to be trained; pickles anywhere.

    Args:
        parts: the units; more than one only in a stack.
        root: of the store.
        device: `cpu`, `cuda`, ...
        stack: whether they sit in a stack; a lone one sits beside an empty seat.
        work: what trains them: a `StackWork` for a stack, else a `Work`.
    """

    parts: tuple[Part, ...]
    root: Path
    device: str = "cpu"
    stack: bool = False
    work: str = WORKS.alone

    @property
    def seats(self) -> int | None:
        """How many units sit in the stack, if it is one."""
        return len(self.parts) if self.stack else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a unit. Plain data, because not every exception survives a pickle.

    Args:
        status: `ok` and `diverged` are results; `failed` is tried again by the next run; `halt` ends the drive.
        reason: one line, if it is not `ok`.
        commit: what the store made of a result.
    """

    status: Literal["ok", "diverged", "failed", "halt"]
    reason: str | None = None
    commit: Committed | None = None


Evaluation = tuple[int, Mapping[str, float]]
"""A step, and the metrics there."""
Tell = Callable[[str, Outcome | Evaluation], None]
"""Called with the id of a unit of a job and what is new of it; an outcome is the last."""


def run(job: Job, *, tell: Tell) -> None:
    """Train the job's units; as each ends, commit what came out, or the reason why nothing did."""
    waiting = {place: Unit.from_spec(part.spec) for place, part in enumerate(job.parts)}
    attempts: dict[int, Attempt] = {}
    try:
        for place, unit in waiting.items():
            attempts[place] = Attempt(job.root, unit)
        try:
            for place, found in _trained(job, attempts, tell):
                outcome = _ended(attempts[place], found)
                del attempts[place]
                tell(waiting.pop(place).id, outcome)
            if waiting:
                raise SpecError(f"work {job.work!r} ended without a word about {next(iter(waiting.values())).label}")
        except StoreError:
            raise
        except BaseException as error:  # noqa: BLE001  whatever a domain raises fails its units, not the suite
            for place, attempt in attempts.items():
                outcome = _failed(attempt, error, stack=job.seats)
                tell(waiting.pop(place).id, outcome)
    except StoreError as error:
        for place, unit in waiting.items():
            if place in attempts:
                attempts[place].drop()
            tell(unit.id, Outcome(status="halt", reason=str(error)))


def _trained(
    job: Job, attempts: Mapping[int, Attempt], tell: Tell
) -> Iterator[tuple[int, StoredRecord | BaseException]]:
    """Place of a unit and what came out, as they end."""
    work = resolve(job.work)
    _await([folder for part in job.parts for folder in part.parents.values()])
    seatings = [
        Seating(attempt.unit, part.parents, attempt.folder, partial(_report, tell, attempt.unit.id))
        for part, attempt in zip(job.parts, attempts.values(), strict=True)
    ]
    if job.stack:
        yield from cast("StackWork", work)(seatings, device=job.device)
        return
    (seating,) = seatings
    unit, parents, folder, report = seating
    assert report is not None
    yield 0, cast("Work", work)(unit, parents=parents, folder=folder, device=job.device, report=report)


def _report(tell: Tell, unit: str, step: int, metrics: Mapping[str, float]) -> None:
    tell(unit, (step, dict(metrics)))


def _ended(attempt: Attempt, found: StoredRecord | BaseException) -> Outcome:
    if isinstance(found, StoreError):
        raise found
    if isinstance(found, BaseException):
        return _failed(attempt, found)
    try:
        return Outcome(status=found["status"], reason=found["reason"], commit=attempt.commit(found))
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  a record that is none, from any domain
        return _failed(attempt, error)


def _failed(attempt: Attempt, error: BaseException, *, stack: int | None = None) -> Outcome:
    number = failure.number_of(error)
    if number in FULL:
        attempt.drop()
        return Outcome(status="halt", reason=f"no room left in {attempt.root}: {files.REMEDIES[number]}")
    error = AttemptVanished(attempt.unit.label) if attempt.has_vanished else error
    reason = in_stack(failure.report(error), stack)
    attempt.fail(reason, stack=stack)
    return Outcome(status="failed", reason=reason.partition("\n")[0])


def in_stack(reason: str, stack: int | None) -> str:
    """The reason of a unit whose stack crashed, if one did; its first line says so.

    Args:
        reason: why, in any number of lines.
        stack: how many units were in it.
    """
    if stack is None or stack < 2:
        return reason
    first, newline, rest = reason.partition("\n")
    return f"{first}; it was in a stack of {stack}, whose units the next run tries one by one{newline}{rest}"


def _await(parents: Collection[Path]) -> None:
    """Wait for records that another machine has just committed; whoever misses one says so."""
    end = time.monotonic() + LATE
    while not all((folder / RECORD).exists() for folder in parents) and time.monotonic() < end:
        time.sleep(LOOK)


def resolve(path: str) -> Work | StackWork:
    """The function behind `package.module:function`.

    Raises:
        SpecError: if there is none.
    """
    work: Work | StackWork = named(path, "work")
    return work
