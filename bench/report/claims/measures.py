"""What a claim is decided by: one number per seed, from the records of its tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bench.report.claims import barriers, rounds, scores, weights
from bench.report.claims.definitions import Claim
from bench.report.claims.sides import Side

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


STATISTICS: Mapping[str, Statistic] = {
    "gain": Statistic(
        of=scores.gain, about="difference of scores, mean over the levels, positive where the method is better"
    ),
    "best": Statistic(
        of=scores.best,
        about="difference of scores, each side at the level of its best mean, positive where the method is better",
    ),
    "best-elsewhere": Statistic(
        of=scores.best_elsewhere,
        about="difference of scores, each seed at the level that is best for the others, positive where the method is better",
    ),
    "fit-gap": Statistic(
        of=scores.fit_gap,
        about="difference of the gaps between training examples and others, positive where the method's is wider",
        reads="score and fit",
    ),
    "loss-per-round": Statistic(
        of=rounds.loss_per_round,
        about="difference of what a round costs of the dense score, mean over the levels, positive where it costs the method more",
    ),
    "value": Statistic(of=scores.reading, about="what is read itself, mean over the levels"),
    "late": Statistic(
        of=scores.late,
        about="final minus early reading, in the unit of the metric, positive where the later is larger",
    ),
    "area": Statistic(
        of=scores.normalised_area, about="difference of the areas under normalised score over log density"
    ),
    "early-stop": Statistic(
        of=scores.early_stop,
        about="ratio of the early-stop steps, geometric mean",
        shown=math.exp,
        reads="early-stop step",
    ),
    "rounds": Statistic(of=rounds.rounds, about="difference of the last rounds that match the dense network"),
    "rounds-kept": Statistic(
        of=rounds.rounds_kept,
        about="difference of the last rounds up to which nine tenths of the dense network's normalised score are left",
    ),
    "ratio": Statistic(of=scores.ratio, about="ratio of the scores"),
    "weights": Statistic(
        of=weights.weights,
        about="largest distance from the printed P_m, in percentage points",
        reads="density",
        trained=False,
    ),
    "layer-density": Statistic(
        of=weights.layer_density,
        about="density of the layer over that of the network, mean over the levels",
        reads="density",
    ),
    "input-density": Statistic(
        of=weights.input_density,
        about="density of the weights from relevant inputs over that of those from noise, geometric mean over the levels",
        shown=math.exp,
        reads="density",
    ),
    "survivors-began": Statistic(
        of=partial(weights.survivors, fact="initial"),
        about="chance that a kept weight began larger in magnitude than a pruned one of its layer, mean over the levels",
        reads="survivors",
    ),
    "survivors-moved": Statistic(
        of=partial(weights.survivors, fact="movement"),
        about="how much farther kept weights moved in the dense network, in standard deviations of the initial weights",
        reads="survivors",
    ),
    "instability": Statistic(
        of=barriers.instability,
        about="how much worse the score is between a ticket and its twin than at both, at its worst, mean over the levels",
        reads="interpolation",
    ),
    "stable-matching": Statistic(
        of=barriers.stable_matching,
        about="correlation over the levels between being stable and matching the dense network",
        reads="interpolation",
    ),
    "effective": Statistic(
        of=weights.effective, about="ratio of density to effective density", shown=math.exp, reads="density"
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
