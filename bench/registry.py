"""Finds domains, tasks and methods by name, built in or from an installed package's entry points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from bench.errors import SpecError, UnknownName
from bench.spec import SCALES, Method, Task, method_identity, task_identity, to_json
from bench.tickets.methods import METHODS

if TYPE_CHECKING:
    from bench.learner import Domain


@cache
def domains() -> dict[str, Domain]:
    """Domain name -> domain, from the entry points `ticketbench.domains`."""
    return {entry.name: entry.load() for entry in sorted(entry_points(group="ticketbench.domains"))}


def domain(name: str) -> Domain:
    """The domain of that name.

    Raises:
        UnknownName: if no installed package has it.
    """
    if name not in domains():
        raise UnknownName("domain", name, domains())
    return domains()[name]


def tasks() -> dict[str, Task]:
    """`task.key` -> task, over all domains."""
    return {key: task for each in domains().values() for key, task in each.tasks().items()}


def task(name: str, scale: str) -> Task:
    """The task `name` at `scale`.

    Raises:
        UnknownName: with the nearest name, if there is no such task or it has no such scale.
    """
    known = tasks()
    names = {each.name for each in known.values()}
    if name not in names:
        raise UnknownName("task", name, names)
    scales = {each.scale for each in known.values() if each.name == name}
    if scale not in scales:
        raise UnknownName(f"scale of {name}", scale, sorted(scales, key=SCALES.index))
    return known[f"{name}@{scale}"]


@cache
def methods() -> Mapping[str, Method]:
    """Method name -> method: the built-in arms, then those of the entry points `ticketbench.methods`.

    Raises:
        SpecError: if a package would replace a built-in arm.
    """
    found = dict(METHODS)
    for entry in sorted(entry_points(group="ticketbench.methods")):
        if entry.name in found:
            raise SpecError(f"method {entry.name!r} of {entry.value} exists already: choose another name")
        found[entry.name] = entry.load()
    return found


def method(name: str) -> Method:
    """The method of that name.

    Raises:
        UnknownName: with the nearest name, if there is none.
    """
    if name not in methods():
        raise UnknownName("method", name, methods())
    return methods()[name]


def installed_task(task: Task) -> Task | None:
    """The installed task that trains and evaluates the same as `task`, whatever else they say; None if there is none."""
    known = tasks().get(task.key)
    same = known is not None and task_identity(to_json(known)) == task_identity(to_json(task))
    return known if same else None


def installed_method(method: Method) -> Method | None:
    """The installed method that is the same as `method`, field by field; None if there is none."""
    known = methods().get(method.name)
    same = known is not None and method_identity(to_json(known)) == method_identity(to_json(method))
    return known if same else None
