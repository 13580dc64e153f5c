"""Classifiers that train together, each on its own batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.learner import CHECK_EVERY
from bench.spec import Task
from bench.stacks.layers import stacked
from bench.stacks.stack import Seat, Stack
from bench.streams import Streams
from domains.vision.learner import VisionLearner
from domains.vision.optimizers import OPTIMIZERS


class VisionSeat(Seat, VisionLearner):
    """A classifier that trains with others, and otherwise is as if it were alone."""

    def batch(self) -> tuple[Tensor, Tensor]:
        """What it is trained on next: images (batch, channels, height, width) and labels (batch,)."""
        return self._next()

    @property
    def rate(self) -> float:
        """The learning rate of its next update."""
        return self._schedule.at(self.step, self.origin)


class VisionStack(Stack[VisionSeat]):
    """Classifiers of one task.

    Args:
        task: see `domains.vision.learner.VisionLearner`.
        streams: of each classifier.
        device: where everything lives.
    """

    def __init__(self, task: Task, *, streams: Sequence[Streams], device: str) -> None:
        self._config = task.config
        seats = [VisionSeat(task, streams=each, device=device) for each in streams]
        super().__init__(seats, stacked(seats[0].module))

    def make_optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Each classifier's own."""
        return OPTIMIZERS[self._config["optimizer"]](iter(parameters), self._config, stacked=True)

    def advance(self) -> None:
        """One update."""
        self.set_rate(self.common("their learning rate", (seat.rate for seat in self.company)))
        images, labels = (torch.cat(each) for each in zip(*(seat.batch() for seat in self.company), strict=True))
        self.module.train()
        logits = self.module(self.filled(images))[: len(labels)]
        losses = F.cross_entropy(logits, labels, reduction="none").view(len(self.company), -1).mean(1)
        self.update(losses)
        for seat in self.company:
            seat.step += 1
        if any(seat.step % CHECK_EVERY == 0 for seat in self.company):
            self.check_losses(losses, "the training loss", every=CHECK_EVERY)
