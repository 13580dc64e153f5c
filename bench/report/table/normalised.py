"""Scores between chance (0) and the dense network (1), by which several tasks are read together."""

from collections.abc import Iterable

import numpy as np

from bench.report.statistics.seeds import Floats
from bench.report.table.arms import Arm, Comparison
from bench.report.table.rows import at_chance, learned


def runs(comparisons: Iterable[Comparison]) -> dict[str, Floats]:
    """`ticket L5` -> its normalised headline scores, the array (runs, tasks) that rliable's functions take.

    Only arms that every task has, at the seeds that all of them have; tasks whose dense network is at chance, or was
    not run, cannot be normalised and are left out, as is what is not installed here.

    Args:
        comparisons: of one or several tasks, the columns in their order.
    """
    chosen = _normalisable(comparisons)
    arrays = {}
    for label in dict.fromkeys(arm.label for arm in chosen[0].arms if arm.installed) if chosen else ():
        arms = [_named(comparison, label) for comparison in chosen]
        scores = [normalised(comparison, arm) for comparison, arm in zip(chosen, arms, strict=True) if arm]
        seeds = sorted(set.intersection(*map(set, scores)))
        if len(scores) == len(chosen) and seeds:
            arrays[label] = np.array([[column[seed] for column in scores] for seed in seeds])
    return arrays


def normalised_tasks(comparisons: Iterable[Comparison]) -> list[str]:
    """The tasks that are the columns of `runs`."""
    return [comparison.task.key for comparison in _normalisable(comparisons)]


def is_normalisable(comparison: Comparison) -> bool:
    """Whether its dense network has a score, and one above chance."""
    at = comparison.task.at[0]
    return learned(comparison, at) is not None and not at_chance(comparison, at)


def normalised(comparison: Comparison, arm: Arm) -> dict[int, float]:
    """Seed -> headline score of an arm: 0 at chance, 1 at the dense mean.

    Args:
        comparison: one that `is_normalisable`.
        arm: of it.
    """
    task = comparison.task
    at = task.at[0]
    gain = learned(comparison, at)
    assert gain, f"{task.key} has no dense network above chance"
    sign = 1 if task.direction == "max" else -1
    return {seed: sign * (score - task.chance) / gain for seed, score in arm.scores[task.metric, at].items()}


def _normalisable(comparisons: Iterable[Comparison]) -> list[Comparison]:
    return [one for one in comparisons if one.installed and is_normalisable(one)]


def _named(comparison: Comparison, label: str) -> Arm | None:
    return next((arm for arm in comparison.arms if arm.installed and arm.label == label), None)
