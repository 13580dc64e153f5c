"""What is recorded of a curve: the end, and the validation optimum, and never a choice made on test."""

from itertools import permutations, product

import pytest
from example import MOONS, variant

from bench.spec import share_of_budget
from bench.tickets.measurements.metrics import best, metrics

AT_ACCURACY = variant(select="accuracy")


def curve_of(val, test=None):
    """A curve whose validation loss is `val`; the accuracy is the loss, for the direction to make a difference."""
    test = test or [0.5] * len(val)
    return [
        {
            "step": 10 * (index + 1),
            "updates": 7 * (index + 1),
            "metrics": {"val": {"accuracy": a, "loss": a}, "test": {"accuracy": b, "loss": b}},
        }
        for index, (a, b) in enumerate(zip(val, test, strict=True))
    ]


def recorded(task, curve, *, diverged=False):
    rows = metrics(task, curve, steps=25, diverged=diverged, settled=0)
    return {(row["name"], row["split"], row["at"]): (row["value"], row["step"]) for row in rows}


@pytest.mark.parametrize(("task", "values", "expected"), [
    (MOONS, [3.0, 1.0, 2.0], 20),
    (MOONS, [2.0, 1.0, 1.0], 20),  # the first of equal ones
    (MOONS, [1.0, 1.0, 1.0], 10),
    (MOONS, [3.0, 2.0, 1.0], 30),
    (MOONS, [0.0, -0.0, 5.0], 10),
    (AT_ACCURACY, [1.0, 3.0, 2.0], 20),
    (AT_ACCURACY, [3.0, 1.0, 3.0], 10),
])  # fmt: skip
def test_early_stop_is_the_first_best_validation_value_in_the_metrics_direction(task, values, expected):
    assert best(task, curve_of(values))["step"] == expected
    test = [10.0, 20.0, 30.0]
    rows = recorded(task, curve_of(values, test))
    assert rows["loss", "test", "early-stop"] == (float(expected), expected)
    assert rows["loss", "val", "early-stop"] == (values[expected // 10 - 1], expected)


@pytest.mark.parametrize(("settled", "step"), [(0, 10), (9.9, 10), (10, 30), (30, 40), (40, 40)])
def test_a_network_is_not_stopped_before_it_is_pruned(settled, step):
    """At the step itself a learner that counts its updates last has not cut yet."""
    rows = metrics(MOONS, curve_of([0.5, 3.0, 1.0, 2.0]), steps=40, diverged=False, settled=settled)
    assert {row["step"] for row in rows if row["at"] == "early-stop"} == {step}
    assert {row["step"] for row in rows if row["at"] == "final"} == {40}


def test_no_change_of_the_test_numbers_changes_what_is_selected():
    val = [2.0, 0.5, 1.0, 0.5]
    for test, task in product(permutations([1.0, 2.0, 3.0, 4.0]), (MOONS, AT_ACCURACY)):
        rows = recorded(task, curve_of(val, list(test)))
        expected = 1 if task is MOONS else 0
        assert rows["accuracy", "test", "early-stop"] == (test[expected], 10 * (expected + 1))
        assert rows["accuracy", "test", "final"] == (test[-1], 40)


def test_every_metric_of_every_split_is_recorded_once_with_its_direction():
    rows = metrics(MOONS, curve_of([2.0, 1.0, 3.0]), steps=30, diverged=False, settled=0)
    keys = [(row["name"], row["split"], row["at"]) for row in rows]
    assert sorted(keys) == sorted(product(("accuracy", "loss"), ("val", "test"), ("final", "early-stop")))
    assert {row["name"]: row["direction"] for row in rows} == {"accuracy": "max", "loss": "min"}


def test_a_task_that_selects_nothing_records_the_end_only():
    rows = recorded(variant(at=("final",), select=None), curve_of([1.0, 2.0]))
    assert {at for _, _, at in rows} == {"final"}
    assert rows["loss", "val", "final"] == (2.0, 20)


def test_training_scores_stand_at_the_last_point():
    rows = recorded(variant(at=("last-100", "final"), select=None), curve_of([1.0, 2.0]))
    assert rows["loss", "val", "last-100"] == rows["loss", "val", "final"] == (2.0, 20)


@pytest.mark.parametrize(("at", "step"), [
    ("1%", 10), ("25%", 10), ("25.1%", 20), ("50%", 20), ("70%", 30), ("75%", 30), ("99%", 40),
])  # fmt: skip
def test_an_early_reading_is_the_first_evaluation_at_or_after_its_share_of_the_budget(at, step):
    task, test = variant(at=("final", at), select=None), [1.0, 2.0, 3.0, 4.0]
    rows = recorded(task, curve_of([9.0] * 4, test))
    assert rows["loss", "test", at] == rows["accuracy", "test", at] == (test[step // 10 - 1], step)
    assert rows["loss", "test", "final"] == (4.0, 40)


def test_a_share_of_the_budget_is_exact_where_floats_are_not():
    assert 7 / 100 * 3000 > 210
    shares = tuple(f"{percent}%" for percent in range(1, 100))
    rows = recorded(variant(budget=3000, at=shares, select=None), curve_of([0.0] * 300))  # evaluated every 10 steps
    assert [rows["loss", "test", at][1] for at in shares] == list(range(30, 3000, 30))
    assert share_of_budget("0.1%") * 3000 == 3
    assert [share_of_budget(at) for at in ("final", "early-stop", "last-100")] == [None] * 3


def test_a_rewound_training_reads_early_at_its_first_evaluation():
    task, curve = variant(rewind_step=30, at=("final", "5%"), select=None), curve_of([1.0, 2.0, 3.0, 4.0])[2:]
    assert recorded(task, curve)["loss", "val", "5%"] == (3.0, 30)


def test_a_submitted_curve_that_ends_before_its_share_is_read_at_its_end():
    rows = recorded(variant(at=("final", "99%"), select=None), curve_of([1.0, 2.0]))
    assert rows["loss", "val", "99%"] == rows["loss", "val", "final"] == (2.0, 20)


def test_a_metric_that_a_split_does_not_have_is_not_made_up():
    curve = curve_of([1.0, 2.0])
    for point in curve:
        del point["metrics"]["test"]["accuracy"]
    rows = recorded(MOONS, curve)
    assert ("accuracy", "test", "final") not in rows
    assert ("accuracy", "val", "final") in rows


@pytest.mark.parametrize("points", [0, 2])
def test_a_diverged_unit_has_nulls_everywhere_and_says_how_far_it_came(points):
    rows = recorded(MOONS, curve_of([1.0, 2.0][:points]), diverged=True)
    assert set(rows) == set(product(("accuracy", "loss"), ("val", "test"), ("final", "early-stop")))
    assert set(rows.values()) == {(None, 25)}
