"""Published records by suite, what is equal in several of them held once: a hundred thousand fit into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.digests import canonical_json
from bench.errors import StoreError
from bench.record import Record
from bench.report.table.merge import merged
from bench.schema import decode

RECORDS = ".jsonl"

SHARED = (("spec", "task"), ("spec", "method"), ("counts",), ("nulls",), ("provenance", "versions"))
"""Parts that many records have in common, as paths into a record."""


def read(path: Path) -> dict[str, list[Record]]:
    """What is published, suite by suite.

    Args:
        path: a file `<suite>.jsonl`, or a folder of them. Blank lines say nothing.

    Raises:
        StoreError: if there is none, or a line is no record.
        Conflict: if two records contradict each other.
    """
    paths = sorted(path.glob(f"*{RECORDS}")) if path.is_dir() else [path]
    if not paths or not all(file.is_file() for file in paths):
        raise StoreError(f"no published records in {path}: name a folder of *{RECORDS} files, or one of them")
    held: dict[str, Any] = {}
    suites = {file.stem: _read(file, held) for file in paths}
    merged({f"{suite}{RECORDS}": records for suite, records in suites.items()})
    return suites


def _read(path: Path, held: dict[str, Any]) -> list[Record]:
    records = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    records.append(_record(line, held, f"{path}, line {number}"))
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; name another file") from error
    return records


def _record(line: bytes, held: dict[str, Any], where: str) -> Record:
    try:
        return _shared(decode(line, Record), held)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{where}: not a record ({error!r}); publish the suite again") from error


def _shared(record: Any, held: dict[str, Any]) -> Record:
    for *above, name in SHARED:
        inside = record
        for step in above:
            inside = inside[step]
        if name in inside:
            inside[name] = held.setdefault(canonical_json(inside[name]), inside[name])
    for metric in record["metrics"]:
        for name, value in metric.items():
            if isinstance(value, str):
                metric[name] = held.setdefault(value, value)
    shared: Record = record
    return shared
