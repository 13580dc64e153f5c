"""What surrounds the panels of every figure: the task above them, the legend beside them, the caption below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerBase
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Transform

from bench.report.escaping import plain
from bench.report.figures.style import DENSE_COLOUR
from bench.report.table.compact import title
from bench.report.table.notes import UNKNOWN
from bench.report.table.rows import Section

WIDTH, HEIGHT, LEFT, LEGEND, TOP, BOTTOM, LINE = 10.0, 5.0, 0.75, 1.65, 0.7, 0.55, 0.15
"""Inches: of the figure without its caption, its margins (the legend's on the right), a line of the caption."""

CAPTION, FACTS, LABEL = 165, 170, 22
"""Characters of a line of the caption, of the line under the title, and of a name in the legend."""

Entry = tuple[Artist, str]
"""A handle and its label; a `Text` is a heading."""


def framed(
    section: Section,
    sentences: Iterable[str],
    *,
    rows: int = 1,
    columns: int = 1,
    height: float = HEIGHT,
    entries: Sequence[Entry] = (),
    **grid: Any,
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with everything but what its panels draw.

    Args:
        section: the task's table, which gives the title.
        sentences: of the caption.
        rows: of panels.
        columns: of panels.
        height: inches, without the caption.
        entries: of the legend.
        grid: what `Figure.subplots` is told besides.

    Returns:
        The figure, and its panels row by row.
    """
    caption = textwrap.wrap(" ".join(sentences), CAPTION)
    whole = height + LINE * len(caption)
    drawn = Figure(figsize=(WIDTH, whole))
    drawn.subplots_adjust(
        left=LEFT / WIDTH,
        right=1 - LEGEND / WIDTH,
        top=1 - TOP / whole,
        bottom=(BOTTOM + LINE * len(caption)) / whole,
        wspace=min(0.2, 0.8 / columns),
        hspace=0.15,
    )
    heading, facts = map(plain, title(section))
    drawn.text(LEFT / WIDTH, 1 - 0.22 / whole, heading, fontsize=10, fontweight="bold")
    drawn.text(
        LEFT / WIDTH, 1 - 0.38 / whole, textwrap.shorten(facts, FACTS, placeholder=" …"), fontsize=7, color=DENSE_COLOUR
    )
    drawn.text(LEFT / WIDTH, 0.08 / whole, "\n".join(caption), fontsize=6.5, color=DENSE_COLOUR, va="bottom")
    if entries:
        _legend(drawn, entries, top=1 - (TOP - 0.1) / whole)
    return drawn, drawn.subplots(rows, columns, squeeze=False, **grid).tolist()


def label(name: str) -> str:
    """A name as the legend shows it: not too long, its mark kept; a source task on a line of its own, if it must."""
    line = plain(name)
    if len(line) <= LABEL:
        return line
    method, plus, source = line.partition("+")
    if source:
        return f"{method[: LABEL - 1]}{plus}\n{label(source)}"
    mark = f"… {UNKNOWN}" if line.endswith(UNKNOWN) else "…"
    return line[: LABEL - len(mark)] + mark


def line(text: str, **strokes: Any) -> Entry:
    """A line of the legend."""
    return Line2D([], [], **strokes), label(text)


def mark(text: str, **look: Any) -> Entry:
    """A mark of the legend."""
    return line(text, linestyle="", **look)


def heading(text: str) -> Entry:
    """A heading of the legend."""
    return Text(text=text), ""


def _legend(drawn: Figure, entries: Sequence[Entry], *, top: float) -> None:
    drawn.legend(
        handles=[handle for handle, _ in entries],
        labels=[text for _, text in entries],
        handler_map={Text: _Heading()},
        loc="upper left",
        bbox_to_anchor=(1 - (LEGEND - 0.05) / WIDTH, top),
        fontsize=7,
    )


class _Heading(HandlerBase):
    """Sets a family's name where the methods have their lines, so that it starts at the left."""

    def create_artists(
        self,
        legend: Legend,  # noqa: ARG002  the signature is matplotlib's
        orig_handle: Artist,
        xdescent: float,
        ydescent: float,
        width: float,  # noqa: ARG002
        height: float,  # noqa: ARG002
        fontsize: float,
        trans: Transform,
    ) -> list[Artist]:
        """The heading in place of a line."""
        assert isinstance(orig_handle, Text), "headings are texts"
        heading = Text(-xdescent, -ydescent, orig_handle.get_text(), fontsize=fontsize, fontweight="bold")
        heading.set_transform(trans)
        return [heading]
