"""A folder of finished units: files only, so that it works on every filesystem and every process may read it."""

from __future__ import annotations

import errno
import gc
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

from msgspec import Meta

from bench.errors import StoreError
from bench.record import FORMAT, CurvePoint, Record
from bench.schema import LONGEST, Level, Name, Seed, Text, decode
from bench.spec import DIGITS, Unit
from bench.store import files, index
from bench.store.attempt import CONFLICTS, FAILED, REASON, RECORD, STACK, read_record, read_stored
from bench.store.claims import ATTEMPTS, Holder, holders, sweep

DEFAULT = Path("results/runs")
MARK = "store.json"
CURVE = "curve.jsonl"
"""Of units of format 1; since then the curve is part of the record."""
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
"""A name that leads nowhere on any filesystem and means nothing to a shell."""
UNIT_FOLDER = re.compile(rf"L\d{{2,}}-[0-9a-f]{{{DIGITS}}}")


class KeptTask(TypedDict):
    """What a suite runs of one task."""

    task: Name  # name@scale
    methods: list[Name]
    levels: list[Level]
    seeds: list[Seed]


class KeptSuite(TypedDict):
    """The suite that an unpacked store was packed by: data, never a file to be read."""

    name: Annotated[str, Meta(pattern=rf"^{PLAIN.pattern}\Z")]
    title: Text
    tasks: list[KeptTask]


class Mark(TypedDict):
    """`store.json`."""

    format: Literal[1, 2]
    suite: NotRequired[KeptSuite]


class Failure(NamedTuple):
    """Why a unit failed."""

    reason: str
    path: Path  # of the whole text


class Store:
    """The finished units below one folder.

    Args:
        root: the folder; it need not exist before the first run.

    Attributes:
        suite: what it was packed by, if it was unpacked from an archive.
        is_empty: whether it held no folder of a unit when this object was made.

    Raises:
        StoreError: if it holds something else, a link to a folder, or was written by a newer version.
    """

    def __init__(self, root: Path | str = DEFAULT) -> None:
        """Check that this version can read what is there; nothing is written."""
        self.root = Path(root)
        self.suite: KeptSuite | None = None
        self.is_empty = True
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise StoreError(f"{self.root} is a file, not a store: name a folder")
        if (self.root / MARK).exists():
            self.suite = self._read_mark().get("suite")
        elif any(not path.name.startswith((".", MARK)) for path in self.root.iterdir()):
            raise StoreError(f"{self.root} holds files but no {MARK}: name a store or an empty folder")
        for _ in self.folders():  # to the last: it meets every link, whose inside a run would see and a table would not
            self.is_empty = False

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
            raise StoreError(f"{self.root / MARK} cannot be read ({error}): name another store") from error

    def prepare(self) -> None:
        """Make the store ready to be written: create it, or let older versions refuse it, and remove what dead processes left.

        Raises:
            StoreError: if the folder cannot be written.
        """
        try:
            (self.root / ATTEMPTS).mkdir(parents=True, exist_ok=True)
            if (self.root / ATTEMPTS).stat().st_dev != self.root.stat().st_dev:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))  # no attempt could become a result by a rename
            if not (self.root / MARK).exists() or self._read_mark()["format"] < FORMAT:
                suite = {"suite": self.suite} if self.suite else {}
                files.replace(self.root / MARK, files.to_text({"format": FORMAT, **suite}))
        except OSError as error:
            raise files.unwritable(f"to {self.root}", error) from error
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

    def finished(self, units: Iterable[Unit]) -> dict[str, index.Finished]:
        """Id -> what is there, of those of `units` that are finished: for a whole plan at once, or a single unit."""
        return index.finished(self.root, dict(self._present(units)))

    def _present(self, units: Iterable[Unit]) -> Iterator[tuple[str, str]]:
        """Id and path of the units that have a folder; one look at a seed's folder tells all of its levels."""
        listed = cache(index.names)
        for unit in units:
            path = unit.path
            above, _, name = path.rpartition("/")
            if name in listed(f"{self.root}/{above}"):
                yield unit.id, path

    def records(self, units: Iterable[Unit] | None = None) -> list[Record]:
        """Every finished unit's record, in the order of the folders; of `units` alone, in their order, if they are given."""
        if units is not None:
            return [record for unit in units if (record := self.record(unit)) is not None]
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
        found = [each for each in self.folders() if each.name.partition("-")[2].startswith(text[:DIGITS])]
        found = [each for each in found if (read_record(each) or {"unit_id": ""})["unit_id"].startswith(text)]
        if len(found) == 1 and text:
            return found[0]
        if not text or not found:
            raise StoreError(f"no record {text!r} in {self.root}: give the beginning of a unit's id, or its folder")
        some = ", ".join(str(each.relative_to(self.root)) for each in found[:4])
        raise StoreError(f"{text!r} begins the ids of {len(found)} records ({some} ...): give more of it")

    def failures(self) -> dict[str, Failure]:
        """First ten digits of a failed unit's id -> why it failed last."""
        found: dict[str, tuple[float, Failure]] = {}
        for path in (self.root / FAILED).glob(f"*/{REASON}"):
            what = path.parent.name.partition(".")[0]
            failure = Failure(_first_line(path), path)
            found[what] = max(found.get(what, (0.0, failure)), (path.lstat().st_mtime, failure))
        return {what: failure for what, (_, failure) in found.items()}

    def crashed_in_stacks(self) -> set[str]:
        """First ten digits of the ids of units that ever failed because their stack crashed."""
        return {path.parent.name.partition(".")[0] for path in (self.root / FAILED).glob(f"*/{STACK}")}


def _first_line(path: Path) -> str:
    try:
        told = files.read(path).decode(errors="replace")
    except (OSError, ValueError) as error:
        return f"nobody knows why ({path.name}: {error})"
    return told.partition("\n")[0][:LONGEST]


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


def curves(store: Store, records: Iterable[Record]) -> dict[str, list[CurvePoint]]:
    """Unit id -> curve, of units of a store.

    Raises:
        StoreError: if one cannot be read.
    """
    return {record["unit_id"]: curve(store.folder(Unit.from_spec(record["spec"]))) for record in records}


def _unit_folders(root: Path, skip: set[str]) -> Iterator[Path]:
    waiting = _folders_in(root, skip)
    while waiting:
        folder = waiting.pop()
        if UNIT_FOLDER.fullmatch(folder.name):
            yield Path(folder.path)
        else:
            waiting += _folders_in(folder.path, set())


def _folders_in(folder: Path | str, skip: set[str]) -> list[os.DirEntry[str]]:
    """The last first."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be read: {error.strerror}; a store is read whole or not at all") from error
    for entry in inside:
        if entry.is_symlink() and not entry.is_file():
            raise StoreError(
                f"{entry.path} is a link to {Path(entry.path).readlink()}: a store is read whole or not at all, "
                "so move the folder there, or link the whole store"
            )
    return [entry for entry in inside if entry.name not in skip and entry.is_dir(follow_symlinks=False)]
