"""Every measure against numbers found by hand."""

import numpy as np
import pytest
import torch
from scipy import stats

from domains.teacher.measures import (
    LOWEST,
    Absent,
    Layer,
    best_correlation,
    constant,
    correlations,
    fanout_ratio,
    initial_rank,
    lshape,
    luck,
    measure,
    observabilities,
    observability,
    recovered,
    recovered_strong,
    recovered_weak,
    strength_order,
)


def layer(correlation, **given):
    """Teacher nodes by rows, student nodes by columns; nothing dead, nothing pruned, unless it is given."""
    correlation = np.array(correlation, dtype=float)
    nodes, students = correlation.shape
    told = {
        "initial": np.zeros_like(correlation), "observability": np.zeros_like(correlation), "dead": [False] * nodes,
        "alive": [True] * students, "teacher_fanout": np.arange(nodes, 0, -1), "student_fanout": np.ones(students), **given,
    }  # fmt: skip
    return Layer(correlation=correlation, **{name: np.array(values) for name, values in told.items()})


RAISED = [[0.99, 0.2], [0.3, 0.96], [0.5, 0.94], [0.0, 0.0]]


# Correlations.


def test_correlations_are_pearsons_of_every_pair():
    generator = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(50, nodes, generator=generator, dtype=torch.float64).relu() for nodes in (3, 4))
    found = correlations(teacher, student)
    for row in range(3):
        for column in range(4):
            assert found[row, column] == pytest.approx(stats.pearsonr(teacher[:, row], student[:, column]).statistic)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.3, 1e6, 1e-9])
