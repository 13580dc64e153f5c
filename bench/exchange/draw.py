"""Which units of a submission can be measured again, and which of them are drawn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from bench.exchange.submission import Submission, SubmittedUnit
from bench.exchange.ticketfile import TICKET
from bench.registry import is_built_in
from bench.spec import DENSE


def obstacle(submission: Submission, entry: SubmittedUnit) -> str | None:
    """Why a unit cannot be trained again from its seed and what else was submitted; None if it can."""
    if not entry.installed.both:
        return "its task or its method is not installed here"
    if TICKET in entry.unit.method.parents and submission.parent(entry, TICKET) is None:
        return "its ticket was not submitted"
    if entry.unit.method.source:
        ticket = submission.parent(entry, "source")
        if ticket is None or ticket.installed.task is None:
            return "its source's ticket was not submitted, or the source task is not installed here"
    if entry.columns.weights.state == "trained":
        previous = submission.parent(entry, "previous")
        if previous is None or not previous.has_trained_weights:
            return "the weights of the round before were not submitted (`pack --weights`)"
    return None


def retrainable(submission: Submission) -> list[SubmittedUnit]:
    """The units that can be trained again."""
    return [entry for entry in submission.entries.values() if obstacle(submission, entry) is None]


def replayable(submission: Submission) -> list[SubmittedUnit]:
    """The units whose trained weights were submitted, of tasks and methods that are installed here."""
    entries = submission.entries.values()
    return [entry for entry in entries if entry.installed.both and entry.has_trained_weights and not entry.diverged]


def draw_units(entries: Iterable[SubmittedUnit], count: int, *, seed: int) -> list[SubmittedUnit]:
    """`count` of the units, or all: chance draws a method, then one of its units, and so on."""
    return [entry for entry, _ in zip(_by_chance(entries, random.Random(seed)), range(count), strict=False)]


def draw_comparisons(entries: Iterable[SubmittedUnit], count: int, *, seed: int) -> list[SubmittedUnit]:
    """At least `count` of the units, or all; of tickets at least one with all that it is compared with, and what is submitted.

    Claimed divergences come first, at most `count`; then a ticket with its controls and dense of the same task, level and seed,
    and a unit of each method that is not built in, or else of one that chance draws, whatever `count` is; then, in turn, such
    a unit and such a comparison.
    """
    if not count:
        return []
    chance = random.Random(seed)
    ordered = sorted(entries, key=lambda entry: entry.unit.id)
    comparisons, diverged = _comparisons(ordered), [entry for entry in ordered if entry.diverged]
    chance.shuffle(comparisons)
    chance.shuffle(diverged)
    compared = {entry.unit.id for group in comparisons for entry in group}
    singles = [[entry] for entry in _by_chance(ordered, chance)]
    theirs = {
        entry.unit.method.name: [entry] for [entry] in reversed(singles) if not is_built_in(entry.unit.method.name)
    }
    others = [[entry] for [entry] in singles if entry.unit.id not in compared]
    always = [*comparisons[:1], *(theirs.values() or others[:1])]
    turns = [group for pair in zip_longest(others, comparisons[1:]) for group in pair if group]
    drawn = {entry.unit.id: entry for entry in diverged[:count]}
    for number, group in enumerate([*always, *turns]):
        if number >= len(always) and len(drawn) >= count:
            break
        drawn |= {entry.unit.id: entry for entry in group}
    return list(drawn.values())


def _comparisons(entries: Sequence[SubmittedUnit]) -> list[list[SubmittedUnit]]:
    """Each ticket with the units that take its mask or its counts or another task's, those whose mask chance draws, and dense of its seed."""
    dense: dict[tuple[str, int, int], SubmittedUnit] = {}
    groups: dict[tuple[str, int, int, int], list[SubmittedUnit]] = {}
    for entry in entries:
        key, version, method, level, seed = entry.place
        if method == DENSE:
            dense[key, version, seed] = entry
        elif method == TICKET or entry.is_drawn or entry.unit.parents.keys() & {TICKET, "source"}:
            groups.setdefault((key, version, level, seed), []).append(entry)
    return [
        [*group, *([dense[key, version, seed]] if (key, version, seed) in dense else [])]
        for (key, version, _, seed), group in groups.items()
        if len(group) > 1 and any(entry.unit.method.name == TICKET for entry in group)
    ]


def _by_chance(entries: Iterable[SubmittedUnit], chance: random.Random) -> Iterator[SubmittedUnit]:
    """Each of the units once, in the order of the draw."""
    by_method: dict[str, list[SubmittedUnit]] = {}
    for entry in sorted(entries, key=lambda entry: entry.unit.id):
        by_method.setdefault(entry.unit.method.name, []).append(entry)
    names = sorted(by_method)
    for name in names:
        chance.shuffle(by_method[name])
    while names:
        name = chance.choice(names)
        yield by_method[name].pop()
        if not by_method[name]:
            names.remove(name)
