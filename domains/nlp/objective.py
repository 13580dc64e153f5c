"""What a text learner trains on: batches and their loss, and how good the model is on a split."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor, nn

from bench.record import Items


class Loss(NamedTuple):
    """A training loss.

    Args:
        total: summed over the tokens, with its graph.
        tokens: how many there are.
    """

    total: Tensor
    tokens: int


class Scores(NamedTuple):
    """What an evaluation found.

    Args:
        metrics: name -> value.
        items: what a score was computed from, item by item, if one is no mean over items.
    """

    metrics: dict[str, float]
    items: Items | None = None


class Objective(Protocol):
    """The side of a learner that knows whether it translates or predicts running text."""

    module: nn.Module

    def loss(self, index: int) -> Loss:
        """The loss of a batch of the training, counted from its begin; which one follows from the seed and the index."""
        ...

    def forget(self) -> None:
        """Drop what was carried over from the update before: training goes on from a loaded state."""
        ...

    def drawn(self, generator: np.random.Generator, *, temperature: float) -> Loss:
        """The training loss of a batch that `generator` draws, with the logits divided by `temperature`."""
        ...

    def scores(self, split: str, *, at_end: bool) -> Scores:
        """Every metric of a split; the module is in evaluation mode, and without gradients.

        Args:
            split: `val` or `test`.
            at_end: whether training is over, and what is too dear to compute on the way is computed.
        """
        ...
