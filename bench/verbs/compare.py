"""The verb that tells whether a change made anything worse."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import registry
from bench.errors import StoreError
from bench.report.published import RECORDS, is_records, read
from bench.report.regression.cells import FAILURES, Regression
from bench.report.regression.gates import compare_sides
from bench.report.regression.review import review
from bench.report.regression.side import Key, Side, of_records, of_table
from bench.spec import Task
from bench.verbs.arguments.request import Request, again, command_line, existing, say

TABLE = ".csv"
OTHERS = f"run a suite first, or name another store, records (*{RECORDS}) or a table (*{TABLE})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What fails a candidate, besides what is worse.

    Args:
        allow_missing: what is missing does not.
        strict: what is undecided does: its mean is worse than tolerated, by chance or not.
    """

    allow_missing: bool = False
    strict: bool = False

    @property
    def words(self) -> list[str]:
        """As it is typed."""
        return ["--allow-missing"] * self.allow_missing + ["--strict"] * self.strict

    def fails(self, regression: Regression) -> bool:
        """Whether what was found fails the candidate."""
        failures = [verdict for verdict in FAILURES if verdict != "missing" or not self.allow_missing]
        return any(regression.counts[verdict] for verdict in failures) or bool(self.strict and regression.undecided)


def compare(baseline: Path, candidate: Path, asked: Request, policy: Policy, *, style: str) -> int:
    """Print what changed between two runs; the exit code says whether it fails the candidate."""
    tasks = registry.tasks() if TABLE in (baseline.suffix, candidate.suffix) else {}  # no table tells the tolerance
    sides = _side(baseline, tasks), _side(candidate, tasks)
    regression = compare_sides(*sides, wanted=_wanted(*sides, asked))
    say(review(regression, style).removesuffix("\n"))
    again(command_line("compare", baseline, candidate, *asked.typed, *policy.words))
    return 1 if policy.fails(regression) else 0


def _wanted(baseline: Side, candidate: Side, asked: Request) -> set[Key]:
    """The arms of either side that are asked for."""
    wanted = asked.selection.of_arms({*baseline.arms, *candidate.arms})
    if not wanted and asked.typed:
        raise StoreError(
            f"{command_line('compare', *asked.typed)} selects nothing on either side: leave out one of these options"
        )
    return wanted


def _side(path: Path, tasks: Mapping[str, Task]) -> Side:
    """What lies at `path`: a store, published records or a published table."""
    if not path.is_file():
        return of_records(str(path), existing(path, OTHERS).records())
    if is_records(path):
        return of_records(str(path), [record for suite in read(path).values() for record in suite])
    if path.suffix != TABLE:
        raise StoreError(
            f"{path} is neither a store, nor records (*{RECORDS}), nor a table (*{TABLE}): name one of them"
        )
    try:
        return of_table(str(path), path.read_text(encoding="utf-8").splitlines(), tasks=tasks)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read as what `publish` writes ({error!r}): publish it again") from error
