"""The figures of nodes: what students' nodes follow, which teacher nodes are found, when, and how the finders began."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.record import RECOVERED
from bench.report.escaping import plain
from bench.report.figures import frame
from bench.report.figures.nodes import captions
from bench.report.figures.nodes.arms import Group, NodeArm, every, groups
from bench.report.figures.nodes.numbers import (
    BINS,
    MOST,
    OVER_TRAINING,
    Curves,
    Dot,
    Reading,
    dots,
    is_curved,
    over_training,
    ranks,
    recovery,
    tallest,
)
from bench.report.figures.style import DENSE_COLOUR, FAMILIES, MARKERS
from bench.report.table.rows import Section
from bench.spec import Task

PANEL, SMALLEST = 2.0, 3.4
"""Inches: height of a row of panels, and of all of them with their labels at least."""
DOT = 4.0
"""Square points of the mark of one node."""
WHOLE = (-0.04, 1.04)
"""Of what lies between 0 and 1."""
TICKS = (0, 0.5, 1), ("0", "0.5", "1")
"""Ticks, and their labels: no more than do not meet those of the next panel."""
MARKED = 7
"""Points of a line that have a marker, at most."""
ENDS: tuple[Reading, Reading] = ("early", "final")
KEPT, PRUNED = FAMILIES[1].colour, FAMILIES[0].colour


def figures(section: Section, curves: Curves) -> Iterator[tuple[str, Figure]]:
    """Name and figure, of a task whose records tell of nodes."""
    found = groups(section)
    if not found:
        return
    yield "lshape", lshape(section, found[-1])
    yield "recovery", recoveries(section, found)
    yield "training", training(section, found, curves)
    yield "ranks", histograms(section, found[-1])


def lshape(section: Section, group: Group) -> Figure:
    """Student nodes by best correlation and fan-out: a panel per arm, a row per layer."""
    entries = [
        frame.mark("kept", marker="o", color=KEPT, alpha=0.6),
        frame.mark("pruned", marker="x", color=PRUNED),
    ]
    said = captions.lshape(group.arms) + captions.deeper(group.arms)
    drawn, panels = _framed(section, said, group.layers, len(group.arms), entries, sharex=True, sharey="row")
    left = 0.0
    for height, row in enumerate(panels):
        top = tallest(group.arms, height)
        for axes, told in zip(row, group.arms, strict=True):
            found = dots(told.at(height), top=top)
            _scatter(axes, found.pruned, marker="x", color=PRUNED, alpha=0.9, linewidths=0.8)
            _scatter(axes, found.kept, marker="o", color=KEPT, alpha=0.55, linewidths=0)
            kept, pruned = (sum(dot.nodes for dot in several) for several in found)
            counts = f"{kept:,} kept, {pruned:,} pruned" if pruned else f"{kept:,} nodes"
            axes.text(0.03, 0.97, counts, transform=axes.transAxes, fontsize=6.5, va="top")
            axes.axvline(RECOVERED, color=DENSE_COLOUR, linestyle=":", linewidth=0.8, zorder=1)
            axes.set_ylim(-0.05 * top, 1.15 * top)
            left = min([left, *(dot.correlation for dot in chain(*found))])
            axes.set_xticks(*TICKS)
    panels[0][0].set_xlim(left - 0.04, 1.04)
    _label(panels, group.layers, [told.label for told in group.arms], "best correlation", "fan-out norm")
    return drawn


def _scatter(axes: Axes, found: Sequence[Dot], **look: Any) -> None:
    axes.scatter(
        [dot.correlation for dot in found],
        [dot.fanout for dot in found],
        s=[DOT * min(dot.nodes, MOST) for dot in found],
        zorder=2,
        clip_on=False,
        rasterized=True,  # thousands of dots of their own sizes are megabytes of SVG
        **look,
    )


def recoveries(section: Section, found: Sequence[Group]) -> Figure:
    """Share of seeds that recover each teacher node: a panel per group, a row per layer, a line per arm."""
    layers = max((group.layers for group in found), key=len)
    drawn, panels = _framed(
        section,
        captions.recovery(every(found)) + captions.deeper(every(found)),
        layers,
        len(found),
        _entries(found),
        sharey=True,
    )
    for height, row in enumerate(panels):
        for axes, group in zip(row, found, strict=True):
            for told, strokes in zip(group.arms, _strokes(group), strict=True):
                early, final = (recovery(told.at(height), reading) for reading in ENDS)
                axes.plot(range(1, 1 + len(early)), early, **{**strokes, "linestyle": ":", "marker": ""})
                axes.plot(range(1, 1 + len(final)), final, **strokes)
            axes.set_ylim(*WHOLE)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label(panels, layers, [group.title for group in found], "teacher node, the strongest first", "share of seeds")
    return drawn


def training(section: Section, found: Sequence[Group], curves: Curves) -> Figure:
    """Best correlation and recovered share over training: a panel per group, a row per metric, a line per arm."""
    task, metrics = section.comparison.task, list(OVER_TRAINING)
    curved = all(is_curved(told, metric, task, curves) for told in every(found) for metric in metrics)
    said = captions.training(every(found), curved=curved)
    names = [metric.replace("_", " ") for metric in metrics]
    drawn, panels = _framed(section, said, names, len(found), _entries(found), sharex=True, sharey="row")
    for metric, row in zip(metrics, panels, strict=True):
        for axes, group in zip(row, found, strict=True):
            for told, strokes in zip(group.arms, _strokes(group), strict=True):
                _over_training(axes, told, metric, task, curves, strokes)
            axes.set_ylim(*WHOLE)
    _label(panels, names, [group.title for group in found], task.unit.replace("_", " "), "")
    return drawn


def _over_training(axes: Axes, told: NodeArm, metric: str, task: Task, curves: Curves, strokes: dict[str, Any]) -> None:
    points = over_training(told, metric, task, curves)
    between = math.ceil(len(points) / MARKED)
    axes.plot([at.step for at in points], [at.value.mean for at in points], markevery=between, **strokes)
    bands = [
        (at.step, at.value.low, at.value.high)
        for at in points
        if at.value.low is not None and at.value.high is not None
    ]
    axes.fill_between(
        [step for step, _, _ in bands],
        [low for _, low, _ in bands],
        [high for _, _, high in bands],
        color=strokes["color"],
        alpha=0.13,
        linewidth=0,
    )


def histograms(section: Section, group: Group) -> Figure:
    """Initial ranks of the finally best students: a panel per arm, a row per layer."""
    drawn, panels = _framed(
        section,
        captions.ranks(group.arms) + captions.deeper(group.arms),
        group.layers,
        len(group.arms),
        (),
        sharex=True,
        sharey=True,
    )
    for height, row in enumerate(panels):
        for axes, told, strokes in zip(row, group.arms, _strokes(group), strict=True):
            shares = ranks(told.at(height))
            places = [(place + 0.5) / BINS for place in range(len(shares))]
            axes.bar(places, shares, width=0.9 / BINS, color=strokes["color"], alpha=0.75)
            axes.axhline(1 / BINS, color="black", linestyle="--", linewidth=0.8)
            axes.set_xlim(0, 1)
            axes.set_xticks(*TICKS)
    _label(panels, group.layers, [told.label for told in group.arms], "initial rank", "share of teacher nodes")
    return drawn


def _framed(
    section: Section, said: list[str], rows: list[str], columns: int, entries: Sequence[frame.Entry], **shared: Any
) -> tuple[Figure, list[list[Axes]]]:
    height = max(SMALLEST, 0.8 + PANEL * len(rows))
    return frame.framed(section, said, rows=len(rows), columns=columns, height=height, entries=entries, **shared)


def _label(panels: list[list[Axes]], rows: list[str], columns: list[str], across: str, up: str) -> None:
    """Columns have their names above, rows theirs at the left where they are several or nothing else stands there."""
    for axes, name in zip(panels[0], columns, strict=True):
        axes.set_title(plain(name), loc="left", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel(across)
    for row, name in zip(panels, rows, strict=True):
        told = [frame.label(name)] if len(rows) > 1 else []
        row[0].set_ylabel("\n".join(filter(None, (*told, up))))


def _strokes(group: Group) -> list[dict[str, Any]]:
    """Of each arm; the first are the widest, that equal lines show."""
    return [
        {
            "color": tone.colour if tone else DENSE_COLOUR,
            "linewidth": 2.8 - 0.4 * place,
            "marker": MARKERS[place],
            "markersize": 4,
            "alpha": 0.85,
        }
        for place, tone in enumerate(group.tones)
    ]


def _entries(found: Sequence[Group]) -> list[frame.Entry]:
    return [
        entry
        for group in found
        for entry in (
            frame.heading(group.title.partition(":")[0]),
            *(frame.line(name, **strokes) for name, strokes in zip(group.labels, _strokes(group), strict=True)),
        )
    ]
