"""Linear interpolation between two copies of one subnetwork that the noise of SGD alone set apart (1912.05671, section 2).

Where the error rises between them, training is not stable to that noise: its size decides which minimum is found.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from bench.doors import Interpolates
from bench.errors import Diverged
from bench.learner import Learner, State
from bench.schema import LARGEST

POINTS = 11
"""Both ends and nine between them; the paper takes thirty."""


def between(learner: Learner, twin: State, split: str) -> dict[str, list[float]] | None:
    """Every metric at even steps on the straight line from the twin's weights to the learner's; leaves it as it was.

    Statistics that follow from the weights are estimated anew at every point, the ends included: those of either end are of
    no network between them.

    Args:
        learner: trained; pruned weights are zero at both ends, and so between them.
        twin: the final state of the other copy.
        split: of which the metrics are.

    Returns:
        Metric -> `POINTS` values; None if one of them is not finite, or larger than any record may hold.
    """
    assert isinstance(learner, Interpolates)
    end = learner.snapshot()
    found = []
    for place in range(POINTS):
        share = place / (POINTS - 1)
        weights = {
            name: torch.lerp(twin.weights[name].to(weight.device), weight, share)
            for name, weight in end.weights.items()
        }
        learner.load(replace(end, weights=weights))
        learner.reestimate()
        try:
            point = learner.evaluate(split)
        except Diverged:
            break
        if not all(abs(value) <= LARGEST for value in point.values()):  # NaN is not either
            break
        found.append(point)
    learner.load(end)
    return {name: [point[name] for point in found] for name in found[0]} if len(found) == POINTS else None
