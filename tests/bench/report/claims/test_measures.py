"""Every statistic that decides a claim, against brute force, whatever direction is better."""

import math

import numpy as np
import pytest

from bench.report.claims.definitions import Claim
from bench.report.claims.measures import STATISTICS, Missing, level_mean, logarithmic, printed
from bench.report.table.arms import comparisons

SEEDS, LEVELS = range(4), (1, 2, 4)
RNG = np.random.default_rng(7)
SCORES = {
    (method, level): RNG.uniform(0.5, 0.9, len(SEEDS))
    for method in ("dense", "ticket", "reinit")
    for level in ((0,) if method == "dense" else LEVELS)
}
"""(method, level) -> score of each seed; the dense network is the mean of all that is normalised."""


def claim(**changes):
    asked = {"method": "ticket", "comparator": "reinit", "scale": "small", "tasks": ("vision/toy",), "levels": LEVELS}
    return Claim(**{"id": "X", "paper": "1", "statement": "s.", "where": "w", "seeds": 3, **asked, **changes})


@pytest.fixture(name="compared")
def one_comparison(record, task):
    """The comparison of arms with these scores, by a metric of that direction."""

    def make(scores=SCORES, direction="max", edit=lambda record: record, **about):
        asked = task(directions={"accuracy": direction}, chance={"max": 0.1, "min": 3.0}[direction], **about)
        records = [
            edit(record(method, level, seed, float(values[seed]), task=asked))
            for (method, level), values in scores.items()
            for seed in SEEDS
        ]
        (found,) = comparisons(records)
        return found

    return make


def values(comparison, asked):
    return STATISTICS[asked.statistic].of(comparison, asked)


def by_seed(numbers):
    return pytest.approx(dict(enumerate(numbers)))


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_a_gain_is_the_mean_difference_over_the_levels(compared, direction, sign):
    gaps = sign * np.mean([SCORES["ticket", level] - SCORES["reinit", level] for level in LEVELS], axis=0)
    assert values(compared(direction=direction), claim()) == by_seed(gaps)
    to_dense = sign * (SCORES["ticket", 2] - SCORES["dense", 0])
    assert values(compared(direction=direction), claim(comparator="dense", levels=(2,))) == by_seed(to_dense)


def test_tickets_of_two_sources_are_compared_like_any_two_methods(compared):
    one, two = "transfer+here", "transfer+there"
    scores = {("dense", 0): SCORES["dense", 0]}
    scores |= {(one, level): SCORES["ticket", level] for level in LEVELS}
    scores |= {(two, level): SCORES["reinit", level] for level in LEVELS}
    for statistic in ("gain", "area"):
        asked = claim(method=one, comparator=two, statistic=statistic)
        assert values(compared(scores), asked) == values(compared(), claim(statistic=statistic))


def test_a_gain_is_read_where_the_claim_says(compared):
    def early(record):
        better = 0.25 if record["spec"]["level"] else 0.0
        read = [{**m, "value": m["value"] + better} if m["at"] == "early-stop" else m for m in record["metrics"]]
        return {**record, "metrics": read}

    found = compared(edit=early, at=("final", "early-stop"), select="accuracy")
    gaps, asked = SCORES["ticket", 1] - SCORES["dense", 0], claim(comparator="dense", levels=(1,))
    assert values(found, asked) == by_seed(gaps)
    assert values(found, claim(comparator="dense", levels=(1,), at="early-stop")) == by_seed(gaps + 0.25)


@pytest.mark.parametrize(("direction", "chance"), [("max", 0.1), ("min", 3.0)])
def test_an_area_is_the_trapezoids_of_normalised_score_over_log_density(compared, direction, chance):
    dense = SCORES["dense", 0].mean()

    def curve(method, seed):
        heights = [(SCORES[method, level][seed] - chance) / (dense - chance) for level in LEVELS]
        widths = [1.0, 2.0]  # each round halves: levels 1, 2 and 4 are 1 and 2 apart
        return sum(w * (a + b) / 2 for w, a, b in zip(widths, heights, heights[1:], strict=False)) / sum(widths)

    told = [curve("ticket", seed) - curve("reinit", seed) for seed in SEEDS]
    assert values(compared(direction=direction), claim(statistic="area")) == pytest.approx(
        dict(enumerate(told)), abs=2e-3
    ), "counts are rounded, so densities are halves but for a thousandth"


def test_an_area_needs_a_dense_network_that_learned_something(compared):
    hopeless = {**SCORES, ("dense", 0): np.full(4, 0.105)}
    with pytest.raises(Missing, match="a dense network of vision/toy that learned something"):
        values(compared(hopeless), claim(statistic="area"))
    barely = {**SCORES, ("dense", 0): np.full(4, 0.115)}
    assert values(compared(barely), claim(statistic="area"))
    alone = {arm: scores for arm, scores in SCORES.items() if arm != ("dense", 0)}
    with pytest.raises(Missing, match="dense at level 0"):
        values(compared(alone), claim(statistic="area"))


