"""What a claim is decided by: one number per seed, from the records of its tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Literal

from bench.record import IRRELEVANT, RELEVANT, LayerCount, metric_of
from bench.report.claims.barriers import instability, stable_matching
from bench.report.claims.definitions import Claim
from bench.report.claims.sides import Missing, Side, Unmeasured, arm, pairs, shared_mean, side
from bench.report.statistics.aggregates import area
from bench.report.table.arms import Comparison
from bench.report.table.normalised import normalised
from bench.report.table.rows import at_chance
from bench.spec import DENSE

KEPT = 0.9
"""Of the dense network's normalised score: below it a subnetwork has lost what there was to learn (2105.01648)."""
PerSeed = Callable[[Claim, Side, Side], dict[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """How a claim's number comes about.

    Args:
        of: the claim, the side of its method and that of its comparator -> seed -> value.
        about: in a sentence, with its unit.
        shown: turns a value into what is printed: a mean of logarithms into a ratio.
        reads: what of an arm it reads, where the claim names no metric.
        trained: whether training decides it; what follows from architecture and pruning alone has a verdict at every scale.
    """

    of: PerSeed
    about: str
    shown: Callable[[float], float] = float
    reads: str = "score"
    trained: bool = True


def normalised_scores(claim: Claim, comparison: Comparison, method: str) -> list[dict[int, float]]:
    """Level by level: seed -> headline score, 0 at chance and 1 at the dense mean.

    Raises:
        Missing: if an arm was not run, or the dense network learned nothing.
    """
    arm(comparison, DENSE, 0)
    if at_chance(comparison, comparison.task.at[0]):
        raise Missing(f"a dense network of {comparison.task.name} that learned something")
    return [normalised(comparison, arm(comparison, method, level)) for level in claim.levels]


def _gain(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return shared_mean([_gap(own, own.scores(level), other.scores(level)) for level in claim.levels])


def _best(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return _gap(own, _at_its_best(claim, own), _at_its_best(claim, other))


def _at_its_best(claim: Claim, one: Side) -> dict[int, float]:
    """The scores of the level whose mean over the seeds is the best."""
    return max((one.scores(level) for level in claim.levels), key=lambda scores: one.sign * fmean(scores.values()))


def _gap(own: Side, first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    return {seed: own.sign * (a - b) for seed, a, b in pairs(first, second)}


def _value(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    return shared_mean([own.scores(level) for level in claim.levels])


def _best_elsewhere(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    """Seed by seed at the level that is best on average for the other seeds, so that nobody is shown where he is luckiest."""
    gaps = {level: _gap(own, own.scores(level), other.scores(level)) for level in claim.levels}
    seeds = sorted(set.intersection(*map(set, gaps.values())))
    found: dict[int, float] = {}
    for seed in seeds if len(seeds) > 1 else ():
        others = [each for each in seeds if each != seed]
        means = {level: fmean(own.scores(level)[each] for each in others) for level in claim.levels}
        found[seed] = gaps[max(means, key=lambda level: own.sign * means[level])][seed]
    return found


def _fit_gap(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    """How much better examples are known that were trained on than others are, more than by the comparator."""
    return shared_mean([_gap(own, _overfit(own, level), _overfit(other, level)) for level in claim.levels])


def _overfit(one: Side, level: int) -> dict[int, float]:
    known = one.arm(level)
    fits = {seed: each["fit"][one.metric] for seed, each in known.records.items() if one.metric in each.get("fit", {})}
    if not fits:
        raise Unmeasured(
            f"no record of {known.label} on {one.comparison.task.name} has {one.metric} of training examples"
        )
    return _minus(fits, one.scores(level))


def _loss_per_round(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    """How much more of the dense score each round costs than it costs the comparator, each by its own dense network."""
    return _minus(_per_round(claim, own), _per_round(claim, other))


def _per_round(claim: Claim, one: Side) -> dict[int, float]:
    dense = side(claim, one.comparison, DENSE).scores(0)
    losses = [(level, _gap(one, dense, one.scores(level))) for level in claim.levels]
    return shared_mean([{seed: loss / level for seed, loss in column.items()} for level, column in losses])


def _late(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    late = own.comparison.task.at[0]
    return shared_mean([_minus(own.scores(level, at=late), own.scores(level)) for level in claim.levels])


def _minus(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    return {seed: a - b for seed, a, b in pairs(first, second)}


def _normalised_area(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return _minus(_curve_area(claim, own), _curve_area(claim, other))


def _curve_area(claim: Claim, one: Side) -> dict[int, float]:
    (method,) = one.methods
    scores = normalised_scores(claim, one.comparison, method)
    densities = [next(iter(one.arm(level).records.values()))["density"] for level in claim.levels]
    seeds = set.intersection(*map(set, scores))
    return {seed: area({d: level[seed] for d, level in zip(densities, scores, strict=True)}) for seed in seeds}


def _early_stop(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    (level,) = claim.levels
    return {seed: math.log(a / b) for seed, a, b in pairs(_stops(own, level), _stops(other, level))}


def _stops(one: Side, level: int) -> dict[int, int]:
    measured = {seed: metric_of(record, at="early-stop") for seed, record in one.arm(level).records.items()}
    return {seed: metric["step"] for seed, metric in measured.items() if metric and metric["step"]}


def _rounds(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return _minus(_last_matching(claim, own), _last_matching(claim, other))


def _last_matching(claim: Claim, one: Side) -> dict[int, float]:
    """Seed -> the last of the levels up to which the score is not below the dense one by more than the tolerance.

    Only of the seeds that have all levels: one that was not run matches nothing, and misses nothing.
    """
    dense, tolerance = side(claim, one.comparison, DENSE).scores(0), one.comparison.task.tolerance
    gaps = {level: _gap(one, one.scores(level), dense) for level in claim.levels}
    last: dict[int, float] = {}
    for seed in set.intersection(*map(set, gaps.values())):
        missed = (place for place, level in enumerate(claim.levels) if gaps[level][seed] < -tolerance)
        matching = claim.levels[: next(missed, None)]
        last[seed] = float(matching[-1]) if matching else 0.0
    return last


def _rounds_kept(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return _minus(_last_kept(claim, own), _last_kept(claim, other))


def _last_kept(claim: Claim, one: Side) -> dict[int, float]:
    """Seed -> the last of the levels up to which nine tenths of what the dense network learns are left."""
    (method,) = one.methods
    scores = normalised_scores(claim, one.comparison, method)
    last: dict[int, float] = {}
    for seed in set.intersection(*map(set, scores)):
        lost = (place for place, level in enumerate(scores) if level[seed] < KEPT)
        kept = claim.levels[: next(lost, None)]
        last[seed] = float(kept[-1]) if kept else 0.0
    return last


def _ratio(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    ratios = []
    for level in claim.levels:
        scores = pairs(own.scores(level), other.scores(level))
        ratios.append({seed: a / b for seed, a, b in scores if b})
    return shared_mean(ratios)


def _weights(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    """Seed -> the largest distance from what the paper prints, in percentage points of all weights."""
    far: dict[int, float] = {}
    for level, told in claim.expected.items():
        for seed, record in own.arm(level).records.items():
            far[seed] = max(far.get(seed, 0.0), abs(100 * record["density_weights"] - told))
    return far


def _layer_density(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    ratios = []
    for level in claim.levels:
        known = own.arm(level)
        layers = {seed: record["counts"]["layers"].get(str(claim.layer)) for seed, record in known.records.items()}
        if not any(layer and layer["prunable"] for layer in layers.values()):
            raise Unmeasured(f"no record of {known.label} on {own.comparison.task.name} prunes a layer {claim.layer}")
        ratios.append({
            seed: layer["kept"] / layer["prunable"] / known.records[seed]["density"]
            for seed, layer in layers.items()
            if layer and layer["prunable"]
        })  # fmt: skip
    return shared_mean(ratios)


def _input_density(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    ratios = []
    for level in claim.levels:
        known = own.arm(level)
        groups = {seed: record["counts"]["groups"] for seed, record in known.records.items()}
        if not any(RELEVANT in each for each in groups.values()):
            raise Unmeasured(
                f"no record of {known.label} on {own.comparison.task.name} tells relevant inputs from others"
            )
        ratios.append({
            seed: math.log(_share(each[RELEVANT]) / _share(each[IRRELEVANT]))
            for seed, each in groups.items()
            if RELEVANT in each
        })  # fmt: skip
    return shared_mean(ratios)


def _share(count: LayerCount) -> float:
    """Its density; none kept counts as half a weight, so that no seed is lost where a ticket keeps no noise at all."""
    return max(count["kept"], 0.5) / count["prunable"]


def _survivors(claim: Claim, own: Side, _other: Side, *, fact: Literal["initial", "movement"]) -> dict[int, float]:
    columns = []
    for level in claim.levels:
        known = own.arm(level)
        columns.append({seed: each["survival"][fact] for seed, each in known.records.items() if "survival" in each})
        if not columns[-1]:
            raise Unmeasured(f"no record of {known.label} on {own.comparison.task.name} tells how survivors differed")
    return shared_mean(columns)


def _effective(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    (level,) = claim.levels
    records = own.arm(level).records
    connected = {seed: record["effective_density"] for seed, record in records.items()}
    return {seed: math.log(records[seed]["density"] / density) for seed, density in connected.items() if density}


STATISTICS: Mapping[str, Statistic] = {
    "gain": Statistic(
        of=_gain, about="difference of scores, mean over the levels, positive where the method is better"
    ),
    "best": Statistic(
        of=_best,
        about="difference of scores, each side at the level of its best mean, positive where the method is better",
    ),
    "best-elsewhere": Statistic(
        of=_best_elsewhere,
        about="difference of scores, each seed at the level that is best for the others, positive where the method is better",
    ),
    "fit-gap": Statistic(
        of=_fit_gap,
        about="difference of the gaps between training examples and others, positive where the method's is wider",
        reads="score and fit",
    ),
    "loss-per-round": Statistic(
        of=_loss_per_round,
        about="difference of what a round costs of the dense score, mean over the levels, positive where it costs the method more",
    ),
    "value": Statistic(of=_value, about="what is read itself, mean over the levels"),
    "late": Statistic(
        of=_late,
        about="final minus early reading, in the unit of the metric, positive where the later is larger",
    ),
    "area": Statistic(of=_normalised_area, about="difference of the areas under normalised score over log density"),
    "early-stop": Statistic(
        of=_early_stop,
        about="ratio of the early-stop steps, geometric mean",
        shown=math.exp,
        reads="early-stop step",
    ),
    "rounds": Statistic(of=_rounds, about="difference of the last rounds that match the dense network"),
    "rounds-kept": Statistic(
        of=_rounds_kept,
        about="difference of the last rounds up to which nine tenths of the dense network's normalised score are left",
    ),
    "ratio": Statistic(of=_ratio, about="ratio of the scores"),
    "weights": Statistic(
        of=_weights,
        about="largest distance from the printed P_m, in percentage points",
        reads="density",
        trained=False,
    ),
    "layer-density": Statistic(
        of=_layer_density, about="density of the layer over that of the network, mean over the levels", reads="density"
    ),
    "input-density": Statistic(
        of=_input_density,
        about="density of the weights from relevant inputs over that of those from noise, geometric mean over the levels",
        shown=math.exp,
        reads="density",
    ),
    "survivors-began": Statistic(
        of=partial(_survivors, fact="initial"),
        about="chance that a kept weight began larger in magnitude than a pruned one of its layer, mean over the levels",
        reads="survivors",
    ),
    "survivors-moved": Statistic(
        of=partial(_survivors, fact="movement"),
        about="how much farther kept weights moved in the dense network, in standard deviations of the initial weights",
        reads="survivors",
    ),
    "instability": Statistic(
        of=instability,
        about="how much worse the score is between a ticket and its twin than at both, at its worst, mean over the levels",
        reads="interpolation",
    ),
    "stable-matching": Statistic(
        of=stable_matching,
        about="correlation over the levels between being stable and matching the dense network",
        reads="interpolation",
    ),
    "effective": Statistic(
        of=_effective, about="ratio of density to effective density", shown=math.exp, reads="density"
    ),
}
"""By the word that a claim's file uses; `iqm` is over several tasks, see `bench.report.claims.verdicts`."""


def printed(claim: Claim) -> Callable[[float], float]:
    """Turns a value of the claim's statistic into what is printed."""
    return STATISTICS[claim.statistic].shown if claim.statistic in STATISTICS else float


def trained(claim: Claim) -> bool:
    """Whether training decides its statistic, so that too little of it decides nothing."""
    return claim.statistic not in STATISTICS or STATISTICS[claim.statistic].trained


def logarithmic(claim: Claim) -> bool:
    """Whether its values are logarithms of what is printed and of its threshold."""
    return printed(claim) is math.exp
