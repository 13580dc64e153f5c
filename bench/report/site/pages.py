"""A page of one task: its curve, its numbers, where the weights are, what papers claim of it, and its records."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.claims.verdicts import ClaimVerdict
from bench.report.site.anchors import Page
from bench.report.site.boards import MEASURED, beside, outcome
from bench.report.site.charts import chart
from bench.report.site.claims import ledger
from bench.report.site.evidence import asked, evidence
from bench.report.site.layers import layers
from bench.report.site.markup import (
    LABEL,
    SENTENCE,
    Column,
    attributes,
    data,
    label,
    link,
    listed,
    row,
    sentence,
    table,
    text,
)
from bench.report.site.measured import NOTE, of_arm
from bench.report.table import bootstrap
from bench.report.table.compact import besides, title
from bench.report.table.notes import notes

WORDS = ("method", "matching", "verdict")
ORDER = (
    *("method", "level", "density %", "n", "mean [low, high]", "search cost", "vs dense", "matching", "verdict"),
    *("vs random", "vs reinit", "vs shuffled", "normalised", "P_m %"),
)
"""The columns of `HEADER`, what decides first: on a phone the rest is out of sight."""

NUMBERS = tuple(Column(name, number=name not in WORDS) for name in ORDER)
INDEX = (
    Column("task", number=False),
    Column("domain", number=False),
    Column("scale", number=False),
    Column("version"),
    Column("records"),
    Column("what is measured", number=False),
    Column("suites", number=False),
)


def index(pages: Sequence[Page]) -> str:
    """The tasks, each with a link to its page."""
    rows = [_indexed(page) for page in pages]
    return "<h2>Tasks</h2>\n" + table(INDEX, rows, key="tasks", caption="Every task at every scale and version.")


def page(found: Page, pages: Sequence[Page], verdicts: Sequence[ClaimVerdict], known: set[str], url: str | None) -> str:
    """Everything about one task.

    Args:
        found: the task.
        pages: of all tasks, for the links of claims.
        verdicts: on all claims.
        known: anchors of all records.
        url: folder of the published records.
    """
    heading, facts = title(found.section)
    ours = [each for each in verdicts if found.task.name in each.claim.tasks and each.scale == found.task.scale]
    shares = layers(found)
    return "".join(
        [
            f"<h2>{text(heading, 2 * LABEL)} <small>version {found.task.version:d}</small></h2>\n",
            f"<p class=facts>{text(facts, SENTENCE)}\n",
            _superseded(found, pages),
            _figures(found),
            "<h3>Numbers</h3>\n",
            _numbers(found),
            listed(map(sentence, [*notes(found.section), NOTE] if found.measured else notes(found.section))),
            _plain("Also measured", besides(found.section), found, key="besides"),
            _plain("Noise of the test set", bootstrap.cells(found.section), None, key="bootstrap"),
            f"<h3>Densities per layer</h3>\n{shares}" if shares else "",
            _claims(ours if found.newest else [], pages),
            f"<h3>Records</h3>\n<noscript>{evidence(found, known, records_url=url)}</noscript>\n",
            f"<h3>The task, as its records hold it</h3>\n{asked(found)}",
        ]
    )


def _indexed(found: Page) -> str:
    task = found.task
    records = sum(len(arm.records) for arm in found.section.arms)
    cells = (
        link(found.anchor, text(task.name)),
        text(task.domain),
        text(task.scale),
        f"{task.version:d}{'' if found.newest else ' (superseded)'}",
        f"{records:,}",
        text(title(found.section)[1], SENTENCE),
        text(", ".join(found.suites), SENTENCE),
    )
    names = attributes({"d": label(task.domain), "t": label(task.name)})
    return row(cells, INDEX, names + " class=old" * (not found.newest))


def _superseded(found: Page, pages: Sequence[Page]) -> str:
    if found.newest:
        return ""
    newer = next(each for each in reversed(pages) if each.newest and each.task.key == found.task.key)
    told = link(newer.anchor, f"version {newer.task.version:d}")
    return f"<p class=warning>This protocol is superseded by {told}: their numbers cannot be compared.\n"


def _figures(found: Page) -> str:
    drawn = chart(found)
    return f"<div class=charts></div>\n{data(drawn, f'{found.anchor}.chart')}" if drawn else ""


def _numbers(found: Page) -> str:
    columns = beside(NUMBERS, "mean [low, high]") if found.measured else NUMBERS
    rows = [_line(found, place, columns) for place in range(len(found.section.arms))]
    return table(
        columns, rows, key="numbers", caption=f"Score, differences paired by seed, and cost: {found.task.key}."
    )


def _line(found: Page, place: int, columns: Sequence[Column]) -> str:
    told = found.cells[place]
    cells = [text(told["method"]), link(found.arms[place], text(told["level"]))]
    for name in (each.name for each in columns[2:]):
        number = of_arm(found.section.arms[place], found.measured) if name == MEASURED.name else told[name]
        if name in WORDS:
            cells.append(outcome(number))
        else:
            cells.append(link(found.arms[place], text(number), again=True) if number else "")
    density = f"{100 * found.section.rows[place].density:.4g}"
    return row(cells, columns, attributes({"m": label(told["method"]), "p": density}))


def _plain(heading: str, lines: Sequence[Sequence[str]], found: Page | None, *, key: str) -> str:
    """A table of text; if `found` is given, a line per arm of it."""
    if not lines:
        return ""
    columns = [Column(name, number=place > 0 and name != "against") for place, name in enumerate(lines[0])]
    rows = [
        row(
            [
                link(found.arms[place], text(cell), again=column != 1) if found and column and cell else text(cell)
                for column, cell in enumerate(line)
            ],
            columns,
            attributes({"m": label(line[0])}),
        )
        for place, line in enumerate(lines[1:])
    ]
    return f"<h3>{text(heading)}</h3>\n{table(columns, rows, key=key, caption=heading)}"


def _claims(verdicts: Sequence[ClaimVerdict], pages: Sequence[Page]) -> str:
    if not verdicts:
        return ""
    shown = ledger(verdicts, pages, key="task-claims", caption="Claims about this task at this scale.")
    return f"<h3>Claims</h3>\n{shown}"
