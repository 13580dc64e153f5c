"""Figures: the score of every method over density, one figure per task; and those of nodes where its records tell of them."""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from bench.record import Record
from bench.report.escaping import plain
from bench.report.figures import frame
from bench.report.figures.nodes import draw
from bench.report.figures.nodes.numbers import Curves
from bench.report.figures.panel import WIDEST, cuts, lines, panel, ranges
from bench.report.figures.style import DENSE_COLOUR, RC
from bench.report.statistics.seeds import FEWEST
from bench.report.table.notes import UNKNOWN
from bench.report.table.rows import UNCLAIMED, Section, at_chance, sections
from bench.spec import DENSE


def plot(records: Iterable[Record], folder: Path, *, stem: str, curves: Curves | None = None) -> list[Path]:
    """Draw the figures of every task into `folder`, as SVG and PNG; the same records give the same bytes.

    Args:
        records: in any order.
        folder: made if it does not exist.
        stem: first part of the file names: `<stem>-<task>[-<scale>][-<figure>].svg`, the scale where a task comes at
            several, the figure where it is not that of the score.
        curves: of units whose records tell of nodes.

    Returns:
        The files written, each SVG before its PNG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = sections(records)
    written: list[Path] = []
    with style.context(["default", RC]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script our font lacks
        for name, section in zip(_names(found), found, strict=True):
            for kind, drawn in _figures(section, curves or {}):
                path = f"{stem}-{name}{kind}"
                while folder / f"{path}.svg" in written:  # a task may be called like another's figure
                    path += "-2"
                for suffix, metadata in (
                    ("svg", {"Date": None, "Creator": "ticketbench"}),
                    ("png", {"Software": None}),
                ):
                    written.append(folder / f"{path}.{suffix}")
                    drawn.savefig(written[-1], format=suffix, metadata=metadata)
    return written


def _figures(section: Section, curves: Curves) -> Iterator[tuple[str, Figure]]:
    """End of the file's name and figure, one after the other: a large one does not wait for the next."""
    yield "", figure(section)
    for kind, drawn in draw.figures(section, curves):
        yield f"-{kind}", drawn


def figure(section: Section) -> Figure:
    """The score of one task: every method over the whole range and, where that hides them, once more near dense."""
    found = ranges(section)
    drawn, (panels,) = frame.framed(
        section,
        _caption(section),
        columns=len(found),
        entries=_entries(section),
        width_ratios=(2, 3)[-len(found) :],
    )
    for axes, limits, name in zip(panels, found, ("all", "near dense"), strict=False):
        panel(axes, section, limits)
        axes.set_title(name if len(found) > 1 else "", loc="left", fontsize=8)
    return drawn


def _entries(section: Section) -> list[frame.Entry]:
    """Of the legend: dense, then the methods family by family."""
    entries = [frame.line(DENSE, color=DENSE_COLOUR, linewidth=1.0)] if section.dense else []
    family = ""
    for line in lines(section):
        if line.look.family != family:
            family = line.look.family
            entries.append(frame.heading(family))
        entries.append(frame.line(line.method, **line.look.strokes))
    return entries


def _caption(section: Section) -> list[str]:
    task, rows = section.comparison.task, [row for _, row in section.headline]
    sentences = [
        "Lines: means over seeds; bars and the grey band: 95 % intervals; ticks: seeds.",
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
    return sentences


def _names(found: list[Section]) -> list[str]:
    """A file name for each section: the task, and the scale, version or place that it needs to be the only one."""
    tasks = [section.comparison.task for section in found]
    scaled = Counter(name for name, _ in {(task.name, task.scale) for task in tasks})
    names: list[str] = []
    for task in tasks:
        name = task.name if scaled[task.name] == 1 else f"{task.name}-{task.scale}"
        names.append(plain_name(name))
    return [name if names.count(name) == 1 else f"{name}-{place + 1}" for place, name in enumerate(names)]


def plain_name(task: str) -> str:
    """A task's name as the name of a figure has it, which may go on behind it."""
    return re.sub(r"[^\w.-]", "-", task, flags=re.ASCII)
