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
from bench.report.table.compact import ARROWS, method
from bench.report.table.rows import Row, Section
from bench.spec import DENSE

SPREAD, SHARE = 0.5, 0.06
"""How far apart the methods of one level are drawn, at most: of the way to the next level, and of the axis.

Wider, arms of one density look like arms of several.
"""

LEFT, RIGHT = 0.3, 0.4
"""Octaves of density beside all points."""

TICKS = 8
"""Labelled densities, at most."""

ZOOM = 2.0
"""How many times higher than the range near dense the whole range must be to deserve two panels."""

WIDEST = 2.5
"""How many times wider than the range of the scores an interval may be, and still lie wholly inside a panel.

Of three seeds, one that falls far behind alone makes it 2.9 times as wide, beyond every possible score.
"""

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
    chosen = looks({method(arm) for arm, _ in drawn})
    spread = _spread({row.level: row.density for _, row in drawn}.values())
    places = {name: place / max(len(chosen) - 1, 1) - 0.5 for place, name in enumerate(chosen)}
    return [
        Line(
            method=name,
            look=look,
            points=sorted((pair for pair in drawn if method(pair[0]) == name), key=lambda pair: -pair[1].density),
            shift=2 ** (-spread * places[name]),
        )
        for name, look in chosen.items()
    ]


def _spread(densities: Iterable[float]) -> float:
    """Octaves from the first to the last method of a level."""
    octaves = sorted({0.0, *(math.log2(density) for density in densities)})
    closest = min((b - a for a, b in pairwise(octaves)), default=1.0)
    return min(SPREAD * closest, SHARE * (LEFT - octaves[0] + RIGHT))


def panel(axes: Axes, section: Section, limits: Limits) -> None:
    """Draw the headline score of a task.

    Args:
        axes: empty.
        section: the task's table.
        limits: of the score.
    """
    task, found = section.comparison.task, lines(section)
    lowest = min((row.density for line in found for _, row in line.points), default=0.5)
    if section.dense:
        _dense(axes, *section.dense)
    for line in found:
        _line(axes, line)
    axes.set_xscale("log", base=2)
    axes.set_xlim(2**LEFT, lowest / 2**RIGHT)
    octaves = math.ceil(-math.log2(lowest))
    step = math.ceil((octaves + 1) / TICKS)
    axes.xaxis.set_major_locator(FixedLocator([2.0**-octave for octave in range(0, octaves + 1, step)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda density, _: f"{100 * density:.3g}"))
    axes.set_xlabel("density: prunable weights kept, %")
    axes.set_ylabel(plain(f"{task.metric} on {task.split}, {task.at[0]} ({ARROWS[task.direction]} better)"))
    axes.set_ylim(*limits)


def ranges(section: Section) -> list[Limits]:
    """The score's range in each panel: that of all seeds and, where it hides the rest, the range near dense.

    A panel holds the whole interval of each of its means, but for those that are `WIDEST`. Near dense lie the better two
    thirds of the arms; one collapsed control must not flatten what the figure is about.
    """
    return [_padded(*_holding(section, core)) for core in _cores(section)]


def cuts(section: Section) -> bool:
    """Whether a panel leaves out a part of an interval for being too wide."""
    return any(
        high - low > WIDEST * (core[1] - core[0]) for core in _cores(section) for low, high in _intervals(section, core)
    )


def _cores(section: Section) -> list[Limits]:
    """What each panel is about: the scores of all seeds, and those near dense if they deserve a panel."""
    task = section.comparison.task
    sign = 1 if task.direction == "max" else -1
    scores = [score for arm, row in section.headline for score in arm.scores[row.metric, row.at].values()]
    means = [sign * row.mean for _, row in section.headline if row.mean is not None]
    if not means:
        return [(0.0, 1.0)]
    dense, half = _dense_score(section, sign) or (max(means), 0.0)
    losses = sorted(dense - mean for mean in means)
    near = max(1.1 * losses[2 * (len(losses) - 1) // 3], 3 * task.tolerance, half)
    ends = sign * max(*means, dense + half), sign * (dense - near)
    whole, zoomed = (min(scores), max(scores)), (min(ends), max(ends))
    heights = [high - low for low, high in (_holding(section, core) for core in (whole, zoomed))]
    return [whole] if heights[0] < ZOOM * heights[1] else [whole, zoomed]


def _intervals(section: Section, core: Limits) -> list[Limits]:
    """Of the means inside."""
    rows = [row for _, row in section.headline if row.mean is not None and core[0] <= row.mean <= core[1]]
    return [(row.low, row.high) for row in rows if row.low is not None and row.high is not None]


def _holding(section: Section, core: Limits) -> Limits:
    """As much more than `core` as the intervals inside need."""
    low, high = core
    held = [pair for pair in _intervals(section, core) if pair[1] - pair[0] <= WIDEST * (high - low)]
    return min([low, *(first for first, _ in held)]), max([high, *(last for _, last in held)])


def _dense_score(section: Section, sign: int) -> tuple[float, float] | None:
    """Mean, negated where less is better, and half width of the dense network's score."""
    _, row = section.dense or (None, None)
    if row is None or row.mean is None:
        return None
    return sign * row.mean, 0.0 if row.high is None else row.high - row.mean


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
