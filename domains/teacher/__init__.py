"""Students that learn from a teacher network, whose nodes tell why tickets win (arXiv 1905.13405, 1909.13458)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.spec import Task
from bench.streams import Streams
from domains.teacher.tasks import TASKS, unsupported

if TYPE_CHECKING:
    from bench.learner import Learner
    from domains.teacher.stack import StudentStack

__all__ = ["domain"]

SEATS = 32
"""Students in a stack: more gain little."""


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

    def seats(self, task: Task, device: str) -> int | str:
        """How many students train together at best (see `bench.doors.StacksUnits`)."""
        del task, device
        return SEATS

    def aligned(self, task: Task) -> bool:
        """Whether the last batch of an epoch is a short one (see `bench.doors.AlignsSeats`)."""
        config = task.config
        return bool(config["sampling"] == "epochs" and config["samples"] % config["batch"])

    def unsupported(self, task: Task) -> Mapping[str, str]:
        """By its hidden layers and their rates (see `bench.doors.DeclinesMethods`)."""
        return unsupported(task.config, task.pruning)

    def stack(self, task: Task, *, streams: Sequence[Streams], device: str) -> StudentStack:
        """A stack of students at step 0."""
        from domains.teacher.stack import StudentStack  # noqa: PLC0415  the planner lists tasks without torch

        return StudentStack(task, streams=streams, device=device)


domain = TeacherStudent()
