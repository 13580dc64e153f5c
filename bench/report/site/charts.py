"""What the page's charts draw of a task, as JSON: names are labels in it, never code."""

from __future__ import annotations

from typing import Any

from bench import registry
from bench.report.figures.style import looks
from bench.report.site.anchors import Page
from bench.report.site.markup import label
from bench.report.table.arms import Arm
from bench.report.table.compact import ARROWS
from bench.report.table.rows import Row
from bench.spec import DENSE

LOOKS = looks(registry.methods())
FAMILIES = {family: f"c{place}" for place, family in enumerate(dict.fromkeys(look.family for look in LOOKS.values()))}
"""Family of methods -> the custom property of the style sheet that has its colour."""

STROKES = ("-", "--", ":", "-.")
OTHERS = "others"
DIGITS = 6


def chart(page: Page) -> dict[str, Any] | None:
    """The headline score over density and over search cost, every seed and interval; None if there is none.

    `arms` has a list per arm: method's place, level, density, mean, low, high, search cost, anchor, seeds as pairs;
    `dense` the same from its mean on.
    """
    from bench.report.figures.panel import ranges  # noqa: PLC0415  it imports matplotlib, which a page without charts does not need

    task = page.task
    found = [(place, arm, row) for place, (arm, row) in enumerate(page.section.headline) if row.mean is not None]
    methods = list(dict.fromkeys(page.cells[place]["method"] for place, arm, _ in found if arm.method != DENSE))
    arms = [
        [methods.index(page.cells[each[0]]["method"]), each[2].level, *_numbers(page, each)]
        for each in found
        if each[1].method != DENSE and each[2].density > 0
    ]
    if not arms:
        return None
    return {
        "score": label(f"{task.metric} on {task.split}, {task.at[0]} ({ARROWS[task.direction]} better)"),
        "worse": -1 if task.direction == "max" else 1,
        "tolerance": task.tolerance,
        "dense": next((_numbers(page, each)[1:] for each in found if each[1].method == DENSE), None),
        "ranges": [list(map(_short, limits)) for limits in ranges(page.section)],
        "methods": [_method(name) for name in methods],
        "arms": arms,
    }


def _numbers(page: Page, found: tuple[int, Arm, Row]) -> list[Any]:
    place, arm, row = found
    return [
        *(_short(value) for value in (row.density, row.mean, row.low, row.high, row.search_cost)),
        page.arms[place],
        [[seed, _short(value)] for seed, value in arm.scores[row.metric, row.at].items()],
    ]


def _method(name: str) -> dict[str, Any]:
    base = name.partition(" (version ")[0]
    look = LOOKS.get(base)
    return {
        "name": label(name),
        "colour": FAMILIES[look.family] if look else OTHERS,
        "line": STROKES.index(_strokes(look.family)[base]) if look else 0,
        "main": look is not None and look.main,
    }


def _strokes(family: str) -> dict[str, str]:
    """Method of a family -> its line; here no marker tells methods apart, so the second of a line gets one that is free."""
    lines = {name: look.line for name, look in LOOKS.items() if look.family == family}
    free = iter([each for each in reversed(STROKES) if each not in lines.values()])
    found: dict[str, str] = {}
    for name, line in lines.items():
        found[name] = next(free) if line in found.values() else line
    return found


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
