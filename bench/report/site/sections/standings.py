"""Who found the sparsest network that still matches, task by task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.report.site.anchors import Page
from bench.report.site.sections.measured import of_arm
from bench.report.table.rows import RANDOM, TICKET, UNCLAIMED, Row, at_chance
from bench.spec import DENSE, SCALES, Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How sparse one method got on one task.

    Args:
        page: of the task.
        method: its name, with its version where the task has several.
        installed: whether the task and the method are installed here; who is not stands apart.
        rows: its levels from 1 on, each with the place of its arm on the page; densities descend.
        place: of the arm of its sparsest network that matches dense; where none does, of its sparsest.
        best: the row of the sparsest network that matches dense; None if none does.
        unbroken: density down to which every network that was trained matches; None if the densest one does not.
        rank: among the methods of the task, ties share theirs; None without a matching network.
    """

    page: Page
    method: str
    installed: bool
    rows: tuple[tuple[int, Row], ...]
    place: int
    best: Row | None
    unbroken: float | None
    rank: int | None = None

    @property
    def cells(self) -> Mapping[str, str]:
        """The line of its best network in the compact table; without one, nothing under every column."""
        cells = self.page.cells[self.place]
        return cells if self.best else dict.fromkeys(cells, "")

    @property
    def density(self) -> float:
        """Of the sparsest network that matches: where none does, that of dense, which matches itself."""
        return self.best.density if self.best else 1.0

    @property
    def matched(self) -> int:
        """Levels at which the network matches."""
        return sum(row.matching is True for _, row in self.rows)

    @property
    def judged(self) -> int:
        """Levels at which it could be told."""
        return sum(row.matching is not None for _, row in self.rows)

    @property
    def measured(self) -> str:
        """What somebody measured again of that network; empty if nobody did."""
        return of_arm(self.page.section.arms[self.place], self.page.measured)

    @property
    def unopposed(self) -> str:
        """Why its best network has no verdict; empty if it has one, or there is no such network."""
        if self.best is None or self.best.verdict is not None:
            return ""
        level = self.best.level
        return f"is {RANDOM} itself" if self.best.method == RANDOM else f"no {RANDOM} at level {level}"

    @property
    def outcome(self) -> str:
        """In a word, where there is no density."""
        if at_chance(self.page.section.comparison, self.page.task.at[0]):
            return "dense at chance"
        if self.judged:
            return "none"
        return (
            f"n < {self.page.task.fewest_seeds}"
            if any(row.vs_dense is not None for _, row in self.rows)
            else "dense not run"
        )


def standings(pages: Sequence[Page]) -> list[Standing]:
    """Every method on every task, the sparsest first within a task; tasks of which nothing can be told come last."""
    by_page = sorted((_of(page) for page in pages), key=_is_untold)
    return [standing for several in by_page for standing in several]


def counted(standings: Sequence[Standing]) -> list[Standing]:
    """Those that can be read together over tasks: of installed methods on installed tasks that can carry a verdict.

    Of a task that was run at several scales, the one at which the most methods count, the ticket among them; of equals the
    largest.
    """
    counting = [standing for standing in standings if _counts(standing)]
    methods: dict[str, dict[Scale, set[str]]] = defaultdict(lambda: defaultdict(set))
    for standing in counting:
        methods[standing.page.task.name][standing.page.task.scale].add(standing.method)
    chosen = {
        name: max(found, key=lambda scale: (TICKET in found[scale], len(found[scale]), SCALES.index(scale)))
        for name, found in methods.items()
    }
    return [each for each in counting if each.page.task.scale == chosen[each.page.task.name]]


def _counts(standing: Standing) -> bool:
    return standing.installed and standing.page.task.scale not in UNCLAIMED and standing.judged > 0


def _is_untold(standings: Sequence[Standing]) -> tuple[bool, bool]:
    judged = any(standing.judged for standing in standings)
    return not judged, any(standing.page.task.scale in UNCLAIMED for standing in standings)


def _of(page: Page) -> list[Standing]:
    rows: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    hopeless = at_chance(page.section.comparison, page.task.at[0])
    for place, (arm, row) in enumerate(page.section.headline):
        if arm.method != DENSE and row.density > 0:
            told = replace(row, matching=None) if hopeless else row  # to match what learned nothing is no feat
            rows[page.cells[place]["method"]].append((place, told))  # who is not installed has a name that says so
    return _ranked([_standing(page, method, several) for method, several in rows.items()])


def _standing(page: Page, method: str, rows: list[tuple[int, Row]]) -> Standing:
    ordered = tuple(sorted(rows, key=lambda pair: -pair[1].density))
    matching = [pair for pair in ordered if pair[1].matching]
    unbroken = None
    for _, row in ordered:
        if not row.matching:
            break
        unbroken = row.density
    place, _ = (matching or ordered)[-1]
    best = matching[-1][1] if matching else None
    return Standing(
        page=page,
        method=method,
        installed=page.installed and page.section.arms[place].installed,
        rows=ordered,
        place=place,
        best=best,
        unbroken=unbroken,
    )


def _ranked(standings: list[Standing]) -> list[Standing]:
    ordered = sorted(standings, key=lambda standing: (standing.best is None, standing.density, standing.method))
    densities = [standing.best.density for standing in ordered if standing.best and standing.installed]
    return [
        replace(standing, rank=1 + sum(_sparser(density, standing.density) for density in densities))
        if standing.best and standing.installed
        else standing
        for standing in ordered
    ]


def _sparser(density: float, than: float) -> bool:
    """By more than the rounding of a small layer: 0.0702 and 0.0703 are one level."""
    return density < than * 0.99
