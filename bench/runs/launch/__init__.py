"""Where units are trained. Every launcher gives futures."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bench.runs.job import Job, Outcome


class WorkerDied(Exception):
    """The process that trained a unit is gone, and said nothing. The first line is the reason."""


class Launcher(Protocol):
    """Trains jobs, `workers` at a time."""

    @property
    def workers(self) -> int:
        """How many can be trained at once now; on a cluster, nodes come and go."""
        ...

    def submit(self, job: Job) -> Future[Outcome]:
        """Train a job as soon as a worker is free.

        The future raises `WorkerDied` if the worker did not survive it.
        """
        ...

    def close(self) -> None:
        """End every worker at once, whatever it does."""
        ...
