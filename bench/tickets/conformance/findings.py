"""What a check finds: one sentence under the id of the silent bug that it exists for."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import bench
from bench.errors import LeakedMask, TicketBenchError, WrongCount

Tell = Callable[[str], None]
"""Told in a few words what is being trained or checked, which takes minutes."""
NOTE = "note"
"""The check of a finding that is no fault, but that a reader of results should know."""
NAMED = 3
"""How many of several parameters a sentence names."""
LIBRARIES = tuple(Path(str(each.__file__)).parent for each in (bench, torch, np))


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        check: C1 to C15, or `note`.
        what: one sentence.
    """

    check: str
    what: str

    def __str__(self) -> str:
        """`C4: buffers ...`."""
        return f"{self.check}: {self.what}"


def several(names: Sequence[str], what: str = "parameters") -> str:
    """`a`, or of more than one `5 parameters (a, b, c, ...)`: one cause is one finding, in however many layers it shows."""
    first = ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED)
    return first if len(names) == 1 else f"{len(names)} {what} ({first})"


def silent(doing: str) -> None:
    """Nobody wants to know."""


def collected(check: str, sentences: Iterable[str]) -> Iterator[Finding]:
    """A finding for every sentence; what is raised on the way is one too."""
    try:
        for what in sentences:
            yield Finding(check, what)
    except Exception as error:  # noqa: BLE001  whatever a domain's or a method's code raises is a finding
        yield raised(error)


def raised(error: Exception) -> Finding:
    """What an exception says, and where in the code that is checked it was raised."""
    if isinstance(error, LeakedMask):
        return Finding("C5" if isinstance(error, WrongCount) else "C2", str(error))
    told = str(error) if isinstance(error, TicketBenchError) else f"{type(error).__name__}: {error}"
    check = "C5" if isinstance(error, AssertionError) else "C14"
    place = _place(error)
    return Finding(check, " ".join((told if place in told else f"{told} ({place})").split()))


def _place(error: Exception) -> str:
    """Where the error began: of one that tells another, where that was raised."""
    cause: BaseException = error
    while cause.__cause__:
        cause = cause.__cause__
    frames = traceback.extract_tb(cause.__traceback__)
    outside = [
        frame for frame in frames if not any(Path(frame.filename).is_relative_to(library) for library in LIBRARIES)
    ]
    if not outside and isinstance(error, TicketBenchError):
        return ""
    frame = (outside or frames)[-1]
    return f"{frame.filename}:{frame.lineno}"
