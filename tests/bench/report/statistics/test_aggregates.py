"""Several tasks together: rliable's definitions, against brute force and against what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import trim_mean

from bench.report.statistics import aggregates
from bench.report.statistics.aggregates import area, improvement, iqm, stratified
from bench.report.statistics.seeds import resampled

tables = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 3)), elements=st.integers(-3, 3).map(float))


@given(tables)
def test_the_iqm_is_the_mean_of_the_middle_half_of_all_runs(scores):
    ordered = sorted(scores.flatten())
    cut = len(ordered) // 4
    assert iqm(scores) == pytest.approx(np.mean(ordered[cut : len(ordered) - cut]))


def test_resamples_stay_within_their_task():
    """Two tasks, each without any spread: nothing can vary unless runs change tasks."""
    found = stratified(lambda scores: float(scores.mean()), np.array([[0.0, 1.0]] * 5))
    assert (found.mean, found.low, found.high, found.n) == (0.5, 0.5, 0.5, 5)


def mean(*arms):
    return float(np.mean(arms[0]) - sum(np.mean(other) for other in arms[1:]))


def test_resamples_of_every_task_are_its_own_and_the_same_every_time():
    """Two tasks whose scores add to 9 in every run: had they the same rows, no resample would differ from another."""
    scores = np.array([[k, 9 - k] for k in range(10)], dtype=float)
    found = stratified(mean, scores)
    assert (found.mean, found.low, found.high) == (4.5, 3.25, pytest.approx(5.7012, abs=1e-4))
    assert found == stratified(mean, scores)
    assert found != stratified(mean, scores, seed=1)


def test_the_width_of_the_stratified_bootstrap_is_that_of_its_standard_errors():
    scores = np.random.default_rng(0).normal(size=(40, 3))
    found, error = stratified(mean, scores), np.sqrt((scores.var(axis=0) / 40).sum()) / 3
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.08)
    assert found.n == 40


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


@pytest.mark.parametrize("seeds", [3, 6])
def test_a_few_seeds_of_three_tasks_reject_what_is_true_as_often_as_they_say(seeds, monkeypatch):
    """By the bootstrap's own quantiles three seeds do so in 13 cases of 100."""
    monkeypatch.setattr(aggregates, "RESAMPLES", 150)
    generator, worlds = np.random.default_rng(0), 300
    rejected = 0
    for _ in range(worlds):
        own, other = generator.normal(size=(2, seeds, 3))
        limits = stratified(lambda one, another: iqm(one) - iqm(another), own, other)
        rejected += resampled(limits, samples=3).p_value() < 0.05
    assert 0.02 < rejected / worlds < 0.08


def test_the_area_is_the_mean_over_log_density():
    assert area({1.0: 90.0, 0.5: 80.0, 0.25: 70.0}) == pytest.approx(80)
    assert area({0.5: 80.0, 0.25: 60.0, 1.0: 80.0}) == pytest.approx(75)
    assert area({1.0: 3.0, 0.01: 3.0}) == pytest.approx(3)
    assert area({1.0: 0.0, 0.1: 1.0, 0.01: 1.0}) == pytest.approx(0.75)


def test_the_runs_are_those_of_the_first_arm():
    arms = np.zeros((5, 2)), np.ones((3, 2))
    assert stratified(lambda own, other: float(own.mean() - other.mean()), *arms).n == 5


@pytest.mark.parametrize("scores", [{}, {0.5: 1.0}])
def test_an_area_needs_two_densities(scores):
    with pytest.raises(AssertionError, match="two densities"):
        area(scores)


def test_the_interquartile_mean_is_that_of_scipy():
    for size in (1, 2, 3, 4, 7, 48):
        scores = np.random.default_rng(size).normal(size=(size, 3))
        assert iqm(scores) == trim_mean(scores, 0.25, axis=None)


def test_the_probability_of_improvement_is_the_share_of_pairs_won_ties_half():
    own, other = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 5.0], [0.0, 5.0]])
    assert improvement(own, other) == ((0 + 1 + 1 + 1) / 4 + 0.5) / 2
    assert improvement(own, other) + improvement(other, own) == 1
