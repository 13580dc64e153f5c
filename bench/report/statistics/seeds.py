"""Samples of seeds: means, differences paired by seed, their 95 % intervals, p-values and what they could have detected.

The sample is always the seed, one replicate of the whole pipeline: never test items, never evaluations of one run. This is
the one place of standard errors, quantiles and t tests; an interval and its p-value always invert the same test.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr, ndtri, stdtr, stdtrit

CONFIDENCE = 0.95
POWER = 0.8
FEWEST = 3
"""Seeds below which no interval is given; with two, the t interval is 12.7 standard errors wide either way."""
BOOTSTRAPPED = 8
"""Seeds from which on intervals are bootstrapped; with fewer, resamples repeat each other."""
RESAMPLES = 4_000
BLOCK = 2**21
"""Numbers of resamples that are held at once, since many seeds must not take the memory."""
MOST = 100
"""Seeds to which anybody is sent, at most."""
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


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean whose standard error is known, and with it Student's t interval and test.

    Args:
        mean: over the seeds.
        error: standard error of the mean; None where too few seeds tell it.
        freedom: its degrees of freedom; infinite where the error is known from theory.
        n: number of seeds.
    """

    mean: float
    error: float | None
    freedom: float
    n: int

    @property
    def interval(self) -> Interval:
        """The t interval; without bounds if there is no error."""
        if self.error is None:
            return Interval(self.mean, None, None, self.n)
        half = quantile(self.freedom) * self.error
        return Interval(self.mean, self.mean - half, self.mean + half, self.n)

    def p_value(self, threshold: float = 0.0) -> float | None:
        """Of the t test that `interval` inverts, two-sided, of the mean being `threshold`; None if there is no error."""
        if self.error is None:
            return None
        if self.error == 0:
            return float(self.mean == threshold)
        return float(2 * stdtr(self.freedom, -abs(self.mean - threshold) / self.error))

    @property
    def detectable(self) -> float | None:
        """The smallest true mean that this error would tell from zero with 80 % power, two-sided at 5 %; None without error."""
        return None if self.error is None else _detectable_errors(self.freedom) * self.error

    def deciding(self, threshold: float = 0.0, *, tests: int = 1) -> int | None:
        """The fewest seeds of this spread that would tell a mean as far from the threshold as this one with 80 % power.

        Args:
            threshold: in the unit of the mean.
            tests: over how many of them the 5 % are shared out (Bonferroni: what the first step of Holm's correction asks).

        Returns:
            None without an error, and where it takes more than `MOST`.
        """
        if self.error is None:
            return None
        return _enough(abs(self.mean - threshold), self.error * math.sqrt(self.n), self.freedom / (self.n - 1), tests)


def estimate(values: Iterable[float]) -> Estimate:
    """The mean of `values` with its standard error, from `FEWEST` seeds on.

    Args:
        values: one per seed, at least one.
    """
    sample = list(values)
    n = len(sample)
    assert n > 0, "an estimate needs at least one value"
    if min(sample) == max(sample):  # to the bit, where summing would round
        return Estimate(sample[0], 0.0 if n >= FEWEST else None, n - 1, n)
    mean = math.fsum(sample) / n
    if n < FEWEST:
        return Estimate(mean, None, n - 1, n)
    squares = math.fsum((value - mean) ** 2 for value in sample)
    return Estimate(mean, math.sqrt(squares / (n - 1) / n), n - 1, n)


def resampled(limits: Interval, *, samples: int) -> Estimate:
    """The estimate that a percentile bootstrap makes of a statistic over several samples, each drawn again by itself.

    n seeds drawn from themselves spread too little, by (n - 1) / n in variance, and a few tell their spread badly: without
    both corrections three seeds of three tasks reject a true hypothesis more than twice as often as they say.

    Args:
        limits: of the bootstrap; `n` is the seeds of each sample, at least two.
        samples: how many there are.
    """
    assert limits.low is not None
    assert limits.high is not None
    n = limits.n
    spread = (limits.high - limits.low) / 2 / quantile(math.inf)
    return Estimate(limits.mean, spread * math.sqrt(n / (n - 1)), samples * (n - 1), n)


