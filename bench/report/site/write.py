"""The leaderboard: one `index.html` that needs nothing but itself, and reads without JavaScript."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from jinja2 import Template

from bench.record import Record
from bench.report.claims import text
from bench.report.claims.definitions import papers
from bench.report.claims.verdicts import ClaimVerdict, shown
from bench.report.site.anchors import Page, pages, unit
from bench.report.site.overview import costs, panels
from bench.report.site.overview.ranking import rank
from bench.report.site.overview.sentences import sentences
from bench.report.site.scripts import policy, scripts, style
from bench.report.site.sections.charts import chart, styles
from bench.report.site.sections.claims import KINDS, ClaimLine, by_paper, claim_lines, tally
from bench.report.site.sections.densities import families, layers_of
from bench.report.site.sections.glossary import ARXIV, ruled_out, terms
from bench.report.site.sections.glossary import COLUMNS as HEADINGS
from bench.report.site.sections.measured import NOTHING, Measured, again, measurers, of_arm, of_unit, setting
from bench.report.site.sections.nodes import node_charts
from bench.report.site.sections.records import method_of, settings, task_of
from bench.report.site.sections.speed import speed_tables
from bench.report.site.sections.standings import standings
from bench.report.site.sources import sources
from bench.report.site.templates import environment
from bench.report.table import bootstrap
from bench.report.table.compact import ARROWS, COMPACT, besides, title
from bench.report.table.notes import notes
from bench.speed import Speed
from bench.store import files

ASIDE = 20
"""Measurements that were set aside, named one by one, at most."""

ORDER = (
    *("level", "density", "n", "mean", "search_cost", "vs_dense", "matching", "verdict"),
    *("vs_random", "vs_reinit", "vs_shuffled", "score_normalised", "density_weights"),
)
"""The columns of a task's numbers behind the method, what decides first: on a phone the rest is out of sight."""

COLUMNS = {column.name: column for column in COMPACT}

FUNCTIONS = (
    *(text.about, text.claimed, text.seeds_needed, text.notes_on, papers, besides, title, notes, families, layers_of),
    *(again, measurers, of_arm, of_unit, setting, settings, method_of, task_of, unit, node_charts),
    *(terms, ruled_out, by_paper, tally),
)
"""What the templates call by name."""

CHUNK = 1_000
"""Pieces of the page that are written at once."""


def site(
    suites: Mapping[str, Sequence[Record]],
    verdicts: Sequence[ClaimVerdict],
    *,
    measured: Measured = NOTHING,
    speeds: Sequence[Speed] = (),
    submitters: Mapping[str, str] = MappingProxyType({}),
    records_url: str | None = None,
    packed: Collection[str] = (),
    manual_url: str | None = None,
    notes_url: str | None = None,
) -> Iterator[str]:
    """The page piece by piece: a large one is never in memory whole.

    The same records and verdicts give the same page, in whatever order they come.

    Args:
        suites: name -> its records.
        verdicts: on the papers' claims, in the order in which they are listed.
        measured: what was measured again.
        speeds: what sparsity is worth in seconds and bytes, of published units.
        submitters: suite -> who submitted it, of those that are named.
        records_url: path from the page to the folder of the published records; None if they are not beside it.
        packed: suites whose file there is compressed.
        manual_url: path from the page to what tells how to submit; None if it is not beside it.
        notes_url: path from the page to what its publisher says of the runs; likewise.
    """
    made = pages(suites, measured.believed)
    told, ranked, drawn = shown(verdicts), standings(made), styles(made)
    ranking, multiples = rank(ranked), panels.panels(made)

    def claims_of(page: Page) -> list[ClaimLine]:
        name, scale = page.task.name, page.task.scale
        about = [verdict for verdict in told if name in verdict.claim.arms and verdict.scale == scale]
        return claim_lines(about, made) if page.installed else []

    stream = _template().stream(
        facts=_facts(made, len(suites)),
        pages=made,
        known={anchor for page in made for anchors in page.records for anchor in anchors.values()},
        standings=ranked,
        ranking=ranking,
        sentences=sentences(ranking),
        panels=multiples,
        first=panels.first(multiples),
        costs=costs.costs(ranking),
        sources=sources(suites, measured.believed, submitters),
        claims=claim_lines(told, made),
        claims_of=claims_of,
        chart=lambda page: chart(page, drawn),
        measured=measured,
        speed_tables=lambda page: speed_tables(page, speeds),
        records_url=records_url,
        packed=packed,
        manual_url=manual_url,
        notes_url=notes_url,
    )
    stream.enable_buffering(CHUNK)
    return stream


def write(path: Path, pieces: Iterable[str]) -> None:
    """Write a file, all of it or nothing; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.drafted(path) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def _facts(made: Sequence[Page], suites: int) -> str:
    """How much there is: a task counts once, at however many scales and versions it has a page."""
    names = len({page.task.name for page in made})
    several = f" ({len(made)} with their scales)" if len(made) > names else ""
    tasks, kept = f"{names} task{'s' * (names != 1)}{several}", f"{suites} suite{'s' * (suites != 1)}"
    return f"{sum(page.count for page in made):,} records, {tasks}, {kept}"


@cache
def _template() -> Template:
    """The page, with what it asks for when it comes to it, so that one task is in memory at a time."""
    made = environment()
    made.globals.update({function.__name__: function for function in FUNCTIONS})
    made.globals.update(statistic=text.measured, bootstrap=bootstrap.cells, arrows=ARROWS, most=ASIDE, kinds=KINDS)
    made.globals.update(few=panels.legend(), panel=panels.SIZE, prices=costs.SIZE, arxiv=ARXIV, headings=HEADINGS)
    made.globals.update(policy=policy(), style=style(), scripts=scripts(), columns=[COLUMNS[name] for name in ORDER])
    return made.get_template("index.html")
