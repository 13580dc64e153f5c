"""Image classifiers, as in the papers that found lottery tickets (arXiv 1803.03635) and moved them (1906.02773)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.errors import SpecError, UnknownName
from bench.spec import Task
from bench.streams import Streams
from domains.vision.config import misfit
from domains.vision.datasets.places import VARIABLE, root
from domains.vision.examples.parts import shortage
from domains.vision.networks.kinds import is_own, unsupported
from domains.vision.schedule import Schedule
from domains.vision.tasks import tasks
from domains.vision.tasks.custom import own

if TYPE_CHECKING:
    from bench.learner import Learner
    from domains.vision.stack import VisionStack

__all__ = ["domain", "own"]

SEATS = 64
"""Classifiers in a stack on a GPU, which one of them leaves nearly idle; on a CPU they gain nothing (see docs/stacks.md)."""


class Vision:
    """The domain of the image classifiers."""

    forwards_ones = True
    interpolates = True

    def tasks(self) -> Mapping[str, Task]:
        """`task.key` -> task; imports no torch."""
        return tasks()

    def unlisted(self) -> str | None:
        """Tasks of the user's own images (see `bench.doors.ListsMore`)."""
        return None if root() else f"tasks of your own images need {VARIABLE}: set it to the folder that theirs are in"

    def network(self, task: Task) -> Any:
        """What decides layers and shapes: model and examples; the classes, too, where the output layer is pruned.

        Own networks are called without arguments, so that those of other classes are other functions: of one module, with the same
        files, two may be the same up to the output layer, and a ticket that does not fit is refused before it trains.
        """
        told = {key: task.config.get(key) for key in ("model", "width", "channels", "side", "shape", "code")}
        if not task.pruning.is_exempt("output.weight"):
            return {**told, "classes": task.config.get("classes")}
        if is_own(model := task.config["model"]):
            module = model.partition(":")[0]
            return {**told, "model": module, "code": task.config.get("code", {}).get(module)}
        return told

    def outputs(self, task: Task) -> Any:
        """The labels: of which data, and how they are grouped into classes."""
        return {"data": dict(task.data), **{key: task.config.get(key) for key in ("classes", "superclasses")}}

    def code(self, task: Task) -> Mapping[str, str]:
        """Module -> sha256 of its file, of the user's own network and examples."""
        found: Mapping[str, str] = task.config.get("code", {})
        return found

    def refusal(self, task: Task) -> str | None:
        """What is wrong with its `config`, schedule or `evaluation`, or that its `limit` leaves too few (see `bench.doors.RefusesTasks`)."""
        limit = task.config.get("limit")
        for split, count in task.evaluation.items():
            if type(count) is not int or count < 1:
                return f"evaluation.{split} is {count!r}: write how many examples, from 1 on, or leave it out for all"
        if reason := misfit(task.config):
            return reason
        try:
            Schedule.of_task(task)
        except (SpecError, UnknownName) as error:
            return str(error)
        return shortage(task.config, limit) if limit else None

    def unsupported(self, task: Task) -> Mapping[str, str]:
        """By its model (see `bench.doors.DeclinesMethods`)."""
        return unsupported(task.config["model"])

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """A learner at step 0 (see `bench.learner.Domain`).

        Raises:
            DataError: if the task's data are missing or are not what the task was defined on.
        """
        from domains.vision.learner import VisionLearner  # noqa: PLC0415  the planner lists tasks without torch

        return VisionLearner(task, streams=streams, device=device, width=width)

    def seats(self, task: Task, device: str) -> int | str:
        """How many classifiers train together at best (see `bench.doors.StacksUnits`)."""
        if ":" in task.config["model"]:
            return "only the built-in networks are stacked, not torchvision's or your own"
        return SEATS if device.startswith("cuda") else 1

    def stack(self, task: Task, *, streams: Sequence[Streams], device: str) -> VisionStack:
        """A stack of classifiers at step 0."""
        from domains.vision.stack import VisionStack  # noqa: PLC0415  the planner lists tasks without torch

        return VisionStack(task, streams=streams, device=device)


domain = Vision()
