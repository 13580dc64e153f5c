"""One attempt at a unit: a private folder that becomes the unit's folder by one rename, or a failure with its reason."""

from __future__ import annotations

import errno
import secrets
import shutil
from pathlib import Path
from typing import Any, Literal

from bench.digests import file_digest
from bench.errors import AttemptVanished, StoreError
from bench.record import Record, StoredRecord, decode_record, is_stacked
from bench.spec import DIGITS, Unit
from bench.store import files
from bench.store.claims import ATTEMPTS

FAILED, CONFLICTS = "failed", "conflicts"
SPEC, RECORD, REASON = "spec.json", "record.json", "reason.txt"
STACK = "stack.json"
"""Of a failure: the number of units in the stack that crashed; their next attempts are made one by one."""
STATES = ("initial.safetensors", "rewind.safetensors", "final.safetensors")
"""What children start from; `ticketbench clean` may have removed them."""

Committed = Literal["committed", "kept", "conflict"]
"""`kept`: the same result was there already, or that of a stack beside one without. `conflict`: another was there, and stays."""


class Attempt:
    """A unit in the making; nobody reads its folder before it is committed.

    It goes with the claim of whoever has the unit trained; see `bench.store.claims`.

    Args:
        root: of the store.
        unit: what is trained.

    Raises:
        StoreError: if the folder cannot be made.
    """

    def __init__(self, root: Path, unit: Unit) -> None:
        """Make the folder."""
        self.root, self.unit = root, unit
        self.folder = root / ATTEMPTS / f"{unit.id[:DIGITS]}.{secrets.token_hex(4)}"
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def commit(self, record: StoredRecord) -> Committed:
        """Make the attempt the unit's result, at one instant.

        Args:
            record: of the unit; the digests of the files are added to it.

        Raises:
            AttemptVanished: if somebody removed the folder.
            StoreError: if the disk refuses; the store is as it was, and the attempt is gone.
            ValueError: if the record holds NaN, or else is none.
        """
        try:
            self._seal(record)
            return self._publish(record)
        except OSError as error:
            if error.errno == errno.ENOENT and self.has_vanished:
                raise AttemptVanished(self.unit.label) from error
            self.drop()
            raise self._unwritable(error) from error

    @property
    def has_vanished(self) -> bool:
        """Whether somebody removed the folder: another run that took this one for dead, or a person."""
        return not self.folder.exists()

    def fail(self, reason: str, *, stack: int | None = None) -> None:
        """Keep only the reason, under `failed/`; its first line stands in messages.

        Args:
            reason: any text.
            stack: how many units were in the stack that crashed, if one did.

        Raises:
            StoreError: if the disk refuses.
        """
        place = self.root / FAILED / self.folder.name
        try:
            self.drop()
            self.folder.mkdir(parents=True)
            files.write_json(self.folder / SPEC, self.unit.spec())
            files.write(self.folder / REASON, reason.rstrip() + "\n")
            if stack is not None:
                files.write_json(self.folder / STACK, stack)
            place.parent.mkdir(exist_ok=True)
            self.folder.rename(place)
        except OSError as error:
            self.drop()
            raise self._unwritable(error) from error

    def drop(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _seal(self, record: StoredRecord) -> None:
        record["digests"]["files"] = {}
        for path in sorted(self.folder.iterdir()):
            files.sync(path)
            record["digests"]["files"][path.name] = file_digest(path)
        text = files.to_text(record)
        parse_record(text)  # what no reader would take for a record is none
        files.write(self.folder / RECORD, text)
        files.sync(self.folder)

    def _publish(self, record: StoredRecord) -> Committed:
        target = self.root / self.unit.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.rename(target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return self._meet(target, record)
            # NFS repeats a rename whose answer was lost, and then does not find what it has renamed
            if error.errno != errno.ENOENT or read_record(target) != without_curve(record):
                raise
        files.sync(target.parent)
        return "committed"

    def _meet(self, target: Path, record: StoredRecord) -> Committed:
        """Somebody finished this unit before us: the first result stays."""
        try:
            theirs = read_stored(target)
        except (OSError, ValueError):
            (self.root / FAILED).mkdir(exist_ok=True)
            target.rename(self.root / FAILED / f"unreadable-{self.folder.name}")
            return self._publish(record)
        if theirs["digests"]["result"] == record["digests"]["result"]:
            self._restore(target, theirs, record)
        elif is_stacked(theirs) == is_stacked(record):
            self._quarrel(theirs, record)
            return "conflict"
        self.drop()
        return "kept"

    def _restore(self, target: Path, theirs: StoredRecord, ours: StoredRecord) -> None:
        """Put back what is gone from the folder: states that `clean` removed, or a file that somebody lost."""
        known = theirs["digests"].setdefault("files", {})
        fresh = {name: digest for name, digest in ours["digests"]["files"].items() if not (target / name).exists()}
        if any(known.get(name) != digest for name, digest in fresh.items()):
            # the same tensors in other bytes, as another version of safetensors writes them
            known |= fresh
            files.replace(target / RECORD, files.to_text(theirs))
        for name in fresh:
            (self.folder / name).replace(target / name)
        files.sync(target)

    def _quarrel(self, theirs: Record, ours: Record) -> None:
        (self.root / CONFLICTS).mkdir(exist_ok=True)
        sides = {
            side: {key: dict(record).get(key) for key in ("digests", "metrics", "provenance")}
            for side, record in (("kept", theirs), ("discarded", ours))
        }
        found: dict[str, Any] = {"unit_id": self.unit.id, "label": self.unit.label, **sides}
        files.write_json(self.root / CONFLICTS / f"{self.unit.id[:DIGITS]}.{secrets.token_hex(4)}.json", found)
        self.drop()

    def _unwritable(self, error: OSError) -> StoreError:
        return files.unwritable(f"{self.unit.label} to {self.root}", error)


def read_record(folder: Path) -> Record | None:
    """The record of a finished unit's folder, without its curve; None if there is none that parses.

    Raises:
        StoreError: if the user may not read it, who would train it again.
    """
    try:
        return without_curve(read_stored(folder))
    except PermissionError as error:
        raise StoreError(
            f"cannot read {folder / RECORD}: {error.strerror or error}; get the right to read it or name another --store"
        ) from error
    except (OSError, ValueError):
        return None


def read_stored(folder: Path) -> StoredRecord:
    """The whole record of a finished unit's folder.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is none.
    """
    return parse_record(files.read(folder / RECORD))


def parse_record(text: bytes | str) -> StoredRecord:
    """The content of `record.json`, from anybody.

    Raises:
        ValueError: if it is none.
    """
    record = decode_record(text, StoredRecord)
    if ("curve" in record) != (record["format"] > 1):
        raise ValueError(f"a record of format {record['format']} holds {'no' if 'curve' in record else 'its'} curve")
    return record


def without_curve(stored: StoredRecord) -> Record:
    """What is kept of a record where there are many."""
    kept = stored.copy()
    kept.pop("curve", None)
    return kept
