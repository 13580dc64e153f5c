"""What is said of tickets: at which level, with which numbers, and what stays open."""

import re

import numpy as np
import pytest
from records import build_record, build_task

from bench.report.sentences import sentences
from bench.report.statistics.seeds import deciding
from bench.report.table.rows import rows, sections

pytestmark = pytest.mark.usefixtures("as_told")

NOISE = (-0.001, 0.0, 0.001, 0.0005, -0.0005, 0.002, -0.002, 0.0015, -0.0015, 0.001)
SPREAD = {"reinit": 1, "random-ticket": 2, "shuffled": 3, "ticket": 4}


def world(levels, seeds=3, noise=1.0, base=0.9, **changes):
    """Level -> method -> gain over dense; arms differ in how their seeds scatter."""
    task = build_task(**{"tolerance": 0.01, **changes})
    found = [build_record("dense", 0, seed, base, task=task) for seed in range(seeds)]
    for level, gains in levels.items():
        for method, gain in gains.items():
            scatter = (NOISE[(seed * SPREAD[method] + level) % len(NOISE)] for seed in range(seeds))
            found += [
                build_record(method, level, seed, base + gain + noise * each, task=task)
                for seed, each in enumerate(scatter)
            ]
    return found


def said(records):
    return sentences(sections(records))


GOOD = {"ticket": 0.02, "reinit": -0.02, "random-ticket": -0.05, "shuffled": -0.03}
LOST = {"ticket": -0.1, "reinit": -0.2, "random-ticket": -0.3, "shuffled": -0.25}
CHANCE = dict.fromkeys(GOOD, -0.5)


def test_the_sparsest_level_that_matches_dense_speaks_for_a_task():
    (text,) = said(world({1: GOOD, 2: GOOD, 3: LOST, 4: CHANCE}))
    assert text.startswith(
        "vision/toy @ small, accuracy, 3 seeds: At 25 % of the weights, the sparsest down to which it is not worse than dense,"
    )
    (text,) = said(world({1: GOOD, 2: {**GOOD, "ticket": 0.0}}))
    assert "At 25 % of the weights, the sparsest down to which it is not worse than dense," in text, (
        "better is more than is asked"
    )
    (alone,) = said(world({1: GOOD}))
    assert "At 50 % of the weights the ticket is " in alone, "there was nothing to choose"


def test_a_level_that_matches_below_one_that_does_not_may_be_luck():
    (text,) = said(world({1: GOOD, 2: LOST, 3: GOOD}))
    assert "At 50 % of the weights, the sparsest down to which it is not worse than dense," in text
    (text,) = said(world({1: LOST, 2: GOOD}))
    assert "At 25 % of the weights, the sparsest where it is told from a random ticket," in text


def test_levels_that_never_match_are_seldom_said_to():
    """The ticket is worse by all that it may be: 2.5 % of the tables may say it matches, however many levels they have."""
    generator, task, wrong = np.random.default_rng(0), build_task(tolerance=0.01), 0
    for _ in range(200):
        found = []
        for seed in range(3):
            dense = 0.9 + generator.normal(scale=0.01)
            found.append(build_record("dense", 0, seed, dense, task=task))
            for level in range(1, 9):
                found += [
                    build_record("ticket", level, seed, dense - 0.01 + generator.normal(scale=0.01), task=task),
                    build_record("random-ticket", level, seed, 0.2 + generator.normal(scale=0.01), task=task),
                ]
        (text,) = said(found)
        wrong += "not worse than dense" in text.partition(", the ticket")[0]
    assert wrong <= 12


def test_where_none_matches_it_is_the_sparsest_that_is_told_from_a_random_ticket():
    (text,) = said(world({1: LOST, 2: LOST, 3: CHANCE}))
    assert "At 25 % of the weights, the sparsest where it is told from a random ticket, the ticket is 0.19" in text
    assert re.search(r" and 0\.1\d* points worse than dense \[", text)


