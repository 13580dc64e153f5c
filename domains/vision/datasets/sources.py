"""Files of images, in a folder or in a zip that is read in place; no name or size is believed unchecked. Imports no torch."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from bench.errors import DataError
from domains.vision.datasets.arrays import SPLITS

LARGEST_FILE = 2**26
"""Bytes of one image file."""
LARGEST = 2**33
"""Bytes of all files of an archive, or of all decoded images: what is kept in memory."""
MOST = 2**24
"""Files of an archive."""
DEEPEST = "*/*/*"
"""Where images lie in a folder."""
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError)
"""What `Source.read` may raise."""


class Source(Protocol):
    """Files by their relative names, with forward slashes."""

    path: Path

    def names(self) -> Iterable[str]:
        """Of all files."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            UNREADABLE: one of these, if it cannot be read.
        """
        ...


class Folder:
    """A folder of files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> Iterable[str]:
        """Of all files; links to folders are followed down to the depth of images."""
        for pattern in ("*", "*/*", DEEPEST):
            for place in self.path.glob(pattern):
                if place.is_file():
                    yield place.relative_to(self.path).as_posix()
                elif pattern == DEEPEST:  # too deep for an image, which is told where names are listed
                    yield from (file.relative_to(self.path).as_posix() for file in place.rglob("*") if file.is_file())

    def read(self, name: str) -> bytes:
        """The content of a file."""
        file = self.path / name
        if file.stat().st_size > LARGEST_FILE:
            raise OSError(f"it has {file.stat().st_size:,} bytes")
        return file.read_bytes()


class Zip:
    """A zip archive, read in place: nothing is unpacked.

    Raises:
        DataError: if it is hostile.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) > MOST or sum(info.file_size for info in infos) > LARGEST:
            size = sum(info.file_size for info in infos)
            raise DataError(f"{path} would unpack to {len(infos):,} files of {size:,} bytes: that is no set of images")
        names = [_safe(path, info.filename) for info in infos]
        if doubled := [name for name, times in Counter(names).items() if times > 1]:
            raise DataError(f"{path} has {doubled[0]!a} twice: make the archive anew")
        within = {PurePosixPath(name).parts[0] for name in names if not is_passed_over(name)}
        (self._top,) = within if len(within) == 1 and not within & set(SPLITS) else ("",)
        self._infos = {self._below(name): info for name, info in zip(names, infos, strict=True)}

    def names(self) -> Iterable[str]:
        """Of all files; below the one folder that holds everything, if there is one."""
        return self._infos

    def read(self, name: str) -> bytes:
        """The content of a file."""
        info = self._infos[name]
        if info.file_size > LARGEST_FILE:
            raise OSError(f"it has {info.file_size:,} bytes")
        with self._archive.open(info) as file:  # its size may be a lie, which its checksum tells: no more is unpacked
            return file.read(info.file_size + 1)

    def _below(self, name: str) -> str:
        return name.removeprefix(f"{self._top}/") if self._top else name


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The files of a folder or of a zip.

    Raises:
        DataError: if it is no such thing, or hostile.
    """
    if path.is_dir():
        yield Folder(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield Zip(path, archive)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"cannot read {path} as a zip archive: {error}; replace it with a complete copy") from error


def _safe(path: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        raise DataError(f"{path} has a file {name!a}, outside of itself: do not use this archive")
    return str(PurePosixPath(name))


def is_passed_over(name: str) -> bool:
    """Whether a file is hidden, or what a system notes beside the files."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
