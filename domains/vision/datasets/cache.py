"""Decoded data sets in the user's cache folder: made once, then mapped into the memory of every worker that reads them."""

import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.cache import folder
from bench.digests import file_digest
from domains.vision.datasets.arrays import Arrays

DIGESTS = "digests.json"
"""Array -> sha256 of its file; written last."""


def cached(key: str, make: Callable[[], Arrays]) -> Arrays:
    """What `make` returns, mapped from files if it was made before; what is written to it stays in this process.

    A damaged file counts as missing. Who comes while another process makes the same waits for it; where nothing can be
    written, every process makes its own.

    Args:
        key: of the folder; whatever decides the content must be part of it.
        make: the arrays.
    """
    place = folder("vision") / key
    found = _read(place)
    if found is None:
        with _alone(place):
            found = _read(place)
            if found is None:
                found = make()
                with contextlib.suppress(OSError):
                    _write(place, found)
                    found = _read(place) or found
    return found


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a folder that cannot be written, a filesystem without locks
            place.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(place.with_name(f"{place.name}.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(place: Path) -> Arrays | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        digests: dict[str, str] = json.loads((place / DIGESTS).read_bytes())
        files = {name: place / f"{name}.npy" for name in digests}
        if all(file_digest(file) == digests[name] for name, file in files.items()):
            return {name: _mapped(file) for name, file in files.items()}
    return None


def _mapped(file: Path) -> Any:
    return np.load(file, mmap_mode="c", allow_pickle=False)


def _write(place: Path, arrays: Arrays) -> None:
    made = Path(tempfile.mkdtemp(dir=place.parent))
    try:
        digests = {}
        for name, array in arrays.items():
            file = made / f"{name}.npy"
            np.save(file, array, allow_pickle=False)
            file.chmod(0o444)
            digests[name] = file_digest(file)
        (made / DIGESTS).write_text(json.dumps(digests), encoding="utf-8")
        if place.exists():
            shutil.rmtree(place)
        made.chmod(0o755)
        made.rename(place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
