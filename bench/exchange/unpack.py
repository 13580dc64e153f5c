"""Unpacks an archive from anybody: into a fresh folder, checked whole, then one rename; else nothing is left behind.

No member is written before all names, kinds, counts and sizes were looked at, and none is believed before its sha256
is the manifest's. The caps are far above what a suite needs and far below what would hurt.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from bench.errors import SubmissionError, TicketBenchError
from bench.exchange.manifest import MOST_FILES, NAME, Manifest, Sealed, check_path, quoted
from bench.packed import is_bomb
from bench.record import FORMAT
from bench.store import files
from bench.store.store import MARK

LARGEST_FILE = 8 * 2**30
LARGEST_TOTAL = 64 * 2**30
LARGEST_INDEX = 64 * 2**20
"""Bytes of the zip's own directory, which is read whole."""
LARGEST_ENTRY = 2_000
"""Bytes that one file takes in it; no allowed path has half as many."""
CHUNK = 2**20
MOST_ENTRIES = 4 * MOST_FILES
"""Folders and a system's notes included."""

END = struct.Struct("<4s4H2LH")
LOCATOR = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
HARMLESS = 0x80E
"""What a file's flags may say, which is how hard it was packed, that sizes stand behind it, and that its name is UTF-8."""
SYSTEMS = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""Where systems note things beside the files of somebody who packs a folder."""


class Unpacked(NamedTuple):
    """A store that was made of an archive.

    Args:
        manifest: of the archive.
        missing: what a submission should hold and this one does not, one line each: parts of a suite travel too.
    """

    manifest: Manifest
    missing: list[str]


def unpack(path: Path, into: Path) -> Unpacked:
    """Make a store of an archive.

    Args:
        path: an archive that `pack` made, or that somebody says it did.
        into: a folder that does not exist, or is empty.

    Raises:
        SubmissionError: if anything is wrong with it; nothing is left behind.
    """
    from bench.exchange.verify import findings_of  # noqa: PLC0415  a check unpacks too

    into = into.absolute()
    if into.is_symlink() or (into.exists() and not (into.is_dir() and not any(into.iterdir()))):
        raise SubmissionError(f"{into} exists already: name a new folder with --into")
    try:
        with _draft(into) as draft:
            manifest = extract(path, draft)
            found = findings_of(draft)
            if found.findings:
                more = f" (and {len(found.findings) - 1} more)" if len(found.findings) > 1 else ""
                raise SubmissionError(
                    f"{path} is not believed: {found.findings[0]}{more}; see `ticketbench verify {path}`"
                )
            draft.rename(into)
    except OSError as error:
        raise SubmissionError(f"cannot unpack into {into}: {error.strerror or error}; name another --into") from error
    return Unpacked(manifest, found.missing)


@contextmanager
def _draft(into: Path) -> Iterator[Path]:
    """A fresh folder beside the target; unless it was renamed, it and the folders made for it are gone afterwards."""
    draft = into.with_name(f".{into.name}.{os.getpid()}.{secrets.token_hex(4)}")
    made = [folder for folder in draft.parents if not folder.exists()]
    try:
        draft.mkdir(parents=True)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):  # the first that is not empty, or was never made
            for folder in made:
                folder.rmdir()


def extract(path: Path, folder: Path) -> Manifest:
    """Write an archive's files below `folder`, which is empty and ours alone, and check them against its manifest.

    Raises:
        SubmissionError: at the first thing that is wrong; what was written until then is the caller's to remove.
    """
    try:
        with path.open("rb") as file:
            count = _check_end(file)
            with zipfile.ZipFile(file) as archive:
                if len(archive.infolist()) != count:
                    raise SubmissionError("its end does not count its files: fetch it again")
                manifest, members = _members(archive, path.stat().st_size)
                for name, member in members.items():
                    _write(archive, member, manifest.files[name], folder / name)
    except (TicketBenchError, zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise SubmissionError(f"{path} cannot be unpacked: {_line(reason or error)}") from error
    except (NotImplementedError, RuntimeError, OverflowError, MemoryError) as error:  # what zipfile says of odd members
        raise SubmissionError(f"{path} cannot be unpacked: {_line(error) or type(error).__name__}") from error
    files.write(folder / MARK, files.to_text({"format": FORMAT, "suite": manifest.suite}))
    return manifest


def _line(error: object) -> str:
    """The first line of a library's error, as plain text."""
    first = (str(error).splitlines() or [""])[0][:300]
    return first if first.isascii() and first.isprintable() else ascii(first)


def _check_end(file: IO[bytes]) -> int:
    """The number of files that the end of the zip tells, before anything reads its directory, which may be of any length."""
    size = file.seek(0, os.SEEK_END)
    if size < END.size:
        raise SubmissionError("it is no zip: make it with `ticketbench pack`")
    file.seek(max(0, size - END.size - LOCATOR.size))
    tail = file.read()
    numbers: tuple[bytes, int, int, int, int, int, int, int] = END.unpack(tail[-END.size :])
    magic, disk, first, here, count, index, offset, comment = numbers
    if magic != b"PK\x05\x06" or comment or disk or first or here != count:
        raise SubmissionError("it is no plain zip, or something follows it: make it with `ticketbench pack`")
    end = size - END.size
    if tail.startswith(b"PK\x06\x07"):  # `zipfile` goes by what it points at, whatever the usual numbers are
        count, index, offset = _large(file, size)
        end -= LOCATOR.size + END_64.size
    if offset + index != end:
        raise SubmissionError("something stands before it or inside it: make it with `ticketbench pack`")
    if count > MOST_ENTRIES or index > min(LARGEST_INDEX, LARGEST_ENTRY * count):
        raise SubmissionError(f"it lists {count} files in {index} bytes, more than {MOST_ENTRIES}: pack less at once")
    file.seek(0)
    return count


