"""The first picture, a panel per task: normalised score over density of the few methods that tell what a ticket is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report.figures.style import looks
from bench.report.site.anchors import Page
from bench.report.site.overview.scales import Scale, decimals, octaves, points
from bench.report.site.sections.charts import COLOURS, FEW, OTHERS
from bench.report.site.templates import percent
from bench.report.table.arms import Arm
from bench.report.table.rows import Row, at_chance, learned
from bench.spec import DENSE

WIDTH, HEIGHT = 380, 212
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 36
"""Around a panel's axes, in units of the drawing."""

SIZE = {"wide": WIDTH, "high": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM}
"""What the template draws around the curves with."""

LEAST, MOST = 4, 6
"""Panels of the first screen: at least, if there are so many tasks; at most, if there are more domains."""

LOWEST = -0.1
"""Normalised score below which nothing is drawn: worse than chance is as bad as chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One method in a panel.

    Args:
        method: its name.
        colour: the custom property of the style sheet that has its colour.
        place: among `FEW`, which fixes its mark.
        band: corners of its intervals; empty with too few seeds.
        line: of its means.
        marks: x, y, and what the mark tells.
    """

    method: str
    colour: str
    place: int
    band: str
    line: str
    marks: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One task.

    Args:
        page: of the task.
        about: the panel in a sentence.
        x: ticks, density.
        y: ticks, normalised score.
        dense: where the dense network's score is, and the upper and lower end of its interval.
        curves: in the order of `FEW`.
        seeds: the fewest and the most that an arm has.
    """

    page: Page
    about: str
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]
    dense: tuple[float, float, float]
    curves: tuple[Curve, ...]
    seeds: tuple[int, int]


def legend() -> list[tuple[str, str]]:
    """Method and the custom property that has its colour, in the order of `FEW`."""
    drawn = looks(FEW)
    return [(name, COLOURS.get(drawn[name].family, OTHERS)) for name in FEW]


def panels(pages: Sequence[Page]) -> list[Panel]:
    """Of all installed tasks whose scores can be normalised and which the few were run on, in the order of the pages."""
    return [made for page in pages if page.installed and (made := _panel(page))]


def first(panels: Sequence[Panel]) -> list[Panel]:
    """Those of the first screen: of every domain the one with the most to compare, then the next ones.

    That is: the most methods of `FEW`, then the most points, then the most seeds.
    """
    by_domain: dict[str, list[Panel]] = defaultdict(list)
    for panel in sorted(panels, key=_evidence, reverse=True):
        by_domain[panel.page.task.domain].append(panel)
    rounds = sorted(
        ((place, panel) for several in by_domain.values() for place, panel in enumerate(several)),
        key=lambda pair: (pair[0], *(-count for count in _evidence(pair[1])), pair[1].page.anchor),
    )
    return [panel for _, panel in rounds[: min(max(len(by_domain), LEAST), MOST)]]


def _evidence(panel: Panel) -> tuple[int, int, int]:
    return len(panel.curves), sum(len(curve.marks) for curve in panel.curves), panel.seeds[1]


def _panel(page: Page) -> Panel | None:
    comparison, task = page.section.comparison, page.task
    gain = learned(comparison, task.at[0])
    if not gain or at_chance(comparison, task.at[0]):
        return None
    sign = 1 if task.direction == "max" else -1
    known = [(arm, row) for arm, row in page.section.headline if arm.installed and row.mean is not None]
    few = {name: [(arm, row) for arm, row in known if arm.method == name and row.density > 0] for name in FEW}
    dense = next((row for arm, row in known if arm.method == DENSE), None)
    if dense is None or not any(few.values()):
        return None

    def share(score: float) -> float:
        return sign * (score - task.chance) / gain

    return _drawn(page, {name: pairs for name, pairs in few.items() if pairs}, dense, share)


def _drawn(page: Page, few: dict[str, list[tuple[Arm, Row]]], dense: Row, share: Callable[[float], float]) -> Panel:
    rows = [row for pairs in few.values() for _, row in pairs]
    seeds = [len(arm.records) for pairs in few.values() for arm, _ in pairs]
    lowest = min(0.5, *(row.density for row in rows))
    x = Scale(first=1.0, last=lowest, begin=LEFT, end=WIDTH - RIGHT, log=True)
    limits = _limits([share(row.mean) for row in rows if row.mean is not None], _bounds(dense, share))
    y = Scale(first=limits[0], last=limits[1], begin=HEIGHT - BOTTOM, end=TOP)
    colours = dict(legend())
    curves = [_curve(name, colours[name], pairs, x, y, share) for name, pairs in few.items()]
    low, high = _bounds(dense, share)
    ends = (
        f"{name} {share(pairs[-1][1].mean or 0.0):z.2f} at {100 * pairs[-1][1].density:.2g} %"
        for name, pairs in few.items()
    )
    return Panel(
        page=page,
        about=f"Normalised score over the share of weights kept; dense is 1. At the sparsest: {', '.join(ends)}.",
        x=tuple((x.at(tick), percent(tick)) for tick in octaves(lowest, 1.0)),
        y=tuple((y.at(tick), f"{tick:.6g}") for tick in decimals(*limits)),
        dense=(y.at(1.0), y.at(high), y.at(low)),
        curves=tuple(curves),
        seeds=(min(seeds), max(seeds)),
    )


def _limits(means: Sequence[float], dense: tuple[float, float]) -> tuple[float, float]:
    """Of the axis: all means and dense's interval, and a little more."""
    low, high = max(min(*means, *dense, 1.0), LOWEST), max(*means, *dense, 1.0)
    pad = 0.06 * (high - low) or 0.05
    return low - pad, high + pad


def _bounds(row: Row, share: Callable[[float], float]) -> tuple[float, float]:
    """Lower and upper bound of the normalised mean; the mean itself without an interval."""
    ends = (row.low, row.high) if row.low is not None and row.high is not None else (row.mean, row.mean)
    shares = [share(end) for end in ends if end is not None]
    return min(shares), max(shares)


def _curve(
    name: str, colour: str, pairs: Sequence[tuple[Arm, Row]], x: Scale, y: Scale, share: Callable[[float], float]
) -> Curve:
    told = sorted((row for _, row in pairs), key=lambda row: -row.density)
    sure = [row for row in told if row.low is not None]
    upper = [(x.at(row.density), y.at(_bounds(row, share)[1])) for row in sure]
    lower = [(x.at(row.density), y.at(_bounds(row, share)[0])) for row in sure]
    places = [(x.at(row.density), y.at(share(row.mean)), row) for row in told if row.mean is not None]
    return Curve(
        method=name,
        colour=colour,
        place=FEW.index(name),
        band=points([*upper, *reversed(lower)]),
        line=points([(across, up) for across, up, _ in places]),
        marks=tuple((across, up, _told(name, row, share)) for across, up, row in places),
    )


def _told(name: str, row: Row, share: Callable[[float], float]) -> str:
    assert row.mean is not None
    bounds = "" if row.low is None else " [{:.3g}, {:.3g}]".format(*_bounds(row, share))
    return f"{name}, {100 * row.density:.3g} % of the weights: {share(row.mean):.3g}{bounds}, n {row.n}"
