"""Where the files of a data set are looked for. Imports no torch."""

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench import cache
from bench.digests import json_digest
from bench.errors import DataError

VARIABLE = "TICKETBENCH_DATA"
"""The environment variable that names the data folder."""
DEBIAN = Path("/usr/share/datasets")
BUNDLED = Path(__file__).parents[1] / "data"


def root() -> Path | None:
    """The user's data folder, if there is one."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def folders(name: str) -> Iterator[Path]:
    """The folders that may hold the files of a data set, the user's own first."""
    if own := root():
        yield from (own / name, own)
    yield DEBIAN / name
    yield cache.folder(name)


def identity(files: Mapping[str, str]) -> str:
    """What stands for a data set whose files are known by their md5: sha256 over their names and md5s."""
    return json_digest(dict(files))


def check_identity(name: str, asked: str, known: str) -> None:
    """A task asks for the data set that its authors published.

    Raises:
        DataError: if what the task says that stands for it is another's.
    """
    if asked != known:
        raise DataError(
            f"the task was defined on another {name} ({asked}) than the authors': use the task as installed"
        )


def check_md5(path: Path, md5: str) -> None:
    """A file is the one that its authors published.

    Raises:
        DataError: with both md5s, if it is not or cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    if found != md5:
        raise DataError(
            f"{path} has md5 {found}, not {md5}: it is truncated or another file; replace it by the original"
        )


def download(name: str, fetch: Callable[[Path], None], files: tuple[str, ...], *, ways: str) -> Path:
    """The folder into which the files of a data set were downloaded, whole ones only.

    Args:
        name: of the data set.
        fetch: puts the files into the folder that it is given.
        files: their names.
        ways: to provide them without a download, for the message.

    Raises:
        DataError: naming every way to provide the files, if the download fails.
    """
    place = cache.folder(name)
    try:
        place.mkdir(parents=True, exist_ok=True)
        # Workers may come here at the same time: each downloads for itself, and moves whole files into place.
        with tempfile.TemporaryDirectory(dir=place) as folder, contextlib.redirect_stdout(sys.stderr):
            fetch(Path(folder))
            for file in files:
                (Path(folder) / file).replace(place / file)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{name} was not found and could not be downloaded ({reason}): {ways}, "
            f"or run once where torchvision can download it to {place}"
        ) from error
    return place
