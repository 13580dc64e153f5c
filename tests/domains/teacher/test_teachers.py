"""The teachers are those of the papers' code, and the same for all that is compared."""

import itertools

import numpy as np
import pytest

from bench.errors import UnknownName
from bench.streams import Streams
from domains.teacher import domain
from domains.teacher.teachers import CHOICES, FIXED_SEED, distinct_rows, teacher

TASKS = {task.name: task for task in domain.tasks().values() if task.scale == "small"}


def test_rows_are_of_the_choices_none_zero_and_no_two_alike():
    for seed in range(20):
        rows = distinct_rows(24, 2, np.random.default_rng(seed))  # 5 * 5 rows but zero: all there are
        assert len({tuple(row) for row in rows}) == 24
        assert set(rows.flat) <= set(CHOICES) == {-0.5, -0.25, 0.0, 0.25, 0.5}
        assert rows.any(axis=1).all()


@pytest.mark.parametrize(("name", "decay"), [("two-layer", 1.0), ("two-layer-even", 0.5), ("two-layer-narrow", 0.5)])
def test_a_node_of_a_decaying_teacher_weighs_as_its_place_says(name, decay):
    (below, below_bias), (above, above_bias) = teacher(TASKS[f"teacher/{name}"], Streams(3))
    assert (below.shape, above.shape) == ((10, 20), (50, 10))
    assert np.linalg.norm(below, axis=1) == pytest.approx(np.ones(10))
    assert set(below_bias) == set(above_bias) == {-0.1}
    restored = above * np.arange(1, 11) ** decay
    assert restored == pytest.approx(restored.round(2))
    assert set(restored.round(2).flat) == set(CHOICES)
    assert len({tuple(row) for row in restored.round(2)}) == 50


def test_the_strength_of_its_nodes_is_2_5_for_the_first_and_falls_as_a_power():
    """sqrt(50 * .125), 1909.13458 by its code."""
    norms = np.mean([
        np.linalg.norm(teacher(TASKS["teacher/two-layer"], Streams(seed))[1][0], axis=0) for seed in range(40)
    ], axis=0)  # fmt: skip
    assert norms == pytest.approx(2.5 / np.arange(1, 11), rel=0.06)


def test_rows_of_a_normalised_teacher_are_of_norm_one_and_its_biases_divided_alike():
    layers = teacher(TASKS["teacher/deep"], Streams(0))
    assert [weight.shape for weight, _ in layers] == [(10, 20), (15, 10), (20, 15), (25, 20), (100, 25)]
    for weight, bias in layers:
        assert np.linalg.norm(weight, axis=1) == pytest.approx(np.ones(len(weight)), abs=1e-3)
        values = np.unique(np.abs(weight[0]))
        steps = values[values > 0] / values[values > 0].min()
        assert steps == pytest.approx(steps.round())
        norm = 0.25 / values[values > 0].min() if len(steps) > 1 else None
        assert norm is None or abs(bias[0]) * norm <= 0.5 + 1e-9
        assert len(set(bias)) == len(bias)


def test_a_bias_of_zero_is_none():
    assert not any(bias.any() for _, bias in teacher(TASKS["teacher/planted"], Streams(1)))


def test_all_arms_and_levels_of_a_seed_have_one_teacher_and_another_seed_another():
    for name in ("two-layer", "planted"):
        task = TASKS[f"teacher/{name}"]
        one, *others = (teacher(task, each) for each in (Streams(4), Streams(4, 7), Streams(4, 7).refreshed()))
        for other in others:
            assert all(
                np.array_equal(a, b) for a, b in zip(itertools.chain(*one), itertools.chain(*other), strict=True)
            )
        assert not np.array_equal(one[0][0], teacher(task, Streams(5))[0][0])


def test_a_fixed_teacher_is_that_of_one_seed_for_all():
    task = TASKS["teacher/deep"]
    weights = [teacher(task, Streams(seed))[2][0] for seed in (FIXED_SEED, 1, 9)]
    assert all(np.array_equal(weights[0], other) for other in weights[1:])


@pytest.mark.parametrize(("change", "said"), [
    ({"draw": "decayin"}, "unknown draw 'decayin': did you mean 'decaying'"),
    ({"teacher": "none"}, "unknown owner of a teacher 'none'"),
])  # fmt: skip
def test_an_unknown_draw_is_told(world, change, said):
    with pytest.raises(UnknownName, match=said):
        teacher(world.task(**change), Streams(0))
