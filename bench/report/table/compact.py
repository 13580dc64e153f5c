"""The compact tables of one task, as plain text cells: what Markdown, LaTeX and a terminal show of the uniform table."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from statistics import median

from bench.report.statistics.seeds import FEWEST
from bench.report.table.arms import Arm
from bench.report.table.notes import COLLAPSED, DIVERGED, IMPORTED, UNKNOWN, collapsed
from bench.report.table.rows import OPPONENTS, Row, Section

MOST_DECIMALS = 6
ARROWS = {"max": "↑", "min": "↓"}

Text = Callable[[Row, Arm, int], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the compact table.

    Args:
        name: the field of `Row` that it shows.
        heading: above it.
        text: of a row, its arm and the decimals of scores in this table; empty for null.
    """

    name: str
    heading: str
    text: Text


def _bounds(name: str, sign: str = "+") -> Text:
    return lambda row, _, decimals: _interval(row.bounds(name), decimals, sign)


COMPACT = (
    Column(name="method", heading="method", text=lambda _, arm, __: method(arm)),
    Column(name="level", heading="level", text=lambda row, _, __: str(row.level)),
    Column(name="density", heading="density %", text=lambda row, arm, _: _density(row, arm)),
    Column(name="n", heading="n", text=lambda row, arm, _: _seeds(row, arm)),
    Column(name="mean", heading="mean [low, high]", text=_bounds("mean", "")),
    Column(name="score_normalised", heading="normalised", text=lambda row, _, __: _normalised(row)),
    Column(name="vs_dense", heading="vs dense", text=_bounds("vs_dense")),
    Column(name="vs_random", heading="vs random", text=_bounds("vs_random")),
    Column(name="vs_reinit", heading="vs reinit", text=_bounds("vs_reinit")),
    Column(name="vs_shuffled", heading="vs shuffled", text=_bounds("vs_shuffled")),
    Column(
        name="matching", heading="matching", text=lambda row, _, __: {True: "yes", False: "no", None: ""}[row.matching]
    ),
    Column(name="verdict", heading="verdict", text=lambda row, _, __: row.verdict or ""),
    Column(name="density_weights", heading="P_m %", text=lambda row, _, __: percent(row.density_weights)),
    Column(name="search_cost", heading="search cost", text=lambda row, _, __: f"{row.search_cost:,.0f}"),
)
"""The columns of the compact table, in order."""

HEADER = tuple(column.heading for column in COMPACT)


def title(section: Section) -> tuple[str, str]:
    """The task's name and scale, and what is measured how: two lines of plain text."""
    task = section.comparison.task
    facts = [
        *([] if section.comparison.installed else ["not installed here"]),
        f"{task.metric} {ARROWS[task.direction]} on {task.split}, {task.at[0]}",
        span_of_seeds([len(arm.records) for arm in section.arms]),
        f"{task.budget} {task.unit.replace('_', ' ')}, rewind step {task.rewind_step}",
        f"task version {task.version}",
        *([task.source] if task.source else []),
    ]
    return f"{task.name} @ {task.scale}", "; ".join(facts)


def method(arm: Arm) -> str:
    """The method's name; with its version and a mark where it is not the installed one."""
    return arm.method if arm.installed else f"{arm.method} (version {arm.version}) {UNKNOWN}"


def cells(section: Section, columns: tuple[Column, ...] = COMPACT) -> list[tuple[str, ...]]:
    """The rows of the headline score, one text per column; an empty text stands for null."""
    decimals = decimals_of([row for _, row in section.headline])
    return [tuple(column.text(row, arm, decimals) for column in columns) for arm, row in section.headline]


def span_of_seeds(counts: Collection[int]) -> str:
    """The fewest and the most seeds of several samples, once where they are as many: `3 to 9 seeds`."""
    fewest, most = min(counts), max(counts)
    return f"{fewest}{f' to {most}' * (most > fewest)} seed{'s' * (most != 1)}"


def besides(section: Section) -> list[tuple[str, ...]]:
    """What else was measured of the arms, a column per metric, the header first; empty if there is nothing."""
    if not section.besides:
        return []
    task, arms = section.comparison.task, section.arms
    columns = [
        (
            f"{metric.replace('_', ' ')} {ARROWS[task.directions[metric]]}",
            *(_counted(row, arm, decimals) for arm, row in zip(arms, rows, strict=True)),
        )
        for metric, rows in section.besides.items()
        for decimals in (decimals_of(rows),)
    ]
    names = ("method", *map(method, arms))
    levels = ("level", *(str(arm.level) for arm in arms))
    return list(zip(names, levels, *columns, strict=True))


def _counted(row: Row, arm: Arm, decimals: int) -> str:
    """The mean, and of how many seeds it is where not all have it: the `n` of the first table is that of the score."""
    text = _interval(row.bounds("mean"), decimals, "")
    return f"{text} (n = {row.n})" if FEWEST <= row.n < len(arm.records) else text


def bracket(name: str) -> Text:
    """The interval alone of a difference; without one, the difference."""
    return lambda row, _, decimals: _bracket(row.bounds(name), decimals)


def _seeds(row: Row, arm: Arm) -> str:
    marks = DIVERGED * bool(arm.diverged), IMPORTED * bool(arm.imported)
    return " ".join(filter(None, (str(row.n), *marks)))


def _density(row: Row, arm: Arm) -> str:
    return percent(row.density) + (f" {COLLAPSED}" if collapsed(arm) else "")


def _normalised(row: Row) -> str:
    return "" if row.score_normalised is None else f"{row.score_normalised:.3f}"


def _interval(bounds: tuple[float | None, float | None, float | None], decimals: int, sign: str) -> str:
    mean, low, high = bounds
    if mean is None:
        return ""
    if low is None or high is None:
        return f"{mean:{sign}.{decimals}f} (n < {FEWEST})"
    return f"{mean:{sign}.{decimals}f} [{low:{sign}.{decimals}f}, {high:{sign}.{decimals}f}]"


def _bracket(bounds: tuple[float | None, float | None, float | None], decimals: int) -> str:
    mean, low, high = bounds
    if low is None or high is None:
        return "" if mean is None else f"{mean:+.{decimals}f}"
    return f"[{low:+.{decimals}f}, {high:+.{decimals}f}]"


def percent(fraction: float) -> str:
    """A fraction in per cent, without the sign."""
    return f"{100 * fraction:.3g}"


def decimals_of(rows: list[Row]) -> int:
    """Decimals of every score in a table: two significant digits of its typical half width."""
    bounds = [row.bounds(name) for row in rows for name in ("mean", *(f"vs_{column}" for column in OPPONENTS))]
    halves = [(high - low) / 2 for _, low, high in bounds if low is not None and high is not None and high > low]
    scale = median(halves) if halves else max((abs(row.mean) / 100 for row in rows if row.mean), default=0.01)
    return min(max(1 - math.floor(math.log10(max(scale, 10.0**-MOST_DECIMALS))), 0), MOST_DECIMALS)
