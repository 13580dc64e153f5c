"""The average of a training's last checkpoints: what is evaluated at the end, never what is pruned (1806.00187)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Keeps the weights of the last checkpoints.

    They are no part of a `State`: what was loaded is evaluated as it is, until training has taken checkpoints again.

    Args:
        module: whose parameters are averaged.
        last: how many checkpoints; 0 for none.
        every: updates between two of them.
    """

    def __init__(self, module: nn.Module, *, last: int, every: int) -> None:
        self._parameters = dict(module.named_parameters())
        self._every = every
        self._taken: deque[dict[str, Tensor]] = deque(maxlen=last)

    def forget(self) -> None:
        """Training goes on from a loaded state."""
        self._taken.clear()

    def look(self, step: int) -> None:
        """Take a checkpoint if `step` is one's; it is kept in main memory."""
        if self._taken.maxlen and step % self._every == 0:
            self._taken.append({name: each.detach().to("cpu", copy=True) for name, each in self._parameters.items()})

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averaged weights are in the module; before and after, its own. A weight that all have at zero stays zero."""
        own = {name: each.detach().clone() for name, each in self._parameters.items()} if self._taken else {}
        try:
            self._put({name: torch.stack([each[name] for each in self._taken]).mean(0) for name in own})
            yield
        finally:
            self._put(own)

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in weights.items():
                self._parameters[name].copy_(weight)
