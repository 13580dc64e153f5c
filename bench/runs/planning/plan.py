"""From a suite to its units, and what each waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bench import registry
from bench.errors import SpecError, Unsupported
from bench.spec import DENSE, Entry, Method, Role, Suite, Task, Unit, coincident
from bench.tickets.columns import Columns, columns

MOST = 250_000
"""Units of a plan; two mistyped ranges must fill neither the memory nor the day."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The units of a suite, each once.

    Args:
        suite: what was asked.
        units: id -> unit, parents before their children.
        asked: ids of the units that the suite asks for; the others are only there as parents.
        aliases: (task key, method asked for) -> the method that it coincides with there, which is run instead.
    """

    suite: Suite
    units: Mapping[str, Unit]
    asked: frozenset[str] = frozenset()
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
        """Whether the suite lists the unit's task and level; chains run the rounds between too, and transfers their sources'."""
        return (unit.task.key, unit.level) in self._listed

    @property
    def listed(self) -> list[Unit]:
        """The units that the suite lists, in the order of `units`."""
        return [unit for unit in self.units.values() if self.lists(unit)]

    @cached_property
    def _listed(self) -> set[tuple[str, int]]:
        return {(entry.task.key, level) for entry in self.suite.entries for level in (0, *entry.levels)}

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
        SpecError: if a task contradicts itself, as far as its domain knows without its data; or if there are more than `MOST`.
    """
    planner = _Planner()
    for entry in suite.entries:
        if reason := registry.refusal(entry.task):
            raise SpecError(f"{entry.task.key}: {reason}")
        for method in entry.methods:
            planner.add(entry, method)
    asked = frozenset(planner.asked)
    return Plan(suite=suite, units=planner.units, asked=asked, aliases=planner.aliases)


def refusal(task: Task, method: Method) -> str | None:
    """Why `task` cannot run `method`, or a parent it needs; None if it can."""
    name = coincident(method.name, task) or method.name
    column = columns(method)
    for known in (name, name.partition(registry.SOURCE)[0]):
        if known in task.unsupported:
            return task.unsupported[known]
    if "ticket" in column.needs and "ticket" in task.unsupported:
        return f"it needs the ticket: {task.unsupported['ticket']}"
    for part in (method.mask, method.weights, method.training):  # another method's saliency is as undefined as its own
        if part in task.unsupported:
            return task.unsupported[part]
    if closed := _closed(task, column):
        return closed
    return _sourceless(task, method) if method.source else None


def _closed(task: Task, column: Columns) -> str | None:
    """An optional door that the columns need and the domain does not offer, in a sentence; None if all are open."""
    if column.mask.ones and not registry.offers(task, "forwards_ones"):
        said = "its learners forward ones (`forwards_ones = True`)"
    elif column.mask.nodes and not registry.offers(task, "names_nodes"):
        said = "whole hidden nodes of its learners can be pruned (`names_nodes = True`)"
    elif column.training.reordered and not registry.offers(task, "interpolates"):
        said = "its learners train on another order of the data (`interpolates = True`)"
    else:
        return None
    return f"domain {task.domain!r} does not say that {said}"


def _sourceless(task: Task, method: Method) -> str | None:
    """Why the method's source task has no ticket for `task`; None if it has one."""
    if misfit := registry.misfit(task, method):
        return misfit
    source = registry.task(method.task_of("source", task), task.scale)
    reason = refusal(source, registry.method(method.parent_of("source", 1)[0]))
    return f"{source.name} has no ticket to give: {reason}" if reason else None


class _Planner:
    """Makes every unit once, its parents first."""

    def __init__(self) -> None:
        self.units: dict[str, Unit] = {}
        self.asked: set[str] = set()
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
                self.asked.add(self._unit(task, method, level, seed).id)

    def _unit(self, task: Task, method: Method, level: int, seed: int) -> Unit:
        if method.is_chain:
            made = (lower for lower in range(level - 1, 0, -1) if (task.key, method.name, lower, seed) in self._made)
            for lower in range(next(made, 0) + 1, level):  # in this order, so that a long chain needs no deep recursion
                self._one(task, method, lower, seed)
        return self._one(task, method, level, seed)

    def _one(self, task: Task, method: Method, level: int, seed: int) -> Unit:
        key = (task.key, method.name, level, seed)
        if key not in self._made:
            parents: dict[Role, str] = {}
            for role in method.parents:
                name, parent_level = method.parent_of(role, level)
                parent = method if name == method.name else registry.method(name)
                parents[role] = self._unit(self._home(role, method, task), parent, parent_level, seed).id
            unit = Unit(task=task, method=method, level=level, seed=seed, parents=parents)
            self._made[key] = self.units[unit.id] = unit
            if len(self.units) > MOST:
                raise SpecError(f"the suite has more than {MOST:,} units: ask for fewer levels or seeds of {task.key}")
        return self._made[key]

    @staticmethod
    def _home(role: Role, method: Method, task: Task) -> Task:
        """The task of the parent in `role`."""
        name = method.task_of(role, task)
        return task if name == task.name else registry.task(name, task.scale)


def _levels(method: Method, listed: tuple[int, ...]) -> list[int]:
    if method.name == DENSE:
        return [0]
    if method.is_chain:
        return list(range(1, max(listed) + 1))
    return [level for level in listed if level > 0]
