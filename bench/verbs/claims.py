"""The verbs about the papers: what they claim, and whether it holds here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import get_args

from bench import registry
from bench.errors import SpecError, UnknownName
from bench.report.claims.definitions import Claim, find, load_claims, papers
from bench.report.claims.text import blocks, markdown, setting, verdict_table
from bench.report.claims.verdicts import Status, judge
from bench.report.published import read
from bench.runs import overview
from bench.runs.estimates.pace import Left, Pace, duration
from bench.runs.estimates.timing import TRIAL, Tried, timings
from bench.runs.job import WORKS, Works
from bench.runs.planning.plan import Plan
from bench.runs.planning.plan import plan as make_plan
from bench.spec import DENSE, SCALES, Entry, Suite
from bench.store.store import Store
from bench.verbs import training
from bench.verbs.activity import activity
from bench.verbs.arguments.execution import Execution
from bench.verbs.arguments.request import again, command_line, elsewhere, say, ways
from bench.verbs.lists import block, say_rows

STYLES = ("text", "md")


def claims(
    name: str | None,
    *,
    scale: str | None,
    records: Path | None,
    verdict: str | None,
    cost: bool,
    style: str,
    trial: str = TRIAL,
) -> None:
    """List claims; with published records, their verdicts; or what it would take to train for them."""
    if style not in STYLES:
        raise UnknownName("format", style, STYLES)
    if verdict is not None and verdict not in get_args(Status):
        raise UnknownName("verdict", verdict, get_args(Status))
    chosen = _at(name, scale)
    if records is None:
        if verdict:
            raise SpecError(
                f"--verdict {verdict!r} is about records, and none are named: add --records results/records"
            )
        _say_cost(chosen, style, trial) if cost else _say(chosen, name, style)
        return
    judged = judge(chosen, [record for suite in read(records).values() for record in suite])
    verdicts = [each for each in judged if verdict in (None, each.status)]
    if not verdicts:
        say(f"none of {len(judged)}: {verdict}")
        return
    if cost:
        _say_cost([each.claim for each in verdicts], style, trial)
        return
    say((verdict_table(verdicts) if style == "md" else blocks(verdicts)).rstrip())
    options = {"--scale": scale, "--records": records, "--verdict": verdict, "--format": style}
    given = [word for option, value in options.items() if value not in (None, STYLES[0]) for word in (option, value)]
    again(command_line("claims", *([name] if name else []), *given))


def _say(claims: Sequence[Claim], name: str | None, style: str) -> None:
    """Of one claim everything, of several a line each."""
    one = claims[0]
    if name != one.id:
        rows = _listed(claims)
        say_rows(rows) if style == "text" else say(*markdown(rows))
        return
    facts = {"statement": [one.statement], "where": [f"{one.where}; {one.paper}, {papers()[one.paper]}"]}
    facts |= {"reported": [one.reported]} if one.reported else {}
    facts |= dict(map(_setting, claims))
    if style == "text":
        say(one.id, *(line for key, texts in facts.items() for line in block(key, texts)))
    else:
        say(f"**{one.id}**", "", *(f"- {key}: {'; '.join(texts)}" for key, texts in facts.items()))


def _say_cost(claims: Sequence[Claim], style: str, trial: str) -> None:
    """How many units each claim takes at each scale, and how long these train on one worker here, one by one."""
    plans = {(claim.id, claim.scale): make_plan(suite([claim], claim.id)) for claim in claims if claim.scale}
    tasks = {unit.task.key: unit.task for made in plans.values() for unit in made.units.values()}
    unknown: list[str] = []
    with activity() as tell:
        pace = Pace(timings=timings(map(Tried, tasks.values()), trial=trial, trying=tell, failed=unknown.append))
    rows = [("claim", "at", "units", "on one worker here"), *starmap(partial(_cost, pace), plans.items())]
    blocked = [f"{claim.id} cannot be run: {claim.blocked}" for claim in claims if claim.scale is None]
    if style == "text":
        say_rows(rows)
        say(*unknown, *blocked)
    else:
        notes = [f"- {note}" for note in (*unknown, *blocked)]
        say(*markdown(rows), *([""] if notes else []), *notes)


def _cost(pace: Pace, of: tuple[str, str], made: Plan) -> tuple[str, ...]:
    units = made.units.values()
    return *of, f"{len(units):,}", duration(pace.remaining(Left(units), workers=1))


def _setting(claim: Claim) -> tuple[str, list[str]]:
    """The scale, what the claim rests on there, and how that is seen; or why it cannot be run."""
    if claim.scale is None:
        return "not run", [claim.blocked or "no unit of this version shows it"]
    needed = suite([claim], claim.id)
    told = setting(claim, seeds=len(needed.entries[0].seeds), units=len(make_plan(needed).units))
    again = command_line("reproduce", claim.id, "--scale", claim.scale)
    return f"at {claim.scale}", [*told, f"to see it: {again}", f"what that would train, and how long: {again} --plan"]


def _at(name: str | None, scale: str | None) -> list[Claim]:
    """Of every claim that is asked for, each scale that it has."""
    ids = {claim.id for claim in (find(name, scale=scale) if name else load_claims())}
    return [claim for claim in load_claims() if claim.id in ids and (scale is None or claim.scale in (None, scale))]


def _listed(claims: Sequence[Claim]) -> list[tuple[str, ...]]:
    scales: dict[str, list[str]] = {}
    for claim in claims:
        scales.setdefault(claim.id, []).append(claim.scale or "cannot be run")
    first = {claim.id: claim for claim in reversed(claims)}
    rows = [(known, first[known].paper, ", ".join(at), first[known].statement) for known, at in scales.items()]
    return [("claim", "paper", "at", "statement"), *rows]


def reproduce(
    name: str, root: Path, execution: Execution, *, scale: str | None, works: Works = WORKS, trial: str = TRIAL
) -> int:
    """Train what the claims need and print their verdicts by the whole store; the exit code says whether all is trained."""
    chosen = find(name, scale=scale)
    plan, store = make_plan(suite(chosen, name)), Store(root)
    if execution.launcher == "slurm":
        execution.submit(["reproduce", name, *(["--scale", scale] if scale else [])], root, name=name)
        return 0
    execution.check()
    say(training.overviewed(plan, store, execution, trial=trial), "")
    frontier = training.train(plan, store, execution, works=works, trial=trial)
    why = overview.reasons(frontier, store.failures())
    say(blocks(judge(chosen, store.records())).rstrip(), "", *why)
    say(*ways([command_line("reproduce", name, *(["--scale", scale] if scale else []), *elsewhere(root))]))
    return 1 if frontier.failed else 0


def plan(name: str, root: Path, execution: Execution, *, scale: str | None, trial: str = TRIAL) -> None:
    """Show what a reproduction would train, and how long; and where else the claim could be seen, for less."""
    chosen = find(name, scale=scale)
    say(training.overviewed(make_plan(suite(chosen, name)), Store(root), execution, trial=trial))
    taken = {claim.scale for claim in chosen}
    others = dict.fromkeys(claim.scale for claim in _at(name, None) if claim.scale and claim.scale not in taken)
    if scale is None and others:
        say(f"at {_scales(taken)} scale; less of the budget: --scale {' or '.join(others)}")


def _scales(taken: Collection[str | None]) -> str:
    return " and ".join(scale for scale in SCALES if scale in taken)


def suite(claims: Sequence[Claim], name: str) -> Suite:
    """Exactly the units that the claims need.

    Args:
        claims: those that cannot be run need none.
        name: of the suite.
    """
    entries = tuple(entry for claim in claims for entry in _entries(claim))
    return Suite(name=name, title=f"What {name} claims", entries=entries)


def _entries(claim: Claim) -> Iterator[Entry]:
    if claim.scale is None:
        return
    tasks = {name: registry.task(name, claim.scale) for name in claim.arms}
    seeds = tuple(range(claim.seeds_of(*tasks.values())))
    for name, methods in claim.arms.items():
        known = tuple(registry.method(method) for method in dict.fromkeys((DENSE, *methods)))
        yield Entry(task=tasks[name], methods=known, levels=claim.levels, seeds=seeds)
