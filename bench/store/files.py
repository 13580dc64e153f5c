"""Files that survive a crash: written whole and flushed to the disk before anything points at them."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.errors import FULL, StoreError

LARGEST_JSON = 64 * 2**20
"""Bytes; nothing that a unit writes as JSON comes near, so a larger file is not one of ours."""

REMEDIES = {
    **dict.fromkeys(FULL, "make room or name another --store, then run again: what is finished stays"),
    errno.EXDEV: "it spans several file systems, so put all of its folders, .attempts too, on one, then run again",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`) or name a --store where they may be larger, then run again",
    **dict.fromkeys(
        (errno.EMFILE, errno.ENFILE),
        "try fewer --workers, or raise the limit on open files (`ulimit -n`), then run again",
    ),
    errno.EROFS: "it is mounted read-only: mount it writable or name another --store",
    errno.EACCES: "get the right to write there or name another --store",
    errno.EPERM: "get the right to write there or name another --store",
    errno.ENAMETOOLONG: "give the task or the method a shorter name, or name a --store with a shorter path",
}
"""What the disk said -> what to do."""


def unwritable(what: str, error: OSError) -> StoreError:
    """What could not be written, why, and what to do, in one line.

    Args:
        what: and where to, as `the unit to the store`.
        error: what the system said.
    """
    remedy = REMEDIES.get(
        error.errno or 0, "see to that or name another --store, then run again: what is finished stays"
    )
    return StoreError(f"cannot write {what}: {error.strerror or error}; {remedy}")


def sync(path: Path) -> None:
    """Flush a file or a folder's list of names to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, text: str) -> None:
    """Write `text` and flush it to the disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old content or the new, never a part."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")  # no pid: all containers count from 1
    write(draft, text)
    draft.replace(path)
    sync(path.parent)


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A file beside `path` that becomes it if the block ends well, and is gone otherwise.

    Raises:
        OSError: if the disk refuses, or `path` is no place for a file: a folder, a device that would be replaced.
    """
    if not path.name or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EEXIST, "it is no regular file", str(path))
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield draft
        draft.replace(path)
    finally:
        with suppress(OSError):  # gone already, or its folder never was one
            draft.unlink()


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON and flush it to the disk.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    write(path, to_text(value))


def to_text(value: Any) -> str:
    """`value` as the JSON of a store's files: one key a line, no NaN."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def why(error: Exception) -> str:
    """What kept a file from being read, in words."""
    return getattr(error, "strerror", None) or str(error)


def read(path: Path, *, largest: int = LARGEST_JSON) -> bytes:
    """The content of a file that anybody may have written.

    Raises:
        ValueError: if it is too large, or no file of its own.
        OSError: if it cannot be read.
    """
    if path.is_symlink():
        raise ValueError("it is a symbolic link")
    if path.exists() and not path.is_file():
        raise ValueError("it is no plain file")  # a pipe would be waited for
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > largest:
            raise ValueError(f"larger than {largest} bytes")
        return file.read()