def test_where_nothing_is_told_it_is_the_sparsest():
    (text,) = said(world({1: CHANCE, 2: CHANCE}, noise=20))
    assert "At 25 % of the weights, the sparsest there is, the ticket is 0.5" in text
    assert "points worse than dense" in text
    assert text.count("against") == 3


def test_a_ticket_that_is_cut_off_does_not_speak():
    found = world({1: LOST, 2: LOST})
    for record in found:
        if record["spec"]["level"] == 2 and record["spec"]["method"]["name"] == "ticket":
            record["effective_density"] = 0
    (text,) = said(found)
    assert "At 50 % of the weights the ticket is " in text


def test_levels_without_all_controls_do_not_speak():
    (text,) = said(world({1: GOOD, 2: GOOD, 3: {"ticket": 0.02}}))
    assert "At 25 % of the weights, the sparsest down to which it is not worse than dense," in text


def test_no_result_of_a_control_moves_the_level_where_the_ticket_matches():
    levels = {1: GOOD, 2: GOOD, 3: {**GOOD, "random-ticket": 0.02, "reinit": 0.03}}
    (text,) = said(world(levels, noise=0.5))
    assert "At 12.5 % of the weights, the sparsest down to which it is not worse than dense," in text
    assert "0.01" in text[text.index("points worse than") :]


def test_the_numbers_are_those_of_the_table():
    found = world({2: GOOD})
    (row,) = (row for row in rows(found) if (row.method, row.at) == ("ticket", "final"))
    (text,) = said(found)
    expected = [
        ("points better than a random ticket", row.bounds("vs_random")),
        ("than the same mask with fresh weights (reinit)", row.bounds("vs_reinit")),
        ("than its mask shuffled inside the layers", row.bounds("vs_shuffled")),
        ("than dense", row.bounds("vs_dense")),
    ]
    for phrase, (mean, low, high) in expected:
        digits = re.search(rf"(\d\.(\d+)) {re.escape(phrase)} \[([\d.]+), ([\d.]+)\]", text)
        assert digits, phrase
        assert digits[1] == f"{mean:.{len(digits[2])}f}"
        assert digits.group(3, 4) == tuple(f"{bound:.{len(digits[2])}f}" for bound in (low, high))


def test_a_bound_above_the_tolerance_is_not_worse_and_one_below_zero_is_worse():
    (text,) = said(world({1: {"ticket": -0.002, "random-ticket": -0.1}}))
    assert re.search(r", and not worse than dense by more than 0\.01 \[-0\.00\d+, [+-]0\.00\d+\]\.", text)
    (text,) = said(world({1: {"ticket": -0.05, "random-ticket": -0.1}}))
    low, high = map(float, re.search(r"worse than dense \[([\d.]+), ([\d.]+)\]", text).groups())
    assert 0 < low < 0.05 < high, "sizes, in their order"


def test_what_is_undecided_says_how_many_seeds_would_decide():
    found = world({1: {"ticket": 0.02, "random-ticket": 0.0175, "reinit": 0.0}}, noise=3)
    (text,) = said(found)
    gains = [
        ticket["metrics"][0]["value"] - random["metrics"][0]["value"]
        for ticket, random in zip(found[3:6], found[6:9], strict=True)
    ]
    assert f"against a random ticket {sum(gains) / 3:+.4f} [" in text
    assert f", about {deciding(gains)} seeds would decide" in text
    assert "reinit) [" in text[: text.index("Undecided")]


def test_an_effect_of_nothing_is_not_worth_any_number_of_seeds():
    (text,) = said(world({1: {"ticket": 0.02, "random-ticket": 0.02}}, noise=3))
    assert "100 seeds would not decide" in text


def test_not_being_worse_than_dense_is_decided_at_the_tolerance():
    found = world({1: {"ticket": -0.003, "random-ticket": -0.2}}, noise=7)
    (text,) = said(found)
    gains = [each["metrics"][0]["value"] - 0.9 for each in found[3:6]]
    assert "Undecided: against dense not to be worse by more than 0.01: " in text
    assert f"about {deciding(gains, -0.01)} seeds would decide" in text
    assert deciding(gains, -0.01) != deciding(gains)


