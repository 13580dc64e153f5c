"""Published records by suite, what is equal in several of them held once: a hundred thousand fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec.json import encode

from bench.errors import StoreError
from bench.record import Record, decode_record
from bench.report.table.merge import merged, refuse_additions

RECORDS = ".jsonl"

SHARED = (("spec", "task"), ("spec", "method"), ("counts",), ("nulls",), ("provenance", "versions"))
"""Parts that many records have in common, as paths into a record."""


def read(path: Path) -> dict[str, list[Record]]:
    """What is published, suite by suite.

    Args:
        path: a file `<suite>.jsonl`, or a folder of them. Blank lines say nothing.

    Raises:
        StoreError: if there is none, or a line is no record.
        Conflict: if two records contradict each other, or one tells more of a unit than the other.
    """
    paths = sorted(path.glob(f"*{RECORDS}")) if path.is_dir() else [path]
    if not paths or not all(file.is_file() for file in paths):
        raise StoreError(f"no published records in {path}: name a folder of *{RECORDS} files, or one of them")
    suites = read_files(paths)
    sources = standing(suites)
    merged(sources)
    refuse_additions(sources)
    return suites


def read_files(paths: Iterable[Path]) -> dict[str, list[Record]]:
    """The same of files that need not agree with each other: they are about to be published again, one after another."""
    held: dict[str | bytes, Any] = {}
    return {file.stem: _read(file, held) for file in paths}


def standing(suites: Mapping[str, Iterable[Record]]) -> dict[str, Iterable[Record]]:
    """By the names of their files: where to look for what contradicts."""
    return {f"{suite}{RECORDS}": records for suite, records in suites.items()}


def _read(path: Path, held: dict[str | bytes, Any]) -> list[Record]:
    records = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    records.append(_record(line, held, f"{path}, line {number}"))
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; name another file") from error
    return records


def _record(line: bytes, held: dict[str | bytes, Any], where: str) -> Record:
    try:
        return _shared(decode_record(line, Record), held)
    except ValueError as error:
        raise StoreError(f"{where}: not a record ({error}); publish the suite again") from error


def _shared(record: Record, held: dict[str | bytes, Any]) -> Record:
    for *above, name in SHARED:
        inside: Any = record
        for step in above:
            inside = inside[step]
        if name in inside:
            inside[name] = held.setdefault(encode(inside[name]), inside[name])
    for metric in record["metrics"]:
        for text in ("name", "split", "at", "direction"):
            metric[text] = held.setdefault(metric[text], metric[text])
    return record
