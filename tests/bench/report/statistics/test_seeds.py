import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.report.statistics.seeds import (
    BOOTSTRAPPED,
    Interval,
    detectable,
    interval,
    not_worse,
    paired,
)

scores = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 6)), min_size=3, max_size=7)


@given(scores)
def test_interval_is_the_t_interval_of_scipy(values):
    found = interval(values)
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values)) if np.ptp(values) else None
    low, high = expected or (found.mean, found.mean)
    assert found.n == len(values)
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high), rel=1e-9, abs=1e-7)


def test_interval_against_ttest_1samp():
    values = [0.91, 0.93, 0.88, 0.95, 0.9]
    found = interval(values)
    assert (found.low, found.high) == pytest.approx(tuple(stats.ttest_1samp(values, 0).confidence_interval(0.95)))


def test_paired_against_ttest_rel():
    a, b = [0.91, 0.93, 0.88, 0.95], [0.90, 0.91, 0.87, 0.91]
    found = paired(dict(enumerate(a)), dict(enumerate(b)))
    assert (found.low, found.high) == pytest.approx(tuple(stats.ttest_rel(a, b).confidence_interval(0.95)))


@given(st.dictionaries(st.integers(0, 9), st.floats(-10, 10)), st.dictionaries(st.integers(0, 9), st.floats(-10, 10)))
def test_pairing_uses_the_common_seeds_only_and_is_antisymmetric(a, b):
    found, mirrored, common = paired(a, b), paired(b, a), a.keys() & b.keys()
    if not common:
        assert found is None
        return
    assert found.n == len(common)
    assert found.mean == pytest.approx(np.mean([a[seed] - b[seed] for seed in common]), abs=1e-12)
    assert found.mean == -mirrored.mean
    assert found.low is None if len(common) < 3 else found.low == pytest.approx(-mirrored.high)


@pytest.mark.parametrize("values", [[0.5], [0.4, 0.6]])
def test_fewer_than_three_seeds_have_no_interval(values):
    assert interval(values) == Interval(0.5, None, None, len(values))


def test_no_variance_gives_an_interval_of_width_zero():
    assert interval([0.75] * 3) == Interval(0.75, 0.75, 0.75, 3)


def test_the_order_of_the_seeds_changes_no_bit():
    values = list(np.random.default_rng(0).normal(size=9))
    assert paired(dict(enumerate(values)), dict.fromkeys(range(9), 0.1)) == paired(
        dict(reversed(list(enumerate(values)))), dict.fromkeys(reversed(range(9)), 0.1)
    )


@pytest.mark.parametrize("n", [3, 5, 10])
def test_95_of_100_intervals_hold_the_truth(n):
    rng = np.random.default_rng(n)
    found = [interval(sample) for sample in rng.normal(0.3, 2.0, size=(4000, n)).tolist()]
    covered = np.mean([each.low <= 0.3 <= each.high for each in found])
    assert covered == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors of 4,000 draws


@pytest.mark.parametrize(
    ("n", "draw"), [(3, "normal"), (5, "normal"), (8, "normal"), (12, "normal"), (8, "uniform"), (20, "exponential")]
)
def test_intervals_cover_the_mean_as_often_as_they_say(n, draw):
    generator = np.random.default_rng(1)
    samples = getattr(generator, draw)(size=(2_000, n))
    mean = {"normal": 0.0, "uniform": 0.5, "exponential": 1.0}[draw]
    covered = np.mean([found.low <= mean <= found.high for found in map(interval, samples)])
    assert covered >= 0.915 if draw == "exponential" else abs(covered - 0.95) < 0.02


def test_the_bootstrap_is_repeatable_and_free_of_scale():
    values = list(np.random.default_rng(0).normal(size=BOOTSTRAPPED))
    found = interval(values)
    assert found == interval(values)
    scaled = interval([3 * value + 1 for value in values])
    assert (scaled.low, scaled.high) == pytest.approx((3 * found.low + 1, 3 * found.high + 1))


def test_the_detectable_effect_is_detected_four_times_in_five():
    generator = np.random.default_rng(3)
    for n in (3, 5, 10):
        sample = generator.normal(size=n)
        told = detectable(sample) / np.std(sample, ddof=1)
        p_values = stats.ttest_1samp(generator.normal(told, 1, (20_000, n)), 0, axis=1).pvalue
        assert np.mean(p_values < 0.05) == pytest.approx(0.8, abs=0.012)
    assert detectable([1.0, 2.0]) is None


@pytest.mark.parametrize(
    ("gap", "margin", "told"),
    [
        (Interval(0.0, -0.1, 0.1, 5), 0.2, True),
        (Interval(0.0, -0.3, 0.3, 5), 0.2, False),
        (Interval(-0.1, -0.3 + 0.1, -0.2, 5), 0.2, True),
        (Interval(0.5, None, None, 2), 0.2, None),
        (None, 0.2, None),
    ],
)
def test_not_worse_asks_for_the_lower_bound(gap, margin, told):
    assert not_worse(gap, margin) is told
