"""The part of a suite or of a store that a command asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from bench import registry
from bench.errors import SpecError, UnknownName
from bench.record import Record
from bench.spec import Entry, Suite

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to keep; None keeps everything.

    Args:
        tasks: names of tasks.
        methods: names of methods.
        levels: numbers of rounds; chains still run every round up to the highest, and dense is always kept.
        seeds: replicates.
        scale: run every task at this scale instead of the suite's; of records: only those of this scale.
    """

    tasks: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    levels: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    scale: str | None = None

    def of_suite(self, suite: Suite) -> Suite:
        """The part of `suite` that is asked for.

        Raises:
            UnknownName: if a task or method is not in the suite, or a task lacks the scale.
            SpecError: if a level or seed is not in the suite.
        """
        entries = suite.entries
        of = f"of suite {suite.name}"
        _check_names(f"task {of}", self.tasks, (entry.task.name for entry in entries))
        entries = tuple(entry for entry in entries if _admits(self.tasks, entry.task.name))
        _check_names(f"method {of}", self.methods, (method.name for entry in entries for method in entry.methods))
        _check_numbers("levels", self.levels, {level for entry in entries for level in entry.levels}, suite)
        _check_numbers("seeds", self.seeds, {seed for entry in entries for seed in entry.seeds}, suite)
        narrowed = (self._entry(entry) for entry in entries)
        return replace(
            suite, entries=tuple(entry for entry in narrowed if entry.methods and entry.levels and entry.seeds)
        )

    def _entry(self, entry: Entry) -> Entry:
        return replace(
            entry,
            task=registry.task(entry.task.name, self.scale) if self.scale else entry.task,
            methods=tuple(method for method in entry.methods if _admits(self.methods, method.name)),
            levels=tuple(level for level in entry.levels if _admits(self.levels, level)),
            seeds=tuple(seed for seed in entry.seeds if _admits(self.seeds, seed)),
        )

    def of_records(self, records: Iterable[Record]) -> list[Record]:
        """The records that are asked for.

        Raises:
            UnknownName: if no record is of a task or method that is asked for.
        """
        known = list(records)
        _check_names("task among the records", self.tasks, (record["spec"]["task"]["name"] for record in known))
        _check_names("method among the records", self.methods, (record["spec"]["method"]["name"] for record in known))
        return [record for record in known if self._admits_spec(record["spec"])]

    def _admits_spec(self, spec: dict[str, object]) -> bool:
        task, method, level = spec["task"], spec["method"], spec["level"]
        assert isinstance(task, dict)
        assert isinstance(method, dict)
        return (
            _admits(self.tasks, task["name"])
            and _admits(self.methods, method["name"])
            and (level == 0 or _admits(self.levels, level))
            and _admits(self.seeds, spec["seed"])
            and self.scale in (None, task["scale"])
        )


def _admits(wanted: tuple[T, ...] | None, value: T | object) -> bool:
    return wanted is None or value in wanted


def _check_names(kind: str, wanted: tuple[str, ...] | None, known: Iterable[str]) -> None:
    known = set(known)
    for name in wanted or ():
        if name not in known:
            raise UnknownName(kind, name, known)


def _check_numbers(what: str, wanted: tuple[int, ...] | None, known: set[int], suite: Suite) -> None:
    absent = sorted(set(wanted or ()) - known)
    if absent:
        raise SpecError(
            f"{what} {', '.join(map(str, absent))} asked, suite {suite.name} has {', '.join(map(str, sorted(known)))}: "
            "copy its file and change it to ask for more"
        )
