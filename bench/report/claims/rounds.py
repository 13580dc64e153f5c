"""Statistics of rounds: how many a subnetwork stands, and what each costs."""

from __future__ import annotations

from bench.report.claims.definitions import Claim
from bench.report.claims.scores import normalised_scores
from bench.report.claims.sides import Side, gap, minus, shared_mean, side
from bench.report.statistics.seeds import reaches
from bench.spec import DENSE

KEPT = 0.9
"""Of the dense network's normalised score: below it a subnetwork has lost what there was to learn (2105.01648)."""


def rounds(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return minus(_last_matching(claim, own), _last_matching(claim, other))


def _last_matching(claim: Claim, one: Side) -> dict[int, float]:
    """Seed -> the last of the levels up to which the score is not below the dense one by more than the tolerance.

    Only of the seeds that have all levels: one that was not run matches nothing, and misses nothing.
    """
    dense, tolerance = side(claim, one.comparison, DENSE).scores(0), one.comparison.task.tolerance
    gaps = {level: gap(one, one.scores(level), dense) for level in claim.levels}
    last: dict[int, float] = {}
    for seed in set.intersection(*map(set, gaps.values())):
        missed = (place for place, level in enumerate(claim.levels) if not reaches(gaps[level][seed], -tolerance))
        matching = claim.levels[: next(missed, None)]
        last[seed] = float(matching[-1]) if matching else 0.0
    return last


def rounds_kept(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    return minus(_last_kept(claim, own), _last_kept(claim, other))


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


def loss_per_round(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    """How much more of the dense score each round costs than it costs the comparator, each by its own dense network."""
    return minus(_per_round(claim, own), _per_round(claim, other))


def _per_round(claim: Claim, one: Side) -> dict[int, float]:
    dense = side(claim, one.comparison, DENSE).scores(0)
    losses = [(level, gap(one, dense, one.scores(level))) for level in claim.levels]
    return shared_mean([{seed: loss / level for seed, loss in column.items()} for level, column in losses])
