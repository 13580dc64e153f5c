"""Methods on common ground: over the tasks, densities and seeds that they share, and never beyond."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bench.report.site.anchors import Page
from bench.report.site.sections.standings import Standing, counted
from bench.report.statistics.aggregates import improvement, iqm, stratified
from bench.report.statistics.seeds import FEWEST, Floats, Interval, resampled
from bench.report.table.normalised import normalised
from bench.report.table.rows import TICKET, UNCLAIMED, Row
from bench.spec import DENSE

Reading = Mapping[int, Mapping[int, float]]
"""Level -> seed -> normalised score, of one method on one task."""

FEWEST_TASKS = 2
"""Tasks on which a method must have been judged, if there are so many, before it is set against others: one may be easy."""


class Network(NamedTuple):
    """The sparsest network of a method that matches dense on one task.

    Args:
        density: fraction of prunable weights kept.
        cost: of finding it, in trainings of dense.
    """

    density: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One method over the common ground.

    Args:
        method: its name.
        rank: among the methods that were run on all of it; None with less, which is comparable with nobody's.
        score: interquartile mean of its normalised scores averaged over the levels that all ranked methods share.
        whole: the mean of the same scores, nothing left out; None with `score`.
        gap: difference of interquartile means to the reference, over the tasks that the two share.
        better: probability that a seed of it, over all levels, is better than one of the reference on such a task.
        shared: how many such tasks there are.
        networks: task of the ground on which it was judged -> its sparsest that matches dense; None if none does.
    """

    method: str
    gap: Interval | None
    better: Interval | None
    shared: int
    networks: Mapping[str, Network | None]
    rank: int | None = None
    score: Interval | None = None
    whole: float | None = None

    @property
    def tasks(self) -> int:
        """Of the ground on which it was judged."""
        return len(self.networks)

    @property
    def matching(self) -> list[Network]:
        """Those networks, of the tasks that have one."""
        return [network for network in self.networks.values() if network]

    @property
    def matched(self) -> int:
        """Tasks on which a network of it matches dense."""
        return len(self.matching)

    @property
    def density(self) -> float | None:
        """Geometric mean of the sparsest matching densities, 1 on a task without; None where nothing matches."""
        if not self.matching:
            return None
        return _geometric([network.density if network else 1.0 for network in self.networks.values()])

    @property
    def cost(self) -> float | None:
        """Geometric mean of what they cost, over the tasks that have one; None where nothing matches.

        A search that finds nothing has no price: where a budget is in episodes it even costs less, the worse the agent is.
        """
        return _geometric([network.cost for network in self.matching]) if self.matching else None

    def on(self, tasks: Collection[str]) -> Ranked:
        """The same method, its networks on some tasks alone."""
        return replace(self, networks={task: network for task, network in self.networks.items() if task in tasks})

    @property
    def worse(self) -> Interval | None:
        """Probability that a seed of the reference is better."""
        if self.better is None:
            return None
        low, high = (None if end is None else 1 - end for end in (self.better.high, self.better.low))
        return Interval(1 - self.better.mean, low, high, self.better.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The methods that were run beside the reference.

    Args:
        ground: the tasks on which the reference was judged beside another method; where nowhere, all of its tasks.
        reference: the ticket; without one, the method of the most tasks. None where nothing can be judged.
        seeds: of each task that ranked methods are compared at.
        densities: the sparsest and the densest at which they are.
        methods: the ranked ones first, then by how much of the ground they cover.
        tiny: whether all there is was run at a scale that carries no verdict.
        lead: how far the first is ahead of the second, in interquartile means.
    """

    ground: tuple[Page, ...] = ()
    reference: str | None = None
    seeds: int = 0
    densities: tuple[float, float] = (1.0, 1.0)
    methods: tuple[Ranked, ...] = ()
    lead: Interval | None = None
    tiny: bool = False

    @property
    def ranked(self) -> tuple[Ranked, ...]:
        """Those that cover the ground, the best first."""
        return tuple(each for each in self.methods if each.rank)

    @property
    def broad(self) -> tuple[Ranked, ...]:
        """Those that were run on enough of the ground to be set against others."""
        return tuple(each for each in self.methods if each.tasks >= min(FEWEST_TASKS, len(self.ground)))

    @property
    def ahead(self) -> tuple[Ranked, ...]:
        """Those that were run on a part of the ground, and are better than the reference there; the most tasks first."""
        better = [each for each in self.methods if not each.rank and each.gap and (each.gap.low or 0.0) > 0]
        return tuple(sorted(better, key=lambda each: (-each.shared, -each.gap.mean if each.gap else 0.0, each.method)))


def rank(standings: Sequence[Standing]) -> Ranking:
    """Compare the methods that can carry a verdict.

    Args:
        standings: of every method on every task.
    """
    by_method: dict[str, dict[str, Standing]] = defaultdict(dict)
    for standing in counted(standings):
        if _shared([_reading(standing)]):
            by_method[standing.method][standing.page.anchor] = standing
    if not by_method:
        return Ranking(tiny=bool(standings) and all(each.page.task.scale in UNCLAIMED for each in standings))
    reference = min(by_method, key=lambda name: (name != TICKET, -len(by_method[name]), name))
    ground = _ground(by_method, reference)
    field = {
        name: {task: several[task] for task in ground if task in several}
        for name, several in by_method.items()
        if several.keys() & set(ground)
    }
    return _ranking(field, reference, [by_method[reference][task].page for task in ground])


def _ground(by_method: Mapping[str, Mapping[str, Standing]], reference: str) -> list[str]:
    own = by_method[reference]
    compared = {task for name, several in by_method.items() if name != reference for task in several}
    return [task for task in own if task in compared] or list(own)


def _ranking(field: Mapping[str, Mapping[str, Standing]], reference: str, ground: Sequence[Page]) -> Ranking:
    readings = {name: {task: _reading(each) for task, each in several.items()} for name, several in field.items()}
    scores = _common(readings, [page.anchor for page in ground], reference)
    means = {name: _estimated(iqm, array) for name, array in scores.items()}
    wholes = {name: float(array.mean()) for name, array in scores.items()}
    order = sorted(means, key=lambda name: (-means[name].mean, name))
    order += sorted(field.keys() - means.keys(), key=lambda name: (-len(field[name]), name))
    places = {name: 1 + sum(each.mean > means[name].mean for each in means.values()) for name in means}
    return Ranking(
        ground=tuple(ground),
        reference=reference,
        seeds=len(scores[reference]),
        densities=_densities(field, readings, list(scores)),
        methods=tuple(
            replace(
                _ranked(name, field[name], _beside(readings, name, reference)),
                rank=places.get(name),
                score=means.get(name),
                whole=wholes.get(name),
            )
            for name in order
        ),
        lead=_estimated(_ahead, *(scores[name] for name in order[:2])) if len(means) > 1 else None,
    )


def _densities(
    field: Mapping[str, Mapping[str, Standing]], readings: Mapping[str, Mapping[str, Reading]], ranked: Sequence[str]
) -> tuple[float, float]:
    """The least and the most of the levels that the ranked share."""
    found = [
        row.density
        for task, standing in field[ranked[0]].items()
        if (shared := _shared([readings[name][task] for name in ranked]))
        for _, row in standing.rows
        if row.level in shared[0]
    ]
    return min(found), max(found)


def _ranked(name: str, several: Mapping[str, Standing], pair: Sequence[Floats]) -> Ranked:
    return Ranked(
        method=name,
        gap=_estimated(_ahead, *pair) if pair else None,
        better=_share(_estimated(improvement, *pair)) if pair else None,
        shared=pair[0].shape[1] if pair else 0,
        networks={
            task: Network(standing.best.density, _cost(standing, standing.best)) if standing.best else None
            for task, standing in several.items()
        },
    )


def _estimated(statistic: Callable[..., float], *arms: Floats) -> Interval:
    """As claims have it: a plain percentile interval of few seeds leaves out what is true more often than it says."""
    return resampled(stratified(statistic, *arms), samples=arms[0].shape[1]).interval


def _share(limits: Interval) -> Interval:
    """Of a probability, whose bounds are 0 and 1 at most; none where every resample won all pairs, or no pair, or tied."""
    assert limits.low is not None
    assert limits.high is not None
    if limits.low == limits.high:  # how rare the other outcome is they do not tell
        return replace(limits, low=None, high=None)
    return replace(limits, low=max(limits.low, 0.0), high=min(limits.high, 1.0))


def _ahead(own: Floats, other: Floats) -> float:
    return iqm(own) - iqm(other)


def _cost(standing: Standing, row: Row) -> float:
    """In trainings of dense; records may say that something cost nothing, but a network is trained by one update or more."""
    dense = standing.page.section.comparison.arm(DENSE, 0)
    assert dense, "what was judged was compared with dense"
    return max(row.search_cost, 1.0) / max(dense.average("search_cost") or 0.0, 1.0)


def _geometric(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _reading(standing: Standing) -> Reading:
    """At the levels that have enough seeds."""
    section = standing.page.section
    levels = {row.level: normalised(section.comparison, section.arms[place]) for place, row in standing.rows}
    return {level: scores for level, scores in levels.items() if len(scores) >= standing.page.task.fewest_seeds}


def _common(readings: Mapping[str, Mapping[str, Reading]], ground: Sequence[str], reference: str) -> dict[str, Floats]:
    """Method -> (runs, tasks), of those that share levels and seeds with all others on every task of the ground.

    Who shares the most levels with the reference comes first: a method at odd levels leaves the field, not the others.
    """
    whole = [name for name, several in readings.items() if len(several) == len(ground) and name != reference]
    own = readings[reference]
    whole.sort(key=lambda name: (-sum(len(own[task].keys() & readings[name][task].keys()) for task in ground), name))
    field = [reference]
    for name in whole:
        if all(_shared([readings[each][task] for each in (*field, name)]) for task in ground):
            field.append(name)
    return dict(zip(field, _arrays([readings[name] for name in field], ground), strict=True))


def _beside(readings: Mapping[str, Mapping[str, Reading]], name: str, reference: str) -> list[Floats]:
    """The method and the reference, (runs, tasks) each, on the tasks that the two share; empty if there is none."""
    if name == reference:
        return []
    pair = [readings[name], readings[reference]]
    tasks = [task for task in pair[0] if _shared([each[task] for each in pair])]
    return _arrays(pair, tasks) if tasks else []


def _shared(readings: Sequence[Reading]) -> tuple[list[int], list[int]] | None:
    """Levels and seeds that all have; None if that is no comparison."""
    levels = sorted(set.intersection(*(set(reading) for reading in readings)))
    if not levels:
        return None
    seeds = sorted(set.intersection(*(set(reading[level]) for reading in readings for level in levels)))
    return (levels, seeds) if len(seeds) >= FEWEST else None


def _arrays(methods: Sequence[Mapping[str, Reading]], tasks: Sequence[str]) -> list[Floats]:
    """(runs, tasks) of each method: the first seeds of every task, as many as all tasks have."""
    shared = {task: _shared([readings[task] for readings in methods]) for task in tasks}
    runs = min(len(found[1]) for found in shared.values() if found)
    return [
        np.array(
            [
                [_over(readings[task], found[0], found[1][run]) for task, found in shared.items() if found]
                for run in range(runs)
            ]
        )
        for readings in methods
    ]


def _over(reading: Reading, levels: Sequence[int], seed: int) -> float:
    """The score of a seed at all levels alike."""
    return math.fsum(reading[level][seed] for level in levels) / len(levels)
