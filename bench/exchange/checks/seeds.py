"""Is every seed there once, and for every arm?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from bench.exchange.submission import Submission, SubmittedUnit
from bench.spec import DENSE, SOURCES

MOST_LACKING = 100
"""Seeds of one arm that are looked at among those it lacks: one line has no room for more."""


def once(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """No task, method, level and seed is claimed by two units."""
    claims = len(submission.by_place[entry.place])
    if claims > 1:
        yield f"{entry.unit.label!a} was submitted {claims} times, with other specs"


def missing(submission: Submission) -> Iterator[str]:
    """Arms that lack seeds which other arms of their task have, one line each."""
    diverged = _diverged(submission)
    every: dict[tuple[str, int], set[int]] = {}
    for (key, version, _, _), seeds in submission.seeds.items():
        every.setdefault((key, version), set()).update(seeds)
    ordered = {task: sorted(seeds) for task, seeds in every.items()}
    for (key, version, method, level), seeds in submission.seeds.items():
        own = set(seeds)
        absent = islice((seed for seed in ordered[key, version] if seed not in own), MOST_LACKING)
        chain = {(key, version, name) for name in (method, DENSE, "ticket")}
        chain |= _sources(submission, submission.by_place[key, version, method, level, seeds[0]][0])
        lacking = [seed for seed in absent if all(diverged.get((*arm, seed), level + 1) > level for arm in chain)]
        if lacking:
            yield f"{key} {method} L{level} lacks seeds {', '.join(map(str, lacking))}, which other arms have"


def _sources(submission: Submission, entry: SubmittedUnit) -> set[tuple[str, int, str]]:
    """(task key, task version, method) of the units of another task that a transfer comes from."""
    parents = (submission.parent(entry, role) for role in SOURCES if role in entry.unit.parents)
    return {parent.place[:3] for parent in parents if parent is not None}


def _diverged(submission: Submission) -> Mapping[tuple[str, int, str, int], int]:
    """(task key, task version, method, seed) -> the lowest level that diverged: above it there are no units."""
    lowest: dict[tuple[str, int, str, int], int] = {}
    for entry in submission.entries.values():
        if entry.diverged:
            key, version, method, level, seed = entry.place
            chain = (key, version, method, seed)
            lowest[chain] = min(level, lowest.get(chain, level))
    return lowest
