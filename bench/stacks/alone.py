"""A domain whose learners sit in stacks, each beside an empty seat: what one unit alone is in a stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.doors import StacksUnits
from bench.learner import Learner
from bench.spec import Task
from bench.streams import Streams


class SeatedDomain:
    """A domain that gives seats where the one inside gives learners; they train as they would in any company.

    Args:
        domain: that stacks.
    """

    def __init__(self, domain: StacksUnits) -> None:
        self._domain = domain

    def __getattr__(self, name: str) -> Any:
        """All else that the domain says of its tasks."""
        return getattr(self._domain, name)

    def tasks(self) -> Mapping[str, Task]:
        """The domain's own."""
        return self._domain.tasks()

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """A seat; of another width, an ordinary learner."""
        if width != 1.0:
            return self._domain.learner(task, streams=streams, device=device, width=width)
        seat: Learner = self._domain.stack(task, streams=[streams], device=device).seats[0]
        return seat
