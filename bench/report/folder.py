"""Files that come into a folder all at once, when all of them are made."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import StoreError


def fill(folder: Path, make: Callable[[Path], list[Path]]) -> list[Path]:
    """Put files into a folder once all of them are made.

    Args:
        folder: made if it does not exist.
        make: writes the files into the folder that it is given, and lists them.

    Raises:
        StoreError: if they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".draft-") as draft:
            made = make(Path(draft))
            assert len(set(made)) == len(made), "a file that is made twice is there to be moved once"
            places = [_place(folder / path.relative_to(draft)) for path in made]
            return [path.replace(place) for path, place in zip(made, places, strict=True)]
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}; name another --output") from error


def _place(path: Path) -> Path:
    """A path where a file can be put: every one is looked at before the first file is moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return path
