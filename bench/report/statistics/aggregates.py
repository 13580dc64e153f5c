"""One number of many scores: of several tasks as rliable defines them (2108.13264), of a whole curve its area.

Arrays are normalised scores (runs, tasks). Every random draw is from a seeded generator.
"""

from collections.abc import Callable, Mapping

import numpy as np

from bench.report.statistics.seeds import CONFIDENCE, Floats, Interval

RESAMPLES = 2_000
SEED = 0


def iqm(scores: Floats) -> float:
    """The interquartile mean: of the middle half of all runs of all tasks.

    Args:
        scores: (runs, tasks).
    """
    cut = scores.size // 4
    return float(np.partition(scores, (cut, scores.size - cut - 1), axis=None)[cut : scores.size - cut].mean())


def improvement(own: Floats, other: Floats) -> float:
    """The probability of improvement: that a run of one arm is better than a run of the other on the same task, mean over tasks.

    Ties count half, so that two equal arms have 0.5.

    Args:
        own: (runs, tasks).
        other: (runs, tasks), of the same tasks.
    """
    gaps = own[:, None, :] - other[None, :, :]
    return float(np.mean((np.sign(gaps) + 1) / 2))


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
    resamples = []
    for _ in range(RESAMPLES):
        drawn = [generator.integers(0, len(arm), arm.shape) for arm in (arms[:1] if shared else arms)]
        rows = drawn * len(arms) if shared else drawn
        again = (np.take_along_axis(arm, row, axis=0) for arm, row in zip(arms, rows, strict=True))
        resamples.append(statistic(*again))
    low, high = np.quantile(resamples, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(statistic(*arms), float(low), float(high), len(arms[0]))


def area(scores: Mapping[float, float]) -> float:
    """The mean score over log density: one number for a whole curve of sparsity against performance.

    Args:
        scores: density in (0, 1] -> score, at two densities or more; trapezoids between them.
    """
    densities = sorted(scores)
    assert len(densities) > 1, "an area needs two densities"
    places = np.log2(densities)
    heights = np.array([scores[density] for density in densities])
    return float(np.trapezoid(heights, places) / (places[-1] - places[0]))
