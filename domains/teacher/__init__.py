"""Students that learn from a teacher network, whose nodes tell why tickets win (arXiv 1905.13405, 1909.13458)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.spec import Task
from bench.streams import Streams
from domains.teacher.tasks import TASKS

if TYPE_CHECKING:
    from bench.learner import Learner

__all__ = ["domain"]


class TeacherStudent:
    """The domain of the students."""

    forwards_ones = True
    names_nodes = True

    def tasks(self) -> Mapping[str, Task]:
        """`task.key` -> task; imports no torch."""
        return TASKS

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """A learner at step 0 (see `bench.learner.Domain`)."""
        from domains.teacher.learner import StudentLearner  # noqa: PLC0415  the planner lists tasks without torch

        return StudentLearner(task, streams=streams, device=device, width=width)


domain = TeacherStudent()