def welch(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two independent means (Welch 1947, with Satterthwaite's degrees of freedom)."""
    mean, n = first.mean - second.mean, min(first.n, second.n)
    if first.error is None or second.error is None:
        return Estimate(mean, None, 0, n)
    squares = (first.error**2, second.error**2)
    lost = squares[0] ** 2 / first.freedom + squares[1] ** 2 / second.freedom
    return Estimate(mean, math.sqrt(sum(squares)), sum(squares) ** 2 / lost if lost > 0 else math.inf, n)


@cache
def quantile(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Of Student's t: how many standard errors an interval of that confidence reaches either way."""
    return float(stdtrit(freedom, (1 + confidence) / 2))


def interval(values: Iterable[float]) -> Interval:
    """The mean of `values` with its interval: Student's t below `BOOTSTRAPPED` seeds, the bootstrap from there on.

    The bootstrap is the expanded percentile interval (Hesterberg 2015, "What Teachers Should Know About the Bootstrap",
    section 5.3): a plain percentile interval is too narrow by what n - 1 and Student's t make up for.

    Args:
        values: one per seed, at least one. Equal ones give an interval of width zero.
    """
    sample = list(values)
    known = estimate(sample)
    if known.n < BOOTSTRAPPED or not known.error:
        return known.interval
    last = RESAMPLES - 1 - _first(known.n)
    means = np.partition(_means(sample), (_first(known.n), last))
    return Interval(known.mean, float(means[_first(known.n)]), float(means[last]), known.n)


def p_value(values: Iterable[float], threshold: float = 0.0) -> float | None:
    """Two-sided, of the mean being `threshold`: below 5 % exactly where `interval` leaves the threshold out.

    From `BOOTSTRAPPED` seeds on it is the rank of the threshold among the resampled means, through the same expansion as
    the bounds. Beyond the outermost resample nothing is left to rank: the smaller of that bound and Student's p-value.

    Args:
        values: one per seed, at least one.
        threshold: in their unit.

    Returns:
        None below `FEWEST` seeds.
    """
    sample = list(values)
    known = estimate(sample)
    if known.n < BOOTSTRAPPED or not known.error:
        return known.p_value(threshold)
    means = _means(sample)
    rank = min(np.count_nonzero(means <= threshold), np.count_nonzero(means >= threshold))
    students, bound = known.p_value(threshold), _ranked(max(int(rank), 1), known.n)
    assert students is not None
    return bound if rank else min(bound, students)


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Interval | None:
    """The mean of `a - b` over the seeds that both have, with the interval of the differences.

    Args:
        a: seed -> value.
        b: seed -> value of the opponent.

    Returns:
        None if they have no seed in common.
    """
    found = differences(a, b)
    return interval(found) if found else None


def differences(a: Mapping[int, float], b: Mapping[int, float]) -> list[float]:
    """`a - b` at each of the seeds that both have, in their order."""
    return [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]


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
    return reaches(gap.low, -margin)


def reaches(value: float, bound: float) -> bool:
    """Whether a value is the bound or above it, where one rounding error would decide: scores have few digits."""
    return value > bound or math.isclose(value, bound, rel_tol=1e-9)


def detectable(values: Sequence[float]) -> float | None:
    """The smallest true mean that so many seeds with this spread would tell from zero with 80 % power, two-sided at 5 %.

    Args:
        values: differences paired by seed.

    Returns:
        In their unit; None below three of them.
    """
    return estimate(values).detectable


def deciding(values: Sequence[float], threshold: float = 0.0, *, tests: int = 1) -> int | None:
    """The fewest seeds that would decide differences paired by seed (see `Estimate.deciding`); None below three of them."""
    return estimate(values).deciding(threshold, tests=tests)


def deciding_apart(first: Estimate, second: Estimate, *, tests: int = 1) -> int | None:
    """The same of two independent means, each over so many seeds, being different (Welch's test).

    Args:
        first: one mean.
        second: the other.
        tests: as of `Estimate.deciding`.

    Returns:
        None where either error is unknown, and where it takes more than `MOST` seeds on either side.
    """
    if first.error is None or second.error is None:
        return None
    one, two = (each.error**2 * each.n for each in (first, second) if each.error is not None)
    most = max(one, two)  # by which they are divided: of very small ones the squares are zero
    freedoms = (one / most + two / most) ** 2 / ((one / most) ** 2 + (two / most) ** 2) if most > 0 else 1.0
    return _enough(abs(first.mean - second.mean), math.sqrt(one + two), freedoms, tests)


def _enough(distance: float, spread: float, freedoms: float, tests: int) -> int | None:
    """The fewest seeds that tell the distance, which none do of nothing; each after the first brings so many degrees of freedom."""
    for n in () if distance == 0 else range(FEWEST, MOST + 1):
        if _detectable_errors(freedoms * (n - 1), tests) * spread / math.sqrt(n) <= distance:
            return n
    return None


def _means(sample: Sequence[float]) -> Floats:
    """(RESAMPLES,): of the sample drawn again."""
    values = np.array(sample)
    return np.concatenate([weights @ values for weights in _weights(len(sample))])


@cache
def _first(n: int) -> int:
    """Where the lower bound stands among the sorted means of the resamples; the upper one as far from the end."""
    tail = float(ndtr(-math.sqrt(n / (n - 1)) * quantile(n - 1)))
    return round(tail * (RESAMPLES - 1))


def _ranked(rank: int, n: int) -> float:
    """The p-value of the mean that stands there, counted from 1; `_first` turned round, so that at most `_first` is below 5 %."""
    tail = min((rank - 0.5) / (RESAMPLES - 1), 0.5)
    return float(2 * stdtr(n - 1, math.sqrt((n - 1) / n) * ndtri(tail)))


def _weights(n: int) -> Iterable[Floats]:
    """(RESAMPLES, n), in blocks of rows: the share of each value in each resample; the same for every sample of that size."""
    return _kept(n) if RESAMPLES * n <= BLOCK else _blocks(n)


@lru_cache(maxsize=16)
def _kept(n: int) -> tuple[Floats, ...]:
    return tuple(_blocks(n))


def _blocks(n: int) -> Iterator[Floats]:
    """What follows from the rows does not depend on where they are cut: BLAS takes four at a time."""
    generator, rows = np.random.default_rng(n), 4 * max(1, BLOCK // (4 * n))
    for first in range(0, RESAMPLES, rows):
        yield generator.multinomial(n, [1 / n] * n, min(rows, RESAMPLES - first)) / n


@cache
def _detectable_errors(freedom: float, tests: int = 1) -> float:
    """What is detectable in standard errors: where the noncentral t leaves the acceptance region with that power."""
    bound = quantile(freedom, 1 - (1 - CONFIDENCE) / tests)

    def lacking(shift: float) -> float:
        return float(1 - nctdtr(freedom, shift, bound)) - POWER  # the other tail adds less than 1e-4

    # It lies below, and far above the noncentral t is no number.
    return float(brentq(lacking, 0.0, 1.5 * bound + 2.0))
