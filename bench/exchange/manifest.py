"""What an archive says it holds, and which names and sizes are allowed in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.digests import canonical_json
from bench.errors import SubmissionError
from bench.runs.attempt import ATTEMPTS, CONFLICTS, FAILED, RECORD, SPEC, STATES
from bench.runs.integrity import MASK
from bench.runs.store import CURVE

FORMAT = 1
"""Version of the archive's layout; one with a higher version is refused."""
KIND = "ticketbench archive"
NAME = "manifest.json"
"""The first member of every archive."""

FILES = (RECORD, SPEC, CURVE, MASK)
"""What is packed of a unit, besides its `STATES` if those are asked for."""
MOST_FILES = 200_000
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
UNIT = re.compile(r"(?P<above>.+)/s\d{1,9}/L\d{2,9}-[0-9a-f]{10}/(?P<name>[a-z.]+)")
MOST_PARTS = 8
"""Folders above a unit's seed: the parts of the task's name, and the method."""
RESERVED = {*FILES, *STATES, ATTEMPTS, FAILED, CONFLICTS}
"""No folder above a unit is called so: readers of a store look for units in no folder of the last three."""
DIGEST = re.compile(r"[0-9a-f]{64}")


class Sealed(NamedTuple):
    """What a file must be: its size in bytes and the sha256 of its content."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of `manifest.json`.

    Args:
        suite: whose units these are; a name for people.
        files: path inside the store -> what the file must be.
    """

    suite: str
    files: Mapping[str, Sealed]

    def text(self) -> str:
        """The same bytes for the same content."""
        told = {path: list(sealed) for path, sealed in self.files.items()}
        return canonical_json({"format": FORMAT, "kind": KIND, "suite": self.suite, "files": told}) + "\n"

    @classmethod
    def of(cls, value: Any) -> Manifest:
        """The manifest that a JSON value from anybody describes.

        Raises:
            SubmissionError: if it is none, is newer, or names what no archive may hold.
        """
        if not isinstance(value, dict) or value.get("kind") != KIND or type(value.get("format")) is not int:
            raise SubmissionError(f"its {NAME} is not that of a {KIND}: make it with `ticketbench pack`")
        if value["format"] != FORMAT:
            raise SubmissionError(f"its format is {value['format']}, this ticketbench reads {FORMAT}: upgrade")
        suite, told = value.get("suite"), value.get("files")
        if (
            not isinstance(suite, str)
            or not isinstance(told, dict)
            or value.keys() != {"format", "kind", "suite", "files"}
        ):
            raise SubmissionError(f"its {NAME} lacks its suite or its files: make it with `ticketbench pack`")
        for path, sealed in told.items():
            check_path(path)
            if not _is_sealed(sealed):
                raise SubmissionError(f"its {NAME} gives no size and sha256 of {quoted(path)}: pack it again")
        return cls(suite=suite, files={path: Sealed(*sealed) for path, sealed in told.items()})


def _is_sealed(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and type(value[0]) is int
        and value[0] >= 0
        and isinstance(value[1], str)
        and DIGEST.fullmatch(value[1]) is not None
    )


def check_path(path: str) -> None:
    """Whether an archive may hold a file of that name: a unit's folder and one of the names that a unit writes.

    Raises:
        SubmissionError: if not; so no name is absolute, leads upwards, or means something to a shell.
    """
    found = UNIT.fullmatch(path)
    if not found or found["name"] not in (*FILES, *STATES):
        raise SubmissionError(f"it holds {quoted(path)}, which is no file of a unit: nothing was unpacked")
    parts = found["above"].split("/")
    allowed = 2 <= len(parts) <= MOST_PARTS and all(PART.fullmatch(part) for part in parts)
    if not allowed or RESERVED.intersection(parts):
        raise SubmissionError(f"it holds {quoted(path)}, whose folder is no unit's: nothing was unpacked")


def quoted(text: str) -> str:
    """A name from anybody, short and on one line."""
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