def test_early_stop_steps_are_read_from_the_tasks_own_metric_and_split(compared):
    def edit(record):
        step = (600 if record["spec"]["level"] == 0 else 300) + 10 * record["spec"]["seed"]
        for metric in record["metrics"]:
            right = (metric["name"], metric["split"], metric["at"]) == ("accuracy", "test", "early-stop")
            metric["step"] = step if right else 7777
        decoys = [
            {**record["metrics"][0], "name": name, "split": split, "at": at, "step": 7777}
            for name, split, at in (("loss", "test", "early-stop"), ("accuracy", "val", "early-stop"))
        ]
        return {**record, "metrics": [*decoys, *record["metrics"], *decoys]}

    found = compared(edit=edit, at=("final", "early-stop"), select="accuracy")
    asked = claim(statistic="early-stop", comparator="dense", levels=(2,))
    assert values(found, asked) == by_seed([math.log((300 + 10 * s) / (600 + 10 * s)) for s in SEEDS])


def test_seeds_without_an_early_stop_step_are_left_out(compared):
    def edit(record):
        steps = [0 if record["spec"]["seed"] == 1 else 100 for _ in record["metrics"]]
        kept = [] if record["spec"]["seed"] == 2 else record["metrics"]
        return {**record, "metrics": [{**m, "step": step} for m, step in zip(kept, steps, strict=False)]}

    found = compared(edit=edit, at=("final", "early-stop"), select="accuracy")
    assert set(values(found, claim(statistic="early-stop", comparator="dense", levels=(2,)))) == {0, 3}


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_rounds_count_the_levels_before_the_first_that_does_not_match(compared, direction, sign):
    """By seed: matching at all; not at level 2; not at level 1; exactly as much worse as is tolerated."""
    dense = np.full(4, 0.5)
    worse = {1: [0, 0, 1, 0], 2: [0, 1, 0, 0], 4: [0, 0, 0, 0]}
    ticket = {
        ("ticket", level): dense - sign * (0.0625 * np.array(bad) + np.array([0, 0, 0, 0.03125]))
        for level, bad in worse.items()
    }
    reinit = {("reinit", level): dense - sign * 0.0625 * np.ones(4) for level in LEVELS}
    found = compared({("dense", 0): dense, **ticket, **reinit}, direction, tolerance=0.03125)
    assert values(found, claim(statistic="rounds")) == {0: 4.0, 1: 1.0, 2: 0.0, 3: 4.0}
    turned = claim(statistic="rounds", method="reinit", comparator="ticket")
    assert values(found, turned) == {0: -4.0, 1: -1.0, 2: 0.0, 3: -4.0}


def test_a_loss_that_is_higher_at_level_2_matches_one_round(compared):
    flat = np.full(4, 1.0)
    scores = {("dense", 0): flat, ("ticket", 1): flat, ("ticket", 2): flat + 0.5, ("ticket", 4): flat}
    scores |= {("reinit", level): flat + 0.5 for level in LEVELS}
    assert set(values(compared(scores, "min"), claim(statistic="rounds")).values()) == {1.0}


def test_a_ratio_is_of_scores_mean_over_the_levels(compared):
    told = np.mean([SCORES["ticket", level] / SCORES["reinit", level] for level in LEVELS], axis=0)
    assert values(compared(), claim(statistic="ratio")) == by_seed(told)
    with_zero = {**SCORES, ("reinit", 2): np.array([0.0, 0.5, 0.5, 0.5])}
    assert set(values(compared(with_zero), claim(statistic="ratio"))) == {1, 2, 3}


def test_weights_are_compared_with_what_the_paper_prints_in_percentage_points(compared):
    found = compared(edit=lambda record: {**record, "density_weights": 0.9 * record["density"]})
    shares = {level: 100 * found.arm("ticket", level).records[0]["density_weights"] for level in LEVELS}
    asked = claim(statistic="weights", expected={1: shares[1] + 0.02, 4: shares[4] - 0.07})
    assert values(found, asked) == by_seed([0.07] * 4)
    assert values(found, claim(statistic="weights", expected={2: shares[2]})) == by_seed([0.0] * 4)


def test_the_effective_density_is_compared_as_a_ratio(compared):
    def edit(record):
        seed = record["spec"]["seed"]
        return {**record, "density": 0.4, "effective_density": [0.1, 0.2, 0.0, None][seed]}

    asked = claim(statistic="effective", levels=(2,))
    assert values(compared(edit=edit), asked) == pytest.approx({0: math.log(4), 1: math.log(2)})
    assert printed(asked)(math.log(4)) == pytest.approx(4)


def test_ratios_are_compared_as_logarithms_and_nothing_else_is():
    assert {name for name in (*STATISTICS, "iqm") if logarithmic(claim(statistic=name))} == {"early-stop", "effective"}
    assert printed(claim(statistic="iqm"))(0.25) == printed(claim())(0.25) == 0.25


def test_a_mean_over_levels_is_of_the_seeds_that_all_have():
    assert level_mean([{0: 1.0, 1: 2.0, 2: 5.0}, {2: 7.0, 0: 3.0}]) == {0: 2.0, 2: 6.0}
    assert list(level_mean([{2: 1.0, 0: 1.0}])) == [0, 2]


@pytest.mark.parametrize("statistic", ["gain", "area", "rounds", "ratio"])
def test_what_was_not_run_is_named(compared, statistic):
    lacking = {arm: scores for arm, scores in SCORES.items() if arm != ("reinit", 2)}
    with pytest.raises(Missing, match="^reinit at level 2$"):
        values(compared(lacking), claim(statistic=statistic))
