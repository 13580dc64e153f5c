"""Which drive works on which unit, where many drives share a store: claims, and the heartbeat that keeps them.

A claim is a file `.attempts/<unit>.json` that only one process can create; attempts at the unit are folders beside it,
`<unit>.<anything>`, and go with it. It is an optimisation: a unit that is trained twice after all is still committed once, by
the rename of its attempt.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from bench.schema import decode
from bench.spec import DIGITS
from bench.stopping import undisturbed
from bench.store import files
from bench.store.owner import Owner, is_alive, is_here, me

ATTEMPTS = ".attempts"
CLAIM = ".json"
BEAT = 20.0
"""Seconds between two heartbeats."""
STALE = 180.0
"""Seconds without a heartbeat after which an owner on another machine counts as dead; network file systems show a new
time up to a minute late."""
NO_LINKS = frozenset([errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
"""What file systems say that give a file no second name."""
TRIES = 3
"""How often a claim is asked for whose folder comes and goes."""
ATTEMPT = re.compile(rf"([0-9a-f]{{{DIGITS}}})\.[0-9a-f]{{8}}")
"""Name of an attempt's folder; whatever else is there is of an older version, or of somebody who died before an attempt."""


class Holder(NamedTuple):
    """Who has a unit, as far as this process can tell."""

    what: str  # first digits of the unit's id
    owner: Owner | None  # None: about to write its name, or unreadable
    silent: float  # seconds since its last heartbeat, by the clock of the store's file system


class Claims:
    """The units that this process works on.

    Args:
        root: of the store.
    """

    def __init__(self, root: Path) -> None:
        """Claim nothing yet."""
        self._root, self._folder = root, root / ATTEMPTS
        self._held: dict[str, Owner] = {}
        self._clock = FileClock(self._folder)
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        return self

    @undisturbed()
    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.clear(*self._held)
        for what in list(self._held):
            self.release(what)
        sweep(self._root)  # a worker that was killed once and had its unit done by the next one left its attempt

    @undisturbed()
    def take(self, unit_id: str) -> Holder | None:
        """Claim a unit, also from a dead owner; who has it, if that is somebody else who lives.

        Raises:
            StoreError: if the store cannot be written.
        """
        what, owner = unit_id[:DIGITS], me()
        try:
            holder = take(self._folder, what, owner, self._clock)
        except OSError as error:
            raise files.unwritable(f"to {self._root}", error) from error
        if holder is None:
            self._held[what] = owner
        return holder

    @undisturbed()
    def release(self, unit_id: str) -> None:
        """Give a unit back."""
        what = unit_id[:DIGITS]
        if self._is_mine(what):
            claim_of(self._folder, what).unlink(missing_ok=True)
        del self._held[what]

    def clear(self, *unit_ids: str) -> None:
        """Remove what the attempts at units left that are held."""
        mine = {what for what in (unit_id[:DIGITS] for unit_id in unit_ids) if self._is_mine(what)}
        for path in _attempts(self._folder, mine) if mine else ():
            _remove(path)

    def _is_mine(self, what: str) -> bool:
        """Whether a claim is held still: one that was taken for dead is somebody else's."""
        return _read(claim_of(self._folder, what)) == self._held[what]

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            for what in list(self._held):
                with suppress(OSError):  # taken for dead, or a moment without network: the next one tells
                    os.utime(claim_of(self._folder, what))


class FileClock:
    """What time it is by a folder's file system: with that, and no other, times of its files are compared."""

    def __init__(self, folder: Path) -> None:
        """Ask when it is needed."""
        self._folder = folder
        self._offset: tuple[float, float] | None = None  # difference to the monotonic clock, and when it was taken

    def now(self) -> float:
        """Seconds; asked of the file system at most once a beat."""
        asked = time.monotonic()
        if self._offset is None or asked - self._offset[1] > BEAT:
            probe = self._folder / f".clock.{secrets.token_hex(4)}"
            probe.touch()
            try:
                self._offset = (probe.stat().st_mtime - asked, asked)
            finally:
                probe.unlink(missing_ok=True)
        return asked + self._offset[0]

    def age(self, path: Path) -> float:
        """Seconds since something was last done to a file or folder; 0 if it is gone."""
        try:
            return self.now() - path.lstat().st_mtime
        except OSError:
            return 0.0


