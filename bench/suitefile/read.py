"""Reads a suite from its TOML file; what is wrong with it is told with file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench import registry
from bench.code import brought
from bench.errors import SpecError, UnknownName
from bench.runs.planning.plan import refusal
from bench.spec import DENSE, Entry, Method, Suite, Task
from bench.suitefile.numbers import numbers
from bench.suitefile.source import Source
from bench.suitefile.tasks import Tasks

TOP_KEYS = ("title", "task")


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
        return parse(text, name=suite, file=f"{suite}.toml", folder=Path())
    path = Path(suite)
    if path.is_file():
        try:
            return parse(path.read_text(encoding="utf-8-sig"), name=path.stem, file=str(path), folder=path.parent)
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"{path} cannot be read: {error}") from error
    if path.suffix == ".toml":
        raise SpecError(f"no file {path}: name a suite ({', '.join(names())}) or a TOML file")
    raise UnknownName("suite", suite, names())


def parse(text: str, *, name: str, file: str, folder: Path) -> Suite:
    """The suite that the text of a TOML file describes; the registry knows its own tasks and methods from now on.

    Args:
        text: TOML.
        name: of the suite.
        file: named in errors.
        folder: of the file, where paths that it names start.

    Raises:
        SpecError: with file, line and key.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error))
        line, what = (match[2], match[1]) if match else (str(text.count("\n") + 1), str(error))
        raise SpecError(f"{file}:{line}: not TOML: {what}") from error
    except ValueError as error:  # of Python, which reads no such number
        raise SpecError(f"{file}: a number has thousands of digits: write it shorter") from error
    except RecursionError as error:
        raise SpecError(f"{file}: lists or tables are too deep inside each other: write them flat") from error
    source = Source(text, file)
    source.check_keys(data, TOP_KEYS, block=None)
    blocks = data.get("task")
    if not isinstance(blocks, list) or not blocks or not all(isinstance(block, dict) for block in blocks):
        source.fail("task", "write at least one [[task]] block", block=None)
    title = data.get("title", "")
    if not isinstance(title, str):
        source.fail("title", f"is {title!r}: write a text", block=None)
    tasks = Tasks(source, folder)
    for number, block in enumerate(blocks):
        tasks.bring(block, number)
    arms = _Arms(folder)
    entries = (_entry(block, tasks.of(block, number), arms, source, number) for number, block in enumerate(blocks))
    return Suite(name=name, title=title, entries=tuple(entries))


class _Arms:
    """The methods that the blocks of one suite ask for, one of each name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Method] = {}

    def of(self, value: Any, task: Task) -> tuple[Method, ...]:
        if value == "all":
            installed = (method for method in registry.definitions().values() if not method.is_template)
            return tuple(method for method in installed if not refusal(task, method))
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            raise SpecError(f'{value!r} is no choice of methods: write "all" or a list of names')
        chosen = {method.name: method for method in map(self._one, value)}
        return tuple(chosen.values())

    def _one(self, name: str) -> Method:
        method = brought.method(name, self._folder)
        if self._known.setdefault(method.name, method) != method:
            raise SpecError(f"{name} is called {method.name!r}, as another method of this suite: give it another name")
        return method


def _entry(block: Mapping[str, Any], task: Task, arms: _Arms, source: Source, number: int) -> Entry:
    source.need(block, ("methods", "levels", "seeds"), block=number)
    with source.telling("methods", block=number):
        methods = arms.of(block["methods"], task)
    with source.telling("levels", block=number):
        if block["levels"] == [] and [method.name for method in methods] == [DENSE]:
            raise SpecError(f"[] is no level: a block of {DENSE} alone writes levels = [0]")
        levels = numbers(block["levels"])
        if max(levels) == 0 and DENSE not in (method.name for method in methods):
            raise SpecError(
                f"{levels[0]} is the dense network's level, so that no unit is left: ask for more, or for {DENSE}"
            )
    with source.telling("seeds", block=number):
        return Entry(task=task, methods=methods, levels=levels, seeds=numbers(block["seeds"]))
