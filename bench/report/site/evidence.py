"""The records behind a task's numbers, one line each: what a number on the page leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from bench.digests import canonical_json
from bench.report.site.anchors import DIGITS, Page, unit
from bench.report.site.markup import SENTENCE, Column, listed, literal, table, text
from bench.report.site.measured import of_unit
from bench.report.table.arms import Arm
from bench.report.table.compact import ARROWS

DIGESTS = ("result", "curve", "mask", "weights")


def evidence(page: Page, known: set[str], *, records_url: str | None) -> str:
    """Every record of a task, arm by arm, and what was asked of it.

    Args:
        page: of the task.
        known: anchors of all records on the page.
        records_url: folder with the published records; None if there is none to link to.
    """
    scores = list(page.section.arms[0].scores)
    columns = _columns(page, scores)
    settings: dict[str, int] = {}
    bodies = [_body(page, place, columns, known, settings) for place in range(len(page.section.arms))]
    shown = table(columns, bodies, key="records", caption=f"Records of {page.task.key}.", kind="records")
    return shown + listed(
        (
            f"Units and digests by their first {DIGITS} digits. {_published(page, records_url)}",
            *(f"Setting {number}: {text(setting, SENTENCE)}" for setting, number in settings.items()),
        )
    )


def asked(page: Page) -> str:
    """The task as its records hold it: with an arm's method, level and seed, the whole spec of a unit."""
    record = next(iter(page.section.arms[-1].records.values()))
    return literal(record["spec"]["task"])


def _published(page: Page, records_url: str | None) -> str:
    if records_url is None:
        return "The whole records: <code>ticketbench show</code>."
    base = escape(records_url.rstrip("/"))
    links = (
        f'<a href="{base}/{quote(each, safe="", errors="replace")}.jsonl">{text(each)}</a>' for each in page.suites
    )
    return f"The whole records: {', '.join(links)}."


def _columns(page: Page, scores: Sequence[tuple[str, str]]) -> tuple[Column, ...]:
    directions = page.task.directions
    return (
        Column("seed"),
        *(Column(f"{metric.replace('_', ' ')} {ARROWS[directions[metric]]}, {at}") for metric, at in scores),
        *([Column("measured / claimed", number=False)] if page.measured else []),
        Column("status", number=False),
        Column("unit", number=False),
        Column("updates"),
        Column("search cost"),
        *(Column(name, number=False) for name in DIGESTS),
        Column("parents", number=False),
        Column("seconds"),
        Column("ended", number=False),
        Column("setting"),
    )


def _body(page: Page, place: int, columns: Sequence[Column], known: set[str], settings: dict[str, int]) -> str:
    arm, told = page.section.arms[place], page.cells[place]
    first = next(iter(arm.records.values()))
    method = {key: value for key, value in first["spec"]["method"].items() if key != "about"}
    head = (
        f"<tr><th colspan={len(columns)} scope=rowgroup>{text(told['method'])}, level {arm.level:d}, "
        f"density {text(told['density %'])} %: {text(told['mean [low, high]'])} "
        f"<code>{text(canonical_json(method), SENTENCE)}</code>\n"
    )
    lines = [_line(page, arm, seed, page.records[place][seed], known, settings) for seed in arm.records]
    return f'<tbody id="{page.arms[place]}">{head}{"".join(lines)}'


def _line(page: Page, arm: Arm, seed: int, anchor: str, known: set[str], settings: dict[str, int]) -> str:
    record = arm.records[seed]
    provenance, digests = record["provenance"], dict(record["digests"])
    setting = settings.setdefault(_setting(provenance), len(settings) + 1)
    status = record["status"] if record["reason"] is None else f"{record['status']}: {record['reason']}"
    cells = (
        f"{seed:d}",
        *(f"{each[seed]:.6g}" if seed in each else "" for each in arm.scores.values()),
        *([text(of_unit(arm, seed, page.measured), SENTENCE)] if page.measured else []),
        text(status),
        f"<code>{text(record['unit_id'][:DIGITS])}</code>",
        f"{record['updates']:d}",
        f"{record['search_cost']:d}",
        *(f"<code>{text(str(digests.get(name, ''))[:DIGITS])}</code>" for name in DIGESTS),
        ", ".join(_parent(role, each, known) for role, each in record["spec"]["parents"].items()),
        f"{record['wall_seconds']:.1f}",
        text(str(provenance.get("end", ""))[:16]),
        f"{setting:d}",
    )
    return f'<tr id="{anchor}"><th scope=row>{"<td>".join(cells)}\n'


def _parent(role: str, unit_id: str, known: set[str]) -> str:
    anchor = unit(unit_id)
    told = f"{text(role)} {text(unit_id[:DIGITS])}"
    return f'<a href="#{anchor}">{told}</a>' if anchor in known else told


def _setting(provenance: Mapping[str, Any]) -> str:
    """Everything about where a unit was trained but when."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(provenance.get("versions", {}).items()))
    told = {name: provenance.get(name) for name in ("commit", "device", "machine", "threads")}
    return ", ".join([*(f"{name} {value}" for name, value in told.items() if value is not None), versions])
