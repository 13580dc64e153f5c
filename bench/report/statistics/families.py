"""Tests besides Student's: of signs alone, and of many hypotheses together."""

from collections.abc import Sequence

import numpy as np

ENUMERATED = 16
"""Differences up to which all 2^n signs are tried; with more, `SIGNS` are drawn."""

SIGNS = 100_000


def sign_flip(differences: Sequence[float]) -> float:
    """The two-sided p-value of a mean difference, if each could as well have had the other sign (Fisher 1935).

    Exact up to `ENUMERATED` differences. Five seeds cannot get below 2 / 2^5 = 0.0625.

    Args:
        differences: paired by seed, at least one.
    """
    sample = np.array(differences, dtype=np.float64)
    n = len(sample)
    assert n > 0, "a test needs at least one difference"
    if n <= ENUMERATED:
        flips = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        flips = np.random.default_rng(n).integers(0, 2, (SIGNS, n))
        flips[0] = 0  # what was observed is one of the possibilities: no p-value is zero
    means = np.abs((1 - 2 * flips) @ sample)
    observed = abs(sample.sum())
    return float(np.mean(means >= observed * (1 - 1e-9)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm in the family stays below the level (Holm 1979).

    Args:
        p_values: of one family, in any order.

    Returns:
        In the given order.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = least
    return adjusted
