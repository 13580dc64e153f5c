"""What was found in the folders of a store, kept beside them so that it need not be read again: derived, never the truth.

A row holds as long as the folder and its `record.json` are the very ones that were read: same inode, size and time of the
last change, which nobody can put back. A folder changes whenever a file of it comes or goes. Whatever is wrong with the
index, it is made again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from bench.store import files
from bench.store.attempt import RECORD, STATES, read_record
from bench.store.claims import FileClock

INDEX = ".index"
"""Its first line is the sha256 of the rest, which is JSON."""
LARGEST = 2**30
WORTH = 500
"""Units; fewer are read as fast as the index."""
SETTLED = 2e9
"""Nanoseconds; a change just after another may leave the same time, so what changed a moment ago is read again."""

Stamp = tuple[int, int, int, int, int]
"""Inode, time of the last change in ns and size of `record.json`, inode and time of the last change of its folder."""


class Finished(NamedTuple):
    """What a store has of a finished unit, without its record."""

    status: Literal["ok", "diverged"]
    missing: tuple[str, ...]
    """Files that its record names and its folder lacks: cleaned away, or packed without weights."""


class Indexed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was read of a folder, and what the folder was then."""

    stamp: Stamp
    found: Finished


Index = dict[str, Indexed]
"""Path of a unit below the store -> its row."""

DECODER = msgspec.json.Decoder(Index)


def finished(root: Path, paths: Mapping[str, str]) -> dict[str, Finished]:
    """What is in the folders of units; the index learns what it did not know, if it can be written.

    Args:
        root: of the store.
        paths: unit id -> its folder, below the root.

    Returns:
        Unit id -> what is there, of those that are finished.
    """
    if len(paths) < WORTH:
        return {unit_id: found for unit_id, path in paths.items() if (found := read(f"{root}/{path}"))}
    rows = load(root)
    stale = [path for path in paths.values() if path not in rows or rows[path].stamp != _stamp(f"{root}/{path}")]
    if stale:
        now = _now(root)
        for path in stale:
            rows.pop(path, None)
        fresh = dict(_fresh(root, stale))
        settled = {path: row for path, row in fresh.items() if max(row.stamp[1], row.stamp[4]) < now - SETTLED}
        if settled:
            with suppress(OSError):
                save(root, rows | settled)
        rows |= fresh
    return {unit_id: rows[path].found for unit_id, path in paths.items() if path in rows}


def _fresh(root: Path, paths: Iterable[str]) -> Iterator[tuple[str, Indexed]]:
    """Path and row of the folders that hold a finished unit."""
    for path in paths:
        stamp = _stamp(f"{root}/{path}")  # before it is read: if it changes meanwhile, the row will not hold
        found = read(f"{root}/{path}")
        if stamp and found:
            yield path, Indexed(stamp, found)


def _now(root: Path) -> float:
    """Nanoseconds by the clock of the store's file system; 0, so that nothing counts as settled, where it cannot be written."""
    try:
        return FileClock(root).now() * 1e9
    except OSError:
        return 0.0


def read(folder: str) -> Finished | None:
    """What a unit's folder holds; None without a record that parses."""
    record = read_record(Path(folder))
    if record is None:
        return None
    told = set(record["digests"].get("files", STATES))
    return Finished(record["status"], tuple(sorted(told - names(folder))))


def names(folder: str) -> frozenset[str]:
    """What is in a folder; nothing, if there is none."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except OSError:
        return frozenset()


def _stamp(folder: str) -> Stamp | None:
    try:
        record, around = os.lstat(f"{folder}/{RECORD}"), os.stat(folder)  # noqa: PTH116  a path object costs more than this
    except OSError:
        return None
    return record.st_ino, record.st_ctime_ns, record.st_size, around.st_ino, around.st_ctime_ns


def load(root: Path) -> Index:
    """The rows of the index; none if it is missing, broken or another version's."""
    try:
        digest, _, text = files.read(root / INDEX, largest=LARGEST).partition(b"\n")
        return DECODER.decode(text) if digest == _digest(text) else {}
    except (OSError, ValueError):
        return {}


def save(root: Path, rows: Index) -> None:
    """Write the index in one step; of two processes that do, the last one's stays.

    Raises:
        OSError: if it cannot be written.
    """
    text = msgspec.json.encode(rows)
    with files.drafted(root / INDEX) as draft:
        draft.write_bytes(_digest(text) + b"\n" + text)


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
