"""Is what should be random random? Overlaps and layer counts are compared with what a fair draw gives.

Weights drawn without replacement hit another mask hypergeometrically, layer by layer. An honest control is suspected
once in a million.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.exchange.submission import Submission, SubmittedUnit

FALSE_ALARM = 1e-6
RANDOM = ("uniform", "shuffled", "erk")
"""Masks that chance draws; `set` and `rigl` start from one and train another."""
LARGEST_EXACT = 4_000
"""Outcomes up to which the distribution is computed; beyond, Bernstein's bound, which alarms less."""


class Draw(NamedTuple):
    """`drawn` of `size` weights, `marked` of which are marked."""

    size: int
    marked: int
    drawn: int

    @property
    def mean(self) -> float:
        """Expected number of marked ones among the drawn."""
        return self.drawn * self.marked / self.size

    @property
    def variance(self) -> float:
        """Its variance."""
        share = self.marked / self.size
        return self.drawn * share * (1 - share) * (self.size - self.drawn) / max(self.size - 1, 1)


def surprise(draws: Sequence[Draw], hits: int) -> float:
    """At most the probability that independent fair draws hit `hits` marked weights in all, or are as far off.

    A hypergeometric count is a sum of independent Bernoulli variables (its generating function has real roots only),
    so that Bernstein's inequality holds with its own variance where the exact sum would take too long.

    Returns:
        A two-sided p-value, in (0, 1]; 0 for a number that no draw gives.
    """
    draws = [each for each in draws if each.size]
    if sum(min(each.marked, each.drawn) for each in draws) > LARGEST_EXACT:
        distance, variance = abs(hits - sum(each.mean for each in draws)), sum(each.variance for each in draws)
        if distance == 0:
            return 1.0
        return min(1.0, 2 * math.exp(-(distance**2) / 2 / (variance + distance / 3)))
    lowest, total = 0, np.ones(1)
    for each in draws:
        low, chances = _chances(each)
        lowest, total = lowest + low, np.convolve(total, chances)
    place = hits - lowest
    if not 0 <= place < len(total):
        return 0.0
    return float(min(1.0, 2 * min(total[: place + 1].sum(), total[place:].sum())))


def _chances(draw: Draw) -> tuple[int, NDArray[np.float64]]:
    """The lowest possible count, and the probability of it and of each above."""
    size, marked, drawn = draw
    low, high = max(0, marked + drawn - size), min(marked, drawn)
    whole = _log_choose(size, drawn)
    logs = [
        _log_choose(marked, hits) + _log_choose(size - marked, drawn - hits) - whole for hits in range(low, high + 1)
    ]
    return low, np.exp(np.array(logs))


def _log_choose(size: int, count: int) -> float:
    return math.lgamma(size + 1) - math.lgamma(count + 1) - math.lgamma(size - count + 1)


def overlap(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """A random mask meets the ticket's, and that of the seed before, as often as chance does."""
    if not is_drawn(entry):
        return
    unit = entry.unit
    others = [submission.beside(entry, "ticket")]
    seeds = submission.seeds[unit.task.key, unit.task.version, unit.method.name, unit.level]
    before = max((seed for seed in seeds if seed < unit.seed), default=None)
    if before is not None:
        others.append(submission.beside(entry, unit.method.name, seed=before))
    for other in others:
        if other is not None and (chance := _meeting(entry, other)) < FALSE_ALARM:
            yield f"its mask is drawn at random, yet is so like that of {other.unit.label!a} (p = {chance:.1g})"


def _meeting(entry: SubmittedUnit, other: SubmittedUnit) -> float:
    sizes, mine, theirs = entry.sizes, entry.kept, other.kept
    draws = [Draw(sizes[name], theirs[name], mine[name]) for name in sizes]
    hits = sum(int((entry.mask[name] & other.mask[name]).sum()) for name in sizes)
    fixed = sum(entry.mask[name].size - size for name, size in sizes.items())
    return surprise(draws, hits - fixed)


def layers(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Weights drawn over the whole network fall into each layer as its size asks."""
    if not is_drawn(entry) or entry.unit.method.mask != "uniform":
        return
    sizes, kept = entry.sizes, entry.kept
    for name, size in sizes.items():
        chance = surprise([Draw(sum(sizes.values()), sum(kept.values()), size)], kept[name])
        if chance < FALSE_ALARM:
            yield f"its mask is drawn over the whole network, yet keeps {kept[name]} of {size} in {name!a} (p = {chance:.1g})"


def is_drawn(entry: SubmittedUnit) -> bool:
    """Whether its mask is a fair draw that training left alone."""
    return entry.unit.method.mask in RANDOM and entry.unit.method.training == "full"
