"""How far two means over seeds lie apart, from the seeds themselves or from what a table tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.report.statistics.seeds import (
    FEWEST,
    Estimate,
    Interval,
    deciding,
    deciding_apart,
    differences,
    estimate,
    interval,
    p_value,
    quantile,
    welch,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known of one number over seeds.

    Args:
        estimate: its mean, and how sure that is.
        values: seed -> value; empty where only the mean is known.
    """

    estimate: Estimate
    values: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference of two means.

    Args:
        interval: of the first minus the second; without bounds below three seeds on either side.
        p: two-sided, of no difference; None below three seeds.
        paired: whether seed was compared with the same seed.
    """

    interval: Interval
    p: float | None
    paired: bool


def observed(values: Mapping[int, float]) -> Sample | None:
    """A sample of which every seed is known; None without one."""
    return Sample(estimate=estimate(values.values()), values=dict(values)) if values else None


def tabulated(mean: float, low: float | None, high: float | None, n: int) -> Sample:
    """A sample of which a table tells the mean, its 95 % interval and the number of seeds.

    From eight seeds on the interval was bootstrapped, and as wide as the t interval up to a few per cent.
    """
    known = low is not None and high is not None and n >= FEWEST
    error = (high - low) / 2 / quantile(n - 1) if known else None  # type: ignore[operator]
    return Sample(estimate=Estimate(mean, error, n - 1, n))


def difference(first: Sample, second: Sample) -> Difference:
    """The first minus the second: paired where both have the same seeds, else Welch's."""
    if _same_seeds(first, second):
        gaps = differences(first.values, second.values)
        return Difference(interval=interval(gaps), p=p_value(gaps), paired=True)
    gap = welch(first.estimate, second.estimate)
    return Difference(interval=gap.interval, p=gap.p_value(), paired=False)


def seeds_needed(first: Sample, second: Sample, *, tests: int) -> int | None:
    """How many of either would tell them apart in one of so many tests, if the means stay where they are.

    Returns:
        None if nothing tells how they spread, or `MOST` were too few.
    """
    if _same_seeds(first, second):
        return deciding(differences(first.values, second.values), tests=tests)
    return deciding_apart(first.estimate, second.estimate, tests=tests)


def _same_seeds(first: Sample, second: Sample) -> bool:
    return bool(first.values) and first.values.keys() == second.values.keys()