def _large(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """Number of members, size and place of the directory of a zip that is too large for the usual numbers."""
    where = size - END.size - LOCATOR.size - END_64.size
    if where < 0:
        raise SubmissionError("its end is cut off: fetch it again")
    file.seek(where)
    magic, *_, here, count, index, offset = END_64.unpack(file.read(END_64.size))
    located, _disk, place, _disks = LOCATOR.unpack(file.read(LOCATOR.size))
    if magic != b"PK\x06\x06" or located != b"PK\x06\x07" or place != where or here != count:
        raise SubmissionError("its end contradicts itself: fetch it again")
    return count, index, offset


def _members(archive: zipfile.ZipFile, size: int) -> tuple[Manifest, dict[str, zipfile.ZipInfo]]:
    """The manifest and every file that it names, by its path in the store; none of an archive of `size` bytes surprises.

    Other zip tools pack the archive's folder again: with entries for folders, in another order, all below one more folder,
    beside notes of the system. These say nothing and are passed over; all else that is not in the manifest is refused.
    """
    everything = archive.infolist()
    plain = [member for member in everything if not _says_nothing(member)]
    for member in plain:
        _check_kind(member)
    named = [member for member in plain if re.fullmatch(rf"([^/]+/)?{re.escape(NAME)}", member.filename)]
    if len(named) != 1:
        raise SubmissionError(f"it holds {len(named)} files {NAME}, not one: make it with `ticketbench pack`")
    manifest, above = _manifest(archive, named[0]), named[0].filename.removesuffix(NAME)
    members = {member.filename.removeprefix(above): member for member in plain if member is not named[0]}
    if len({name.casefold() for name in members}) < len(plain) - 1:
        raise SubmissionError("it holds a file twice, or two of one name in other letters: nothing was unpacked")
    for name, member in members.items():
        _check_member(name, member, manifest)
    if lacking := sorted(manifest.files.keys() - members.keys()):
        raise SubmissionError(f"{quoted(lacking[0])} of its {NAME} is missing: fetch it again")
    total, packed = sum(m.file_size for m in members.values()), sum(m.compress_size for m in members.values())
    if sum(member.compress_size for member in everything) > size:
        raise SubmissionError(f"its files overlap: {packed} bytes of {size}, so nothing was unpacked")
    if total > LARGEST_TOTAL or is_bomb(packed, total):
        raise SubmissionError(f"it would unpack {packed} bytes to {total}: no suite does, so nothing was unpacked")
    return manifest, members


def _says_nothing(member: zipfile.ZipInfo) -> bool:
    """Whether it is a folder, or what a system notes beside the files; it is never written."""
    parts = member.orig_filename.rstrip("/").split("/")
    is_folder = member.is_dir() and not member.file_size
    return is_folder or SYSTEMS.isdisjoint(parts) is False or parts[-1].startswith("._")


def _manifest(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Manifest:
    if member.file_size > files.LARGEST_JSON:
        raise SubmissionError(f"its {NAME} is larger than {files.LARGEST_JSON} bytes")
    with archive.open(member) as source:
        manifest = Manifest.of(source.read())
    if not manifest.files:
        raise SubmissionError("it holds no unit: fetch it again")
    return manifest


def _check_member(name: str, member: zipfile.ZipInfo, manifest: Manifest) -> None:
    check_path(name)
    if name not in manifest.files:
        raise SubmissionError(f"it holds {quoted(name)}, which its {NAME} does not name: nothing was unpacked")
    largest = LARGEST_FILE if name.endswith(".safetensors") else files.LARGEST_JSON
    if member.file_size > largest:
        raise SubmissionError(f"{quoted(name)} is {member.file_size} bytes, more than {largest}: nothing was unpacked")
    if member.file_size != manifest.files[name].size:
        raise SubmissionError(
            f"{quoted(name)} is {member.file_size} bytes, its {NAME} says {manifest.files[name].size}"
        )


def _check_kind(member: zipfile.ZipInfo) -> None:
    """Plain files only: no folder, link, device, password, or name that ends early."""
    mode = member.external_attr >> 16
    plain = stat.S_ISREG(mode) or stat.S_IFMT(mode) == 0
    known = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not member.flag_bits & ~HARMLESS
    if not plain or not known or member.is_dir() or member.orig_filename != member.filename:
        raise SubmissionError(f"{quoted(member.orig_filename)} is no plain file: nothing was unpacked")


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, sealed: Sealed, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    left = sealed.size
    with archive.open(member) as source, target.open("xb") as file:
        while chunk := source.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            digest.update(chunk)
            file.write(chunk)
    if left or digest.hexdigest() != sealed.sha256:
        raise SubmissionError(f"{quoted(member.filename)} is not what its {NAME} says: fetch it again")
