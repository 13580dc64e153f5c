"""Image classifiers, as in the papers that found lottery tickets (arXiv 1803.03635) and moved them (1906.02773)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.spec import Task
from bench.streams import Streams
from domains.vision.tasks import tasks

if TYPE_CHECKING:
    from bench.learner import Learner

__all__ = ["domain"]


class Vision:
    """The domain of the image classifiers."""

    forwards_ones = True

    def tasks(self) -> Mapping[str, Task]:
        """`task.key` -> task; imports no torch."""
        return tasks()

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """A learner at step 0 (see `bench.learner.Domain`).

        Raises:
            DataError: if the task's data are missing or are not what the task was defined on.
        """
        from domains.vision.learner import VisionLearner  # noqa: PLC0415  the planner lists tasks without torch

        return VisionLearner(task, streams=streams, device=device, width=width)


domain = Vision()
