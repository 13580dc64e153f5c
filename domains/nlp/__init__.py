"""Translation and language modelling on fairseq, as in the paper on tickets beyond vision (arXiv 1906.02768)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bench.errors import MissingPackage
from bench.spec import Task
from bench.streams import Streams
from domains.nlp.config import misfit
from domains.nlp.corpora.folders import VARIABLE
from domains.nlp.tasks import tasks
from domains.nlp.tasks.custom import own
from domains.nlp.tasks.recipe import unsupported

if TYPE_CHECKING:
    from bench.learner import Learner

__all__ = ["domain", "own"]


PACKAGE = "fairseq"
"""Imported by every text model."""
EXTRA = "nlp"
"""Of our distribution: installs it."""


class Language:
    """The domain of the text models."""

    interpolates = True

    def tasks(self) -> Mapping[str, Task]:
        """`task.key` -> task; imports neither torch nor fairseq."""
        return tasks()

    def unlisted(self) -> str | None:
        """Tasks of the user's own corpora (see `bench.doors.ListsMore`)."""
        is_set = bool(os.environ.get(VARIABLE))
        return None if is_set else f"tasks of your own texts need {VARIABLE}: set it to the folder that theirs are in"

    def network(self, task: Task) -> Any:
        """What decides layers and shapes: the model, and the corpus, which gives the dictionary."""
        return {"model": task.config.get("model"), **self.outputs(task)}

    def outputs(self, task: Task) -> Any:
        """The dictionary's entries."""
        return {"corpus": task.config.get("corpus"), "data": dict(task.data)}

    def unsupported(self, task: Task) -> Mapping[str, str]:
        """By the metric that it is scored by (see `bench.doors.DeclinesMethods`)."""
        return unsupported(task.metric)

    def refusal(self, task: Task) -> str | None:
        """That its `config` says what nothing reads (see `bench.doors.RefusesTasks`)."""
        return misfit(task.config)

    def check(self, task: Task) -> None:
        """Raises MissingPackage if there is no fairseq here (see `bench.doors.ChecksPackages`)."""
        if find_spec(PACKAGE) is None:
            raise MissingPackage(task.name, PACKAGE, install=f"ticketbench[{EXTRA}]")

    def seats(self, task: Task, device: str) -> str:
        """Why there are no stacks (see `bench.doors.StacksUnits`)."""
        del task, device
        return "fairseq's batches differ in shape from seed to seed"

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """A learner at step 0 (see `bench.learner.Domain`).

        Raises:
            DataError: if a package or the data that the task needs are missing.
        """
        try:
            from domains.nlp.learner import TextLearner  # noqa: PLC0415  the planner lists tasks without torch

            return TextLearner(task, streams=streams, device=device, width=width)
        except ModuleNotFoundError as error:
            raise MissingPackage(task.name, str(error.name), install=f"ticketbench[{EXTRA}]") from error


domain = Language()
