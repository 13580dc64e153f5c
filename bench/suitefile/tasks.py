"""The tasks that a suite asks for: installed ones, ones made from these, and ones in files of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import registry
from bench.code import brought, own
from bench.errors import SpecError
from bench.spec import Task
from bench.suitefile.overrides import FIELDS, FIXED, Misfit, derived, merged
from bench.suitefile.source import Source

TASK_KEYS = ("name", "scale", "methods", "levels", "seeds")
ORIGINS = ("base", "task")
"""Keys of a task that is made from another one, or stands in a file of the user's own."""
SET = "set"
"""A table of fields to be set; they may stand beside `base` as well."""


class Tasks:
    """The tasks of the blocks of one suite.

    Args:
        source: the text of the suite.
        folder: where paths that it names start.
    """

    def __init__(self, source: Source, folder: Path) -> None:
        """Know what is installed, and nothing of the suite's own yet."""
        self._source, self._folder = source, folder
        self._own: dict[int, Task] = {}

    def bring(self, block: Mapping[str, Any], number: int) -> None:
        """Make the task of a block that has a `base` or a `task`, before any block asks for it by name."""
        self._check(block, number)
        if not any(key in block for key in ORIGINS):
            return
        made = self._derived(block, number) if "base" in block else self._in_file(block, number)
        if any(other.key == made.key and other != made for other in self._own.values()):
            key = "name" if "name" in block else "base" if "base" in block else "task"
            problem = f"another task of this suite is called {made.key}: give this one a name of its own"
            self._source.fail(key, problem, block=number)
        self._own[number] = made

    def of(self, block: Mapping[str, Any], number: int) -> Task:
        """The task of a block."""
        if number in self._own:
            return self._own[number]
        self._source.need(block, ("name", "scale"), block=number)
        return self._named(block, "name", number)

    @property
    def _known(self) -> dict[str, Task]:
        return {**registry.installed_tasks(), **{task.key: task for task in self._own.values()}}

    def _named(self, block: Mapping[str, Any], key: str, number: int) -> Task:
        """The task that a key of the block names, at the block's scale."""
        known = self._known
        wrong = "scale" if any(task.name == block[key] for task in known.values()) else key
        with self._source.telling(wrong, block=number):
            return registry.task(block[key], block["scale"], among=known)

    def _check(self, block: Mapping[str, Any], number: int) -> None:
        if "base" not in block and (stray := next((key for key in block if key in (SET, *FIELDS)), None)):
            self._source.fail(stray, "is set of nothing: name what is changed by base = ...", block=number)
        settable = (SET, *FIELDS, *FIXED) if "base" in block else ()
        self._source.check_keys(block, (*TASK_KEYS, *ORIGINS, *settable), block=number)
        self._source.check_texts(block, ("name", "scale", *ORIGINS), block=number)
        for one, other in (("task", "base"), ("name", "task")):
            if one in block and other in block:
                self._source.fail(one, f"stands beside {other}: the block says twice which task it is", block=number)

    def _derived(self, block: Mapping[str, Any], number: int) -> Task:
        self._source.need(block, ("scale",), block=number)
        base = self._named(block, "base", number)
        beside = {key: value for key, value in block.items() if key not in (*TASK_KEYS, *ORIGINS, SET)}
        relatives = [task for task in self._known.values() if task.domain == base.domain]
        try:
            changes = merged(beside, block.get(SET, {}))
            made = derived(base, changes, name=block.get("name"), relatives=relatives)
        except Misfit as error:
            self._source.fail(".".join(error.path) or "base", str(error), block=number)
        if "unsupported" not in changes:
            made = registry.declining(made)
        with self._source.telling("name", block=number):
            if made.domain != base.domain:
                raise SpecError(f"is {made.name!r}: write {base.domain}/ and a name, for it is made from {base.name}")
            registry.bring_task(made)
        return made

    def _in_file(self, block: Mapping[str, Any], number: int) -> Task:
        with self._source.telling("task", block=number):
            if not own.is_own(block["task"]):
                raise SpecError(f"is {block['task']!r}: write my_tasks.py:name, or name = ... of an installed one")
            return brought.task(block["task"], block.get("scale"), self._folder)
