"""A folder of finished units: files only, so that it works on every filesystem and every process may read it."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from functools import cache
from os import scandir
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

from msgspec import Meta

from bench.errors import StoreError
from bench.record import FORMAT, CurvePoint, Record
from bench.schema import Level, Name, Seed, Text, decode
from bench.spec import Unit
from bench.store import files
from bench.store.attempt import CONFLICTS, FAILED, REASON, RECORD, STATES, read_record, read_stored
from bench.store.claims import ATTEMPTS, Holder, holders, sweep

DEFAULT = Path("results/runs")
MARK = "store.json"
CURVE = "curve.jsonl"
"""Of units of format 1; since then the curve is part of the record."""
UNIT_FOLDER = re.compile(r"L\d{2,}-[0-9a-f]{10}")


class KeptTask(TypedDict):
    """What a suite runs of one task."""

    task: Name  # name@scale
    methods: list[Name]
    levels: list[Level]
    seeds: list[Seed]


class KeptSuite(TypedDict):
    """The suite that an unpacked store was packed by: data, never a file to be read."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}\Z")]
    title: Text
    tasks: list[KeptTask]


class Mark(TypedDict):
    """`store.json`."""

    format: Literal[1, 2]
    suite: NotRequired[KeptSuite]


class Finished(NamedTuple):
    """What a store has of a finished unit, without its record."""

    status: Literal["ok", "diverged"]
    missing: tuple[str, ...]
    """Files that its record names and its folder lacks: cleaned away, or packed without weights."""


class Failure(NamedTuple):
    """Why a unit failed."""

    reason: str
    path: Path  # of the whole text


class Store:
    """The finished units below one folder.

    Args:
        root: the folder; it need not exist before the first run.

    Raises:
        StoreError: if it holds something else, or was written by a newer version.
    """

    def __init__(self, root: Path | str = DEFAULT) -> None:
        """Check that this version can read what is there; nothing is written."""
        self.root = Path(root)
        self.suite: KeptSuite | None = None
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise StoreError(f"{self.root} is a file, not a store: name a folder with --store")
        if (self.root / MARK).exists():
            self.suite = self._read_mark().get("suite")
        elif any(not path.name.startswith((".", MARK)) for path in self.root.iterdir()):
            raise StoreError(f"{self.root} holds files but no {MARK}: name a store or an empty folder with --store")

    def _read_mark(self) -> Mark:
        try:
            text = files.read(self.root / MARK)
            version = decode(text, dict[str, Any])["format"]
            if isinstance(version, int) and version > FORMAT:
                raise StoreError(
                    f"{self.root} was written by a newer ticketbench (format {version}, this one reads {FORMAT}): upgrade"
                )
            return decode(text, Mark)
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"{self.root / MARK} cannot be read ({error}): name another --store") from error

    def prepare(self) -> None:
        """Make the store ready to be written: create it, or let older versions refuse it, and remove what dead processes left.

        Raises:
            StoreError: if the folder cannot be written.
        """
        try:
            (self.root / ATTEMPTS).mkdir(parents=True, exist_ok=True)
            if not (self.root / MARK).exists() or self._read_mark()["format"] < FORMAT:
                suite = {"suite": self.suite} if self.suite else {}
                files.replace(self.root / MARK, files.to_text({"format": FORMAT, **suite}))
        except OSError as error:
            raise StoreError(f"cannot write to {self.root}: {error.strerror}; name another --store") from error
        sweep(self.root)

    def holders(self) -> list[Holder]:
        """Who works on which unit now, on this machine or another."""
        return list(holders(self.root))

    def folder(self, unit: Unit) -> Path:
        """Where the unit's result is, or would be."""
        return self.root / unit.path

    def record(self, unit: Unit) -> Record | None:
        """The unit's record, if it is finished."""
        return read_record(self.folder(unit))

    def finished(self, units: Iterable[Unit]) -> dict[str, Finished]:
        """Id -> what is there, of those of `units` that are finished: for a whole plan at once, or a single unit."""
        found = {}
        for unit_id, folder in self._present(units):
            record = read_record(Path(folder))
            if record is not None:
                missing = set(record["digests"].get("files", STATES)).difference(_names(folder))
                found[unit_id] = Finished(record["status"], tuple(sorted(missing)))
        return found

    def _present(self, units: Iterable[Unit]) -> Iterator[tuple[str, str]]:
        """Id and folder of the units that have one; one look at a seed's folder tells all of its levels."""
        listed = cache(_names)
        for unit in units:
            above, _, name = unit.path.rpartition("/")
            above = f"{self.root}/{above}"
            if name in listed(above):
                yield unit.id, f"{above}/{name}"

    def records(self) -> list[Record]:
        """Every finished unit's record, in the order of the folders."""
        was_on = gc.isenabled()
        gc.disable()  # it would walk through all records again and again: 10,000 take 1.1 s instead of 2.6
        try:
            return [record for folder in self.folders() if (record := read_record(folder)) is not None]
        finally:
            if was_on:
                gc.enable()

    def folders(self) -> Iterator[Path]:
        """Every folder of a unit, in order; one without a record that parses is not a result."""
        if self.root.exists():
            yield from _unit_folders(self.root, {ATTEMPTS, FAILED, CONFLICTS})

    def find(self, text: str) -> Path:
        """The folder of the one finished unit that `text` names.

        Args:
            text: the beginning of its id, or its folder, from here or from the store.

        Raises:
            StoreError: if there is none, or more than one.
        """
        for path in (Path(text), self.root / text):
            folder = path.parent if path.name == RECORD else path
            if read_record(folder):
                return folder
        found = [each for each in self.folders() if each.name.partition("-")[2].startswith(text[:10])]
        found = [each for each in found if (read_record(each) or {"unit_id": ""})["unit_id"].startswith(text)]
        if len(found) == 1 and text:
            return found[0]
        if not text or not found:
            raise StoreError(f"no record {text!r} in {self.root}: give the beginning of a unit's id, or its folder")
        names = ", ".join(str(each.relative_to(self.root)) for each in found[:4])
        raise StoreError(f"{text!r} begins the ids of {len(found)} records ({names} ...): give more of it")

    def failures(self) -> dict[str, Failure]:
        """First ten digits of a failed unit's id -> why it failed last."""
        found: dict[str, tuple[float, Failure]] = {}
        for path in (self.root / FAILED).glob(f"*/{REASON}"):
            what = path.parent.name.partition(".")[0]
            with path.open(encoding="utf-8", errors="replace") as file:
                failure = Failure(file.readline().rstrip("\n"), path)
            found[what] = max(found.get(what, (0.0, failure)), (path.stat().st_mtime, failure))
        return {what: failure for what, (_, failure) in found.items()}


def curve(folder: Path) -> list[CurvePoint]:
    """The curve of a finished unit.

    Raises:
        StoreError: if it cannot be read.
    """
    path = folder / RECORD
    try:
        record = read_stored(folder)
        if "curve" in record:
            return record["curve"]
        path = folder / CURVE
        return [decode(line, CurvePoint) for line in files.read(path).splitlines()]
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}): remove its folder and run again") from error


def _names(folder: str) -> frozenset[str]:
    try:
        with scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except OSError:
        return frozenset()


def _unit_folders(folder: Path | str, skip: set[str]) -> Iterator[Path]:
    with scandir(folder) as entries:
        inside = sorted((entry.name, entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    for name, path in inside:
        if name in skip:
            continue
        if UNIT_FOLDER.fullmatch(name):
            yield Path(path)
        else:
            yield from _unit_folders(path, set())
