"""Levels and seeds as people write them."""

from __future__ import annotations

import re
from typing import Any

from bench.errors import SpecError

HIGHEST = 9_999
"""Of a level or a seed; a mistyped range must not fill the memory."""


def numbers(value: Any) -> tuple[int, ...]:
    """Levels or seeds, in order, each once: `[0, 3]`, `"0-20"` or `"1,3,5-9"`.

    Raises:
        SpecError: if the value is none of these.
    """
    chosen = _ranges(value) if isinstance(value, str) else _integers(value)
    if not chosen or max(chosen) > HIGHEST:
        raise SpecError(
            f'{value!r} is not a choice of numbers from 0 to {HIGHEST}: write [0, 1, 2], "0-2" or "0,2,5-9"'
        )
    return tuple(sorted(set(chosen)))


def _integers(value: Any) -> list[int]:
    whole = isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)
    return value if whole else []


def _ranges(text: str) -> list[int]:
    chosen: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            return []
        chosen += range(int(match[1]), int(match[2] or match[1]) + 1)
    return chosen
