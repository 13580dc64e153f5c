"""One panel of a figure: scores over density, a line per method, dense as a horizontal band."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.report.escaping import plain
from bench.report.figures.style import DENSE_COLOUR, Look, looks
from bench.report.table.arms import Arm
from bench.report.table.compact import ARROWS
from bench.report.table.rows import Row, Section
from bench.spec import DENSE

SPREAD = 0.6
"""Octaves of density over which the methods of one level are drawn side by side, at most."""

TICKS = 8
"""Labelled densities, at most."""

ZOOM = 2.0
"""How many times higher than the range near dense the whole range must be to deserve two panels."""

Limits = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One method in a panel.

    Args:
        points: its arms, density descending, with their rows.
        shift: factor on the density that sets it beside the other methods of the same level.
    """

    method: str
    look: Look
    points: list[tuple[Arm, Row]]
    shift: float


def lines(section: Section) -> list[Line]:
    """The methods of a task as lines, in the order of the legend; dense is none, nor is a network without weights."""
    drawn = [
        (arm, row) for arm, row in section.headline if row.method != DENSE and row.mean is not None and row.density > 0
    ]
    chosen = looks({row.method for _, row in drawn})
    spread = min(SPREAD, 0.06 * len(chosen), 0.6 * _spacing({row.level: row.density for _, row in drawn}.values()))
    places = {name: place / max(len(chosen) - 1, 1) - 0.5 for place, name in enumerate(chosen)}
    return [
        Line(
            method=name,
            look=look,
            points=sorted((pair for pair in drawn if pair[1].method == name), key=lambda pair: -pair[1].density),
            shift=2 ** (-spread * places[name]),
        )
        for name, look in chosen.items()
    ]


def panel(axes: Axes, section: Section, limits: Limits) -> None:
    """Draw the headline score of a task.

    Args:
        axes: empty.
        section: the task's table.
        limits: of the score.
    """
    task, found = section.comparison.task, lines(section)
    lowest = min((row.density for line in found for _, row in line.points), default=0.5)
    for pair in section.headline:
        if pair[1].method == DENSE:
            _dense(axes, *pair)
    for line in found:
        _line(axes, line)
    axes.set_xscale("log", base=2)
    axes.set_xlim(2**0.3, lowest / 2**0.4)
    octaves = math.ceil(-math.log2(lowest))
    step = math.ceil((octaves + 1) / TICKS)
    axes.xaxis.set_major_locator(FixedLocator([2.0**-octave for octave in range(0, octaves + 1, step)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda density, _: f"{100 * density:.3g}"))
    axes.set_xlabel("density: prunable weights kept, %")
    axes.set_ylabel(plain(f"{task.metric} on {task.split}, {task.at[0]} ({ARROWS[task.direction]} better)"))
    axes.set_ylim(*limits)


def ranges(section: Section) -> list[Limits]:
    """The score's range in each panel: that of every seed and, where it hides the rest, the range near dense.

    Intervals may leave the panels: of three seeds one of which diverged, the interval is wider than any score. Near
    dense lie the better two thirds of the arms; one collapsed control must not flatten what the figure is about.
    """
    task = section.comparison.task
    sign = 1 if task.direction == "max" else -1
    scores = [score for arm, row in section.headline for score in arm.scores[row.metric, row.at].values()]
    means = [sign * row.mean for _, row in section.headline if row.mean is not None]
    if not means:
        return [(0.0, 1.0)]
    dense, half = _dense_score(section, sign) or (max(means), 0.0)
    losses = sorted(dense - mean for mean in means)
    near = max(1.1 * losses[2 * (len(losses) - 1) // 3], 3 * task.tolerance, half)
    whole, zoomed = (min(scores), max(scores)), sorted((sign * max(*means, dense + half), sign * (dense - near)))
    if whole[1] - whole[0] < ZOOM * (zoomed[1] - zoomed[0]):
        return [_padded(*whole)]
    return [_padded(*whole), _padded(*zoomed)]


def _dense_score(section: Section, sign: int) -> tuple[float, float] | None:
    """Mean, negated where less is better, and half width of the dense network's score."""
    found = [row for _, row in section.headline if row.method == DENSE]
    if not found or found[0].mean is None:
        return None
    return sign * found[0].mean, 0.0 if found[0].high is None else found[0].high - found[0].mean


def _padded(low: float, high: float) -> Limits:
    pad = 0.08 * (high - low) or max(abs(high), 1.0) / 10
    return low - pad, high + pad


def _dense(axes: Axes, arm: Arm, row: Row) -> None:
    if row.mean is None:
        return
    axes.axhline(row.mean, color=DENSE_COLOUR, linewidth=1.0, zorder=1)
    if row.low is not None and row.high is not None:
        axes.axhspan(row.low, row.high, color=DENSE_COLOUR, alpha=0.13, linewidth=0, zorder=0.5)
    _seeds(axes, 1.0, arm.scores[row.metric, row.at], DENSE_COLOUR, main=True)


def _line(axes: Axes, line: Line) -> None:
    look = line.look
    layer = 4 if look.main else 3
    xs = [row.density * line.shift for _, row in line.points]
    means = [row.mean for _, row in line.points if row.mean is not None]
    axes.plot(xs, means, zorder=layer, **look.strokes)
    for x, (arm, row) in zip(xs, line.points, strict=True):
        _seeds(axes, x, arm.scores[row.metric, row.at], look.colour, main=look.main)
        if row.low is not None and row.high is not None:
            axes.vlines(x, row.low, row.high, color=look.colour, zorder=layer, **_bar(look))


def _bar(look: Look) -> dict[str, Any]:
    return {"linewidth": 1.3, "alpha": 0.8} if look.main else {"linewidth": 0.6, "alpha": 0.4}


def _seeds(axes: Axes, x: float, scores: Mapping[int, float], colour: str, *, main: bool) -> None:
    size: dict[str, Any] = {"s": 45, "linewidths": 1.2} if main else {"s": 10, "linewidths": 0.8}
    axes.scatter([x] * len(scores), list(scores.values()), marker="_", color=colour, alpha=0.7, zorder=2, **size)


def _spacing(densities: Iterable[float]) -> float:
    """Octaves between the two closest levels."""
    octaves = sorted({math.log2(density) for density in densities})
    return min((b - a for a, b in pairwise(octaves)), default=1.0)
