"""The verbs about the papers: what they claim, and whether it holds here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import registry
from bench.errors import UnknownName
from bench.record import Record
from bench.report.claims.definitions import Claim, find, load
from bench.report.claims.text import blocks, markdown
from bench.report.claims.verdicts import judge
from bench.report.published import read
from bench.runs import overview
from bench.runs.job import WORK
from bench.runs.launch.local import usable_cores
from bench.runs.pace import Pace
from bench.runs.plan import Plan
from bench.runs.plan import plan as make_plan
from bench.runs.store import Store
from bench.spec import Entry, Suite
from bench.verbs import training
from bench.verbs.request import say

STYLES = ("text", "md")


def claims(name: str | None, *, scale: str | None, records: Path | None, style: str) -> None:
    """List claims; with published records, their verdicts."""
    if style not in STYLES:
        raise UnknownName("format", style, STYLES)
    asked = _at(name, scale)
    if records is None:
        say(_listed(asked))
        return
    found = judge(asked, [record for suite in read(records).values() for record in suite])
    say((markdown(found) if style == "md" else blocks(found)).rstrip())


def _at(name: str | None, scale: str | None) -> list[Claim]:
    """Of every claim that is asked for, each scale that it has."""
    ids = {each.id for each in find(name, scale=scale)} if name else {each.id for each in load()}
    return [each for each in load() if each.id in ids and (scale is None or each.scale in (None, scale))]


def _listed(claims: Sequence[Claim]) -> str:
    scales: dict[str, list[str]] = {}
    for claim in claims:
        scales.setdefault(claim.id, []).append(claim.scale or "cannot be run")
    first = {claim.id: claim for claim in reversed(claims)}
    rows = [(each, first[each].paper, ", ".join(at), first[each].statement) for each, at in scales.items()]
    return overview.columns([("claim", "paper", "at", "statement"), *rows])


def reproduce(
    name: str, root: Path, *, scale: str | None, workers: int | None, threads: int, device: str, work: str = WORK
) -> int:
    """Train what the claims need and print their verdicts; the exit code says whether every unit is done."""
    asked = find(name, scale=scale)
    plan, store = make_plan(suite(asked, name)), Store(root)
    workers = workers or usable_cores()
    say(overview.planned(plan, store, Pace(store.records()), workers=workers), "")
    frontier = training.train(plan, store, workers=workers, threads=threads, device=device, work=work)
    if frontier is None:
        return training.INTERRUPTED
    say(blocks(judge(asked, _records(plan, store))).rstrip(), "", *overview.reasons(frontier))
    return 1 if frontier.failed else 0


def suite(claims: Sequence[Claim], name: str) -> Suite:
    """Exactly the units that the claims need.

    Args:
        claims: those that cannot be run need none.
        name: of the suite.
    """
    entries = tuple(
        Entry(
            task=registry.task(task, claim.scale),
            methods=tuple(registry.method(each) for each in claim.methods),
            levels=claim.levels,
            seeds=tuple(range(claim.seeds)),
        )
        for claim in claims
        for task in claim.tasks
        if claim.scale
    )
    return Suite(name=name, title=f"What {name} claims", entries=entries)


def _records(plan: Plan, store: Store) -> list[Record]:
    return [record for unit in plan.units.values() if (record := store.record(unit))]
