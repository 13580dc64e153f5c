"""What the page's charts draw of a task, as JSON: names are labels in it, never code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bench import registry
from bench.report.figures.style import FAMILIES, looks
from bench.report.site.anchors import Page
from bench.report.site.templates import label
from bench.report.table.arms import Arm
from bench.report.table.compact import ARROWS, method
from bench.report.table.rows import OPPONENTS, TICKET, Row
from bench.spec import DENSE

COLOURS = {family.title: f"c{place}" for place, family in enumerate(FAMILIES[:-1])}
"""Family of methods -> the custom property of the style sheet that has its colour."""

FEW = (TICKET, OPPONENTS["reinit"], OPPONENTS["random"], "one-shot")
"""Methods in colour until others are asked for: what was found, whether its weights matter, whether its mask does, and what a
single round finds."""

OTHERS = "others"
DIGITS = 6
DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2])


def styles(pages: Iterable[Page]) -> dict[str, dict[str, Any]]:
    """Method -> how it is drawn, the same on every page: a colour per family, and dashes of its own within it.

    In colour from the start are `FEW`, and as many of those that are not built in: who brings one looks for it.
    """
    shown = {method(arm) for page in pages for arm in page.section.arms}
    places: Counter[str] = Counter()
    brought = sorted(name for name in shown if not registry.is_built_in(name))
    few, told = {*FEW, *brought[: len(FEW)]}, dict[str, dict[str, Any]]()
    for name, look in looks({*registry.methods(), *shown}).items():
        colour = COLOURS.get(look.family, OTHERS)
        told[name] = {"colour": colour, "dash": dashes(places[colour]), "main": look.main, "few": name in few}
        places[colour] += 1
    return told


def dashes(place: int) -> list[int]:
    """Lengths of strokes and gaps, no two places alike: whole, dashed, dotted, then a dash and ever more dots."""
    return DASHES[place] if place < len(DASHES) else [8, 3, *[2, 3] * (place - len(DASHES) + 1)]


def chart(page: Page, styles: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The headline score over density and over search cost, every seed and interval; None if there is none.

    Args:
        page: of the task.
        styles: of every method.

    Returns:
        `arms` has a list per arm: method's place, level, density, mean, low, high, search cost, anchor, seeds as pairs;
        `dense` the same from its mean on.
    """
    from bench.report.figures.panel import ranges  # noqa: PLC0415  it imports matplotlib, which a page without charts does not need

    task = page.task
    scored = [(place, arm, row) for place, (arm, row) in enumerate(page.section.headline) if row.mean is not None]
    pruned = [(place, arm, row) for place, arm, row in scored if arm.method != DENSE and row.density > 0]
    if not pruned:
        return None
    methods = dict.fromkeys(method(arm) for _, arm, _ in pruned)
    places = {name: place for place, name in enumerate(methods)}
    return {
        "score": label(f"{task.metric} on {task.split}, {task.at[0]} ({ARROWS[task.direction]} better)"),
        "worse": -1 if task.direction == "max" else 1,
        "tolerance": task.tolerance,
        "dense": next((_numbers(page, *each)[1:] for each in scored if each[1:] == page.section.dense), None),
        "ranges": [list(map(short, limits)) for limits in ranges(page.section)],
        "methods": [{"name": label(name), **styles[name]} for name in methods],
        "arms": [[places[method(arm)], row.level, *_numbers(page, place, arm, row)] for place, arm, row in pruned],
    }


def _numbers(page: Page, place: int, arm: Arm, row: Row) -> list[Any]:
    return [
        *(short(value) for value in (row.density, row.mean, row.low, row.high, row.search_cost)),
        page.arms[place],
        [[seed, short(value)] for seed, value in arm.scores[row.metric, row.at].items()],
    ]


def short(value: float | None) -> float | None:
    """A number as charts need it."""
    return None if value is None else float(f"{value:.{DIGITS}g}")
