"""What the tickets of each task show, in sentences drawn from the rows of its table.

One level speaks for a task, found by a rule that no control's result can bend: of the levels with the most controls, the
sparsest down to which the ticket matches the dense network; where it does at none, the sparsest where it is told from a random
ticket; else the sparsest. Levels are asked one after the other, from the densest, until one does not match: whoever takes the
sparsest of all that match finds one by chance the sooner, the more levels there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from bench.report.escaping import plain
from bench.report.statistics.seeds import FEWEST, MOST, Interval, deciding, differences, interval, not_worse
from bench.report.table.compact import decimals_of, percent, span_of_seeds
from bench.report.table.notes import hopeless, strange
from bench.report.table.rows import OPPONENTS, TICKET, UNCLAIMED, Row, Section, opposed
from bench.spec import Task

POINTS = {"accuracy": "points", "return": "points of return", "bleu": "BLEU", "bleu_tok": "BLEU"}
"""Metric -> what its differences are counted in; of any other, the metric is named."""
RIVALS = {
    "random": "a random ticket",
    "reinit": "the same mask with fresh weights (reinit)",
    "shuffled": "its mask shuffled inside the layers",
    "dense": "dense",
}
"""Column of `OPPONENTS` -> what a sentence calls it; the controls first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A ticket beside one opponent.

    Args:
        column: of `OPPONENTS`.
        gains: by how much the ticket is better, a number per seed.
        margin: by how much it may be worse and still match; None of controls.
        fewest: seeds below which nothing is decided.
    """

    column: str
    gains: Sequence[float]
    margin: float | None
    fewest: int

    @property
    def gap(self) -> Interval:
        """Of the gains."""
        return interval(self.gains)

    @property
    def is_told(self) -> bool:
        """Whether there are seeds enough to decide it."""
        return self.gap.low is not None and self.gap.n >= self.fewest

    @property
    def decided(self) -> str | None:
        """`better`, `worse` or, within the margin, `matching`; None: no interval, or it leaves this open."""
        gap = self.gap
        if gap.low is None or gap.high is None or not self.is_told:
            return None
        if gap.low > 0:
            return "better"
        if self.margin is not None and not_worse(gap, self.margin):
            return "matching"
        return "worse" if gap.high < 0 else None

    @property
    def seeds(self) -> int | None:
        """How many would decide it; None where `MOST` would not."""
        return deciding(self.gains, -(self.margin or 0.0))


class Level(NamedTuple):
    """A ticket at one level, and whatever it is compared with there."""

    row: Row
    contrasts: tuple[Contrast, ...]

    def against(self, column: str) -> str | None:
        """What is decided against that opponent."""
        return next((each.decided for each in self.contrasts if each.column == column), None)


def sentences(sections: Iterable[Section]) -> list[str]:
    """A paragraph for each task, and one for all where their scales carry no verdict.

    Args:
        sections: of the table.
    """
    found = list(sections)
    told = [text for section in found if (text := _told(section))]
    scales = sorted({section.comparison.task.scale for section in found} & set(UNCLAIMED))
    return [plain(text) for text in told] + [
        f"At {scale} scale so little is trained that nothing here is a verdict on a paper." for scale in scales
    ]


def _head(task: Task, seeds: Sequence[int]) -> str:
    """The task, its score, and how many seeds what is said rests on."""
    return f"{task.name} @ {task.scale}, {task.metric.replace('_', ' ')}, {span_of_seeds(seeds)}"


def _told(section: Section) -> str:
    """Empty where no ticket is shown, or nothing to compare it with."""
    comparison = section.comparison
    if silent := [*strange(comparison), *hopeless(comparison)]:
        seeds = max((row.n for _, row in section.headline), default=0)
        return f"{_head(comparison.task, [seeds])}: {silent[0].replace('`', '')}"
    levels = _levels(section)
    if not levels:
        return ""
    level, why = _chosen(levels)
    told = [each for each in level.contrasts if each.is_told] or level.contrasts
    head = _head(comparison.task, [each.gap.n for each in told])
    voice = _Voice(comparison.task, decimals_of([row for _, row in section.headline]))
    return f"{head}: At {percent(level.row.density)} % of the weights{why} {' '.join(voice.sentences(level))}"


def _levels(section: Section) -> list[Level]:
    """Those with the most controls, the densest first."""
    arms = [
        (arm, row)
        for arm, row in section.headline
        if arm.method == TICKET and arm.installed and row.n and not arm.cut_off
    ]
    task = section.comparison.task
    score, fewest = (task.metric, task.at[0]), max(FEWEST, task.fewest_seeds)
    levels = [
        Level(
            row,
            tuple(
                Contrast(
                    column=column, gains=gains, margin=task.tolerance if column == "dense" else None, fewest=fewest
                )
                for column in RIVALS
                if (sides := opposed(section.comparison, arm, score, OPPONENTS[column]))
                and (gains := differences(*sides))
            ),
        )
        for arm, row in arms
    ]
    most = max((len(level.contrasts) for level in levels), default=0)
    return sorted(
        (level for level in levels if most and len(level.contrasts) == most), key=lambda level: -level.row.density
    )


def _chosen(levels: Sequence[Level]) -> tuple[Level, str]:
    """The level that speaks for all, of `levels`, the densest first; and why this one."""
    if len(levels) == 1:
        return levels[0], ""
    if matching := list(takewhile(lambda level: level.against("dense") in ("better", "matching"), levels)):
        return matching[-1], ", the sparsest down to which it is not worse than dense,"
    if told := [level for level in levels if level.against("random") is not None]:
        return told[-1], ", the sparsest where it is told from a random ticket,"
    return levels[-1], ", the sparsest there is,"


@dataclass(frozen=True, slots=True)
class _Voice:
    """How the numbers of a task are said."""

    task: Task
    decimals: int

    def sentences(self, level: Level) -> Iterator[str]:
        contrasts = [each for each in level.contrasts if each.is_told]
        few = [each for each in level.contrasts if not each.is_told]
        if not contrasts:
            sides = {"better": [c for c in few if c.gap.mean >= 0], "worse": [c for c in few if c.gap.mean < 0]}
            yield f"the ticket is {self._differences(sides)}. Fewer than {few[0].fewest} seeds decide nothing."
            return
        decided = {how: [each for each in contrasts if each.decided == how] for how in ("better", "worse", "matching")}
        yield f"the ticket is {self._differences(decided)}." if any(decided.values()) else "nothing is decided."
        if undecided := [self._undecided(each) for each in contrasts if not each.decided]:
            yield f"Undecided: {'; '.join(undecided)}."
        if few:
            rivals = " and ".join(RIVALS[each.column] for each in few)
            yield f"Against {rivals} there are fewer than {few[0].fewest} seeds."

    def _differences(self, sides: Mapping[str, Sequence[Contrast]]) -> str:
        matching = [
            f"not worse than {RIVALS[each.column]} by more than {each.margin:g} {self._signed(each.gap)}"
            for each in sides.get("matching", ())
        ]
        differing = [self._differing(how, sides[how]) for how in ("better", "worse") if sides[how]]
        return ", and ".join([*differing, *matching])

    def _differing(self, how: str, contrasts: Sequence[Contrast]) -> str:
        unit = POINTS.get(self.task.metric)
        what = f" {unit} {how}" if unit else f" {how} in {self.task.metric.replace('_', ' ')}"
        return ", ".join(
            f"{self._amount(each.gap.mean)}{what * (each is contrasts[0])} than {RIVALS[each.column]}{self._sized(each.gap)}"
            for each in contrasts
        )

    def _undecided(self, contrast: Contrast) -> str:
        allowed = f" not to be worse by more than {contrast.margin:g}:" if contrast.margin is not None else ""
        seeds = f"about {contrast.seeds} seeds would decide" if contrast.seeds else f"{MOST} seeds would not decide"
        gap = f"{contrast.gap.mean:+.{self.decimals}f} {self._signed(contrast.gap)}"
        return f"against {RIVALS[contrast.column]}{allowed} {gap}, {seeds}"

    def _sized(self, gap: Interval) -> str:
        """Of the size of a difference whose direction is said; empty without an interval."""
        if gap.low is None or gap.high is None:
            return ""
        low, high = (gap.low, gap.high) if gap.mean > 0 else (-gap.high, -gap.low)
        return f" [{low:.{self.decimals}f}, {high:.{self.decimals}f}]"

    def _signed(self, gap: Interval) -> str:
        return f"[{gap.low:+.{self.decimals}f}, {gap.high:+.{self.decimals}f}]"

    def _amount(self, difference: float) -> str:
        return f"{abs(difference):.{self.decimals}f}"
