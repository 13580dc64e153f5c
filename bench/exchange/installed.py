"""What this installation knows a submitted task and method as, and where a submission says otherwise."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

from bench import registry
from bench.digests import canonical_json
from bench.spec import REPORTED_ONLY, Method, Task, Unit, task_from_json, to_json
from bench.tickets.columns import Columns, MaskColumn, TrainingColumn, WeightsColumn

NOTHING_PROMISED = Columns(MaskColumn(function=""), WeightsColumn(function=""), TrainingColumn(function=""))
"""The columns of a method that is not installed here, since no name that its record holds is ever imported."""


class Installed(NamedTuple):
    """A submitted unit's task and method, as they are installed.

    Args:
        task: the one of the same identity; None if there is none.
        method: likewise.
        columns: what the method promises.
        wrong: fields that decide what is trained, in which the installed ones of that name and version differ.
        doubts: what is not installed, or told otherwise than it is installed.
    """

    task: Task | None
    method: Method | None
    columns: Columns
    wrong: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def both(self) -> bool:
        """Whether task and method are installed."""
        return self.task is not None and self.method is not None


class Catalogue:
    """Looks up the definitions of many units, each distinct one once."""

    def __init__(self) -> None:
        """Read what is installed."""
        self._tasks = registry.tasks()
        self._task, self._method = cache(self._of_task), cache(self._of_method)

    def of(self, unit: Unit) -> Installed:
        """What is known of a unit's task and method."""
        task, *about_task = self._task(canonical_json(to_json(unit.task)))
        method, columns, *about_method = self._method(canonical_json(to_json(unit.method)))
        wrong, doubts = (one + other for one, other in zip(about_task, about_method, strict=True))
        return Installed(task, method, columns, wrong, doubts)

    def _of_task(self, text: str) -> tuple[Task | None, tuple[str, ...], tuple[str, ...]]:
        task = task_from_json(json.loads(text))
        what = f"its task {task.key!a} version {task.version}"
        wrong, doubts = _compared(self._tasks.get(task.key), task, what, REPORTED_ONLY)
        foreign = registry.foreign_code(task)
        return registry.installed_task(task), wrong, (f"{what} {foreign}",) if foreign else doubts

    def _of_method(self, text: str) -> tuple[Method | None, Columns, tuple[str, ...], tuple[str, ...]]:
        told = json.loads(text)
        method = Method(**{**told, "parents": tuple(told["parents"])})
        what = f"its method {method.name!a} version {method.version}"
        columns = registry.columns_of(method) or NOTHING_PROMISED
        compared = _compared(registry.known_method(method.name), method, what, ())
        return registry.installed_method(method), columns, *compared


def _compared(
    known: Task | Method | None, told: Task | Method, what: str, reported: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """In which fields a definition is wrong, and what else is to be said of it."""
    if known is None or known.version != told.version:
        return (), (f"{what} is not installed here",)
    ours, theirs = to_json(known), to_json(told)
    names = [name for name in ours if name != "about" and not _same(ours[name], theirs[name])]
    wrong = tuple(f"{what} has another {name} than the installed one" for name in names if name not in reported)
    doubts = (f"{what} says {name} {theirs[name]!a}, installed is {ours[name]!a}" for name in names if name in reported)
    return wrong, tuple(doubts)


def _same(one: Any, other: Any) -> bool:
    return canonical_json(one) == canonical_json(other)  # to Python, 1, 1.0 and true are equal; they give three ids
