"""The verb that tells whether a change made anything worse."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bench import registry
from bench.errors import StoreError
from bench.record import Record
from bench.report.regression.gates import compare as compared
from bench.report.regression.review import review
from bench.report.regression.side import Side, of_records, of_table
from bench.schema import decode
from bench.spec import Task
from bench.verbs.request import existing

TABLE, RECORDS = ".csv", ".jsonl"


def compare(baseline: Path, candidate: Path, *, style: str) -> int:
    """Print what changed between two runs; the exit code says whether anything is worse."""
    tables = baseline.suffix == candidate.suffix == TABLE
    tasks = registry.tasks() if tables else {}  # only these know the tolerance then
    found = compared(_side(baseline, tasks), _side(candidate, tasks))
    sys.stdout.write(review(found, style))
    return 1 if found.counts["worse"] else 0


def _side(path: Path, tasks: Mapping[str, Task]) -> Side:
    """What lies at `path`: a store, published records or a published table."""
    if not path.is_file():
        return of_records(str(path), existing(path).records())
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == TABLE:
            return of_table(str(path), text.splitlines(), tasks=tasks)
        if path.suffix == RECORDS:
            return of_records(str(path), [cast("Record", decode(line, dict[str, Any])) for line in text.splitlines()])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read as what `publish` writes ({error!r}): publish it again") from error
    raise StoreError(f"{path} is neither a store, nor records (*{RECORDS}), nor a table (*{TABLE}): name one of them")
