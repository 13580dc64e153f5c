"""Means over seeds and differences paired by seed, with 95 % t intervals.

The sample is always the seed, one replicate of the whole pipeline: never test items, never evaluations of one run.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from scipy.special import stdtrit

CONFIDENCE = 0.95
FEWEST = 3
"""Seeds below which no interval is given: with two, the t interval is 12.7 standard errors wide either way."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds and, from three seeds on, its 95 % interval.

    Args:
        mean: over the seeds.
        low: lower bound; None below three seeds.
        high: upper bound; None below three seeds.
        n: number of seeds.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def interval(values: Iterable[float]) -> Interval:
    """The mean of `values` with its t interval.

    Args:
        values: one per seed, at least one. Equal ones give an interval of width zero.
    """
    sample = list(values)
    n = len(sample)
    assert n > 0, "an interval needs at least one value"
    mean = math.fsum(sample) / n
    if n < FEWEST:
        return Interval(mean, None, None, n)
    variance = math.fsum((value - mean) ** 2 for value in sample) / (n - 1)
    half = _quantile(n - 1) * math.sqrt(variance / n)
    return Interval(mean, mean - half, mean + half, n)


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Interval | None:
    """The mean of `a - b` over the seeds that both have, with the t interval of the differences.

    Args:
        a: seed -> value.
        b: seed -> value of the opponent.

    Returns:
        None if they have no seed in common.
    """
    common = sorted(a.keys() & b.keys())
    return interval(a[seed] - b[seed] for seed in common) if common else None


@cache
def _quantile(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
