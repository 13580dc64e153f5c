"""What is told of an exception that a unit raised: one line that says where, and a text that no exception makes endless."""

from __future__ import annotations

import errno
import re
import sysconfig
import traceback
from pathlib import Path
from traceback import FrameSummary

from bench.errors import TicketBenchError
from bench.store import files

LINE = 400
"""Characters of a reason that stands in tables and logs."""
LONGEST = 20_000
"""Bytes of the text that is kept."""
LIBRARIES = sorted(
    {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    key=lambda folder: -len(folder.parts),
)
"""Where packages are installed; of two, the one inside the other first."""
OURS = ("bench", "domains")


def summary(error: BaseException) -> str:
    """An error in one line: its type, its first line and where it was raised; of ours, which say what to do, the line alone."""
    lines = (each.strip() for each in text(error).splitlines())
    first = _printable(next(filter(None, lines), ""))
    if isinstance(error, TicketBenchError) and first:
        return _cut(first)
    what = _cut(f"{type(error).__name__}: {first}".rstrip(": "))
    remedy = f"; {files.REMEDIES[errno.EFBIG]}" if number_of(error) == errno.EFBIG else ""
    where = _where(error)
    return what + remedy + (f" ({where})" if where else "")


def report(error: BaseException) -> str:
    """The summary, and below it the traceback; what is too long loses its middle."""
    try:
        told = "".join(traceback.format_exception(error))
    except BaseException as another:  # noqa: BLE001  it may hold anything, and there may be no memory left
        told = f"its traceback cannot be had: {type(another).__name__}"
    whole = f"{summary(error)}\n\n{told}".encode(errors="backslashreplace")
    if len(whole) > LONGEST:
        half = LONGEST // 2 - 50
        whole = whole[:half] + f"\n... {len(whole) - 2 * half:,} bytes are left out ...\n".encode() + whole[-half:]
    return whole.decode(errors="ignore")


def number_of(error: BaseException) -> int | None:
    """The system's number of an error; safetensors has its own exception, with the number in its text only."""
    if isinstance(error, OSError):
        return error.errno
    told = re.search(r"\(os error (\d+)\)", text(error))
    return int(told[1]) if told else None


def text(error: BaseException) -> str:
    """The text of an error, however hostile, cut."""
    try:
        return str(error)[:LONGEST]
    except BaseException as another:  # noqa: BLE001  somebody else's __str__ may raise anything
        return f"its text cannot be had: {type(another).__name__}"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text[:LONGEST])


def _cut(text: str) -> str:
    return text if len(text) <= LINE else f"{text[:LINE]} ..."


def _where(error: BaseException) -> str:
    """File and line of the frame that raised; of the innermost one outside of libraries, if that was inside of one."""
    try:
        frames = traceback.extract_tb(error.__traceback__)
    except BaseException:  # noqa: BLE001  there may be no memory left
        return ""
    if not frames:
        return ""
    raised = frames[-1]
    own = next((frame for frame in reversed(frames) if not _is_library(frame)), raised)
    if own is raised:
        return _place(raised)
    return f"{_place(own)}, inside {_place(raised)}"


def _place(frame: FrameSummary) -> str:
    return f"{_short(Path(frame.filename))}:{frame.lineno}"


def _short(path: Path) -> Path:
    """Of a file in a library, the part that says which one."""
    return _in_library(path) or path


def _is_library(frame: FrameSummary) -> bool:
    inside = _in_library(Path(frame.filename))
    return frame.filename.startswith("<") or (inside is not None and inside.parts[0] not in OURS)


def _in_library(path: Path) -> Path | None:
    return next((path.relative_to(folder) for folder in LIBRARIES if path.is_relative_to(folder)), None)
