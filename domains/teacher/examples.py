"""Gaussian inputs and what the teacher says to them: for training, for scoring and held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.spec import Task
from bench.streams import Streams
from domains.teacher.chosen import chosen
from domains.teacher.students import activations

SPLITS = {"val": 0, "test": 1}
"""Split -> its substream of `eval`."""
BLOCK = 500
"""Updates whose batches are drawn at once."""

Pair = tuple[Tensor, Tensor]
"""Inputs (n, inputs) and targets (n, outputs)."""


class HeldOut(NamedTuple):
    """A split that is never trained on.

    Args:
        inputs: (n, inputs).
        hidden: the teacher's activations in each hidden layer, (n, nodes).
        targets: (n, outputs).
    """

    inputs: Tensor
    hidden: list[Tensor]
    targets: Tensor


class Examples:
    """The data of one seed; drawn when first asked for.

    Args:
        task: its `config` has the standard deviation `std` of the inputs; how many `samples` are trained on, drawn with
            `replacement` or in `epochs`, or always `fresh` ones; and the size of a `batch`. Its `evaluation`
            has the number of held-out examples per split.
        teacher: whose outputs are the targets.
        streams: substream 0 of `data` gives the training set, the others its order; `eval` what is held out.
        device: where everything lives.

    Raises:
        UnknownName: if there is no such `sampling`.
    """

    def __init__(
        self, task: Task, teacher: Sequence[tuple[Tensor, Tensor]], *, streams: Streams, device: torch.device
    ) -> None:
        samplings: dict[str, tuple[int, Callable[[np.random.Generator], Pair]]] = {
            "replacement": (BLOCK, self._drawn),
            "fresh": (BLOCK, self._drawn),
            "epochs": (math.ceil(task.config["samples"] / task.config["batch"]), self._epoch),
        }
        self._length, self._take = chosen("sampling", samplings, task.config["sampling"])
        self._task, self._config, self._teacher = task, task.config, teacher
        self._streams, self._device = streams, device
        self._held_out: dict[str, HeldOut] = {}
        self._block, self._batches = -1, list[Pair]()

    def batch(self, step: int) -> Pair:
        """What is trained on at a step; a function of seed and step."""
        block, place = divmod(step, self._length)
        if block != self._block:
            inputs, targets = self._take(self._streams.numpy("data", 1 + block))
            size = self._config["batch"]
            self._batches = list(zip(inputs.split(size), targets.split(size), strict=True))
            self._block = block
        return self._batches[place]

    def scored(self, n: int) -> list[Pair]:
        """`n` batches of training examples from the `score` stream, the same at each call."""
        generator = self._streams.numpy("score")
        return [self._some(self._config["batch"], generator) for _ in range(n)]

    def held_out(self, split: str) -> HeldOut:
        """The examples of a split, each split once.

        Raises:
            UnknownName: if there is no such split.
        """
        number = chosen("split", SPLITS, split)
        if split not in self._held_out:
            generator = self._streams.numpy("eval", number)
            inputs = self._inputs(self._task.evaluation[split], generator)
            *hidden, targets = activations(self._teacher, inputs)
            self._held_out[split] = HeldOut(inputs, hidden, targets)
        return self._held_out[split]

    @cached_property
    def _training(self) -> Pair:
        return self._taught(self._inputs(self._config["samples"], self._streams.numpy("data", 0)))

    def _drawn(self, generator: np.random.Generator) -> Pair:
        return self._some(BLOCK * self._config["batch"], generator)

    def _epoch(self, generator: np.random.Generator) -> Pair:
        return self._rows(generator.permutation(self._config["samples"]))

    def _some(self, count: int, generator: np.random.Generator) -> Pair:
        if self._config["sampling"] == "fresh":
            return self._taught(self._inputs(count, generator))
        return self._rows(generator.integers(self._config["samples"], size=count))

    def _rows(self, rows: np.ndarray) -> Pair:
        inputs, targets = self._training
        chosen = torch.from_numpy(rows).to(self._device)
        return inputs[chosen], targets[chosen]

    def _inputs(self, count: int, generator: np.random.Generator) -> Tensor:
        drawn = generator.normal(0.0, self._config["std"], (count, self._config["sizes"][0]))
        return torch.from_numpy(drawn).to(self._device, self._teacher[0][0].dtype)

    def _taught(self, inputs: Tensor) -> Pair:
        return inputs, activations(self._teacher, inputs)[-1]
