import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from bench.report.regression.difference import Sample, difference, observed, tabulated
from bench.report.statistics.seeds import Estimate, Interval, interval

ONE = {0: 0.91, 1: 0.94, 2: 0.90, 3: 0.95, 4: 0.92}
TWO = {0: 0.89, 1: 0.90, 2: 0.91, 3: 0.88, 4: 0.86}


def test_the_same_seeds_are_paired_as_scipy_does():
    gap = difference(observed(ONE), observed(TWO))
    told = stats.ttest_rel(list(ONE.values()), list(TWO.values()))
    bounds = told.confidence_interval(0.95)
    assert gap.paired
    assert gap.p == pytest.approx(told.pvalue, rel=1e-9)
    assert (gap.interval.low, gap.interval.high) == pytest.approx((bounds.low, bounds.high), rel=1e-9)


@pytest.mark.parametrize("seeds", [(5, 6, 7, 8, 9), (0, 1, 2, 3, 9), (5, 6, 7)])
def test_other_seeds_are_compared_as_scipy_does_by_welch(seeds):
    other = dict(zip(seeds, TWO.values(), strict=False))
    gap = difference(observed(ONE), observed(other))
    told = stats.ttest_ind(list(ONE.values()), list(other.values()), equal_var=False)
    bounds = told.confidence_interval(0.95)
    assert not gap.paired
    assert gap.p == pytest.approx(told.pvalue, rel=1e-9)
    assert (gap.interval.low, gap.interval.high) == pytest.approx((bounds.low, bounds.high), rel=1e-9)


@pytest.mark.parametrize("n", [3, 5])
def test_what_a_table_tells_gives_what_the_seeds_give(n):
    values = {seed: ONE[seed] for seed in range(n)}
    told = interval(values.values())
    known, seeds = tabulated(told.mean, told.low, told.high, told.n), observed(values)
    assert asdict(known.estimate) == pytest.approx(asdict(seeds.estimate), rel=1e-9)
    assert not difference(known, seeds).paired


def test_from_eight_seeds_on_a_table_tells_the_error_up_to_a_few_per_cent():
    ratios = []
    for seed in range(50):
        values = dict(enumerate(np.random.default_rng(seed).normal(size=10)))
        told = interval(values.values())
        known = tabulated(told.mean, told.low, told.high, told.n)
        ratios.append(known.estimate.error / observed(values).estimate.error)
    assert 0.9 < min(ratios) < 1.1 > max(ratios)


def test_fewer_than_three_seeds_have_a_mean_and_nothing_else():
    for gap in (
        difference(observed({0: 0.9, 1: 0.8}), observed({0: 0.7, 1: 0.7})),
        difference(observed({0: 0.9, 1: 0.8}), observed({2: 0.7, 3: 0.7, 4: 0.7})),
        difference(tabulated(0.85, None, None, 2), observed(TWO)),
    ):
        assert gap.interval.mean != 0
        assert (gap.interval.low, gap.interval.high, gap.p) == (None, None, None)
    assert observed({}) is None


def test_seeds_without_variance():
    assert difference(observed(ONE), observed(ONE)).p == 1
    gap = difference(observed(dict.fromkeys(range(3), 2.0)), observed(dict.fromkeys(range(3), 1.0)))
    assert (gap.interval, gap.p) == (Interval(1, 1, 1, 3), 0)
    gap = difference(observed(dict.fromkeys(range(3), 2.0)), observed(dict.fromkeys(range(5, 9), 2.0)))
    assert (gap.interval.mean, gap.p) == (0, 1)


def test_an_error_known_from_theory_is_a_normal_one():
    one, two = (Sample(estimate=Estimate(mean, 0.1, math.inf, 1)) for mean in (0.3, 0.0))
    assert difference(one, two).p == pytest.approx(2 * stats.norm.sf(0.3 / math.hypot(0.1, 0.1)))
