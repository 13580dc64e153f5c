"""From a suite to its units, and what each waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bench import registry
from bench.errors import Unsupported
from bench.spec import DENSE, Entry, Method, Role, Suite, Task, Unit, coincident
from bench.tickets.columns import columns


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The units of a suite, each once.

    Args:
        suite: what was asked.
        units: id -> unit, parents before their children.
        aliases: (task key, method asked for) -> the method that it coincides with there, which is run instead.
    """

    suite: Suite
    units: Mapping[str, Unit]
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @cached_property
    def children(self) -> Mapping[str, list[str]]:
        """Id of a unit -> ids of the units that wait for it."""
        children: dict[str, list[str]] = {unit_id: [] for unit_id in self.units}
        for unit in self.units.values():
            for parent in dict.fromkeys(unit.parents.values()):
                children[parent].append(unit.id)
        return children

    def lists(self, unit: Unit) -> bool:
        """Whether the suite lists the unit's level; chains run the rounds between too."""
        return unit.level == 0 or (unit.task.key, unit.level) in self._listed

    @cached_property
    def _listed(self) -> set[tuple[str, int]]:
        return {(entry.task.key, level) for entry in self.suite.entries for level in entry.levels}

    @cached_property
    def heights(self) -> Mapping[str, int]:
        """Id of a unit -> length of the longest chain of units that waits for it, itself included."""
        heights: dict[str, int] = {}
        for unit_id in reversed(list(self.units)):
            heights[unit_id] = 1 + max((heights[child] for child in self.children[unit_id]), default=0)
        return heights


def plan(suite: Suite) -> Plan:
    """Every unit that the suite needs, those included that it only needs as parents.

    Raises:
        Unsupported: if a task cannot run a method that is asked of it.
    """
    planner = _Planner()
    for entry in suite.entries:
        for method in entry.methods:
            planner.add(entry, method)
    return Plan(suite=suite, units=planner.units, aliases=planner.aliases)


def refusal(task: Task, method: Method) -> str | None:
    """Why `task` cannot run `method`, or a parent it needs; None if it can."""
    name = coincident(method.name, task) or method.name
    column = columns(method)
    if name in task.unsupported:
        return task.unsupported[name]
    if "ticket" in column.needs and "ticket" in task.unsupported:
        return f"it needs the ticket: {task.unsupported['ticket']}"
    for part in (method.mask, method.weights, method.training):  # another method's saliency is as undefined as its own
        if part in task.unsupported:
            return task.unsupported[part]
    if column.mask.ones and not registry.forwards_ones(task):
        return f"domain {task.domain!r} does not say that its learners forward ones (`forwards_ones = True`)"
    return None


class _Planner:
    """Makes every unit once, its parents first."""

    def __init__(self) -> None:
        self.units: dict[str, Unit] = {}
        self.aliases: dict[tuple[str, str], str] = {}
        self._made: dict[tuple[str, str, int, int], Unit] = {}

    def add(self, entry: Entry, method: Method) -> None:
        task = entry.task
        reason = refusal(task, method)
        if reason:
            raise Unsupported(f"{task.key} cannot run {method.name}: {reason}; leave it out of `methods`")
        same = coincident(method.name, task)
        if same:
            self.aliases[task.key, method.name] = same
            method = registry.method(same)
        for seed in entry.seeds:
            for level in _levels(method, entry.levels):
                self._unit(task, method, level, seed)

    def _unit(self, task: Task, method: Method, level: int, seed: int) -> Unit:
        if method.is_chain:
            for lower in range(1, level):  # in this order, so that a long chain needs no deep recursion
                self._one(task, method, lower, seed)
        return self._one(task, method, level, seed)

    def _one(self, task: Task, method: Method, level: int, seed: int) -> Unit:
        key = (task.key, method.name, level, seed)
        if key not in self._made:
            parents: dict[Role, str] = {}
            for role in method.parents:
                name, parent_level = method.parent_of(role, level)
                parent = method if name == method.name else registry.method(name)
                parents[role] = self._unit(task, parent, parent_level, seed).id
            unit = Unit(task=task, method=method, level=level, seed=seed, parents=parents)
            self._made[key] = self.units[unit.id] = unit
        return self._made[key]


def _levels(method: Method, listed: tuple[int, ...]) -> list[int]:
    if method.name == DENSE:
        return [0]
    if method.is_chain:
        return list(range(1, max(listed) + 1))
    return [level for level in listed if level > 0]