def test_a_constant_node_correlates_with_nothing(dtype, value):
    """Not NaN, and not with the rounding of its mean."""
    generator = torch.Generator().manual_seed(0)
    moving = torch.randn(1000, 2, generator=generator, dtype=dtype)
    moving[:, 1] = value
    found = correlations(moving, moving)
    assert found == pytest.approx(np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert found[1].tolist() == [0.0, 0.0]
    assert constant(moving).tolist() == [False, True]


def test_units_do_not_matter_and_signs_do():
    values = torch.linspace(-1, 2, 40, dtype=torch.float64)[:, None]
    assert correlations(values, torch.cat([1e-6 * values + 5e-6, -3 * values], dim=1)) == pytest.approx(
        np.array([[1, -1]])
    )


# Measures.


def test_recovered_counts_live_nodes_beyond_95_per_cent():
    assert recovered(layer(RAISED)) == 2 / 4
    assert recovered(layer(RAISED, dead=[False, False, False, True])) == 2 / 3
    assert recovered(layer([[0.95]])) == 0


def test_the_strong_half_is_of_the_largest_fanout_and_has_the_middle_one():
    by_fanout = layer(RAISED, teacher_fanout=[1, 4, 2, 3])  # order: 1, 3, 2, 0
    assert (recovered_strong(by_fanout), recovered_weak(by_fanout)) == (1 / 2, 1 / 2)
    three = layer(RAISED, dead=[False, False, False, True])
    assert (recovered_strong(three), recovered_weak(three)) == (1.0, 0.0)
    with pytest.raises(Absent, match="too few live nodes"):
        recovered_weak(layer([[0.99]]))


def test_the_best_correlation_is_the_mean_over_live_nodes():
    assert best_correlation(layer(RAISED)) == pytest.approx((0.99 + 0.96 + 0.94 + 0) / 4)
    assert best_correlation(layer(RAISED, dead=[False, False, False, True])) == pytest.approx((0.99 + 0.96 + 0.94) / 3)
    with pytest.raises(Absent, match="every teacher node of the layer is dead"):
        best_correlation(layer([[0.5]], dead=[True]))


def test_strength_order_ranks_live_teacher_nodes():
    assert strength_order(layer(RAISED)) == pytest.approx(1.0)
    assert strength_order(layer(RAISED, teacher_fanout=[1, 2, 3, 4])) == pytest.approx(-1.0)
    assert strength_order(
        layer(RAISED, teacher_fanout=[1, 2, 3, 0], dead=[False, False, False, True])
    ) == pytest.approx(-1)
    with pytest.raises(Absent, match="two nodes that differ"):
        strength_order(layer(RAISED, teacher_fanout=[1, 1, 1, 1]))


def test_lshape_ranks_living_students_by_their_best_teacher():
    students = [[0.9, 0.1, 0.0, 0.0], [0.2, 0.5, 0.3, 0.0]]
    assert lshape(layer(students, student_fanout=[3, 2, 1, 0])) == pytest.approx(1.0)
    assert lshape(layer(students, student_fanout=[0, 2, 1, 3], alive=[False, True, True, False])) == pytest.approx(1.0)
    assert lshape(layer(students, student_fanout=[1, 2, 3, 4])) == pytest.approx(-1.0)


def test_the_fanout_ratio_is_of_medians_of_living_students():
    students = [[0.99, 0.96, 0.97, 0.79, 0.1, 0.9]]
    fanouts = [2.0, 4.0, 9.0, 1.0, 2.0, 7.0]
    assert fanout_ratio(layer(students, student_fanout=fanouts)) == pytest.approx(1.5 / 4)
    assert fanout_ratio(layer(students, student_fanout=fanouts, alive=[True, True, False, True, True, True])) == 1.5 / 3
    with pytest.raises(Absent, match="fewer than two student nodes stay below 0.8"):
        fanout_ratio(layer(students, student_fanout=fanouts, alive=[True] * 4 + [False] * 2))
    with pytest.raises(Absent, match="fewer than two student nodes pass 0.95"):
        fanout_ratio(layer(students, student_fanout=fanouts, alive=[True, False, False, True, True, True]))


def test_the_initial_rank_is_where_the_finally_best_student_stood():
    final = [[0.1, 0.2, 0.9], [0.9, 0.1, 0.2]]
    begin = [[0.5, 0.4, 0.3], [0.5, 0.4, 0.3]]
    case = layer(final, initial=begin)
    assert case.ranks.tolist() == [1.0, 0.0]
    assert initial_rank(case) == 0.5
    assert initial_rank(layer(final, initial=begin, dead=[False, True])) == 1.0
    assert np.isnan(layer(final, initial=begin, dead=[False, True]).ranks).tolist() == [False, True]
    assert initial_rank(layer([[0, 0, 0], [0.9, 0.1, 0.2]], initial=begin)) == 0.0  # nobody follows the first
    with pytest.raises(Absent, match="no teacher node has a best student of several"):
        initial_rank(layer([[0.9]]))


def test_students_that_end_best_by_chance_began_anywhere():
    generator = np.random.default_rng(0)
    case = layer(generator.uniform(size=(4000, 20)), initial=generator.uniform(size=(4000, 20)))
    assert initial_rank(case) == pytest.approx(0.5, abs=0.02)


def test_luck_is_how_much_closer_the_living_began():
    begin = [[0.5, 0.1, 0.2, 0.0], [0.1, 0.3, 0.1, 0.1]]
    case = layer(np.zeros((2, 4)), initial=begin, alive=[True, True, False, False])
    assert luck(case) == pytest.approx((0.5 + 0.3) / 2 - (0.2 + 0.1) / 2)
    for alive, said in (([True] * 3 + [False], "are dead"), ([True] + [False] * 3, "are alive")):
        with pytest.raises(Absent, match=f"fewer than two student nodes {said}"):
            luck(layer(np.zeros((2, 4)), initial=begin, alive=alive))


@pytest.mark.parametrize("measured", [luck, lshape, fanout_ratio], ids=lambda each: each.__name__)
def test_a_dead_teacher_node_is_nobodys_nearest(measured):
    """Its zeros lie above the correlation of a student that every live node is opposed to."""
    rows, told = [[0.96, 0.99, -0.4, -0.1], [0.97, 0.2, -0.3, -0.2]], [4, 3, 1, 2]
    alive = {"alive": [True, False, True, False]} if measured is luck else {}
    without = layer(rows, initial=rows, student_fanout=told, **alive)
    beside = layer([*rows, [0] * 4], initial=[*rows, [0] * 4], student_fanout=told, dead=[False, False, True], **alive)
    assert measured(beside) == measured(without)


def test_no_order_at_first_is_chance():
    """Students that are all silent began equally close; none of them was ahead."""
    assert initial_rank(layer([[0.99, 0.1, 0.1, 0.1, 0.1]], initial=np.zeros((1, 5)))) == 0.5
    assert layer([[0.1, 0.9, 0.2]], initial=[[0.5, 0.3, 0.3]]).ranks.tolist() == [0.75]


def test_observability_takes_the_smaller_share_of_both_firing_and_the_student_alone():
    teacher = torch.tensor([[1.0], [1.0], [0.0], [0.0], [0.0]])
    student = torch.tensor([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [3.0, 1.0], [0.0, 0.0]])
    found = observabilities(teacher, student)
    assert found == pytest.approx(np.array([[0.2, 0.0]]))  # both: 1 of 5 and 0; the student alone: 2 of 5 and 1
    case = layer(np.zeros((2, 2)), observability=[[0.2, 0.1], [0.0, 0.4]])
    assert observability(case) == pytest.approx(0.3)
    assert observability(layer(np.zeros((2, 2)), observability=[[0.2, 0.1], [0.0, 0.4]], dead=[False, True])) == 0.2


def test_what_exists_is_measured_of_the_lowest_layer_and_the_rest_has_a_reason():
    other = layer([[0.7]])
    found, absent = measure([layer(RAISED), other])
    assert {*found, *absent} == {*(each.__name__ for each in LOWEST), "best_correlation_2"}
    assert found["best_correlation_2"] == 0.7
    assert found["recovered"] == 0.5
    assert absent["luck"] == "fewer than two student nodes are dead"
    assert not found.keys() & absent.keys()
    assert (
        measure([other, layer([[0.5]], dead=[True])])[1]["best_correlation_2"]
        == "every teacher node of the layer is dead"
    )
