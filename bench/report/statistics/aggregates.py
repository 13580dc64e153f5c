"""Scores of several tasks together, as rliable defines them (2108.13264), on normalised scores (runs, tasks).

0 is chance and 1 the dense mean of a task. Every random draw is from a seeded generator.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import rankdata, trim_mean

from bench.report.statistics.seeds import CONFIDENCE, Floats, Interval
from bench.report.table.arms import Arm, Comparison
from bench.report.table.rows import at_chance, learned
from bench.spec import DENSE

RESAMPLES = 2_000
SEED = 0


def iqm(scores: Floats) -> float:
    """The interquartile mean: of the middle half of all runs of all tasks.

    Args:
        scores: (runs, tasks).
    """
    return float(trim_mean(scores, 0.25, axis=None))


def improvement(own: Floats, other: Floats) -> float:
    """The probability that a run is better than one of the opponent's, on a task drawn at random; ties count half.

    Args:
        own: (runs, tasks).
        other: (its runs, tasks).
    """
    n, m = len(own), len(other)
    ranks = rankdata(np.concatenate([own, other]), axis=0)[:n].sum(axis=0)
    return float(np.mean((ranks - n * (n + 1) / 2) / (n * m)))


def profile(scores: Floats, thresholds: Sequence[float]) -> list[float]:
    """The performance profile: the share of runs, over all tasks, above each threshold.

    Args:
        scores: (runs, tasks).
        thresholds: of the normalised score.
    """
    return [float(np.mean(scores > threshold)) for threshold in thresholds]


def stratified(statistic: Callable[..., float], *arms: Floats, seed: int = SEED) -> Interval:
    """A statistic of one or several arms with its bootstrap interval: runs are drawn again within each task.

    Args:
        statistic: of as many arrays (runs, tasks) as there are `arms`.
        arms: their scores. Arms with the same runs are resampled together, because a run is a seed that they share.
        seed: of the resamples.

    Returns:
        `n` is the number of runs of the first arm.
    """
    generator = np.random.default_rng(seed)
    shared = len({arm.shape for arm in arms}) == 1
    found = []
    for _ in range(RESAMPLES):
        drawn = [generator.integers(0, len(arm), arm.shape) for arm in (arms[:1] if shared else arms)]
        rows = drawn * len(arms) if shared else drawn
        found.append(statistic(*(np.take_along_axis(arm, row, axis=0) for arm, row in zip(arms, rows, strict=True))))
    low, high = np.quantile(found, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(statistic(*arms), float(low), float(high), len(arms[0]))


def runs(comparisons: Iterable[Comparison]) -> dict[str, Floats]:
    """`ticket L5` -> its normalised headline scores, the array (runs, tasks) that rliable's functions take.

    Only arms that every task has, at the seeds that all of them have; tasks whose dense network is at chance, or was
    not run, cannot be normalised and are left out.

    Args:
        comparisons: of one or several tasks, the columns in their order.
    """
    found = _normalisable(comparisons)
    labels = [arm.label for arm in found[0].arms if all(_named(each, arm.label) for each in found)] if found else []
    arrays = {}
    for label in labels:
        columns = [normalised(each, arm) for each in found if (arm := _named(each, label))]
        seeds = sorted(set.intersection(*(set(column) for column in columns)))
        if seeds:
            arrays[label] = np.array([[column[seed] for column in columns] for seed in seeds])
    return arrays


def columns(comparisons: Iterable[Comparison]) -> list[str]:
    """The tasks that are the columns of `runs`."""
    return [each.task.key for each in _normalisable(comparisons)]


def normalised(comparison: Comparison, arm: Arm) -> dict[int, float]:
    """Seed -> headline score of an arm: 0 at chance, 1 at the dense mean.

    Args:
        comparison: whose dense network is above chance.
        arm: of it.
    """
    task = comparison.task
    at = task.at[0]
    gain = learned(comparison, at)
    assert gain, f"{task.key} has no dense network above chance"
    sign = 1 if task.direction == "max" else -1
    return {seed: sign * (score - task.chance) / gain for seed, score in arm.scores[task.metric, at].items()}


def _normalisable(comparisons: Iterable[Comparison]) -> list[Comparison]:
    return [each for each in comparisons if each.arm(DENSE, 0) and not at_chance(each, each.task.at[0])]


def _named(comparison: Comparison, label: str) -> Arm | None:
    return next((arm for arm in comparison.arms if arm.label == label), None)
