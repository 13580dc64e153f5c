"""The compact tables of one task, as plain text cells: what Markdown and LaTeX show of the uniform table."""

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from bench.report.statistics.seeds import FEWEST
from bench.report.table.arms import Arm
from bench.report.table.notes import COLLAPSED, DIVERGED, collapsed
from bench.report.table.rows import Row, Section

HEADER = (
    "method",
    "level",
    "density %",
    "n",
    "mean [low, high]",
    "normalised",
    "vs dense",
    "vs random",
    "vs reinit",
    "vs shuffled",
    "matching",
    "verdict",
    "P_m %",
    "search cost",
)

ARROWS = {"max": "↑", "min": "↓"}


def title(section: Section) -> tuple[str, str]:
    """The task's name and scale, and what is measured how: two lines of plain text."""
    task = section.comparison.task
    seeds = sorted({len(arm.records) for arm in section.arms})
    facts = [
        f"{task.metric} {ARROWS[task.direction]} on {task.split}, {task.at[0]}",
        f"{' to '.join(map(str, {seeds[0]: 0, seeds[-1]: 0}))} seed{'s' if seeds[-1] > 1 else ''}",
        f"{task.budget} {task.unit.replace('_', ' ')}, rewind step {task.rewind_step}",
        f"task version {task.version}",
        *([task.source] if task.source else []),
    ]
    return f"{task.name} @ {task.scale}", "; ".join(facts)


def cells(section: Section) -> list[tuple[str, ...]]:
    """The rows of the headline score, one text per column of `HEADER`; an empty text stands for null."""
    decimals = _decimals([row for _, row in section.headline])
    return [
        (name, *_cells(arm, row, decimals))
        for name, (arm, row) in zip(_names(section.arms), section.headline, strict=True)
    ]


def besides(section: Section) -> list[tuple[str, ...]]:
    """What else was measured of the arms, a column per metric, the header first; empty if there is nothing."""
    if not section.besides:
        return []
    task, arms = section.comparison.task, section.arms
    columns = [
        (
            f"{metric.replace('_', ' ')} {ARROWS[task.directions[metric]]}",
            *(_interval((row.mean, row.low, row.high), _decimals(rows), "") for row in rows),
        )
        for metric, rows in section.besides.items()
    ]
    names = ("method", *_names(arms))
    levels = ("level", *(str(arm.level) for arm in arms))
    return list(zip(names, levels, *columns, strict=True))


def _names(arms: Sequence[Arm]) -> list[str]:
    """The methods, with their versions where a method has several."""
    versions: dict[str, set[int]] = defaultdict(set)
    for arm in arms:
        versions[arm.method].add(arm.version)
    return [f"{arm.method} (version {arm.version})" if len(versions[arm.method]) > 1 else arm.method for arm in arms]


def _cells(arm: Arm, row: Row, decimals: int) -> tuple[str, ...]:
    return (
        str(row.level),
        _percent(row.density) + (f" {COLLAPSED}" if collapsed(arm) else ""),
        str(row.n) + (f" {DIVERGED}" if arm.diverged else ""),
        _interval((row.mean, row.low, row.high), decimals, ""),
        "" if row.score_normalised is None else f"{row.score_normalised:.3f}",
        *(_interval(gap, decimals, "+") for gap in _gaps(row)),
        {True: "yes", False: "no", None: ""}[row.matching],
        row.verdict or "",
        _percent(row.density_weights),
        f"{row.search_cost:,.0f}",
    )


def _gaps(row: Row) -> list[tuple[float | None, float | None, float | None]]:
    return [
        (row.vs_dense, row.vs_dense_low, row.vs_dense_high),
        (row.vs_random, row.vs_random_low, row.vs_random_high),
        (row.vs_reinit, row.vs_reinit_low, row.vs_reinit_high),
        (row.vs_shuffled, row.vs_shuffled_low, row.vs_shuffled_high),
    ]


def _interval(bounds: tuple[float | None, float | None, float | None], decimals: int, sign: str) -> str:
    mean, low, high = bounds
    if mean is None:
        return ""
    if low is None or high is None:
        return f"{mean:{sign}.{decimals}f} (n < {FEWEST})"
    return f"{mean:{sign}.{decimals}f} [{low:{sign}.{decimals}f}, {high:{sign}.{decimals}f}]"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g}"


def _decimals(rows: list[Row]) -> int:
    """Decimals of every score in a table: two significant digits of its typical half width."""
    bounds = [bound for row in rows for bound in ((row.mean, row.low, row.high), *_gaps(row))]
    halves = [(high - low) / 2 for _, low, high in bounds if low is not None and high is not None and high > low]
    scale = median(halves) if halves else max((abs(row.mean) / 100 for row in rows if row.mean), default=0.01)
    return min(max(1 - math.floor(math.log10(scale)), 0), 6)
