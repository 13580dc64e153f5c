"""Is every seed there once, and for every arm?"""

from __future__ import annotations

from collections.abc import Iterator

from bench.exchange.submission import Submission, SubmittedUnit


def once(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """No task, method, level and seed is claimed by two units."""
    unit = entry.unit
    place = (unit.task.key, unit.task.version, unit.method.name, unit.level, unit.seed)
    twins = [each for each in submission.by_place[place] if each is not entry]
    if twins:
        yield f"{unit.label!a} was submitted {len(twins) + 1} times, with other specs"


def missing(submission: Submission) -> Iterator[str]:
    """Arms that lack seeds which other arms of their task have, one line each."""
    every: dict[tuple[str, int], set[int]] = {}
    for (key, version, _, _), seeds in submission.seeds.items():
        every.setdefault((key, version), set()).update(seeds)
    for (key, version, method, level), seeds in submission.seeds.items():
        lacking = [
            seed
            for seed in sorted(every[key, version].difference(seeds))
            if not _ended(submission, (key, version, method, level), seed)
        ]
        if lacking:
            yield f"{key} {method} L{level} lacks seeds {', '.join(map(str, lacking))}, which other arms have"


def _ended(submission: Submission, arm: tuple[str, int, str, int], seed: int) -> bool:
    """Whether an ancestor of the seed's unit diverged, so that there is no such unit."""
    key, version, method, level = arm
    chains = {method, "dense", "ticket"}
    return any(
        each.diverged
        for name in chains
        for lower in range(min(level, LONGEST) + 1)
        for each in submission.by_place.get((key, version, name, lower, seed), ())
    )


LONGEST = 200
"""Levels of a chain that are looked at."""
