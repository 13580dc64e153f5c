import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.report.statistics import seeds
from bench.report.statistics.seeds import (
    BOOTSTRAPPED,
    Estimate,
    Interval,
    deciding,
    deciding_apart,
    detectable,
    estimate,
    interval,
    not_worse,
    p_value,
    paired,
    quantile,
    welch,
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
    assert paired(dict(enumerate(values)), dict.fromkeys(range(9), 0.0)) == interval(values), (
        "in the order of the seeds"
    )


def test_the_bounds_from_eight_seeds_on_are_these_and_no_others():
    assert interval(range(1, 9)) == Interval(4.5, 2.5, 6.625, 8)
    tail = stats.norm.cdf(-((12 / 11) ** 0.5) * stats.t.ppf(0.975, 11))
    most = stats.binom.ppf(1 - tail, 12, 1 / 12) / 12  # how often one of twelve is drawn again in twelve draws
    assert interval([0.0] * 11 + [1.0]) == Interval(1 / 12, 0.0, pytest.approx(most), 12)


def test_the_p_value_is_two_sided_with_n_minus_1_degrees_of_freedom():
    values = [0.01, 0.02, 0.03, 0.04, 0.05]
    assert p_value(values) == pytest.approx(0.0132356, rel=1e-5), "one-sided .0066178, divided by n .0090145"
    assert p_value(values, 0.01) == pytest.approx(stats.ttest_1samp(values, 0.01).pvalue)
    assert p_value(values, 0.03) == pytest.approx(1)
    assert p_value(values, 0.06) == pytest.approx(p_value(values))


@pytest.mark.parametrize("values", [[0.5], [0.4, 0.6]])
def test_fewer_than_three_seeds_have_no_p_value(values):
    assert p_value(values) is None


@pytest.mark.parametrize("n", [3, 8])
def test_seeds_without_variance_are_certain(n):
    assert (p_value([0.1] * n, 0.1), p_value([0.1] * n, 0.2)) == (1, 0)
    assert interval([1e-200, 2e-200, 3e-200]) == Interval(2e-200, 2e-200, 2e-200, 3), "too close for a square"
    assert p_value([1e-200, 2e-200, 3e-200]) == 0


SHAPES = {
    "normal": lambda rng, n: rng.normal(0.3, 1, n),
    "exponential": lambda rng, n: rng.exponential(1, n) - 0.5,
    "lognormal": lambda rng, n: rng.lognormal(0, 1.5, n) - 1,
    "few values": lambda rng, n: rng.integers(0, 3, n).astype(float) - 0.5,
    "one wild": lambda rng, n: np.append(rng.normal(0.5, 0.1, n - 1), -30.0),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_p_value_is_below_5_per_cent_exactly_where_the_interval_leaves_the_threshold_out(shape):
    rng = np.random.default_rng(5)
    for n in (number for number in range(3, 31) for _ in range(30)):
        sample = SHAPES[shape](rng, n).tolist()
        found = interval(sample)
        hair = 1e-9 * (found.high - found.low) or 1e-9  # rounding may decide on the bound of a t interval itself
        bounds = (found.low - hair, found.low + hair, found.high - hair, found.high + hair)
        for threshold in (0.0, found.mean, *rng.normal(0, 1, 2), *(bounds if found.low < found.high else ())):
            outside = threshold < found.low or threshold > found.high
            assert (p_value(sample, threshold) < 0.05) == outside, (shape, n, sample, threshold)


@pytest.mark.parametrize("n", [8, 9, 12, 30, 100, 400])
def test_on_the_bound_of_a_bootstrapped_interval_the_last_bit_decides(n):
    sample = np.random.default_rng(n).exponential(1, n).tolist()
    found = interval(sample)
    for bound, out in ((found.low, -math.inf), (found.high, math.inf)):
        assert p_value(sample, bound) >= 0.05
        assert p_value(sample, math.nextafter(bound, out)) < 0.05


def test_a_p_value_shrinks_with_the_distance_and_beyond_the_last_resample_is_students():
    sample = np.random.default_rng(1).normal(0, 1, 10).tolist()
    distances = np.linspace(0.1, 3, 400)
    for side in (-1, 1):
        p_values = np.array([p_value(sample, np.mean(sample) + side * distance) for distance in distances])
        assert (np.diff(p_values) <= 1e-12).all()
        assert p_value(sample, np.mean(sample)) > 0.9
    for far in (-3.0, 3.0):
        assert p_value(sample, far) == pytest.approx(stats.ttest_1samp(sample, far).pvalue)
    skewed = [0.0] * 9 + [1e6]
    bound = 2 * stats.t.cdf((9 / 10) ** 0.5 * stats.norm.ppf(0.5 / 3_999), 9)
    assert p_value(skewed, -1.0) == pytest.approx(bound), "none of 4,000 resamples has a mean below 0"
    assert bound < stats.ttest_1samp(skewed, -1.0).pvalue


@pytest.mark.parametrize(("n", "level"), [(5, 0.05), (8, 0.05), (8, 0.2), (12, 0.05), (12, 0.2), (25, 0.5)])
def test_without_an_effect_p_values_are_as_small_as_often_as_they_say(n, level):
    samples = np.random.default_rng(11).normal(size=(1_500, n))
    assert np.mean([p_value(sample) < level for sample in samples]) == pytest.approx(level, abs=0.03)


def test_welchs_difference_is_scipys():
    one, two = [0.91, 0.94, 0.90, 0.95, 0.92], [0.89, 0.93, 0.91]
    gap, told = welch(estimate(one), estimate(two)), stats.ttest_ind(one, two, equal_var=False)
    bounds = told.confidence_interval(0.95)
    assert gap.freedom == pytest.approx(told.df)
    assert gap.p_value() == pytest.approx(told.pvalue)
    assert (gap.interval.low, gap.interval.high) == pytest.approx((bounds.low, bounds.high))
    assert (gap.mean, gap.n) == (pytest.approx(np.mean(one) - np.mean(two)), 3)


def test_without_an_error_on_either_side_there_is_no_test():
    for pair in ((estimate([1.0, 2.0]), estimate([1.0, 2.0, 4.0])), (estimate([1.0, 2.0, 4.0]), estimate([1.0]))):
        gap = welch(*pair)
        assert (gap.error, gap.p_value(), gap.interval.low, gap.interval.high) == (None,) * 4
        assert gap.mean == pair[0].mean - pair[1].mean
    assert estimate([1.0, 2.0]) == Estimate(1.5, None, 1, 2)
    certain = welch(estimate([2.0] * 3), estimate([1.0] * 4))
    assert (certain.interval, certain.freedom, certain.p_value()) == (Interval(1, 1, 1, 3), math.inf, 0)


def test_quantiles_are_those_of_students_t():
    assert quantile(4) == pytest.approx(2.7764451)
    assert quantile(4, 0.99) == pytest.approx(4.6040949)
    assert quantile(math.inf) == pytest.approx(1.9599640)


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
    shift, bound = detectable([0.0, 1.0, 2.0, 3.0, 4.0]) / 0.5**0.5, stats.t.ppf(0.975, 4)
    assert stats.nct.sf(bound, 4, shift) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("gap", "margin", "told"),
    [
        (Interval(0.0, -0.1, 0.1, 5), 0.2, True),
        (Interval(0.0, -0.3, 0.3, 5), 0.2, False),
        (Interval(-0.2, -0.1 - 0.2, -0.1, 5), 0.3, True),  # one bit beyond the margin, by rounding
        (Interval(-0.2, -0.3001, -0.1, 5), 0.3, False),
        (Interval(0.5, None, None, 2), 0.2, None),
        (None, 0.2, None),
    ],
)
def test_not_worse_asks_for_the_lower_bound(gap, margin, told):
    assert not_worse(gap, margin) is told


@pytest.mark.parametrize("n", [3, 7, 8, 9, 30])
def test_equal_values_give_that_value_to_the_bit(n):
    assert interval([0.1] * n) == Interval(0.1, 0.1, 0.1, n)
    assert (p_value([0.1] * n, 0.1), p_value([0.1] * n, 0.2)) == (1.0, 0.0)


@pytest.mark.parametrize("effect", [0.4, 1.0, 3.0])
def test_as_many_seeds_decide_as_give_eighty_per_cent_power(effect):
    values = [effect + each for each in (-1.0, 0.0, 1.0)]  # standard deviation 1
    n = deciding(values)

    def power(n):
        return 1 - stats.nct.cdf(stats.t.ppf(0.975, n - 1), n - 1, effect * n**0.5)

    assert power(n - 1) < 0.8 <= power(n)
    assert deciding([each + 7 for each in values], 7.0) == n, "the distance from the threshold is what counts"
    assert deciding([-each for each in values]) == n


@pytest.mark.parametrize("tests", [10, 65, 138, 1000])
def test_a_family_shares_its_five_per_cent_out(tests):
    """However large it is: a comparison of two whole stores has hundreds of tests."""
    values = [0.1, 0.5, -0.2, 0.6, 0.3]
    effect = np.mean(values) / np.std(values, ddof=1)
    n = deciding(values, tests=tests)

    def power(n):
        return stats.nct.sf(stats.t.isf(0.025 / tests, n - 1), n - 1, effect * n**0.5)

    assert power(n - 1) < 0.8 <= power(n)


def test_nobody_is_sent_to_more_than_a_hundred_seeds():
    assert deciding([-1.0, 0.0, 1.0]) is None
    assert deciding([-0.9, 0.1, 1.1]) is None
    assert deciding([1.0, 2.0]) is None, "two seeds tell no spread"
    assert deciding([1.0, 1.0, 1.0]) == 3
    assert deciding([0.0, 0.0, 0.0]) is None, "of nothing there is nothing to tell"
    assert deciding([0.2, 0.2, 0.2], 0.2) is None


@pytest.mark.parametrize("spreads", [(1.0, 1.0), (1.0, 0.2), (0.5, 2.0)])
@pytest.mark.parametrize("tests", [1, 6])
def test_so_many_seeds_on_either_side_tell_two_means_apart_with_80_per_cent_power(spreads, tests):
    first, second = (
        estimate([mean + spread * each for each in (-1, 0, 1)]) for mean, spread in zip((0, 1.3), spreads, strict=True)
    )
    n, rng = deciding_apart(first, second, tests=tests), np.random.default_rng(0)

    def power(n):
        one, two = (rng.normal(mean, spread, (n, 4000)) for mean, spread in zip((0, 1.3), spreads, strict=True))
        return np.mean(stats.ttest_ind(one, two, equal_var=False).pvalue < 0.05 / tests)

    assert power(n - 1) < 0.82
    assert power(n) > 0.78
    assert deciding_apart(second, first, tests=tests) == n


def test_two_means_that_nothing_tells_apart():
    apart, two_seeds = estimate([1.0, 2.0, 3.0]), estimate([1.0, 2.0])
    assert deciding_apart(apart, two_seeds) is None
    assert deciding_apart(apart, estimate([1.01, 2.0, 3.0])) is None
    assert deciding_apart(estimate([1.0] * 3), estimate([2.0] * 3)) == 3


def test_seeds_that_decide_are_counted_of_errors_whose_squares_are_no_longer_numbers():
    """Only the ratio of the errors counts, and that of the distance to them."""
    usual = [Estimate(mean, error, 2, 3) for mean, error in ((1.0, 0.5), (0.0, 0.25))]
    tiny = [Estimate(each.mean * 2.0**-300, each.error * 2.0**-300, 2, 3) for each in usual]
    assert deciding_apart(*tiny) == deciding_apart(*usual) > 3


@pytest.mark.parametrize("n", [8, 13, 100])
def test_many_seeds_are_resampled_block_by_block_as_at_once(monkeypatch, n):
    """To the bit; and blocks are what is held of them: a hundred thousand seeds would be 3 GB at once."""
    sample = np.random.default_rng(n).normal(size=n).tolist()
    once = interval(sample), p_value(sample, 0.1)
    monkeypatch.setattr(seeds, "BLOCK", 1_000)
    assert (interval(sample), p_value(sample, 0.1)) == once
    assert max(block.size for block in seeds._weights(n)) <= 1_000


def test_resamples_of_few_sizes_are_kept():
    for n in range(BOOTSTRAPPED, BOOTSTRAPPED + 40):
        interval(range(n))
    kept = seeds._kept.cache_info()
    assert kept.currsize == kept.maxsize < 40
