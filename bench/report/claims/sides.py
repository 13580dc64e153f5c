"""The two sides of a claim: what is read, seed by seed, and what that is compared with, on its task or on another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.report.claims.definitions import Claim
from bench.report.table.arms import Arm, Comparison

Number = TypeVar("Number", int, float)


class Missing(Exception):
    """What has to be run before the statistic exists."""


class Unmeasured(Exception):
    """What the records do not say, whatever else is run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Some methods of one task, and which of their numbers is read.

    Args:
        comparison: of the task.
        methods: of several, the mean is read, seed by seed.
        metric: that is read.
        at: which reading of it.
    """

    comparison: Comparison
    methods: tuple[str, ...]
    metric: str
    at: str

    @property
    def sign(self) -> int:
        """1 where more of the metric is better, -1 where less is."""
        return 1 if self.comparison.task.directions[self.metric] == "max" else -1

    def arm(self, level: int) -> Arm:
        """The arm of its one method.

        Raises:
            Missing: if none of its units is there.
        """
        (method,) = self.methods
        return arm(self.comparison, method, level)

    def scores(self, level: int, *, at: str | None = None) -> dict[int, float]:
        """Seed -> what is read, of the seeds that all its methods have.

        Args:
            level: of the methods.
            at: another reading of the metric.

        Raises:
            Missing: if a method has no unit there.
            Unmeasured: if none of its records has the metric.
        """
        return shared_mean([self._scores(method, level, at or self.at) for method in self.methods])

    def _scores(self, method: str, level: int, at: str) -> dict[int, float]:
        known = arm(self.comparison, method, level)
        scores = dict(known.scores.get((self.metric, at), {}))
        if not scores:
            told = sorted({why for record in known.records.values() if (why := record["nulls"].get(self.metric))})
            what = f"no record of {known.label} on {self.comparison.task.name} has {self.metric} at {at}"
            raise Unmeasured(": ".join([what, *told[:1]]))
        return scores


def side(claim: Claim, comparison: Comparison, *methods: str) -> Side:
    """Some methods of a task, read as the claim says."""
    task = comparison.task
    return Side(comparison=comparison, methods=methods, metric=claim.metric or task.metric, at=claim.at or task.at[0])


def arm(comparison: Comparison, method: str, level: int) -> Arm:
    """The arm of that name.

    Raises:
        Missing: if none of its units is there.
    """
    known = comparison.arm(method, level)
    if known is None:
        raise Missing(f"{method} at level {level} on {comparison.task.name}")
    return known


def pairs(first: Mapping[int, Number], second: Mapping[int, Number]) -> Iterator[tuple[int, Number, Number]]:
    """Seed and both values, of the seeds that both have, ascending."""
    for seed in sorted(first.keys() & second.keys()):
        yield seed, first[seed], second[seed]


def shared_mean(columns: Sequence[dict[int, float]]) -> dict[int, float]:
    """Seed -> mean of the columns, of the seeds that all of them have."""
    seeds = sorted(set.intersection(*map(set, columns)))
    return {seed: math.fsum(column[seed] for column in columns) / len(columns) for seed in seeds}


def minus(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """Seed -> first less second, of the seeds that both have."""
    return {seed: a - b for seed, a, b in pairs(first, second)}


def gap(own: Side, first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """Seed -> how much better the first is than the second, in the direction of the side's metric."""
    return {seed: own.sign * (a - b) for seed, a, b in pairs(first, second)}
