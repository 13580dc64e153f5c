"""Published records by suite, what is equal in several of them held once: a hundred thousand fit into memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.json import encode

from bench.errors import StoreError
from bench.packed import is_bomb
from bench.record import Record, decode_record
from bench.report.escaping import plain
from bench.report.table.merge import merged, refuse_additions
from bench.store.files import why

RECORDS, PACKED = ".jsonl", ".jsonl.gz"
"""What ends the name of a suite's file: of plain records, and of those that would be large."""
LARGE = 2_000_000
"""Bytes of records beyond which a suite is compressed: a repository keeps them for ever."""
LONGEST, MOST = 2**26, 2**33
"""Bytes of a record, and of what a compressed file may hold: a small one from anybody could hold anything."""

SHARED = (("spec", "task"), ("spec", "method"), ("counts",), ("nulls",), ("provenance", "versions"))
"""Parts that many records have in common, as paths into a record."""


def read(path: Path) -> dict[str, list[Record]]:
    """What is published, suite by suite.

    Args:
        path: a file `<suite>.jsonl` or `<suite>.jsonl.gz`, or a folder of them. Blank lines say nothing.

    Raises:
        StoreError: if there is none, or a line is no record.
        Conflict: if two records contradict each other, or one tells more of a unit than the other.
    """
    paths = files(path) if path.is_dir() else {_suite(path): path}
    if not paths or not all(file.is_file() for file in paths.values()):
        raise StoreError(f"no published records in {path}: name a folder of *{RECORDS} files, or one of them")
    suites = read_files(paths)
    sources = standing(suites, paths)
    merged(sources)
    refuse_additions(sources)
    return suites


def files(folder: Path) -> dict[str, Path]:
    """Suite -> its file.

    Raises:
        StoreError: if one has two, or a name that is no line of text.
    """
    found: dict[str, Path] = {}
    for path in sorted(each for each in folder.glob(f"*{RECORDS}*") if is_records(each)):
        if not path.name.isprintable():  # nor is it text that could be written
            raise StoreError(f"{plain(str(path))} is not called like a suite: rename or remove it")
        if (first := found.setdefault(_suite(path), path)) is not path:
            raise StoreError(f"{first} and {path.name} are of one suite: remove the older one")
    return found


def is_records(path: Path) -> bool:
    """Whether a file is called like one of records."""
    return path.name.endswith((RECORDS, PACKED))


def is_packed(folder: Path, suite: str) -> bool:
    """Whether a suite's file in a folder is compressed."""
    return (folder / f"{suite}{PACKED}").is_file()


def write(folder: Path, suite: str, lines: Iterable[str]) -> Path:
    """Write a suite's file, plain or compressed; the same lines make the same file.

    Args:
        folder: of the records; it is made.
        suite: its name.
        lines: a record each.
    """
    text = "".join(f"{line}\n" for line in lines).encode()
    is_large = len(text) > LARGE
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{suite}{PACKED if is_large else RECORDS}"
    path.write_bytes(gzip.compress(text, mtime=0) if is_large else text)
    return path


def twin(path: Path) -> Path:
    """Where the same suite stands in the other form."""
    return path.with_name(f"{_suite(path)}{RECORDS if path.name.endswith(PACKED) else PACKED}")


def read_files(paths: Mapping[str, Path]) -> dict[str, list[Record]]:
    """The same of files that need not agree with each other: they are about to be published again, one after another."""
    held: dict[str | bytes, Any] = {}
    return {suite: _read(file, held) for suite, file in paths.items()}


def standing(suites: Mapping[str, Iterable[Record]], paths: Mapping[str, Path]) -> dict[str, Iterable[Record]]:
    """Records by the names of their suites' files: where to look for what contradicts."""
    return {paths[suite].name: records for suite, records in suites.items()}


def _suite(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(RECORDS)


def _read(path: Path, held: dict[str | bytes, Any]) -> list[Record]:
    try:
        return [_record(line, held, f"{path}, line {number}") for number, line in _lines(path)]
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError(f"cannot read {path}: {why(error)}; name another file") from error


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbers and contents of the lines that say something."""
    if path.exists() and not path.is_file():
        raise StoreError(f"cannot read {path}: it is no plain file; remove it")  # a pipe would be waited for
    packed, size, number = path.name.endswith(PACKED), 0, 0
    held = path.stat().st_size
    with gzip.open(path) if packed else path.open("rb") as file:
        while line := file.readline(LONGEST + 1):
            number, size = number + 1, size + len(line)
            if len(line) > LONGEST or (packed and (size > MOST or is_bomb(held, size))):
                raise StoreError(
                    f"{path}, line {number}: larger than any record, or than all that are published together"
                )
            if line.strip():
                yield number, line


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
