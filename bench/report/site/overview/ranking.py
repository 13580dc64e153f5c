"""Methods on common ground: over the tasks, densities and seeds that they share, and never beyond."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.report.site.anchors import Page
from bench.report.site.standings import Standing, counted
from bench.report.statistics.aggregates import improvement, iqm, stratified
from bench.report.statistics.seeds import FEWEST, Floats, Interval
from bench.report.table.normalised import normalised
from bench.report.table.rows import TICKET
from bench.spec import DENSE

Reading = Mapping[int, Mapping[int, float]]
"""Level -> seed -> normalised score, of one method on one task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One method over the common ground.

    Args:
        method: its name.
        tasks: of the ground on which it was judged.
        rank: among the methods that were run on all of it; None with less, which is comparable with nobody's.
        score: interquartile mean of its normalised scores averaged over the levels that all ranked methods share.
        gap: difference of interquartile means to the reference, over the tasks that the two share.
        better: probability that a run of it is better than one of the reference on such a task.
        shared: how many such tasks there are.
        matched: tasks of the ground on which a network of it matches dense.
        density: geometric mean of the sparsest matching densities, 1 on a task without; None where nothing matches.
        cost: geometric mean of what these networks cost, where there is none its sparsest, in trainings of dense.
        range: the least and the most that they cost.
    """

    method: str
    tasks: int
    rank: int | None
    score: Interval | None
    gap: Interval | None
    better: Interval | None
    shared: int
    matched: int
    density: float | None
    cost: float
    range: tuple[float, float]

    @property
    def worse(self) -> Interval | None:
        """Probability that a run of the reference is better."""
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
        methods: the ranked ones first, then by how much of the ground they cover.
        lead: how far the first is ahead of the second, in interquartile means.
    """

    ground: tuple[Page, ...] = ()
    reference: str | None = None
    seeds: int = 0
    methods: tuple[Ranked, ...] = ()
    lead: Interval | None = None

    @property
    def ranked(self) -> tuple[Ranked, ...]:
        """Those that cover the ground, the best first."""
        return tuple(each for each in self.methods if each.rank)


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
        return Ranking()
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
    means = {name: stratified(iqm, array) for name, array in scores.items()}
    order = sorted(means, key=lambda name: (-means[name].mean, name))
    order += sorted(field.keys() - means.keys(), key=lambda name: (-len(field[name]), name))
    places = {name: 1 + sum(each.mean > means[name].mean for each in means.values()) for name in means}
    return Ranking(
        ground=tuple(ground),
        reference=reference,
        seeds=len(scores[reference]),
        methods=tuple(
            _ranked(name, field[name], places.get(name), means.get(name), _beside(readings, name, reference))
            for name in order
        ),
        lead=stratified(_ahead, *(scores[name] for name in order[:2])) if len(means) > 1 else None,
    )


def _ranked(
    name: str, several: Mapping[str, Standing], place: int | None, score: Interval | None, pair: Sequence[Floats]
) -> Ranked:
    matched = sum(standing.best is not None for standing in several.values())
    paid = [_cost(standing) for standing in several.values()]
    return Ranked(
        method=name,
        tasks=len(several),
        rank=place,
        score=score,
        gap=stratified(_ahead, *pair) if pair else None,
        better=stratified(improvement, *pair) if pair else None,
        shared=pair[0].shape[1] if pair else 0,
        matched=matched,
        density=_geometric([standing.density for standing in several.values()]) if matched else None,
        cost=_geometric(paid),
        range=(min(paid), max(paid)),
    )


def _ahead(own: Floats, other: Floats) -> float:
    return iqm(own) - iqm(other)


def _cost(standing: Standing) -> float:
    """In trainings of dense; records may say that something cost nothing, but a network is trained by one update or more."""
    section = standing.page.section
    dense = section.comparison.arm(DENSE, 0)
    assert dense, "what was judged was compared with dense"
    return max(section.rows[standing.place].search_cost, 1.0) / max(dense.average("search_cost") or 0.0, 1.0)


def _geometric(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _reading(standing: Standing) -> Reading:
    """At the levels that have enough seeds."""
    section = standing.page.section
    levels = {row.level: normalised(section.comparison, section.arms[place]) for place, row in standing.rows}
    return {level: scores for level, scores in levels.items() if len(scores) >= FEWEST}


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
