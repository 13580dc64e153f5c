"""The leaderboard: one `index.html` that needs nothing but itself, and reads without JavaScript."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path

from bench.record import Measurement, Record
from bench.report.claims.verdicts import ClaimVerdict
from bench.report.site.anchors import Page, pages
from bench.report.site.boards import tickets
from bench.report.site.claims import claims
from bench.report.site.pages import index, page

PARTS = files("bench.report.site") / "page"
VIEWS = {"tickets": "Tickets", "claims": "Claims", "tasks": "Tasks"}
"""Anchor -> name of what the navigation leads to; the first is where a reader starts."""


def site(
    suites: Mapping[str, Sequence[Record]],
    verdicts: Sequence[ClaimVerdict],
    *,
    measured: Mapping[str, Measurement] | None = None,
    records_url: str | None = None,
) -> str:
    """The page as text; the same records and verdicts give the same bytes, in whatever order they come.

    Args:
        suites: name -> its records.
        verdicts: on the papers' claims, in the order in which they are listed.
        measured: unit id -> what was measured again.
        records_url: folder of the published records, as a link from the page; None if they are not beside it.
    """
    return "".join(_parts(suites, verdicts, measured, records_url))


def _parts(
    suites: Mapping[str, Sequence[Record]],
    verdicts: Sequence[ClaimVerdict],
    measured: Mapping[str, Measurement] | None,
    records_url: str | None,
) -> Iterator[str]:
    """The page piece by piece, so that a large one need not be in memory whole."""
    found = pages(suites, measured)
    known = {anchor for each in found for anchors in each.records for anchor in anchors.values()}
    yield _head()
    yield _masthead(suites, found)
    yield "<main id=main tabindex=-1>\n"
    yield _section("tickets", tickets(found), kind="page board")
    yield _section("claims", claims(verdicts, found), kind="page board")
    yield _section("tasks", index(found), kind="page board")
    for each in found:
        yield _section(each.anchor, page(each, found, verdicts, known, records_url))
    yield "</main>\n"
    for script in scripts()[1:]:
        yield f"<script>{script}</script>\n"


def write_site(
    path: Path,
    suites: Mapping[str, Sequence[Record]],
    verdicts: Sequence[ClaimVerdict],
    *,
    measured: Mapping[str, Measurement] | None = None,
    records_url: str | None = None,
) -> Path:
    """Write the page, all of it or nothing.

    Args:
        path: of the file; its folder is made.
        suites: see `site`.
        verdicts: see `site`.
        measured: see `site`.
        records_url: see `site`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=path.parent, delete=False) as file:
        try:
            file.writelines(_parts(suites, verdicts, measured, records_url))
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return path


@cache
def scripts() -> tuple[str, ...]:
    """The scripts in the order in which they stand: one line for the head, the vendored ones, our own."""
    vendored = (_part("vendor", each["name"]) for each in vendor())
    return ("document.documentElement.className='js'", *map(_unmapped, vendored), _part("page.js"))


@cache
def vendor() -> tuple[dict[str, str], ...]:
    """What `vendor.toml` says about the vendored scripts."""
    return tuple(tomllib.loads(_part("vendor", "vendor.toml"))["file"])


def policy() -> str:
    """The Content-Security-Policy: these scripts and this style sheet, and nothing else from anywhere."""
    allowed = " ".join(_hash(script) for script in scripts())
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(_part('page.css'))}; "
        "base-uri 'none'; form-action 'none'"
    )


def _head() -> str:
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy())}">\n'
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name=referrer content=no-referrer>\n'
        f"<title>Ticket Bench</title>\n<style>{_part('page.css')}</style>\n<script>{scripts()[0]}</script>\n"
        "</head>\n<body>\n"
    )


def _masthead(suites: Mapping[str, Sequence[Record]], found: Sequence[Page]) -> str:
    views = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in VIEWS.items())
    records = sum(len(arm.records) for each in found for arm in each.section.arms)
    facts = f"{records:,} records, {len(found)} tasks, {len(suites)} suites"
    return (
        '<a class=skip href="#main">Skip to the tables</a>\n'
        f"<header><h1>Ticket Bench</h1><p class=facts>Sparsity against performance of lottery tickets, random tickets and "
        f"pruning baselines. {facts}.</p>\n<nav aria-label=Boards>{views}</nav>\n{_part('filters.html')}</header>\n"
    )


def _section(anchor: str, inner: str, *, kind: str = "page") -> str:
    return f'<section class="{kind}" id="{anchor}">\n{inner}</section>\n'


@cache
def _part(*names: str) -> str:
    return PARTS.joinpath(*names).read_text(encoding="utf-8")


def _unmapped(script: str) -> str:
    """Without the last line, which names a source map that is not here."""
    return re.sub(r"\n//# sourceMappingURL=\S+\s*\Z", "\n", script)


def _hash(inline: str) -> str:
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
