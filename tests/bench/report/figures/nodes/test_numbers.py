"""What is drawn of nodes, computed by hand from a few of them."""

import pytest
from nodes import build_layer

from bench.report.figures.nodes.arms import groups
from bench.report.figures.nodes.numbers import TEACHERS, dots, over_training, ranks, recovery, tallest
from bench.report.statistics.seeds import interval
from bench.report.table.rows import sections


def students(correlation, fanout, kept_in, kept_out):
    return build_layer(
        students={
            "correlation_final": correlation, "fanout_final": fanout, "kept_in": kept_in, "kept_out": kept_out,
        }
    )  # fmt: skip


def test_nodes_that_lie_together_are_one_dot_and_pruned_ones_stand_apart():
    one = students([0.96, 0.501, 0.96, 0.3], [2.0, 0.48, 2.0, 0.0], [3, 3, 3, 0], [5, 0, 5, 5])
    other = students([0.959, 0.0], [2.0, 0.0], [1, 0], [1, 0])
    found = dots([one, other], top=2.0)
    assert [tuple(dot) for dot in found.kept] == [pytest.approx((0.96, 2.0, 3))]
    assert [tuple(dot) for dot in found.pruned] == [
        pytest.approx(dot) for dot in ((0.0, 0.0, 1), (0.3, 0.0, 1), (0.5, 0.48, 1))
    ]


def test_however_many_nodes_there_are_the_dots_are_few():
    many = 100_000
    correlation = [(place % 7919) / 7919 for place in range(many)]
    fanout = [1e100 * (place % 7907) / 7907 for place in range(many)]
    found = dots(
        [students([-1e100, 1e100, *correlation], [1e100, 1e100, *fanout], [1] * (many + 2), [1] * (many + 2))],
        top=1e100,
    )
    assert sum(dot.nodes for dot in found.kept) == many + 2
    assert len(found.kept) <= 101 * 51
    assert {dot.correlation for dot in found.kept} <= {place / 50 for place in range(-50, 51)}


def test_teacher_nodes_are_recovered_in_the_order_of_their_strength():
    first = build_layer({"correlation_final": [0.5, 0.96, 0.951], "correlation_early": [0.0, 0.96, 0.95]})
    second = build_layer({"correlation_final": [0.99, 0.97, 0.2], "correlation_early": None})
    assert recovery([first, second], "final") == [1.0, 0.5, 0.5], "nodes 1, 2, 0"
    assert recovery([first, second], "early") == [1.0, 0.0, 0.0], "beyond .95, of the seed that got there"
    assert recovery([second], "early") == []


def test_dead_teacher_nodes_count_nowhere():
    strongest = build_layer({"dead": [False, True, False], "correlation_final": [0.1, 0.0, 0.96]})
    alive = build_layer({"correlation_final": [0.96, 0.96, 0.96]})
    assert recovery([strongest, alive], "final") == [1.0, 0.5, 1.0], "the third place is of one seed alone"


def test_only_the_strongest_of_very_many_teacher_nodes_are_told():
    many = TEACHERS + 50
    layer = build_layer({"fanout": list(range(many)), "correlation_final": [0.0] * 50 + [1.0] * TEACHERS})
    assert recovery([layer], "final") == [1.0] * TEACHERS


def test_ranks_are_shares_of_ten_equal_bins():
    one = build_layer({"initial_rank": [0.0, 0.09, None]})
    other = build_layer({"initial_rank": [0.1, 1.0, 0.95]})
    assert ranks([one, other]) == [0.4, 0.2, *[0.0] * 7, 0.4]
    assert ranks([build_layer({"initial_rank": [None] * 3})]) == []


def test_the_largest_fanout_is_that_of_all_arms(study):
    (told,) = arms(study, [students([0.5, 0.5], [0.25, 3.0], [1, 1], [1, 1]), build_layer()])
    assert (tallest([told], 0), tallest([told], 1)) == (3.0, 1.0)


def arms(study, layers, **task):
    """Dense networks as a group: a seed per layer."""
    records = study({"dense": 0.0}, seeds=len(layers), **task)
    found = [{**record, "nodes": [layer]} for record, layer in zip(records, layers, strict=True)]
    ((group,),) = [groups(section) for section in sections(found)]
    return group.arms


BESTS = (
    {"correlation_initial": [0.25, 0.5, 0.9], "dead": [False, False, True]},
    {"correlation_early": [0.96, 0.97, 0.5]},
    {},
)


def test_without_curves_there_are_three_readings(study):
    (told,) = arms(study, [build_layer(teachers) for teachers in BESTS], budget=1000)
    task = told.arm.records[0]["spec"]["task"]
    (section,) = sections(told.arm.records.values())
    points = over_training(told, "best_correlation", section.comparison.task, {})
    assert [point.step for point in points] == [0.0, 0.05 * task["budget"], task["budget"]]
    known = interval([0.375, 0.4, 0.4])
    value = points[0].value
    assert (value.mean, value.low, value.high) == pytest.approx((known.mean, known.low, known.high))
    found = over_training(told, "recovered", section.comparison.task, {})
    assert [point.value.mean for point in found] == [0.0, pytest.approx(2 / 9), 1.0]


def test_curves_replace_the_readings_if_every_seed_has_one(study):
    (told,) = arms(study, [build_layer()] * 3)
    (section,) = sections(told.arm.records.values())
    curves = {
        unit: [
            {
                "step": step,
                "updates": step,
                "metrics": {"test": {"recovered": (step + seed) / 1000}, "val": {"recovered": 9}},
            }
            for step in (100, 200)
        ]
        for seed, unit in enumerate(told.units)
    }
    task = section.comparison.task
    points = over_training(told, "recovered", task, curves)
    assert [(point.step, point.value) for point in points] == [
        (step, interval([step / 1000, (step + 1) / 1000, (step + 2) / 1000])) for step in (100, 200)
    ]
    assert len(over_training(told, "best_correlation", task, curves)) == 3, "they do not tell it"
    del curves[told.units[-1]]
    assert len(over_training(told, "recovered", task, curves)) == 3
