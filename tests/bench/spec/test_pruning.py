"""Counts, patterns and rates of pruning."""

from dataclasses import replace

import pytest

from bench.errors import SpecError
from bench.spec import Pruning


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"rate": 1.0}, {"scope": "row"}, {"scope": "global", "rates": {"a": 0.1}}]
)
def test_a_pruning_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(SpecError):
        Pruning(**wrong)


@pytest.mark.parametrize("level", [0, 1, 5, 13, 30])
def test_level_k_keeps_exactly_what_k_rounds_leave(level):
    sizes = {"fc1": 235_200, "fc2": 30_000, "fc3.w": 1_000}
    layers = Pruning(rate=0.2, rates={"fc3.*": 0.1}).keep(sizes, level)
    assert layers == {
        "fc1": round(235_200 * 0.8**level),
        "fc2": round(30_000 * 0.8**level),
        "fc3.w": round(1_000 * 0.9**level),
    }
    assert Pruning(scope="global").keep(sizes, level) == {"": round(266_200 * 0.8**level)}


def test_counts_are_rounded_to_the_nearest_and_not_down():
    assert Pruning(rate=0.2).keep({"a": 7, "b": 3}, 1) == {"a": 6, "b": 2}
    assert Pruning(rate=0.2, scope="global").keep({"a": 4, "b": 3}, 1) == {"": 6}


PATTERNS = Pruning(rate=0.2, rates={"head.*": 0.1, "*.weight": 0.3}, exempt=("*.bias", "norm*"))


@pytest.mark.parametrize(("name", "rate", "exempt"), [
    ("head.weight", 0.1, False), ("body.weight", 0.3, False), ("HEAD.x", 0.2, False), ("norm1.weight", 0.3, True),
    ("body.bias", 0.2, True), ("*.bia", 0.2, False), ("*.bias.x", 0.2, False),
])  # fmt: skip
def test_the_first_pattern_of_a_parameters_name_gives_its_rate_and_any_exempts_it(name, rate, exempt):
    assert PATTERNS.rate_of(name) == rate
    assert PATTERNS.is_exempt(name) is exempt


def test_two_rates_for_one_parameter_are_refused_since_the_id_does_not_tell_their_order():
    with pytest.raises(SpecError, match=r"give head.weight more than one rate: 'head.\*' 0.1 and '\*.weight' 0.3"):
        replace(PATTERNS, exempt=()).check(["head.weight", "body.weight"])
    Pruning(rates={"head.*": 0.1, "*.weight": 0.1}).check(["head.weight", "body.weight"])
    PATTERNS.check(["head.bias", "body.weight"])
