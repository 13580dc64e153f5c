"""GNU's .mo files: message catalogues of one language, as gettext's manual describes them ("The Format of GNU MO Files").

A magic word that tells the byte order, a revision, the number of strings, and where two tables are; each table has
the length and the place of every string: the originals, and their translations. Nothing in a file is believed before it is
checked.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.errors import DataError

ORDERS = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}
"""Magic word -> byte order."""

REVISIONS = (0, 1)
"""Known revisions, major and minor. The strings that minor 1 adds depend on the system that reads them: they are not read."""

LARGEST = 2**26
"""More bytes than any catalogue has."""

CHARSET = re.compile(r"^content-type:.*?\bcharset=([^\s;]+)", re.IGNORECASE | re.MULTILINE)
KNOWN = re.compile(
    r"(us-)?ascii|utf-?8|iso-?8859-\d+|koi8-[rut]|(cp|windows-)\d+|gb\w+|big5(-?hkscs)?|euc-\w\w|(shift_|s)jis|tis-620",
    re.IGNORECASE,
)
"""The charsets of gettext's manual, all of which have ASCII in them; Python has codecs which no text is written in."""


class Message(NamedTuple):
    """A string of a program and its translation.

    Args:
        context: what tells it from another use of the same words; empty where there is none.
        source: as it is in the program; empty for the header.
        plural: the same for several; empty where there is none.
        forms: the translation, or one for each plural form of the language.
    """

    context: str
    source: str
    plural: str
    forms: tuple[str, ...]


def read_mo(path: Path) -> list[Message]:
    """The messages of a catalogue in the order of the file, its header first.

    Raises:
        DataError: if the file cannot be read, or is not a complete .mo file in its charset.
    """
    content = _content(path)
    strings = list(zip(*_tables(path, content), strict=True))
    header = next((translation for original, translation in strings if not original), b"")
    charset = charset_of(path, header.decode("latin-1"))
    try:
        return [_message(original.decode(charset), translation.decode(charset)) for original, translation in strings]
    except (LookupError, UnicodeError) as error:
        raise _broken(path, f"its text is not in its charset {charset}") from error


def charset_of(path: Path, header: str) -> str:
    """What the header says its text is written in; UTF-8 if it says nothing.

    Raises:
        DataError: if that is no charset of catalogues.
    """
    found = CHARSET.search(header)
    charset = found[1] if found else "utf-8"
    if not KNOWN.fullmatch(charset):
        raise _broken(path, f"its charset is {charset[:40]!r}")
    return charset


def _message(original: str, translation: str) -> Message:
    context, _, words = original.rpartition("\x04")
    source, _, plural = words.partition("\0")
    return Message(context, source, plural, tuple(translation.split("\0")))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST:
                raise _broken(path, f"it has {size:,} bytes")
            return file.read(size)
    except OSError as error:
        raise _broken(path, f"{error.strerror}") from error


def _tables(path: Path, content: bytes) -> tuple[list[bytes], list[bytes]]:
    """Originals and translations."""
    order = ORDERS.get(content[:4])
    if order is None:
        raise _broken(path, f"it starts with {content[:4].hex() or 'nothing'}, not with de120495 or 950412de")
    if len(content) < 20:
        raise _broken(path, f"it ends inside its header, after {len(content)} bytes")
    minor_major, count, *places = struct.unpack_from(f"{order}4I", content, 4)
    revision = divmod(minor_major, 2**16)
    if not set(revision) <= set(REVISIONS):
        raise _broken(path, f"its revision is {revision[0]}.{revision[1]}, not 0 or 1")
    originals, translations = (list(_strings(path, content, place, count, order)) for place in places)
    return originals, translations


def _strings(path: Path, content: bytes, place: int, count: int, order: str) -> Iterator[bytes]:
    if place + 8 * count > len(content):
        raise _broken(path, f"its table of {count:,} strings at byte {place:,} ends after the file")
    left = len(content)
    for length, start in struct.iter_unpack(f"{order}2I", content[place : place + 8 * count]):
        if content[start + length : start + length + 1] != b"\0":
            raise _broken(
                path, f"the string of {length:,} bytes at byte {start:,} does not end with a zero inside the file"
            )
        left -= length
        if left < 0:  # many entries that point to one long string would fill the memory
            raise _broken(path, "its strings overlap")
        yield content[start : start + length]


def _broken(path: Path, what: str) -> DataError:
    return DataError(f"cannot read {path} as a .mo file: {what}; install its package again, or remove it")
