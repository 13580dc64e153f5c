"""Published records by suite, what is equal in several of them held once: a hundred thousand fit into memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.digests import canonical_json
from bench.errors import StoreError
from bench.record import Record

SHARED = (("spec", "task"), ("spec", "method"), ("counts",), ("nulls",), ("provenance", "versions"))
"""Parts that many records have in common, as paths into a record."""


def shelf(folder: Path) -> dict[str, list[Record]]:
    """Every suite that is published.

    Args:
        folder: of `<suite>.jsonl` files.

    Raises:
        StoreError: if there are none, or one cannot be read.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise StoreError(f"no published records in {folder}: name a folder of *.jsonl files, or publish a suite first")
    held: dict[str, Any] = {}
    return {path.stem: _read(path, held) for path in paths}


def _read(path: Path, held: dict[str, Any]) -> list[Record]:
    found = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                found.append(_shared(json.loads(line), held))
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(f"{path}, line {number}: not a record ({error!r}); publish the suite again") from error
    return found


def _shared(record: Any, held: dict[str, Any]) -> Record:
    for *above, name in SHARED:
        inside = record
        for each in above:
            inside = inside[each]
        if name in inside:
            inside[name] = held.setdefault(canonical_json(inside[name]), inside[name])
    for metric in record["metrics"]:
        for name, value in metric.items():
            if isinstance(value, str):
                metric[name] = held.setdefault(value, value)
    found: Record = record
    return found
