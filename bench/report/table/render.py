"""The table as Markdown, LaTeX, HTML, CSV or JSON: `render(records, style)`, every style from the same rows."""

import csv
import io
import json
from collections.abc import Collection, Iterable
from typing import Any, Literal

from bench.errors import UnknownName
from bench.record import Record
from bench.report import escaping
from bench.report.table import bootstrap
from bench.report.table.compact import HEADER, besides, cells, title
from bench.report.table.normalised import normalised_tasks, runs
from bench.report.table.notes import notes
from bench.report.table.rows import COLUMNS, Row, Section, sections

Style = Literal["md", "csv", "tex", "html", "json", "rliable"]


def render(records: Iterable[Record], style: Style, *, methods: Collection[str] | None = None) -> str:
    """The table of `records` as text that ends in a newline.

    Args:
        records: in any order; the text does not depend on it.
        style: `md`, `tex` and `html` show the headline score in a compact table per task, smaller ones of what else was
            measured and of the noise of the test set, and notes; `csv` and `json` give every row and column; `rliable`
            is JSON of the arrays (runs, tasks) of normalised scores that rliable's functions take.
        methods: shown; all if None. What they are compared with need not be among them.

    Raises:
        UnknownName: if there is no such style.
    """
    if style not in _STYLES:
        raise UnknownName("style", style, _STYLES)
    return _STYLES[style](sections(records, methods))


def resamples(records: Iterable[Record]) -> str:
    """The paired bootstrap of every method against its opponents, as CSV; empty if no record keeps its test items.

    Args:
        records: in any order; the text does not depend on it.
    """
    found = [row for section in sections(records) for row in bootstrap.resampled(section.comparison, section.arms)]
    return _lines(bootstrap.COLUMNS, found) if found else ""


def _tables(section: Section) -> list[list[tuple[str, ...]]]:
    return [table for table in ([HEADER, *cells(section)], besides(section), bootstrap.cells(section)) if table]


def _markdown(found: list[Section]) -> str:
    return "\n".join(_markdown_section(section) for section in found) or "No finished records.\n"


def _markdown_section(section: Section) -> str:
    heading, facts = (escaping.markdown(text) for text in title(section))
    under = [f"- {escaping.markdown(note)}" for note in notes(section)]
    tables = [markdown_table(table) for table in _tables(section)]
    return "\n".join([f"## {heading}", "", facts, "", *(line for table in tables for line in (*table, "")), *under, ""])


def markdown_table(table: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table of plain text cells, the headings first."""
    quoted = [[escaping.markdown(cell) for cell in line] for line in table]
    widths = [max(map(len, column)) for column in zip(*quoted, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in quoted]
    return [f"| {' | '.join(line)} |" for line in (padded[0], ["-" * width for width in widths], *padded[1:])]


def _tex(found: list[Section]) -> str:
    return "\n".join(_tex_section(section) for section in found) or "% No finished records.\n"


def _tex_section(section: Section) -> str:
    heading, facts = (escaping.tex(text) for text in title(section))
    tables = [_tex_table(table) for table in _tables(section)]
    return "\n".join(
        [
            r"\begin{table} % needs booktabs and graphicx",
            r"\centering\scriptsize",
            rf"\caption{{\texttt{{{heading}}}: {facts}.}}",
            *(line for table in tables for line in table),
            r"\par\raggedright",
            *(rf"{escaping.tex(note)}\par" for note in notes(section)),
            r"\end{table}",
            "",
        ]
    )


def _tex_table(table: list[tuple[str, ...]]) -> list[str]:
    lines = [" & ".join(map(escaping.tex, line)) + r" \\" for line in table]
    return [
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(table[0]) - 1)}}}",
        r"\toprule",
        lines[0],
        r"\midrule",
        *lines[1:],
        r"\bottomrule",
        r"\end{tabular}}",
    ]


def _html(found: list[Section]) -> str:
    return "\n".join(_html_section(section) for section in found) or "<p>No finished records.</p>\n"


def _html_section(section: Section) -> str:
    heading, facts = (escaping.html(text) for text in title(section))
    under = (f"<li>{escaping.html(note)}</li>" for note in notes(section))
    tables = (line for table in _tables(section) for line in _html_table(table))
    return "\n".join([f"<h4>{heading}</h4>", f"<p>{facts}</p>", *tables, "<ul>", *under, "</ul>", ""])


def _html_table(table: list[tuple[str, ...]]) -> list[str]:
    quoted = [[escaping.html(cell) for cell in line] for line in table]
    head, *body = (f"<tr><{tag}>{f'</{tag}><{tag}>'.join(line)}</{tag}></tr>" for tag, line in _tagged(quoted))
    return ["<table>", f"<thead>{head}</thead>", "<tbody>", *body, "</tbody>", "</table>"]


def _tagged(lines: list[list[str]]) -> Iterable[tuple[str, list[str]]]:
    return (("td" if place else "th", line) for place, line in enumerate(lines))


def _csv(found: list[Section]) -> str:
    return _lines(COLUMNS, _rows(found))


def _lines(columns: tuple[str, ...], rows: Iterable[object]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_field(getattr(row, column)) for column in columns] for row in rows)
    return text.getvalue()


def _field(value: Any) -> str:
    """One field of CSV: six significant digits, whole numbers in full, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return escaping.field(value) if isinstance(value, str) else str(value)


def _json(found: list[Section]) -> str:
    return json.dumps([_values(row) for row in _rows(found)], indent=1, allow_nan=False) + "\n"


def _rliable(found: list[Section]) -> str:
    shown = {arm.label for section in found for arm in section.arms}
    scores = {
        label: array.tolist() for label, array in runs(each.comparison for each in found).items() if label in shown
    }
    return json.dumps({"tasks": normalised_tasks(each.comparison for each in found), "scores": scores}, indent=1) + "\n"


def _rows(found: list[Section]) -> Iterable[Row]:
    return (row for section in found for row in section.rows)


def _values(row: Row) -> dict[str, Any]:
    return {column: getattr(row, column) for column in COLUMNS}


_STYLES = {"md": _markdown, "csv": _csv, "tex": _tex, "html": _html, "json": _json, "rliable": _rliable}
