"""The text of a suite's file, to tell the line of what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from bench.errors import SpecError, TicketBenchError, UnknownName

BLOCK = re.compile(r"\s*\[\[\s*task\s*]]")


class Source:
    """The text of the file, to find the line of a key; tomllib tells none."""

    def __init__(self, text: str, file: str) -> None:
        self._lines, self._file = text.splitlines(), file
        self._starts = [number for number, line in enumerate(self._lines) if BLOCK.match(line)]

    def fail(self, key: str, problem: str, *, block: int | None) -> NoReturn:
        raise SpecError(f"{self._file}:{self._line(key, block)}: {key}: {problem}")

    def check_keys(self, data: Mapping[str, Any], known: tuple[str, ...], *, block: int | None) -> None:
        for key in data:
            if key not in known:
                self.fail(key, str(UnknownName("key", key, known)), block=block)

    def need(self, data: Mapping[str, Any], keys: tuple[str, ...], *, block: int) -> None:
        for key in keys:
            if key not in data:
                self.fail(key, "is missing", block=block)

    @contextmanager
    def telling(self, key: str, *, block: int) -> Iterator[None]:
        """Whatever is wrong inside is told with the line of the key."""
        try:
            yield
        except TicketBenchError as error:
            self.fail(key, str(error), block=block)

    def check_texts(self, data: Mapping[str, Any], keys: tuple[str, ...], *, block: int) -> None:
        for key in keys:
            if key in data and not isinstance(data[key], str):
                self.fail(key, f"is {data[key]!r}: write a text", block=block)

    def _line(self, key: str, block: int | None) -> int:
        """The line of `key` in the block, or of a part of it that is dotted; else the line the block starts at."""
        start = 0 if block is None or block >= len(self._starts) else self._starts[block]
        later = [other for other in self._starts if other > start]
        end = later[0] if block is not None and later else len(self._lines)
        for part in dict.fromkeys((key, *reversed(key.split(".")))):
            wanted = re.compile(rf"""\s*(\[+\s*)?["']?{re.escape(part)}["']?\s*[]=.]""")
            for number in range(start if block is None else start + 1, end):
                if wanted.match(self._lines[number]):
                    return number + 1
        return start + 1