def test_too_few_seeds_decide_nothing():
    (text,) = said(world({1: GOOD}, seeds=2))
    assert "2 seeds: At 50 % of the weights the ticket is 0.0" in text
    assert text.endswith(" than dense. Fewer than 3 seeds decide nothing.")
    assert "[" not in text
    (text,) = said(world({1: GOOD}, seeds=5, fewest_seeds=10))
    assert text.endswith("Fewer than 10 seeds decide nothing.")


def test_a_control_of_too_few_seeds_silences_no_other():
    records = [
        each
        for each in world({1: GOOD}, seeds=5)
        if each["spec"]["method"]["name"] != "shuffled" or each["spec"]["seed"] < 2
    ]
    (text,) = said(records)
    assert text.endswith(". Against its mask shuffled inside the layers there are fewer than 3 seeds.")
    (whole,) = said(world({1: {name: gain for name, gain in GOOD.items() if name != "shuffled"}}, seeds=5))
    assert text.startswith(whole)


def test_the_seeds_are_those_that_the_sentence_rests_on():
    """A suite may ask for more of some arms, and of some levels: of these it says nothing."""
    few = [
        each
        for each in world({1: GOOD}, seeds=9)
        if each["spec"]["method"]["name"] in ("dense", "ticket") or each["spec"]["seed"] < 3
    ]
    (text,) = said([*few, *(build_record("one-shot", 1, seed, 0.9, task=build_task()) for seed in range(20))])
    assert text.startswith("vision/toy @ small, accuracy, 3 to 9 seeds: At 50 % of the weights the ticket is 0.0")
    (fewer,) = said([each for each in few if each["spec"]["method"]["name"] != "dense"])
    assert ", 3 seeds: " in fewer


def test_better_is_better_where_less_is():
    task = {"metric": "loss", "directions": {"loss": "min"}, "chance": 2.0, "base": 1.0}
    (text,) = said(world({1: {"ticket": -0.1, "random-ticket": 0.2}}, **task))
    assert "loss, 3 seeds: At 50 % of the weights the ticket is 0.29" in text
    assert " better in loss than a random ticket [0." in text
    assert " than dense [0." in text


@pytest.mark.parametrize(
    ("metric", "unit"), [("accuracy", "points better"), ("return", "points of return better"), ("bleu", "BLEU better")]
)
def test_a_difference_has_the_unit_of_its_metric(metric, unit):
    (text,) = said(world({1: GOOD}, metric=metric, directions={metric: "max"}))
    assert f" {unit} than a random ticket" in text


def test_a_dense_network_that_learned_nothing_is_said_and_nothing_else():
    (text,) = said(world({1: GOOD}, chance=0.9))
    assert text.partition(": ")[2].startswith("dense is within 0.01 of chance (0.9): it learned nothing")
    assert "better" not in text


def test_a_task_that_is_not_installed_is_not_judged(install):
    install()
    (text,) = said(world({1: GOOD}))
    assert "This task is not installed here" in text
    assert "better" not in text


def test_nothing_is_said_where_no_ticket_is_shown():
    found = world({1: {"reinit": 0.01, "random-ticket": 0.0}})
    assert said(found) == []
    assert sentences(sections(world({1: GOOD}), ("reinit",))) == []


@pytest.mark.parametrize("scale", ["smoke", "quick"])
def test_small_scales_say_that_they_carry_no_verdict(scale):
    told = said(world({1: GOOD}, scale=scale) + world({1: GOOD}, scale=scale, name="vision/other"))
    assert len(told) == 3
    assert told[-1].startswith(f"At {scale} scale so little is trained")
    assert "verdict" not in " ".join(said(world({1: GOOD})))


def test_hostile_names_are_no_escape_sequences():
    (text,) = said(world({1: GOOD}, name="vision/\x1b[31mred\n"))
    assert "\x1b" not in text
    assert "\n" not in text
