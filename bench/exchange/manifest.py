"""What an archive says it holds, and which names and sizes are allowed in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypedDict

from bench.digests import canonical_json
from bench.errors import SubmissionError
from bench.schema import Count, Digest, Text, decode
from bench.spec import DIGITS
from bench.store.attempt import CONFLICTS, FAILED, RECORD, SPEC, STATES
from bench.store.claims import ATTEMPTS
from bench.store.store import CURVE, PLAIN, KeptSuite
from bench.store.tensors import MASK

FORMAT: Final = 3
"""Version of the archive's layout; one with a higher version is refused. Up to 2, every unit was of a store's format 1."""
KIND: Final = "ticketbench archive"
NAME = "manifest.json"
"""The first member of every archive."""

FILES = (RECORD, SPEC, CURVE, MASK)
"""What may be packed of a unit, besides its `STATES` if those are asked for; the second and third of units of format 1."""
MOST_FILES = 200_000
UNIT = re.compile(rf"(?P<above>.+)/s\d{{1,9}}/L\d{{2,9}}-[0-9a-f]{{{DIGITS}}}/(?P<name>[a-z.]+)")
MOST_PARTS = 8
"""Folders above a unit's seed: the parts of the task's name, and the method."""
RESERVED = {*FILES, *STATES, ATTEMPTS, FAILED, CONFLICTS}
"""No folder above a unit is called so: readers of a store look for units in no folder of the last three."""


class Sealed(NamedTuple):
    """What a file must be: its size in bytes and the sha256 of its content."""

    size: int
    sha256: str


class Told(TypedDict):
    """`manifest.json`, as written."""

    format: Literal[2, 3]
    kind: Literal["ticketbench archive"]
    suite: KeptSuite
    files: dict[Text, tuple[Count, Digest]]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of `manifest.json`.

    Args:
        suite: whose units these are, in full.
        files: path inside the store -> what the file must be.
    """

    suite: KeptSuite
    files: Mapping[str, Sealed]

    def text(self) -> str:
        """The same bytes for the same content."""
        sealed = {path: list(file) for path, file in self.files.items()}
        return canonical_json({"format": FORMAT, "kind": KIND, "suite": self.suite, "files": sealed}) + "\n"

    @classmethod
    def of(cls, data: bytes) -> Manifest:
        """The manifest that JSON from anybody describes.

        Raises:
            SubmissionError: if it is none, is newer, or names what no archive may hold.
        """
        try:
            told = decode(data, Told)
        except ValueError as error:
            advice = f"this ticketbench reads format {FORMAT} of a {KIND}: make it with `ticketbench pack`"
            raise SubmissionError(f"its {NAME} cannot be read ({error}); {advice}") from error
        for path in told["files"]:
            check_path(path)
        return cls(suite=told["suite"], files={path: Sealed(*file) for path, file in told["files"].items()})


def check_path(path: str) -> None:
    """Whether an archive may hold a file of that name: a unit's folder and one of the names that a unit writes.

    Raises:
        SubmissionError: if not; so no name is absolute, leads upwards, or means something to a shell.
    """
    unit = UNIT.fullmatch(path)
    if not unit or unit["name"] not in (*FILES, *STATES):
        raise SubmissionError(f"it holds {quoted(path)}, which is no file of a unit: nothing was unpacked")
    parts = unit["above"].split("/")
    allowed = 2 <= len(parts) <= MOST_PARTS and all(PLAIN.fullmatch(part) for part in parts)
    if not allowed or RESERVED.intersection(parts):
        raise SubmissionError(f"it holds {quoted(path)}, whose folder is no unit's: nothing was unpacked")


def quoted(text: str) -> str:
    """A name from anybody, short and on one line."""
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
