"""HTML of text that anybody may write: escaped, on one line, cut to what a table can hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from bench.report.escaping import plain

LABEL = 60
"""Characters of a name in a table, at most."""

SENTENCE = 600
"""Characters of a sentence, at most."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Args:
        name: its heading.
        number: whether it sorts as numbers.
    """

    name: str
    number: bool = True


def label(name: str, limit: int = LABEL) -> str:
    """`name` on one line and not too long, not yet escaped."""
    line = plain(name[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def text(name: str, limit: int = LABEL) -> str:
    """`name` as a label, for HTML and for the value of an attribute."""
    return escape(label(name, limit))


def sentence(told: str) -> str:
    """A note, its code spans as code."""
    parts = text(told, SENTENCE).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def link(anchor: str, inner: str, *, again: bool = False) -> str:
    """A link inside the page.

    Args:
        anchor: without the hash.
        inner: HTML.
        again: whether the same line links there already: then the keyboard passes it by.
    """
    return f'<a href="#{anchor}"{" tabindex=-1" * again}>{inner}</a>'


def percent(fraction: float) -> str:
    """Three significant digits."""
    return f"{100 * fraction:.3g}"


def attributes(values: Mapping[str, str]) -> str:
    """Of data, each preceded by a space."""
    return "".join(f' data-{name}="{escape(value)}"' for name, value in values.items())


def row(cells: Iterable[str], columns: Sequence[Column], attrs: str = "") -> str:
    """A line of a table.

    Args:
        cells: HTML, one per column; the first heads the line.
        columns: of the table.
        attrs: HTML.
    """
    found = [
        ("<th scope=row>" if place == 0 else "<td class=n>" if column.number else "<td>") + cell
        for place, (cell, column) in enumerate(zip(cells, columns, strict=True))
    ]
    return f"<tr{attrs}>{''.join(found)}\n"


def table(columns: Sequence[Column], rows: Iterable[str], *, key: str, caption: str, kind: str = "sortable") -> str:
    """A table that scrolls sideways in itself, so that the page never does.

    Args:
        columns: of it.
        rows: of `row`, or table bodies.
        key: names its order in a link.
        caption: plain text.
        kind: a class.
    """
    head = "".join(f"<th scope=col{' class=n' * column.number}>{text(column.name)}" for column in columns)
    shown = text(caption, SENTENCE)
    return (
        f'<div class=wide tabindex=0 role=region aria-label="{shown}"><table class="{kind}" data-key="{key}">'
        f"<caption>{shown}</caption><thead><tr>{head}</thead>\n{''.join(rows)}</table></div>\n"
    )


def listed(items: Iterable[str]) -> str:
    """A list of HTML."""
    found = "".join(f"<li>{item}\n" for item in items)
    return f"<ul class=notes>\n{found}</ul>\n" if found else ""


def literal(value: Any) -> str:
    """A JSON value in full, indented."""
    lines = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
    return f"<pre tabindex=0>{escape(chr(10).join(map(plain, lines)), quote=False)}</pre>\n"


def data(value: Any, anchor: str) -> str:
    """JSON for the page's script; nothing in it can end the element."""
    told = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{anchor}">{told}</script>\n'
