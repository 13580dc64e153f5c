"""Figures: the score of every method over density, one figure per task."""

import re
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerBase
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Transform

from bench.record import Record
from bench.report.escaping import plain
from bench.report.figures.panel import WIDEST, cuts, lines, panel, ranges
from bench.report.figures.style import DENSE_COLOUR, RC
from bench.report.statistics.seeds import FEWEST
from bench.report.table.compact import title
from bench.report.table.notes import UNKNOWN
from bench.report.table.rows import UNCLAIMED, Section, at_chance, sections
from bench.spec import DENSE

WIDTH, HEIGHT, LEFT, LEGEND, TOP, BOTTOM, LINE = 10.0, 5.0, 0.75, 1.65, 0.7, 0.55, 0.15
"""Inches: of the figure without its caption, its margins (the legend's on the right), a line of the caption."""

CAPTION, LABEL = 165, 22
"""Characters of a line of the caption, and of a name in the legend."""


def plot(records: Iterable[Record], folder: Path, *, stem: str) -> list[Path]:
    """Draw one figure per task into `folder`, as SVG and PNG; the same records give the same bytes.

    Args:
        records: in any order.
        folder: made if it does not exist.
        stem: first part of the file names: `<stem>-<task>[-<scale>].svg`, the scale where a task comes at several.

    Returns:
        The files written, each SVG before its PNG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = sections(records)
    written = []
    for name, section in zip(_names(found), found, strict=True):
        with style.context(["default", RC]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script our font lacks
            drawn = figure(section)
            for kind, metadata in (("svg", {"Date": None, "Creator": "ticketbench"}), ("png", {"Software": None})):
                path = folder / f"{stem}-{name}.{kind}"
                drawn.savefig(path, format=kind, metadata=metadata)
                written.append(path)
    return written


def figure(section: Section) -> Figure:
    """The figure of one task: every method over the whole range and, where that hides them, once more near dense."""
    found = ranges(section)
    caption = _caption(section)
    height = HEIGHT + LINE * len(caption)
    drawn = Figure(figsize=(WIDTH, height))
    drawn.subplots_adjust(
        left=LEFT / WIDTH,
        right=1 - LEGEND / WIDTH,
        top=1 - TOP / height,
        bottom=(BOTTOM + LINE * len(caption)) / height,
        wspace=0.2,
    )
    panels = drawn.subplots(1, len(found), squeeze=False, width_ratios=(2, 3)[-len(found) :])[0]
    for axes, limits, name in zip(panels, found, ("all", "near dense"), strict=False):
        panel(axes, section, limits)
        axes.set_title(name if len(found) > 1 else "", loc="left", fontsize=8)
    heading, facts = map(plain, title(section))
    drawn.text(LEFT / WIDTH, 1 - 0.22 / height, heading, fontsize=10, fontweight="bold")
    drawn.text(LEFT / WIDTH, 1 - 0.38 / height, facts, fontsize=7, color=DENSE_COLOUR)
    drawn.text(LEFT / WIDTH, 0.08 / height, "\n".join(caption), fontsize=6.5, color=DENSE_COLOUR, va="bottom")
    _legend(drawn, section, top=1 - (TOP - 0.1) / height)
    return drawn


def _legend(drawn: Figure, section: Section, *, top: float) -> None:
    dense = any(row.method == DENSE for _, row in section.headline)
    entries: list[tuple[Artist, str]] = [(Line2D([], [], color=DENSE_COLOUR, linewidth=1.0), DENSE)] if dense else []
    family = ""
    for line in lines(section):
        if line.look.family != family:
            family = line.look.family
            entries.append((Text(text=family), ""))
        entries.append((Line2D([], [], **line.look.strokes), _short(plain(line.method))))
    if not entries:
        return
    drawn.legend(
        handles=[handle for handle, _ in entries],
        labels=[label for _, label in entries],
        handler_map={Text: _Heading()},
        loc="upper left",
        bbox_to_anchor=(1 - (LEGEND - 0.05) / WIDTH, top),
        fontsize=7,
    )


def _short(name: str) -> str:
    if len(name) <= LABEL:
        return name
    mark = f"… {UNKNOWN}" if name.endswith(UNKNOWN) else "…"
    return name[: LABEL - len(mark)] + mark


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


def _caption(section: Section) -> list[str]:
    task, rows = section.comparison.task, [row for _, row in section.headline]
    sentences = [
        "Lines: means over seeds; bars and the grey band: 95 % t intervals; ticks: seeds.",
        "The methods of a level are drawn side by side.",
        "They share seeds: their paired differences, in the table, are sharper than their bars.",
    ]
    if cuts(section):
        sentences.append(
            f"Bars leave a panel where they are more than {WIDEST:g} times as high as its range of scores."
        )
    if any(row.n < FEWEST for row in rows):
        sentences.append(f"Fewer than {FEWEST} seeds: no interval.")
    if any(row.n_diverged for row in rows):
        sentences.append(f"A diverged seed counts at chance ({task.chance:g}).")
    if any(row.density == 0 for row in rows):
        sentences.append("Arms without a single weight are not drawn.")
    if not section.comparison.installed:
        sentences.append("This task is not installed here: there is no verdict.")
    if any(not arm.installed for arm in section.arms):
        sentences.append(f"{UNKNOWN} Not installed here, or another version of it: nothing is compared with it.")
    if task.scale in UNCLAIMED:
        sentences.append(f"Scale {task.scale}: no verdict on a claim.")
    if at_chance(section.comparison, task.at[0]):
        sentences.append("Dense learned nothing: there is no verdict.")
    sentences += [f"Deviation: {plain(sentence)}" for sentence in task.deviations]
    return textwrap.wrap(" ".join(sentences), CAPTION)


def _names(found: list[Section]) -> list[str]:
    """A file name for each section: the task, and the scale, version or place that it needs to be the only one."""
    tasks = [section.comparison.task for section in found]
    scaled = Counter(name for name, _ in {(task.name, task.scale) for task in tasks})
    names: list[str] = []
    for task in tasks:
        name = task.name if scaled[task.name] == 1 else f"{task.name}-{task.scale}"
        names.append(re.sub(r"[^\w.-]", "-", name, flags=re.ASCII))
    return [name if names.count(name) == 1 else f"{name}-{place + 1}" for place, name in enumerate(names)]
