"""Statistics of instability: how far the metric falls between a ticket and its twin, and whether that tells what matches (1912.05671)."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import correlation

from bench.report.claims.definitions import Claim
from bench.report.claims.sides import Side, Unmeasured, pairs, shared_mean, side
from bench.report.statistics.seeds import reaches
from bench.report.table.rows import TICKET
from bench.spec import DENSE

STABLE = 2.0
"""Percentage points: a subnetwork is called stable below this instability."""


def barriers(one: Side, level: int) -> dict[int, float]:
    """Seed -> instability: the most that the metric is worse between a unit and its twin than the mean of the two.

    Args:
        one: its one method is trained on another order of the data.
        level: of it.

    Raises:
        Missing: if no unit of it is there.
        Unmeasured: if no record of it has the metric between the two.
    """
    known = one.arm(level)
    lines = {seed: each.get("interpolation", {}).get(one.metric) for seed, each in known.records.items()}
    found = {
        seed: max(one.sign * ((line[0] + line[-1]) / 2 - each) for each in line) for seed, line in lines.items() if line
    }
    if not found:
        raise Unmeasured(
            f"no record of {known.label} on {one.comparison.task.name} has {one.metric} between its twin and itself"
        )
    return found


def instability(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    """Seed -> mean over the levels."""
    return shared_mean([barriers(own, level) for level in claim.levels])


def stable_matching(claim: Claim, own: Side, other: Side) -> dict[int, float]:
    """Seed -> correlation between being stable and matching the dense network, over the levels of both tasks.

    Of the seeds where some are stable and some are not, and some match and some do not.

    Raises:
        Unmeasured: if there is no such seed.
    """
    columns = [column for one in (own, other) if one.methods for column in _points(claim, one)]
    seeds = sorted(set.intersection(*map(set, columns)))
    told: dict[int, float] = {}
    for seed in seeds:
        stable, matching = zip(*(column[seed] for column in columns), strict=True)
        if len({*stable}) > 1 and len({*matching}) > 1:
            told[seed] = correlation(stable, matching)
    if seeds and not told:
        raise Unmeasured(f"in none of {len(seeds)} seeds do both stability and matching differ from level to level")
    return told


def _points(claim: Claim, one: Side) -> Iterator[dict[int, tuple[float, float]]]:
    """Level by level: seed -> whether the ticket is stable, and whether it matches."""
    ticket, dense = (side(claim, one.comparison, method) for method in (TICKET, DENSE))
    for level in claim.levels:
        stable = barriers(one, level)
        gaps = pairs(ticket.scores(level), dense.scores(0))
        matching = {seed: reaches(one.sign * (a - b), -one.comparison.task.tolerance) for seed, a, b in gaps}
        yield {seed: (float(low < STABLE), float(match)) for seed, low, match in pairs(stable, matching)}
