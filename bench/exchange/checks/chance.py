"""Is what should be random random? Overlaps and layer counts are compared with what a fair draw gives.

An honest control is suspected once in a million.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.chance import FALSE_ALARM, Draw, p_value
from bench.exchange.submission import Submission, SubmittedUnit


def overlap(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """A random mask meets the ticket's, and that of the seed before, as often as chance does.

    Whole nodes meet more or less often than as many weights would: of those only `--retrain` tells.
    """
    if not entry.is_drawn or entry.columns.mask.nodes:
        return
    for other in (submission.beside(entry, "ticket"), submission.seed_before(entry)):
        if other is not None and (chance := _meeting(entry, other)) < FALSE_ALARM:
            yield f"its mask is drawn at random, yet is so like that of {other.unit.label!a} (p = {chance:.1g})"


def _meeting(entry: SubmittedUnit, other: SubmittedUnit) -> float:
    sizes, mine, theirs = entry.sizes, entry.kept, other.kept
    draws = [Draw(sizes[name], theirs[name], mine[name]) for name in sizes]
    hits = sum(int((entry.mask[name] & other.mask[name]).sum()) for name in sizes)
    fixed = sum(entry.mask[name].size - size for name, size in sizes.items())
    return p_value(draws, hits - fixed)


def layers(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Weights drawn over the whole network fall into each layer as its size asks."""
    if not entry.is_drawn or entry.columns.mask.drawn != "network":
        return
    sizes, kept = entry.sizes, entry.kept
    for name, size in sizes.items():
        chance = p_value([Draw(sum(sizes.values()), sum(kept.values()), size)], kept[name])
        if chance < FALSE_ALARM:
            yield f"its mask is drawn over the whole network, yet keeps {kept[name]} of {size} in {name!a} (p = {chance:.1g})"
