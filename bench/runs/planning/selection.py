"""The part of a suite or of a store that a command asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bench import registry
from bench.errors import SpecError, UnknownName
from bench.record import Record
from bench.spec import SCALES, Entry, Suite

T = TypeVar("T")
Arm = TypeVar("Arm", bound=tuple[str, str, str, int])
"""Task, scale, method, level."""


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
        has, more = f"suite {suite.name} has", "copy its file and change it to ask for more"
        _check_numbers("levels", self.levels, {level for entry in entries for level in entry.levels}, has, more)
        _check_numbers("seeds", self.seeds, {seed for entry in entries for seed in entry.seeds}, has, more)
        narrowed = (self._entry(entry) for entry in entries)
        return replace(
            suite, entries=tuple(entry for entry in narrowed if entry.methods and entry.levels and entry.seeds)
        )

    def _entry(self, entry: Entry) -> Entry:
        return replace(
            entry,
            task=registry.task(entry.task.name, self.scale) if self.scale is not None else entry.task,
            methods=tuple(method for method in entry.methods if _admits(self.methods, method.name)),
            levels=tuple(level for level in entry.levels if _admits(self.levels, level)),
            seeds=tuple(seed for seed in entry.seeds if _admits(self.seeds, seed)),
        )

    def of_records(self, records: Iterable[Record]) -> list[Record]:
        """The records that are asked for.

        Raises:
            UnknownName: if no record is of a task or method that is asked for, or there is no such scale.
            SpecError: if none has a level or seed that is asked for.
        """
        known = list(records)
        specs = [record["spec"] for record in known]
        _check_names("task among the records", self.tasks, (spec["task"]["name"] for spec in specs))
        _check_names("method among the records", self.methods, (spec["method"]["name"] for spec in specs))
        _check_names("scale", None if self.scale is None else (self.scale,), SCALES)
        of_tasks = [spec for spec in specs if _admits(self.tasks, spec["task"]["name"])]
        for what, wanted in (("level", self.levels), ("seed", self.seeds)):
            if of_tasks:
                there = {spec[what] for spec in of_tasks}
                _check_numbers(f"{what}s", wanted, there, "the records have", "ask for some of these")
        return [record for record in known if self._admits_spec(record["spec"])]

    def of_arms(self, arms: Collection[Arm]) -> set[Arm]:
        """Those that are asked for, of all that there are; an arm is all seeds.

        Raises:
            UnknownName: if none is of a task, method or scale that is asked for.
            SpecError: if none has a level that is asked for.
        """
        for kind, place, wanted in (("task", 0, self.tasks), ("method", 2, self.methods)):
            _check_names(f"{kind} among the records", wanted, (str(arm[place]) for arm in arms))
        _check_names(
            "scale among the records", (self.scale,) if self.scale is not None else None, (arm[1] for arm in arms)
        )
        _check_numbers("levels", self.levels, {arm[3] for arm in arms}, "there are", "ask for some of these")
        return {arm for arm in arms if self._admits_arm(*arm)}

    def _admits_spec(self, spec: dict[str, Any]) -> bool:
        task, method = spec["task"], spec["method"]
        return self._admits_arm(task["name"], task["scale"], method["name"], spec["level"]) and _admits(
            self.seeds, spec["seed"]
        )

    def _admits_arm(self, task: str, scale: str, method: str, level: int) -> bool:
        return (
            _admits(self.tasks, task)
            and _admits(self.methods, method)
            and (level == 0 or _admits(self.levels, level))
            and self.scale in (None, scale)
        )


def _admits(wanted: tuple[T, ...] | None, value: T | object) -> bool:
    return wanted is None or value in wanted


def _check_names(kind: str, wanted: tuple[str, ...] | None, known: Iterable[str]) -> None:
    known = set(known)
    for name in wanted or ():
        if name not in known:
            raise UnknownName(kind, name, known)


def _check_numbers(what: str, wanted: tuple[int, ...] | None, known: set[int], has: str, way: str) -> None:
    absent = sorted(set(wanted or ()) - known)
    if absent:
        asked, there = (", ".join(map(str, each)) for each in (absent, sorted(known)))
        raise SpecError(f"{what} {asked} asked, {has} {there}: {way}")
