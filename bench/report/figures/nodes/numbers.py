"""The numbers that the figures of nodes draw, from the layers of all seeds of an arm."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from bench.record import EARLY, RECOVERED, CurvePoint, NodeLayer, TeacherNodes
from bench.report.figures.nodes.arms import NodeArm
from bench.report.statistics.seeds import Interval, interval
from bench.spec import Task

TEACHERS = 150
"""Teacher nodes of a layer that are drawn, the strongest ones."""
CELLS = 50
"""Steps of a correlation of 1, and of the largest fan-out: nodes in the same of both are drawn as one dot."""
MOST = 25
"""Nodes whose number the area of a dot tells; more look the same."""
BINS = 10
"""Of the histogram of initial ranks."""

Reading = Literal["initial", "early", "final"]
READINGS: Mapping[Reading, float] = {"initial": 0.0, "early": EARLY, "final": 1.0}
"""When nodes are looked at -> share of the budget."""

Curves = Mapping[str, Sequence[CurvePoint]]
"""Unit id -> what was measured while it trained; published records have none."""


class Dot(NamedTuple):
    """Student nodes that lie close together, where their cell has its centre."""

    correlation: float
    fanout: float
    nodes: int


class Dots(NamedTuple):
    """The student nodes of an arm: those that are still connected, and those without a kept weight in or out."""

    kept: list[Dot]
    pruned: list[Dot]


class Point(NamedTuple):
    """A mean over seeds at a step of training."""

    step: float
    value: Interval


def tallest(arms: Iterable[NodeArm], height: int) -> float:
    """The largest fan-out norm that any of the arms has in a layer."""
    norms = (max(layer["students"]["fanout_final"]) for told in arms for layer in told.at(height))
    return max(norms, default=0.0) or 1.0


def dots(layers: Iterable[NodeLayer], *, top: float) -> Dots:
    """Every student node by its final best correlation and fan-out norm, close ones together.

    Args:
        layers: of every seed.
        top: the largest fan-out, in `CELLS` steps.
    """
    cells: dict[bool, Counter[tuple[int, int]]] = {True: Counter(), False: Counter()}
    for layer in layers:
        nodes = layer["students"]
        facts = (nodes["correlation_final"], nodes["fanout_final"], nodes["kept_in"], nodes["kept_out"])
        for correlation, fanout, kept_in, kept_out in zip(*facts, strict=True):
            cell = round(CELLS * max(-1.0, min(correlation, 1.0))), round(CELLS * (fanout / top))
            cells[bool(kept_in and kept_out)][cell] += 1
    return Dots(
        *([Dot(x / CELLS, top * (y / CELLS), n) for (x, y), n in sorted(cells[kept].items())] for kept in (True, False))
    )


def recovery(layers: Iterable[NodeLayer], reading: Reading) -> list[float]:
    """Share of seeds in which some student node has recovered the strongest teacher node, the second strongest, ...

    Dead teacher nodes count nowhere; a seed whose teacher has fewer live ones does not count at the weakest places.
    """
    by_place: dict[int, list[bool]] = defaultdict(list)
    for layer in layers:
        nodes = layer["teachers"]
        if (best := _correlations(nodes, reading)) is not None:
            live = [node for node, dead in enumerate(nodes["dead"]) if not dead]
            strongest = sorted(live, key=lambda node: -nodes["fanout"][node])[:TEACHERS]
            for place, node in enumerate(strongest):
                by_place[place].append(best[node] > RECOVERED)
    return [sum(seeds) / len(seeds) for _, seeds in sorted(by_place.items())]


def _correlations(nodes: TeacherNodes, reading: Reading) -> Sequence[float] | None:
    return {
        "initial": nodes["correlation_initial"],
        "early": nodes["correlation_early"],
        "final": nodes["correlation_final"],
    }[reading]


def _live(nodes: TeacherNodes, reading: Reading) -> list[float]:
    found = _correlations(nodes, reading) or []
    return [value for value, dead in zip(found, nodes["dead"], strict=False) if not dead]


OVER_TRAINING: Mapping[str, Callable[[Sequence[float]], float]] = {
    "best_correlation": lambda best: math.fsum(best) / len(best),
    "recovered": lambda best: sum(value > RECOVERED for value in best) / len(best),
}
"""Metric, as learners that keep nodes call it -> the same from the best correlations of live teacher nodes."""


def over_training(told: NodeArm, metric: str, task: Task, curves: Curves) -> list[Point]:
    """A metric of the lowest layer while an arm trained: from curves if every seed has one, else at the `READINGS`.

    Args:
        told: the arm.
        metric: one of `OVER_TRAINING`.
        task: what it trained on.
        curves: of the units.
    """
    if is_curved(told, metric, task, curves):
        seeds = [_curve(curves[unit], metric, task) for unit in told.units]
    else:
        seeds = [_readings(layers[0], metric, task) for layers in told.seeds.values()]
    by_step: dict[float, list[float]] = defaultdict(list)
    for seed in seeds:
        for step, value in seed.items():
            by_step[step].append(value)
    return [Point(step, interval(values)) for step, values in sorted(by_step.items())]


def is_curved(told: NodeArm, metric: str, task: Task, curves: Curves) -> bool:
    """Whether every seed of an arm has a curve of a metric."""
    return all(_curve(curves.get(unit, ()), metric, task) for unit in told.units)


def _curve(curve: Iterable[CurvePoint], metric: str, task: Task) -> dict[float, float]:
    return {
        point["step"]: point["metrics"][task.split][metric]
        for point in curve
        if metric in point["metrics"].get(task.split, {})
    }


def _readings(layer: NodeLayer, metric: str, task: Task) -> dict[float, float]:
    found = {share * task.budget: _live(layer["teachers"], reading) for reading, share in READINGS.items()}
    return {step: OVER_TRAINING[metric](best) for step, best in found.items() if best}


def ranks(layers: Iterable[NodeLayer]) -> list[float]:
    """How the finally best students of all live teacher nodes began: shares of the nodes in equal bins from 0 to 1.

    Returns:
        `BINS` shares; empty if no node has a rank.
    """
    found = [rank for layer in layers for rank in layer["teachers"]["initial_rank"] if rank is not None]
    counts = Counter(min(int(rank * BINS), BINS - 1) for rank in found)
    return [counts[place] / len(found) for place in range(BINS)] if found else []