def holders(root: Path) -> Iterator[Holder]:
    """Everybody who works in a store now."""
    folder = root / ATTEMPTS
    clock = FileClock(folder)
    found = (look(folder, what, clock) for what in _claimed(folder))
    return (holder for holder in found if lives(holder))


def sweep(root: Path) -> None:
    """Remove what the dead left."""
    folder = root / ATTEMPTS
    clock = FileClock(folder)
    for what in _claimed(folder):
        if not lives(look(folder, what, clock)) and take(folder, what, me(), clock) is None:
            claim_of(folder, what).unlink()
    for path in _inside(folder):
        name = ATTEMPT.fullmatch(path.name)
        is_nobodys = not claim_of(folder, name[1]).exists() if name else clock.age(path) > STALE
        if is_nobodys and path.suffix != CLAIM:
            _remove(path)


def claim_of(folder: Path, what: str) -> Path:
    """The file that is there while somebody works on a unit."""
    return folder / f"{what}{CLAIM}"


def take(folder: Path, what: str, owner: Owner, clock: FileClock) -> Holder | None:
    """Make a claim the owner's; who has it, if it is somebody's who lives."""
    for _ in range(TRIES):
        try:
            _create(claim_of(folder, what), what, owner)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            holder = look(folder, what, clock)
            if lives(holder) or not _bury(folder, what, clock):
                return holder
        else:
            return None
    return look(folder, what, clock)


def look(folder: Path, what: str, clock: FileClock) -> Holder:
    """Who has a claim."""
    return _look(claim_of(folder, what), what, clock)


def _look(path: Path, what: str, clock: FileClock) -> Holder:
    try:
        file = os.open(
            path, os.O_RDONLY | os.O_NONBLOCK
        )  # asks a network file system for the newest time, waits for no pipe
        try:
            silent = clock.now() - os.fstat(file).st_mtime
        finally:
            os.close(file)
    except OSError:
        return Holder(what, None, 0.0)
    return Holder(what, _read(path), max(0.0, silent))


def lives(holder: Holder) -> bool:
    """Whether the holder is at work: its process is looked at where it can be, its heartbeat elsewhere."""
    seen = is_alive(holder.owner) if holder.owner is not None and is_here(holder.owner) else None
    return holder.silent < STALE if seen is None else seen


def _bury(folder: Path, what: str, clock: FileClock) -> bool:
    """Remove a dead owner's claim and attempts; False if somebody else is doing that, or was faster."""
    lock = folder / f".{what}.lock"
    try:
        _create(lock, what, me())
    except FileNotFoundError:
        return False
    except FileExistsError:
        if not lives(_look(lock, what, clock)):
            lock.unlink(missing_ok=True)
        return False
    try:
        if lives(look(folder, what, clock)):
            return False
        for path in _attempts(folder, {what}):
            _remove(path)
        claim_of(folder, what).unlink(missing_ok=True)
    finally:
        lock.unlink(missing_ok=True)
    return True


def _create(path: Path, what: str, owner: Owner) -> None:
    """Make a file that only one process can make, with its name in it from the first moment.

    Whoever dies on the way, or finds the disk full, leaves at most what looks like an attempt, which is swept away; a file without a
    name would be waited for.

    Raises:
        FileExistsError: if it is there.
        FileNotFoundError: if there is no such folder, or somebody swept while it was written.
    """
    draft = path.with_name(f"{what}.{secrets.token_hex(4)}")
    try:
        draft.write_text(files.to_text(owner), encoding="utf-8")
        os.link(draft, path)
    except FileExistsError:
        if draft.stat().st_nlink == 1:  # else a network file system made it, and was asked twice
            raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with path.open("x", encoding="utf-8") as file:
            file.write(files.to_text(owner))
    finally:
        draft.unlink(missing_ok=True)


def _claimed(folder: Path) -> list[str]:
    return [path.stem for path in _inside(folder) if path.suffix == CLAIM and len(path.stem) == DIGITS]


def _attempts(folder: Path, units: Collection[str]) -> list[Path]:
    parts = ((path, path.name.partition(".")) for path in _inside(folder))
    return [path for path, (what, _, rest) in parts if what in units and f".{rest}" != CLAIM]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _read(path: Path) -> Owner | None:
    try:
        return decode(files.read(path), Owner)
    except (OSError, ValueError):
        return None


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
