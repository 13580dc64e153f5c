"""The compact table on a terminal: the columns that decide, within a hundred characters."""

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
from bench.report.table.compact import COMPACT, bracket, cells, title
from bench.report.table.notes import marks
from bench.report.table.rows import Section, sections

WIDEST = 100
"""Characters of a line, at most; fewer on a narrower terminal."""

_OTHERWISE: dict[str, Any] = {
    "level": {"heading": "L"},
    "vs_dense": {"text": bracket("vs_dense")},
    "vs_random": {"text": bracket("vs_random")},
}
SHOWN = tuple(
    replace(column, **_OTHERWISE.get(column.name, {}))
    for column in COMPACT
    if column.name in ("method", "level", "density", "n", "mean", "vs_dense", "vs_random", "verdict")
)
"""What fits; of a difference its interval, since the means stand beside it."""

REST = "Brackets: 95 % over seeds; `vs`: of the difference. All columns: --format csv; notes: --format md."


def show(console: Console, records: Iterable[Record], methods: Collection[str] | None = None) -> None:
    """Print a table per task.

    Args:
        console: its width is kept, up to `WIDEST`.
        records: in any order.
        methods: shown; all if None. What they are compared with need not be among them.
    """
    tables = sections(records, methods)
    for section in tables:
        _section(console, section)
    console.print(Text(REST if tables else "No finished records."), width=min(console.width, WIDEST))


def _section(console: Console, section: Section) -> None:
    heading, facts = map(plain, title(section))
    width = min(console.width, WIDEST)
    console.print(Text(heading, style="bold"), Text(facts), sep="\n", width=width)
    console.print(_table(section), width=width)
    for note in marks(section):
        console.print(Text(plain(note)), width=width)
    console.print()


def _table(section: Section) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for column in SHOWN:
        words = column.name in ("method", "verdict")
        table.add_column(column.heading, justify="left" if words else "right", overflow="fold")
    for line in cells(section, SHOWN):
        table.add_row(*(Text(plain(text)) for text in line))
    return table
