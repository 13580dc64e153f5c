"""The compact table on a terminal, below the sentences that sum it up: the columns that decide, within a hundred characters."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.record import Record
from bench.report.escaping import plain
from bench.report.sentences import sentences
from bench.report.table.compact import COMPACT, Column, bracket, cells, title
from bench.report.table.notes import marks
from bench.report.table.rows import Row, Section, sections, unjudged

WIDEST = 100
"""Characters of a line, at most; fewer on a narrower terminal."""

_OTHERWISE: dict[str, Any] = {
    "level": {"heading": "L"},
    **{name: {"text": bracket(name)} for name in ("vs_dense", "vs_random", "vs_reinit")},
}
SHOWN = tuple(
    replace(column, **_OTHERWISE.get(column.name, {}))
    for column in COMPACT
    if column.name in ("method", "level", "density", "n", "mean", "vs_dense", "vs_random", "vs_reinit", "verdict")
)
"""What may fit; of a difference its interval, since the means stand beside it."""
SPARED = "vs_reinit"
"""Shown where there is room for it."""

TONES = {"winning": "bold green", "better": "green", "worse": "red", "inconclusive": "yellow"}
"""Verdict -> how it is coloured."""

REST = "Brackets: 95 % over seeds; `vs`: of the difference. All columns: --format csv; notes: --format md."


def show(console: Console, records: Iterable[Record], methods: Collection[str] | None = None) -> None:
    """Print a table per task.

    Args:
        console: its width is kept, up to `WIDEST`.
        records: in any order.
        methods: shown; all if None. What they are compared with need not be among them.
    """
    tables, width = sections(records, methods), min(console.width, WIDEST)
    for sentence in sentences(tables):
        console.print(Text(sentence), "", sep="\n", width=width)
    for section in tables:
        _section(console, section, width)
    console.print(Text(REST if tables else "No finished records."), width=width)


def _section(console: Console, section: Section, width: int) -> None:
    heading, facts = map(plain, title(section))
    why = unjudged(section.comparison, section.comparison.task.at[0])
    facts += f"; no verdict ({why})" if why else ""
    console.print(Text(heading, style="bold"), Text(facts), sep="\n", width=width)
    console.print(_table(section, width), width=width)
    for note in marks(section):
        console.print(Text(plain(note)), width=width)
    console.print()


def _table(section: Section, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    columns = _columns(section, width)
    for column in columns:
        words = column.name in ("method", "verdict")
        table.add_column(column.heading, justify="left" if words else "right", overflow="fold")
    for (_, row), line in zip(section.headline, cells(section, columns), strict=True):
        toned = zip(columns, line, strict=True)
        table.add_row(*(Text(plain(text), style=_tone(row, column.name)) for column, text in toned))
    return table


def _columns(section: Section, width: int) -> tuple[Column, ...]:
    """Those that say anything, the least of them only where it fits."""
    silent = {"verdict"} if unjudged(section.comparison, section.comparison.task.at[0]) else set()
    texts = zip(*cells(section, SHOWN), strict=True)
    told = [
        (column, max(len(column.heading), *map(len, column_texts)), any(column_texts))
        for column, column_texts in zip(SHOWN, texts, strict=True)
    ]
    kept = [(column, wide) for column, wide, is_told in told if is_told and column.name not in silent]
    fits = sum(wide + 1 for _, wide in kept) <= width
    return tuple(column for column, _ in kept if fits or column.name != SPARED)


def _tone(row: Row, name: str) -> str:
    """How a cell is coloured: a difference by the side of zero that its interval is on."""
    if name == "verdict":
        return TONES.get(row.verdict or "", "dim")
    if name not in _OTHERWISE or name == "level":
        return ""
    _, low, high = row.bounds(name)
    if low is None or high is None:
        return ""
    return "green" if low > 0 else "red" if high < 0 else "dim"
