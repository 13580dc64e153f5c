"""Who found the sparsest network that still matches: per task, and over the tasks of every domain."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.report.site.anchors import Page
from bench.report.statistics.seeds import FEWEST
from bench.report.table.rows import UNCLAIMED, Row, at_chance
from bench.spec import DENSE, SCALES


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How sparse one method got on one task.

    Args:
        page: of the task.
        method: its name, with its version where the task has several.
        rows: its levels from 1 on, each with the place of its arm on the page; densities descend.
        best: the sparsest of them that matches dense; None if none does.
        unbroken: density down to which every network that was trained matches; None if the densest one does not.
        rank: among the methods of the task, ties share theirs; None without a matching network.
    """

    page: Page
    method: str
    rows: tuple[tuple[int, Row], ...]
    best: tuple[int, Row] | None
    unbroken: float | None
    rank: int | None = None

    @property
    def matched(self) -> int:
        """Levels at which the network matches."""
        return sum(row.matching is True for _, row in self.rows)

    @property
    def judged(self) -> int:
        """Levels at which it could be told."""
        return sum(row.matching is not None for _, row in self.rows)

    @property
    def told(self) -> str:
        """The outcome in a word, where there is no density."""
        if at_chance(self.page.section.comparison, self.page.task.at[0]):
            return "dense at chance"
        if self.judged:
            return "none"
        return f"n < {FEWEST}" if any(row.vs_dense is not None for _, row in self.rows) else "dense not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """One method over many tasks.

    Args:
        method: its name.
        tasks: on which it could be judged.
        matched: on which a network of it matches.
        first: on which none is sparser.
        density: geometric mean over the tasks of the sparsest matching density, 1 where none matches.
        domains: domain -> the same over its tasks.
    """

    method: str
    tasks: int
    matched: int
    first: int
    density: float
    domains: dict[str, float]


def standings(pages: Sequence[Page]) -> list[Standing]:
    """Every method on every task, the sparsest first within a task; tasks of which nothing can be told come last."""
    found = [_of(page) for page in pages]
    return [standing for each in sorted(found, key=_untold) for standing in each]


def overall(found: Sequence[Standing]) -> list[Overall]:
    """The methods over all tasks that can carry a verdict, the sparsest first.

    Of a task that was run at several scales the largest counts, and of it the newest version.
    """
    largest: dict[str, int] = {}
    judged = [each for each in found if _counts(each)]
    for each in judged:
        place = SCALES.index(each.page.task.scale)
        largest[each.page.task.name] = max(place, largest.get(each.page.task.name, 0))
    by_method: dict[str, list[Standing]] = defaultdict(list)
    for each in judged:
        if SCALES.index(each.page.task.scale) == largest[each.page.task.name]:
            by_method[each.method].append(each)
    told = [_overall(method, each) for method, each in by_method.items()]
    return sorted(told, key=lambda each: (-each.tasks, each.density, each.method))


def _counts(standing: Standing) -> bool:
    page = standing.page
    hopeless = at_chance(page.section.comparison, page.task.at[0])
    return page.newest and page.task.scale not in UNCLAIMED and standing.judged > 0 and not hopeless


def _overall(method: str, found: Sequence[Standing]) -> Overall:
    by_domain: dict[str, list[Standing]] = defaultdict(list)
    for each in found:
        by_domain[each.page.task.domain].append(each)
    return Overall(
        method=method,
        tasks=len(found),
        matched=sum(each.best is not None for each in found),
        first=sum(each.rank == 1 for each in found),
        density=_mean(found),
        domains={domain: _mean(each) for domain, each in sorted(by_domain.items())},
    )


def _mean(found: Sequence[Standing]) -> float:
    return math.exp(math.fsum(math.log(_density(each)) for each in found) / len(found))


def _density(standing: Standing) -> float:
    return standing.best[1].density if standing.best else 1.0


def _untold(found: Sequence[Standing]) -> tuple[bool, bool]:
    return not any(each.judged for each in found), any(each.page.task.scale in UNCLAIMED for each in found)


def _of(page: Page) -> list[Standing]:
    rows: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for place, (arm, row) in enumerate(page.section.headline):
        if arm.method != DENSE and row.density > 0:
            rows[page.cells[place]["method"]].append((place, row))
    return _ranked([_standing(page, method, found) for method, found in rows.items()])


def _standing(page: Page, method: str, rows: list[tuple[int, Row]]) -> Standing:
    ordered = tuple(sorted(rows, key=lambda pair: -pair[1].density))
    matching = [pair for pair in ordered if pair[1].matching]
    unbroken = None
    for _, row in ordered:
        if not row.matching:
            break
        unbroken = row.density
    return Standing(page=page, method=method, rows=ordered, best=matching[-1] if matching else None, unbroken=unbroken)


def _ranked(found: list[Standing]) -> list[Standing]:
    ordered = sorted(found, key=lambda each: (each.best is None, _density(each), each.method))
    densities = [each.best[1].density for each in ordered if each.best]
    return [
        replace(each, rank=1 + sum(_sparser(other, each.best[1].density) for other in densities)) if each.best else each
        for each in ordered
    ]


def _sparser(density: float, than: float) -> bool:
    """By more than the rounding of a small layer: 0.0702 and 0.0703 are one level."""
    return density < than * 0.99
