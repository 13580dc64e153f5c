"""The hidden layers as records keep them: node by node, for scatters, histograms and recovery curves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bench.record import NodeLayer
from domains.teacher.measures import Floats, Layer

DIGITS = 4
"""Significant digits that are kept."""


def node_layer(
    name: str,
    layer: Layer,
    *,
    early: Floats | None,
    initial_fanout: Floats,
    kept_in: list[int],
    kept_out: list[int],
) -> NodeLayer:
    """What a record keeps of one hidden layer.

    Args:
        name: of the layer.
        layer: as it is in the end.
        early: (m,) best correlation of each teacher node early in training; None if training did not get there.
        initial_fanout: (n,) of the student nodes.
        kept_in: how many weights to each student node are kept.
        kept_out: how many from it.
    """
    return {
        "layer": name,
        "teachers": {
            "fanout": _rounded(layer.teacher_fanout),
            "dead": layer.dead.tolist(),
            "correlation_initial": _rounded(layer.initial.max(axis=1)),
            "correlation_early": None if early is None else _rounded(early),
            "correlation_final": _rounded(layer.best),
            "initial_rank": [None if np.isnan(rank) else _round(rank) for rank in layer.ranks],
        },
        "students": {
            "fanout_initial": _rounded(initial_fanout),
            "fanout_final": _rounded(layer.student_fanout),
            "kept_in": kept_in,
            "kept_out": kept_out,
            "correlation_initial": _rounded(layer.initial.max(axis=0)),
            "teacher_initial": layer.initial.argmax(axis=0).tolist(),
            "correlation_final": _rounded(layer.correlation.max(axis=0)),
            "teacher_final": layer.correlation.argmax(axis=0).tolist(),
        },
    }


def _rounded(values: Iterable[float]) -> list[float]:
    return [_round(value) for value in values]


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
