"""Statistics of scores: how much better, of what, and how soon."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import fmean

from bench.record import metric_of
from bench.report.claims.definitions import Claim
from bench.report.claims.sides import Side, Unmeasured, arm, gap, minus, pairs, shared_mean
from bench.report.statistics.aggregates import area
from bench.report.table.arms import Comparison
from bench.report.table.normalised import is_normalisable, normalised
from bench.report.table.notes import hopeless
from bench.spec import DENSE


def normalised_scores(claim: Claim, comparison: Comparison, method: str) -> list[dict[int, float]]:
    """Level by level: seed -> headline score, 0 at chance and 1 at the dense mean.

    Raises:
        Missing: if an arm was not run.
        Unmeasured: if the dense network learned nothing, or has no score.
    """
    arm(comparison, DENSE, 0)
    if not is_normalisable(comparison):
        reason = next(iter(hopeless(comparison)), f"`{DENSE}` has no score, so nothing is normalised.")
        raise Unmeasured(f"{comparison.task.key}: {reason}")
    return [normalised(comparison, arm(comparison, method, level)) for level in claim.levels]


def gain(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return shared_mean([gap(own, own.scores(level), other.scores(level)) for level in claim.levels])


def best(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return gap(own, _at_its_best(claim, own), _at_its_best(claim, other))


def _at_its_best(claim: Claim, one: Side) -> dict[int, float]:
    """The scores of the level whose mean over the seeds is the best."""
    return max((one.scores(level) for level in claim.levels), key=lambda scores: one.sign * fmean(scores.values()))


def reading(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    return shared_mean([own.scores(level) for level in claim.levels])


def best_elsewhere(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    """Seed by seed at the level that is best on average for the other seeds, so that nobody is shown where he is luckiest."""
    gaps = {level: gap(own, own.scores(level), other.scores(level)) for level in claim.levels}
    scores = {level: own.scores(level) for level in claim.levels}
    seeds = sorted(set.intersection(*map(set, gaps.values())))
    totals = {level: sum(Fraction(scores[level][seed]) for seed in seeds) for level in claim.levels}
    found: dict[int, float] = {}
    for seed in seeds if len(seeds) > 1 else ():
        others = {level: totals[level] - Fraction(scores[level][seed]) for level in claim.levels}
        means = {level: float(total) / (len(seeds) - 1) for level, total in others.items()}
        found[seed] = gaps[max(means, key=lambda level: own.sign * means[level])][seed]
    return found


def fit_gap(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    """How much better examples are known that were trained on than others are, more than by the comparator."""
    return shared_mean([gap(own, _overfit(own, level), _overfit(other, level)) for level in claim.levels])


def _overfit(one: Side, level: int) -> dict[int, float]:
    known = one.arm(level)
    fits = {seed: each["fit"][one.metric] for seed, each in known.records.items() if one.metric in each.get("fit", {})}
    if not fits:
        raise Unmeasured(
            f"no record of {known.label} on {one.comparison.task.name} has {one.metric} of training examples"
        )
    return minus(fits, one.scores(level))


def late(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    late = own.comparison.task.at[0]
    return shared_mean([minus(own.scores(level, at=late), own.scores(level)) for level in claim.levels])


def ratio(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    ratios = []
    for level in claim.levels:
        scores = pairs(own.scores(level), other.scores(level))
        ratios.append({seed: a / b for seed, a, b in scores if b})
    return shared_mean(ratios)


def normalised_area(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return minus(_curve_area(claim, own), _curve_area(claim, other))


def _curve_area(claim: Claim, one: Side) -> dict[int, float]:
    (method,) = one.methods
    scores = normalised_scores(claim, one.comparison, method)
    densities = [next(iter(one.arm(level).records.values()))["density"] for level in claim.levels]
    seeds = set.intersection(*map(set, scores))
    return {seed: area({d: level[seed] for d, level in zip(densities, scores, strict=True)}) for seed in seeds}


def early_stop(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    (level,) = claim.levels
    return {seed: math.log(a / b) for seed, a, b in pairs(_stops(own, level), _stops(other, level))}


def _stops(one: Side, level: int) -> dict[int, int]:
    """Of a seed that diverged there is none: how far it came says nothing of when it was best.

    Nor is there of one that was best at the end of its budget: it had not stopped, and its step is a bound.
    """
    measured = {seed: metric_of(record, at="early-stop") for seed, record in one.arm(level).records.items()}
    return {
        seed: metric["step"]
        for seed, metric in measured.items()
        if metric and metric["value"] is not None and 0 < metric["step"] < one.comparison.task.budget
    }
