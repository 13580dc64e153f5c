"""How far two means over seeds lie apart, from the seeds themselves or from what a table tells of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy.special import stdtr, stdtrit

from bench.report.statistics.seeds import CONFIDENCE, FEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known of one number over seeds.

    Args:
        mean: over the seeds.
        error: of the mean; None where too few seeds tell it.
        freedom: degrees of freedom of the error; infinite where it is known from theory.
        n: number of seeds.
        values: seed -> value; empty where only the mean is known.
    """

    mean: float
    error: float | None
    freedom: float
    n: int
    values: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference of two means with its 95 % t interval and two-sided p-value.

    Args:
        mean: of the first minus that of the second.
        low: lower bound; None below three seeds on either side, like `high` and `p`.
        high: upper bound.
        p: of no difference.
        paired: whether seed was compared with the same seed.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    paired: bool


def observed(values: Mapping[int, float]) -> Sample | None:
    """A sample of which every seed is known; None without one."""
    n = len(values)
    if n == 0:
        return None
    mean = math.fsum(values.values()) / n
    squares = math.fsum((value - mean) ** 2 for value in values.values())
    error = math.sqrt(squares / (n - 1) / n) if n >= FEWEST else None
    return Sample(mean=mean, error=error, freedom=n - 1, n=n, values=dict(values))


def tabulated(mean: float, low: float | None, high: float | None, n: int) -> Sample:
    """A sample of which a table tells the mean, its 95 % interval and the number of seeds.

    From eight seeds on the interval was bootstrapped, and as wide as the t interval up to a few per cent.
    """
    known = low is not None and high is not None and n >= FEWEST
    error = (high - low) / 2 / _quantile(n - 1) if known else None  # type: ignore[operator]
    return Sample(mean=mean, error=error, freedom=n - 1, n=n)


def difference(first: Sample, second: Sample) -> Difference:
    """The first minus the second: paired where both have the same seeds, else Welch's.

    Source: Welch 1947, with Satterthwaite's degrees of freedom.
    """
    if first.values and first.values.keys() == second.values.keys():
        within = observed({seed: value - second.values[seed] for seed, value in first.values.items()})
        assert within is not None
        return _tested(within.mean, within.error, within.freedom, paired=True)
    mean = first.mean - second.mean
    if first.error is None or second.error is None:
        return _tested(mean, None, 0, paired=False)
    parts = [(each.error or 0.0) ** 2 for each in (first, second)]
    freely = sum(part**2 / each.freedom for part, each in zip(parts, (first, second), strict=True))
    freedom = sum(parts) ** 2 / freely if freely > 0 else math.inf
    return _tested(mean, math.sqrt(sum(parts)), freedom, paired=False)


def _tested(mean: float, error: float | None, freedom: float, *, paired: bool) -> Difference:
    if error is None:
        return Difference(mean=mean, low=None, high=None, p=None, paired=paired)
    half = _quantile(freedom) * error
    p = float(2 * stdtr(freedom, -abs(mean) / error)) if error > 0 else float(mean == 0)
    return Difference(mean=mean, low=mean - half, high=mean + half, p=p, paired=paired)


def _quantile(freedom: float) -> float:
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
