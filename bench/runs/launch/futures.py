"""The futures of a job: one for each of its units, which ends with what a worker tells of the unit."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import replace

from bench.runs.job import Evaluation, Job, Outcome
from bench.runs.launch import Progress


class Futures:
    """What is to come of the units of a job.

    Args:
        job: what is trained.
        progress: told of every evaluation.

    Attributes:
        by_unit: id of a unit -> its future.
    """

    def __init__(self, job: Job, progress: Progress) -> None:
        """Nothing has come yet."""
        self.by_unit: dict[str, Future[Outcome]] = {part.id: Future() for part in job.parts}
        self._job, self._progress = job, progress

    def tell(self, unit: str, told: Outcome | Evaluation) -> None:
        """Take what is new of a unit."""
        if isinstance(told, Outcome):
            with suppress(InvalidStateError):  # it has been cancelled
                self.by_unit[unit].set_result(told)
        else:
            self._progress(unit, *told)

    def fail(self, error: BaseException) -> None:
        """Nothing more will come."""
        for future in self.by_unit.values():
            with suppress(InvalidStateError):
                future.set_exception(error)

    def cancel(self) -> None:
        """Nobody waits any more."""
        for future in self.by_unit.values():
            future.cancel()

    def left(self) -> Job | None:
        """The job without the units of which all is known; None if that is all of them."""
        parts = tuple(
            part for part, future in zip(self._job.parts, self.by_unit.values(), strict=True) if not future.done()
        )
        return replace(self._job, parts=parts) if parts else None
