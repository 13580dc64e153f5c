"""What a claim is decided by: one number per seed, from the records of its task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.record import metric_of
from bench.report.claims.definitions import Claim
from bench.report.statistics.aggregates import area
from bench.report.table.arms import Arm, Comparison
from bench.report.table.normalised import normalised
from bench.report.table.rows import at_chance
from bench.spec import DENSE

PerSeed = Callable[[Comparison, Claim], dict[int, float]]


class Missing(Exception):
    """What has to be run before the statistic exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """How a claim's number comes about.

    Args:
        of: the comparison of one task and the claim -> seed -> value.
        about: in a sentence, with its unit.
        shown: turns a value into what is printed: a mean of logarithms into a ratio.
    """

    of: PerSeed
    about: str
    shown: Callable[[float], float] = float


def arm(comparison: Comparison, method: str | None, level: int) -> Arm:
    """The arm that a claim names.

    Raises:
        Missing: if none of its units is there.
    """
    assert method is not None, "the claim names no method"
    known = comparison.arm(method, level)
    if known is None:
        raise Missing(f"{method} at level {level}")
    return known


def normalised_scores(comparison: Comparison, claim: Claim, method: str | None) -> list[dict[int, float]]:
    """Level by level: seed -> headline score, 0 at chance and 1 at the dense mean.

    Raises:
        Missing: if an arm was not run, or the dense network learned nothing.
    """
    arm(comparison, DENSE, 0)
    if at_chance(comparison, comparison.task.at[0]):
        raise Missing(f"a dense network of {comparison.task.name} that learned something")
    return [normalised(comparison, arm(comparison, method, level)) for level in claim.levels]


def level_mean(levels: list[dict[int, float]]) -> dict[int, float]:
    """Seed -> mean over the levels, of the seeds that all of them have."""
    seeds = sorted(set.intersection(*map(set, levels)))
    return {seed: math.fsum(scores[seed] for scores in levels) / len(levels) for seed in seeds}


def _scores(comparison: Comparison, claim: Claim, method: str | None, level: int) -> Mapping[int, float]:
    task = comparison.task
    return arm(comparison, method, level).scores[task.metric, claim.at or task.at[0]]


def _gain(comparison: Comparison, claim: Claim) -> dict[int, float]:
    sign = 1 if comparison.task.direction == "max" else -1
    gaps = []
    for level in claim.levels:
        own, other = (_scores(comparison, claim, name, level) for name in (claim.method, claim.comparator))
        gaps.append({seed: sign * (own[seed] - other[seed]) for seed in own.keys() & other.keys()})
    return level_mean(gaps)


def _normalised_area(comparison: Comparison, claim: Claim) -> dict[int, float]:
    own, other = (_curve_area(comparison, claim, name) for name in (claim.method, claim.comparator))
    return {seed: own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())}


def _curve_area(comparison: Comparison, claim: Claim, method: str | None) -> dict[int, float]:
    scores = normalised_scores(comparison, claim, method)
    densities = [next(iter(arm(comparison, method, level).records.values()))["density"] for level in claim.levels]
    seeds = set.intersection(*map(set, scores))
    return {seed: area({d: level[seed] for d, level in zip(densities, scores, strict=True)}) for seed in seeds}


def _early_stop(comparison: Comparison, claim: Claim) -> dict[int, float]:
    (level,) = claim.levels
    own, other = (_stops(comparison, name, level) for name in (claim.method, claim.comparator))
    return {seed: math.log(own[seed] / other[seed]) for seed in sorted(own.keys() & other.keys())}


def _stops(comparison: Comparison, method: str | None, level: int) -> dict[int, int]:
    records = arm(comparison, method, level).records
    measured = {seed: metric_of(record, at="early-stop") for seed, record in records.items()}
    return {seed: metric["step"] for seed, metric in measured.items() if metric and metric["step"]}


def _rounds(comparison: Comparison, claim: Claim) -> dict[int, float]:
    own, other = (_last_matching(comparison, claim, name) for name in (claim.method, claim.comparator))
    return {seed: float(own[seed] - other[seed]) for seed in sorted(own.keys() & other.keys())}


def _last_matching(comparison: Comparison, claim: Claim, method: str | None) -> dict[int, int]:
    """Seed -> the last of the levels up to which the score is not below the dense one by more than the tolerance."""
    task, dense = comparison.task, _scores(comparison, claim, DENSE, 0)
    sign = 1 if task.direction == "max" else -1
    last: dict[int, int] = dict.fromkeys(dense, 0)
    matching = set(dense)
    for level in claim.levels:
        scores = _scores(comparison, claim, method, level)
        shared = matching & scores.keys()
        matching = {seed for seed in shared if sign * (scores[seed] - dense[seed]) >= -task.tolerance}
        last |= dict.fromkeys(matching, level)
    return last


def _ratio(comparison: Comparison, claim: Claim) -> dict[int, float]:
    ratios = []
    for level in claim.levels:
        own, other = (_scores(comparison, claim, name, level) for name in (claim.method, claim.comparator))
        ratios.append({seed: own[seed] / other[seed] for seed in own.keys() & other.keys() if other[seed]})
    return level_mean(ratios)


def _weights(comparison: Comparison, claim: Claim) -> dict[int, float]:
    """Seed -> the largest distance from what the paper prints, in percentage points of all weights."""
    far: dict[int, float] = {}
    for level, told in claim.expected.items():
        for seed, record in arm(comparison, claim.method, level).records.items():
            far[seed] = max(far.get(seed, 0.0), abs(100 * record["density_weights"] - told))
    return far


def _effective(comparison: Comparison, claim: Claim) -> dict[int, float]:
    (level,) = claim.levels
    records = arm(comparison, claim.method, level).records
    connected = {seed: record["effective_density"] for seed, record in records.items()}
    return {seed: math.log(records[seed]["density"] / density) for seed, density in connected.items() if density}


STATISTICS: Mapping[str, Statistic] = {
    "gain": Statistic(
        of=_gain, about="difference of scores, mean over the levels, positive where the method is better"
    ),
    "area": Statistic(of=_normalised_area, about="difference of the areas under normalised score over log density"),
    "early-stop": Statistic(of=_early_stop, about="ratio of the early-stop steps, geometric mean", shown=math.exp),
    "rounds": Statistic(of=_rounds, about="difference of the last rounds that match the dense network"),
    "ratio": Statistic(of=_ratio, about="ratio of the scores"),
    "weights": Statistic(of=_weights, about="largest distance from the printed P_m, in percentage points"),
    "effective": Statistic(of=_effective, about="ratio of density to effective density", shown=math.exp),
}
"""By the word that a claim's file uses; `iqm` is over several tasks, see `bench.report.claims.verdicts`."""


def printed(claim: Claim) -> Callable[[float], float]:
    """Turns a value of the claim's statistic into what is printed."""
    return STATISTICS[claim.statistic].shown if claim.statistic in STATISTICS else float


def logarithmic(claim: Claim) -> bool:
    """Whether its values are logarithms of what is printed and of its threshold."""
    return printed(claim) is math.exp
