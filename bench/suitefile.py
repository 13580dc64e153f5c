"""Reads a suite from its TOML file; what is wrong with it is told with file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from bench import registry
from bench.errors import SpecError, TicketBenchError, UnknownName
from bench.runs.plan import refusal
from bench.spec import DENSE, Entry, Method, Suite, Task

TOP_KEYS = ("title", "task")
TASK_KEYS = ("name", "scale", "methods", "levels", "seeds")
HIGHEST = 9_999
"""Of a level or a seed; a mistyped range must not fill the memory."""
BLOCK = re.compile(r"\s*\[\[\s*task\s*]]")


def names() -> tuple[str, ...]:
    """The suites that come with Ticket Bench."""
    inside = (files("bench") / "suites").iterdir()
    return tuple(sorted(path.name.removesuffix(".toml") for path in inside if path.name.endswith(".toml")))


def load_suite(suite: str) -> Suite:
    """The suite of that name, or in that file.

    Args:
        suite: one of `names()`, or the path of a TOML file.

    Raises:
        UnknownName: if there is no such suite.
        SpecError: if the file is wrong, with file, line and key.
    """
    if suite in names():
        text = (files("bench") / "suites" / f"{suite}.toml").read_text(encoding="utf-8")
        return parse(text, name=suite, file=f"{suite}.toml")
    path = Path(suite)
    if path.is_file():
        try:
            return parse(path.read_text(encoding="utf-8-sig"), name=path.stem, file=str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"{path} cannot be read: {error}") from error
    if path.suffix == ".toml":
        raise SpecError(f"no file {path}: name a suite ({', '.join(names())}) or a TOML file")
    raise UnknownName("suite", suite, names())


def parse(text: str, *, name: str, file: str) -> Suite:
    """The suite that the text of a TOML file describes.

    Args:
        text: TOML.
        name: of the suite.
        file: named in errors.

    Raises:
        SpecError: with file, line and key.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error))
        line, what = (match[2], match[1]) if match else (str(text.count("\n") + 1), str(error))
        raise SpecError(f"{file}:{line}: not TOML: {what}") from error
    source = _Source(text, file)
    source.check_keys(data, TOP_KEYS, block=None)
    blocks = data.get("task")
    if not isinstance(blocks, list) or not blocks or not all(isinstance(block, dict) for block in blocks):
        source.fail("task", "write at least one [[task]] block", block=None)
    title = data.get("title", "")
    if not isinstance(title, str):
        source.fail("title", f"is {title!r}: write a text", block=None)
    entries = tuple(_entry(block, source, number) for number, block in enumerate(blocks))
    return Suite(name=name, title=title, entries=entries)


class _Source:
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

    def _line(self, key: str, block: int | None) -> int:
        """The line of `key` in the block, else the line the block starts at."""
        start = 0 if block is None or block >= len(self._starts) else self._starts[block]
        later = [other for other in self._starts if other > start]
        end = later[0] if block is not None and later else len(self._lines)
        wanted = re.compile(rf"""\s*(\[+\s*)?["']?{re.escape(key)}["']?\s*[]=.]""")
        matching = (number for number in range(start, end) if wanted.match(self._lines[number]))
        return next(matching, start) + 1


def _entry(block: Mapping[str, Any], source: _Source, number: int) -> Entry:
    source.check_keys(block, TASK_KEYS, block=number)
    for key in TASK_KEYS:
        if key not in block:
            source.fail(key, "is missing", block=number)
    for key in ("name", "scale"):
        if not isinstance(block[key], str):
            source.fail(key, f"is {block[key]!r}: write a text", block=number)
    try:
        key = "scale" if any(task.name == block["name"] for task in registry.tasks().values()) else "name"
        task = registry.task(block["name"], block["scale"])
        key = "methods"
        methods = _methods(block[key], task)
        key = "levels"
        levels = numbers(block[key])
        if max(levels) == 0 and DENSE not in (method.name for method in methods):
            raise SpecError(
                f"{levels[0]} is the dense network's level, so that no unit is left: ask for more, or for {DENSE}"
            )
        key = "seeds"
        return Entry(task=task, methods=methods, levels=levels, seeds=numbers(block[key]))
    except TicketBenchError as error:
        source.fail(key, str(error), block=number)


def _methods(value: Any, task: Task) -> tuple[Method, ...]:
    if value == "all":
        return tuple(method for method in registry.methods().values() if not refusal(task, method))
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise SpecError(f'{value!r} is no choice of methods: write "all" or a list of names')
    return tuple(registry.method(name) for name in dict.fromkeys(value))


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
