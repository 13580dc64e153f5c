"""The verb that tells whether a change made anything worse."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

from bench import registry
from bench.errors import StoreError
from bench.report.published import RECORDS, read
from bench.report.regression.cells import FAILURES
from bench.report.regression.gates import compare_sides
from bench.report.regression.review import review
from bench.report.regression.side import Side, of_records, of_table
from bench.spec import Task
from bench.verbs.request import again, command_line, existing

TABLE = ".csv"


def compare(baseline: Path, candidate: Path, *, style: str, allow_missing: bool = False) -> int:
    """Print what changed between two runs; the exit code says whether anything is worse or, unless allowed, missing."""
    tables = baseline.suffix == candidate.suffix == TABLE
    tasks = registry.tasks() if tables else {}  # only these know the tolerance then
    regression = compare_sides(_side(baseline, tasks), _side(candidate, tasks))
    sys.stdout.write(review(regression, style))
    again(command_line("compare", baseline, candidate, *(["--allow-missing"] if allow_missing else [])))
    failures = [verdict for verdict in FAILURES if verdict != "missing" or not allow_missing]
    return 1 if any(regression.counts[verdict] for verdict in failures) else 0


def _side(path: Path, tasks: Mapping[str, Task]) -> Side:
    """What lies at `path`: a store, published records or a published table."""
    if not path.is_file():
        return of_records(str(path), existing(path).records())
    if path.suffix == RECORDS:
        return of_records(str(path), [record for suite in read(path).values() for record in suite])
    if path.suffix != TABLE:
        raise StoreError(
            f"{path} is neither a store, nor records (*{RECORDS}), nor a table (*{TABLE}): name one of them"
        )
    try:
        return of_table(str(path), path.read_text(encoding="utf-8").splitlines(), tasks=tasks)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read as what `publish` writes ({error!r}): publish it again") from error
