"""Where units are trained. Every launcher gives futures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bench.runs.job import Job, Outcome

Progress = Callable[[str, int, Mapping[str, float]], None]
"""Called with (unit id, step, metrics) where the training of a unit begins, without metrics, and at its evaluations."""


class WorkerDied(Exception):
    """The process that trained units is gone, and said nothing more. The first line is the reason."""


class Launcher(Protocol):
    """Trains jobs, `workers` at a time."""

    @property
    def workers(self) -> int:
        """How many can be trained at once now; on a cluster, nodes come and go."""
        ...

    def submit(self, job: Job) -> Mapping[str, Future[Outcome]]:
        """Train a job as soon as a worker is free.

        Returns:
            Id of a unit -> what comes out of it, as soon as that is known; `WorkerDied` if the worker did not survive it.
        """
        ...

    def close(self) -> None:
        """End every worker at once, whatever it does."""
        ...
