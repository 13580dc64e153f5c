"""What chance gives: how many marked weights masks hit that are drawn without replacement, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.stats import hypergeom

FALSE_ALARM = 1e-6
"""How often an honest random mask may be suspected of not being one."""
LARGEST_EXACT = 4_000
"""Outcomes up to which the distribution of a sum is computed; beyond, Bernstein's bound, which alarms less."""


class Draw(NamedTuple):
    """`drawn` of `size` weights, `marked` of which are marked."""

    size: int
    marked: int
    drawn: int


def moments(draws: Iterable[Draw]) -> tuple[float, float]:
    """Mean and variance of the number of marked weights that independent draws hit in all."""
    draws = list(draws)
    certain = sum(min(draw.marked, draw.drawn) for draw in draws if draw.size < 2)  # where scipy divides by zero
    if not (uncertain := [draw for draw in draws if draw.size > 1]):
        return float(certain), 0.0
    size, marked, drawn = np.array(uncertain).T
    with np.errstate(divide="ignore", invalid="ignore"):  # scipy computes a kurtosis besides, which not every draw has
        means, variances = hypergeom.mean(size, marked, drawn), hypergeom.var(size, marked, drawn)
    return certain + math.fsum(means), math.fsum(variances)


def p_value(draws: Iterable[Draw], hits: int) -> float:
    """At most the probability that independent fair draws hit `hits` marked weights in all, or are as far off.

    A hypergeometric count is a sum of independent Bernoulli variables (its generating function has real roots only),
    so that Bernstein's inequality holds with its own variance where the exact sum would take too long.

    Returns:
        Two-sided, in (0, 1]; 0 for a number that no draw gives.
    """
    draws = list(draws)
    limits = [(max(0, draw.marked + draw.drawn - draw.size), min(draw.marked, draw.drawn)) for draw in draws]
    lowest, highest = (sum(ends) for ends in zip(*limits, strict=True)) if limits else (0, 0)
    if not lowest <= hits <= highest:
        return 0.0
    if highest > LARGEST_EXACT:
        mean, variance = moments(draws)
        distance = abs(hits - mean)
        return min(1.0, 2 * math.exp(-(distance**2) / 2 / (variance + distance / 3))) if distance else 1.0
    total = np.ones(1)
    for draw, (low, high) in zip(draws, limits, strict=True):
        total = np.convolve(total, hypergeom.pmf(np.arange(low, high + 1), draw.size, draw.marked, draw.drawn))
    place = hits - lowest
    return float(min(1.0, 2 * min(total[: place + 1].sum(), total[place:].sum())))
