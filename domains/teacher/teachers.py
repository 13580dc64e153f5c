"""Teachers as the code of both papers draws them: few values for the weights, no two nodes of a layer alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.spec import Task
from bench.streams import Streams
from domains.teacher.chosen import chosen

Floats = NDArray[np.float64]
Layers = list[tuple[Floats, Floats]]
"""Weight (outputs, inputs) and bias (outputs,) of every layer, the lowest first."""

CHOICES = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Values of a weight before it is scaled."""
BIAS = -0.1
"""Of every node of a `decaying` teacher: each is silent on more than half of the data."""
NORM_FLOOR = 1e-5
"""Added to the norms that a `normalised` teacher's rows are divided by."""
FIXED_SEED = 0
"""Whose teacher all seeds have where the teacher is `fixed`."""


def teacher(task: Task, streams: Streams) -> Layers:
    """The teacher of a seed: the same for all arms and levels of it, and for all seeds if the task's teacher is `fixed`.

    Args:
        task: its `config` has the `sizes` of the teacher's layers, input and output included; which `draw` makes it, and
            whether every seed has its own (`per-seed`) or all the same (`fixed`).
        streams: `teacher` is drawn from.

    Raises:
        UnknownName: if there is no such draw, or whose teacher it is is not told.
    """
    config = task.config
    seed = chosen("owner of a teacher", {"per-seed": streams.seed, "fixed": FIXED_SEED}, config["teacher"])
    return chosen("draw", DRAWS, config["draw"])(config["sizes"], config, Streams(seed).numpy("teacher"))


def distinct_rows(rows: int, columns: int, generator: np.random.Generator) -> Floats:
    """(rows, columns) of `CHOICES`: no row is zero, no two are equal."""
    found: dict[tuple[float, ...], Floats] = {}
    while len(found) < rows:
        row = generator.choice(CHOICES, columns)
        if row.any():
            found[tuple(row)] = row
    return np.stack(list(found.values()))


def decaying(sizes: Sequence[int], config: Mapping[str, Any], generator: np.random.Generator) -> Layers:
    """One hidden layer of unit vectors, whose node j weighs (j + 1) ** -`decay` in the outputs (1909.13458, code).

    The papers call `decay` p, the strength of teacher nodes.
    """
    inputs, hidden, outputs = sizes
    below = distinct_rows(hidden, inputs, generator)
    below /= np.linalg.norm(below, axis=1, keepdims=True)
    above = distinct_rows(outputs, hidden, generator) * np.arange(1, hidden + 1) ** -float(config["decay"])
    return [(below, np.full(hidden, BIAS)), (above, np.full(outputs, BIAS))]


def normalised(sizes: Sequence[int], config: Mapping[str, Any], generator: np.random.Generator) -> Layers:
    """Any number of layers, each row divided by its norm, biases uniform within `bias` and divided alike (1905.13405, code)."""
    layers = []
    for inputs, outputs in pairwise(sizes):
        weight = distinct_rows(outputs, inputs, generator)
        norm = np.linalg.norm(weight, axis=1) + NORM_FLOOR
        bias = generator.uniform(-config["bias"], config["bias"], outputs)
        layers.append((weight / norm[:, None], bias / norm))
    return layers


DRAWS: dict[str, Callable[[Sequence[int], Mapping[str, Any], np.random.Generator], Layers]] = {
    "decaying": decaying,
    "normalised": normalised,
}
