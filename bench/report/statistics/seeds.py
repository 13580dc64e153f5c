"""Samples of seeds: means, differences paired by seed, their 95 % intervals, tests and what they could have detected.

The sample is always the seed, one replicate of the whole pipeline: never test items, never evaluations of one run.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr, stdtrit

CONFIDENCE = 0.95
POWER = 0.8
FEWEST = 3
"""Seeds below which no interval is given; with two, the t interval is 12.7 standard errors wide either way."""
BOOTSTRAPPED = 8
"""Seeds from which on intervals are bootstrapped; with fewer, resamples repeat each other."""
RESAMPLES = 4_000
ENUMERATED = 16
"""Differences up to which all 2^n signs are tried; with more, `SIGNS` are drawn."""

SIGNS = 100_000

Floats = NDArray[np.float64]


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
    """The mean of `values` with its interval: Student's t below `BOOTSTRAPPED` seeds, the bootstrap from there on.

    The bootstrap is the expanded percentile interval (Hesterberg 2015, "What Teachers Should Know About the Bootstrap",
    section 5.3): a plain percentile interval is too narrow by what n - 1 and Student's t make up for.

    Args:
        values: one per seed, at least one. Equal ones give an interval of width zero.
    """
    sample = list(values)
    n = len(sample)
    assert n > 0, "an interval needs at least one value"
    mean = math.fsum(sample) / n
    if n < FEWEST:
        return Interval(mean, None, None, n)
    if min(sample) == max(sample):
        return Interval(sample[0], sample[0], sample[0], n)
    if n >= BOOTSTRAPPED:
        first, last = _places(n)
        means = np.partition(_weights(n) @ np.array(sample), (first, last))
        return Interval(mean, float(means[first]), float(means[last]), n)
    half = _quantile(n - 1) * _error(sample)
    return Interval(mean, mean - half, mean + half, n)


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Interval | None:
    """The mean of `a - b` over the seeds that both have, with the interval of the differences.

    Args:
        a: seed -> value.
        b: seed -> value of the opponent.

    Returns:
        None if they have no seed in common.
    """
    common = sorted(a.keys() & b.keys())
    return interval(a[seed] - b[seed] for seed in common) if common else None


def not_worse(gap: Interval | None, margin: float) -> bool | None:
    """Non-inferiority: whether a difference, positive where it is good, is above minus the margin.

    Args:
        gap: to the reference; None without one.
        margin: in the unit of the difference, at least 0.

    Returns:
        None without an interval.
    """
    if gap is None or gap.low is None:
        return None
    # seeds without variance put the bound on the margin itself, where one rounding error would decide
    return gap.low > -margin or math.isclose(gap.low, -margin, rel_tol=1e-9)


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


def detectable(values: Sequence[float]) -> float | None:
    """The smallest true mean that so many seeds with this spread would tell from zero with 80 % power, two-sided at 5 %.

    Args:
        values: differences paired by seed.

    Returns:
        In their unit; None below three of them.
    """
    n = len(values)
    if n < FEWEST:
        return None
    return _detectable_errors(n) * _error(values)


def area(scores: Mapping[float, float]) -> float:
    """The mean score over log density: one number for a whole curve of sparsity against performance.

    Args:
        scores: density in (0, 1] -> score, at two densities or more; trapezoids between them.
    """
    densities = sorted(scores)
    assert len(densities) > 1, "an area needs two densities"
    places = np.log2(densities)
    heights = np.array([scores[density] for density in densities])
    return float(np.trapezoid(heights, places) / (places[-1] - places[0]))


def _error(sample: Sequence[float]) -> float:
    """The standard error of the mean."""
    n = len(sample)
    mean = math.fsum(sample) / n
    return math.sqrt(math.fsum((value - mean) ** 2 for value in sample) / (n - 1) / n)


@cache
def _quantile(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


@cache
def _places(n: int) -> tuple[int, int]:
    """Where the bounds stand among the sorted means of the resamples."""
    tail = float(ndtr(-math.sqrt(n / (n - 1)) * _quantile(n - 1)))
    first = round(tail * (RESAMPLES - 1))
    return first, RESAMPLES - 1 - first


@cache
def _weights(n: int) -> Floats:
    """(RESAMPLES, n): the share of each value in each resample; the same for every sample of that size."""
    drawn: Floats = np.random.default_rng(n).multinomial(n, [1 / n] * n, RESAMPLES) / n
    return drawn


@cache
def _detectable_errors(n: int) -> float:
    """The same in standard errors: where the noncentral t distribution leaves the acceptance region with that power."""
    freedom, bound = n - 1, _quantile(n - 1)

    def lacking(shift: float) -> float:
        return float(1 - nctdtr(freedom, shift, bound)) - POWER  # the other tail adds less than 1e-4

    return float(brentq(lacking, 0.0, 10.0))
