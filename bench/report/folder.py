"""Files that come into a folder all at once, when all of them are made."""

from __future__ import annotations

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
            return [_moved(path, folder / path.relative_to(draft)) for path in make(Path(draft))]
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}; name another --output") from error


def _moved(draft: Path, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return draft.replace(path)
