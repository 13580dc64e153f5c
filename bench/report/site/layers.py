"""Where the kept weights are: densities per layer, one table for all methods that prune alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.record import LayerCount, Record
from bench.report.site.anchors import Page
from bench.report.site.markup import LABEL, Column, attributes, label, row, table, text
from bench.report.table.arms import Arm
from bench.spec import DENSE

SHADES = 9
"""Steps of the background that shows a density."""

ALIKE = 5e-4
"""Two allocations are one if every layer's densities differ by less."""

Allocation = dict[str, float]
"""Layer or group -> share of its prunable weights that is kept, mean over the seeds."""


def layers(page: Page) -> str:
    """A table: a line per layer of every distinct allocation, a column per level; empty if nothing was pruned."""
    found = families(page.section.arms)
    levels = sorted({level for _, by_level in found for level in by_level})
    if not levels:
        return ""
    columns = (Column("layer", number=False), Column("methods", number=False), *(Column(f"L{each}") for each in levels))
    rows = [line for methods, by_level in found for line in _rows(methods, by_level, levels, columns)]
    return table(columns, rows, key="layers", caption="Share of the prunable weights kept, %, per layer and level.")


def families(arms: Sequence[Arm]) -> list[tuple[list[str], dict[int, Allocation]]]:
    """The methods that keep as many weights in every layer as each other, with level -> allocation."""
    by_method: dict[str, dict[int, Allocation]] = {}
    for arm in arms:
        if arm.method != DENSE:
            by_method.setdefault(arm.method, {})[arm.level] = allocation(arm)
    found: list[tuple[list[str], dict[int, Allocation]]] = []
    for method, by_level in by_method.items():
        same = next((each for each in found if _alike(each[1], by_level)), None)
        if same is None:
            found.append(([method], dict(by_level)))
        else:
            same[0].append(method)
            same[1].update({level: each for level, each in by_level.items() if level not in same[1]})
    return found


def allocation(arm: Arm) -> Allocation:
    """The densities of one arm, groups before layers; layers without prunable weights are left out."""
    records = list(arm.records.values())
    names = dict.fromkeys(name for each in records for name in _counts(each))
    return {name: math.fsum(shares) / len(shares) for name in names if (shares := _shares(records, name))}


def _counts(record: Record) -> Mapping[str, LayerCount]:
    counts = record["counts"]
    return {**{f"all {name}": each for name, each in counts["groups"].items()}, **counts["layers"]}


def _shares(records: Sequence[Record], name: str) -> list[float]:
    found = [counts[name] for each in records if name in (counts := _counts(each))]
    return [count["kept"] / count["prunable"] for count in found if count["prunable"]]


def _alike(one: Mapping[int, Allocation], other: Mapping[int, Allocation]) -> bool:
    shared = one.keys() & other.keys()
    return bool(shared) and all(
        one[level].keys() == other[level].keys()
        and all(abs(one[level][name] - other[level][name]) < ALIKE for name in one[level])
        for level in shared
    )


def _rows(
    methods: Sequence[str], by_level: Mapping[int, Allocation], levels: Sequence[int], columns: Sequence[Column]
) -> list[str]:
    names = dict.fromkeys(name for each in by_level.values() for name in each)
    told = text(", ".join(map(label, methods)), 4 * LABEL)
    attrs = attributes({"m": "\n".join(map(label, methods))})
    return [
        row((text(name), told, *(_cell(by_level.get(level, {}).get(name)) for level in levels)), columns, attrs)
        for name in names
    ]


def _cell(density: float | None) -> str:
    if density is None:
        return ""
    octaves = SHADES if density <= 0 else min(SHADES, round(-math.log2(min(density, 1.0))))
    return f'<span class="shade s{SHADES - octaves}">{100 * density:.3g}</span>'
