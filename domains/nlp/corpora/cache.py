"""What takes long to make and can be made again, kept in the user's cache folder between runs."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.cache import folder

SIZE = hashlib.sha256().digest_size


def cached(name: str, make: Callable[[], bytes]) -> bytes:
    """What `make` returns, from the cache if it was made before.

    A damaged file counts as missing; where nothing can be written, everything is made anew.

    Args:
        name: of the file; whatever decides its content must be part of it.
        make: its content.
    """
    path = folder("nlp") / name
    content = _read(path)
    if content is None:
        content = make()
        with contextlib.suppress(OSError):
            _write(path, content)
    return content


def _read(path: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        found = path.read_bytes()
        if hashlib.sha256(found[SIZE:]).digest() == found[:SIZE]:
            return found[SIZE:]
    return None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Workers may come here at the same time: each writes its own file, and moves it into place.
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(hashlib.sha256(content).digest() + content)
            file.close()
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
