"""Signs that could have been others, and many hypotheses together."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from bench.report.statistics.families import holm, sign_flip


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_the_sign_flip_test_tries_every_sign(differences):
    means = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    assert sign_flip(differences) == np.mean([mean >= abs(sum(differences)) for mean in means])


def test_holm_multiplies_by_how_many_are_left():
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.9]) == [1, 1]


def test_the_sign_flip_test_agrees_with_scipy_and_with_its_own_draws():
    differences = np.random.default_rng(2).normal(0.4, size=12)
    scipys = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(differences) == pytest.approx(scipys.pvalue)
    many = np.random.default_rng(2).normal(0.4, size=24)
    t_test = stats.ttest_1samp(many, 0).pvalue
    assert sign_flip(many) == pytest.approx(t_test, abs=0.01)
    assert 0 < sign_flip(many + 10) < 1e-4


def test_five_seeds_cannot_be_significant_by_signs_alone():
    assert sign_flip([1, 2, 3, 4, 5]) == 2 / 2**5


@example([1.0, 1.0, 1.0, 1.0, 1.0, 0.05])
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_holms_step_down_procedure(p_values):
    """Brute force: at each level, reject the smallest while it is below level / how many are left, but for rounding."""
    adjusted = holm(p_values)
    for level in (0.01 * (1 + 1e-12), 0.05 * (1 + 1e-12), 0.3 * (1 + 1e-12)):
        left, rejected = sorted(p_values), set()
        for place, p_value in enumerate(left):
            if (len(left) - place) * p_value > level:
                break
            rejected.add(p_value)
        told = {p for p, each in zip(p_values, adjusted, strict=True) if each <= level}
        assert told == rejected
    assert all(p <= adjusted_p <= 1 for p, adjusted_p in zip(p_values, adjusted, strict=True))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=9))
def test_what_else_is_tested_raises_no_p_value(family):
    """One that nobody tested counts as 1."""
    before = holm([p if tested else 1.0 for p, tested in family])
    after = holm([p for p, _ in family])
    assert all(b <= a for a, b in zip(before, after, strict=True))


def test_a_test_needs_a_difference():
    with pytest.raises(AssertionError, match="at least one difference"):
        sign_flip([])
