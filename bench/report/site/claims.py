"""The board of claims: what the papers say, what became of it here, and the records that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.report.claims.definitions import Claim, papers
from bench.report.claims.text import about, claimed, measured
from bench.report.claims.verdicts import ClaimVerdict, shown
from bench.report.site.anchors import Page
from bench.report.site.markup import SENTENCE, Column, attributes, label, link, row, table, text

CLAIMS = (
    Column("claim", number=False),
    Column("verdict", number=False),
    Column("what is claimed", number=False),
    Column("measured"),
    Column("claimed", number=False),
    Column("n"),
    Column("p (Holm)"),
    Column("detectable"),
    Column("scale", number=False),
    Column("task", number=False),
    Column("the paper prints", number=False),
    Column("why, or what limits it", number=False),
)
MARKS = {"holds": "✓", "fails": "✗", "inconclusive": "≈", "no verdict": "-", "not run": "-"}


def claims(verdicts: Sequence[ClaimVerdict], pages: Sequence[Page]) -> str:
    """What the papers claim, each at the largest scale that was run."""
    told = shown(verdicts)
    counts = {status: sum(each.status == status for each in told) for status in MARKS}
    summary = ", ".join(f"{count} {status}" for status, count in counts.items())
    return "".join(
        [
            "<h2>Claims: what the papers say, and what these records say about it</h2>\n",
            f"<p class=facts>{len(told)} claims: {text(summary, SENTENCE)}.\n",
            ledger(told, pages, key="claims", caption="Claims of the papers with their verdicts."),
        ]
    )


def ledger(verdicts: Sequence[ClaimVerdict], pages: Sequence[Page], *, key: str, caption: str) -> str:
    """A table of verdicts.

    Args:
        verdicts: one per line.
        pages: of all tasks, for the links.
        key: names the order of the table.
        caption: plain text.
    """
    newest: dict[tuple[str, str | None], Page] = {
        (page.task.name, page.task.scale): page for page in pages if page.newest
    }
    return table(CLAIMS, [_row(each, newest) for each in verdicts], key=key, caption=caption)


def badge(status: str) -> str:
    """What became of a claim, readable without colour."""
    return f'<span class="badge {status.split(maxsplit=1)[0]}">{MARKS[status]} {status}</span>'


def _row(verdict: ClaimVerdict, pages: Mapping[tuple[str, str | None], Page]) -> str:
    claim = verdict.claim
    found = {name: pages.get((name, verdict.scale)) for name in claim.tasks}
    cells = (
        f"{text(claim.id)} <small>{text(claim.paper)}</small>",
        badge(verdict.status),
        _statement(claim),
        f"{text(measured(verdict))}{_evidence(verdict, found)}",
        text(claimed(claim)) if claim.scale else "",
        str(verdict.interval.n) if verdict.interval else "",
        "" if verdict.p is None else f"{verdict.p:.2g}",
        "" if verdict.detectable is None else f"{verdict.detectable:.2g}",
        text(verdict.scale or ""),
        ", ".join(link(page.anchor, text(name)) if page else text(name) for name, page in found.items()),
        text(claim.reported or "", SENTENCE),
        text(verdict.reason, SENTENCE),
    )
    attrs = attributes(
        {
            "d": _several(name.partition("/")[0] for name in claim.tasks),
            "t": _several(claim.tasks),
            "m": _several(each for each in (claim.method, claim.comparator) if each),
        }
    )
    return row(cells, CLAIMS, attrs)


def _statement(claim: Claim) -> str:
    read = f". Read: {about(claim)}" if claim.scale else ""
    source = f"{papers().get(claim.paper, claim.paper)}, {claim.where}{read}"
    return f"{text(claim.statement, SENTENCE)} <small>{text(source, SENTENCE)}</small>"


def _several(names: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(map(label, names)))


def _evidence(verdict: ClaimVerdict, found: Mapping[str, Page | None]) -> str:
    """Links to the records behind a verdict, arm by arm."""
    claim = verdict.claim
    if verdict.interval is None:
        return ""
    methods = [method for method in (claim.method, claim.comparator) if method]
    links = [
        link(anchor, f"{text(method)} L{level}")
        for page in found.values()
        if page
        for method in methods
        for level in ((0,) if method == "dense" else claim.levels)
        if (anchor := page.anchor_of(method, level))
    ]
    return f" <small>from {', '.join(dict.fromkeys(links))}</small>" if links else ""
