"""Who submitted which suite, in a file beside the records: a record itself holds no name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from bench.digests import canonical_json
from bench.errors import SpecError, StoreError
from bench.schema import Name, decode
from bench.store import files

SUBMITTERS = "submitters.json"
Submitter = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^\S")]
"""Whatever else it holds is text on the page, too."""


def submitters(folder: Path) -> dict[str, str]:
    """Suite -> who submitted it, as whoever keeps the board wrote down; empty where nobody is named.

    Args:
        folder: `results`.

    Raises:
        StoreError: if the file cannot be read.
    """
    path = folder / SUBMITTERS
    try:
        return decode(files.read(path), dict[Name, Submitter]) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} is not read ({error}): it is JSON, suite: who submitted it; mend or remove it"
        ) from error


def written(named: dict[str, str]) -> str:
    """The file's text.

    Raises:
        SpecError: if it could not be read again.
    """
    text = canonical_json(named) + "\n"
    try:
        decode(text.encode(), dict[Name, Submitter])
    except ValueError as error:
        raise SpecError(f"who submitted it is told in a line of 1 to 200 characters ({error}): mend --from") from error
    return text
