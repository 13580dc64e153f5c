"""Several tasks together: rliable's definitions, against brute force and against what they promise."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.report.statistics.aggregates import area, improvement, iqm, profile, stratified

tables = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 3)), elements=st.integers(-3, 3).map(float))


@given(tables)
def test_the_iqm_is_the_mean_of_the_middle_half_of_all_runs(scores):
    ordered = sorted(scores.flatten())
    cut = len(ordered) // 4
    assert iqm(scores) == pytest.approx(np.mean(ordered[cut : len(ordered) - cut]))


@given(tables, st.integers(1, 4))
def test_the_probability_of_improvement_counts_pairs(own, n):
    other = np.random.default_rng(n).integers(-3, 4, (n, own.shape[1])).astype(float)
    wins = [
        (a > b) + (a == b) / 2
        for task in range(own.shape[1])
        for a, b in itertools.product(own[:, task], other[:, task])
    ]
    assert improvement(own, other) == pytest.approx(np.mean(wins))
    assert improvement(own, other) + improvement(other, own) == pytest.approx(1)


def test_the_profile_is_the_share_above_each_threshold():
    assert profile(np.array([[0.2, 0.8], [0.5, 1.1]]), [0.0, 0.5, 1.0, 2.0]) == [1.0, 0.5, 0.25, 0.0]


def test_resamples_stay_within_their_task():
    """Two tasks, each without any spread: nothing can vary unless runs change tasks."""
    found = stratified(lambda scores: float(scores.mean()), np.array([[0.0, 1.0]] * 5))
    assert (found.mean, found.low, found.high, found.n) == (0.5, 0.5, 0.5, 5)


def test_arms_of_the_same_seeds_are_resampled_together():
    own = np.random.default_rng(0).normal(size=(6, 2))
    found = stratified(lambda a, b: float((a - b).mean()), own + 1, own)
    assert (found.low, found.high) == pytest.approx((1, 1))
    apart = stratified(lambda a, b: float(a.mean() - b.mean()), own + 1, own[:5])
    assert apart.high - apart.low > 0.5


def test_the_stratified_bootstrap_covers_what_it_says():
    generator = np.random.default_rng(4)
    covered = [
        found.low <= 0.5 <= found.high
        for found in (stratified(lambda x: float(x.mean()), generator.normal((0, 1), 1, (12, 2))) for _ in range(60))
    ]
    assert np.mean(covered) >= 0.85


def test_the_area_is_the_mean_over_log_density():
    assert area({1.0: 90.0, 0.5: 80.0, 0.25: 70.0}) == pytest.approx(80)
    assert area({0.5: 80.0, 0.25: 60.0, 1.0: 80.0}) == pytest.approx(75)
    assert area({1.0: 3.0, 0.01: 3.0}) == pytest.approx(3)
    assert area({1.0: 0.0, 0.1: 1.0, 0.01: 1.0}) == pytest.approx(0.75)
