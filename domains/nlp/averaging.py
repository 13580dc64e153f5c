"""The average of a training's last checkpoints: what is evaluated at the end, never what is pruned (1806.00187)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bench.errors import SpecError

BUFFERS = "average."
"""Before the parameter's name, among the buffers of a `State`."""


class Average:
    """Keeps the weights of the last checkpoints.

    A `State` has their average beside the weights; where it brought one, that stands until training goes on.

    Args:
        module: whose parameters are averaged.
        last: how many checkpoints; 0 for none.
        every: updates between two of them.
    """

    def __init__(self, module: nn.Module, *, last: int, every: int) -> None:
        self._parameters = dict(module.named_parameters())
        self._every = every
        self._taken: deque[dict[str, Tensor]] = deque(maxlen=last)
        self._brought: dict[str, Tensor] = {}

    def forget(self) -> None:
        """No checkpoint was taken yet, and none was brought."""
        self._taken.clear()
        self._brought = {}

    def look(self, step: int) -> None:
        """Take a checkpoint if `step`, an update's, is one's; it is kept in main memory."""
        self._brought = {}
        if self._taken.maxlen and step % self._every == 0:
            self._taken.append({name: each.detach().to("cpu", copy=True) for name, each in self._parameters.items()})

    def tensors(self) -> dict[str, Tensor]:
        """The average as buffers of a state; none if no checkpoint was taken or brought."""
        return {f"{BUFFERS}{name}": each for name, each in self._weights().items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take what `tensors` gave, which may stand among others, in the place of all that was taken.

        Raises:
            SpecError: if it is no average of these parameters, or if none is asked for.
        """
        brought = {name.removeprefix(BUFFERS): each for name, each in tensors.items() if name.startswith(BUFFERS)}
        shapes = {name: each.shape for name, each in self._parameters.items()} if self._taken.maxlen else {}
        if brought and shapes != {name: each.shape for name, each in brought.items()}:
            raise SpecError("a state with an average of other weights than this task's; load one of this task")
        self.forget()
        self._brought = brought

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averaged weights are in the module; before and after, its own."""
        average = self._weights()
        own = {name: self._parameters[name].detach().clone() for name in average}
        try:
            self._put(average)
            yield
        finally:
            self._put(own)

    def _weights(self) -> dict[str, Tensor]:
        """A weight that is exactly zero now is zero in the average, too: a mask that changes may have dropped it since."""
        names = self._parameters if self._taken else ()
        average = {name: torch.stack([each[name] for each in self._taken]).mean(0) for name in names} or self._brought
        return {
            name: each.masked_fill(self._parameters[name].detach().cpu() == 0, 0.0) for name, each in average.items()
        }

    def _put(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in weights.items():
                self._parameters[name].copy_(weight)
