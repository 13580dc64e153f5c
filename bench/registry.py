"""Finds domains, tasks and methods by name: built in, from an installed package's entry points, or brought by the user.

A package that is broken, or that would take the place of something built in, is left out with one line that names it. What a
suite or a command of the user's brings is known as if installed for as long as the process lives.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import MissingPackage, SpecError, UnknownName
from bench.spec import SCALES, Method, Task, method_identity, task_identity, to_json
from bench.tickets.columns import Columns, columns
from bench.tickets.methods import METHODS, TEMPLATES

if TYPE_CHECKING:
    from bench.learner import Domain

OURS = "ticketbench"
"""The distribution whose domains and methods are built in."""
SOURCE = "+"
"""Between a template and the source task that makes an arm of it."""
NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What is brought is called so: folders, options and pages have these names."""

_brought_tasks: dict[str, Task] = {}
_brought_methods: dict[str, Method] = {}


@cache
def domains() -> dict[str, Domain]:
    """Domain name -> domain, from the entry points `ticketbench.domains`; the built-in ones first."""
    return {entry.name: domain for entry, domain in _loaded("ticketbench.domains", {}, _check_domain)}


@cache
def definitions() -> Mapping[str, Method]:
    """Name -> arm or template."""
    built_in = {**METHODS, **TEMPLATES}
    outside = _loaded("ticketbench.methods", built_in, _check_method)
    return {**built_in, **{entry.name: method for entry, method in outside}}


def is_built_in(method: str) -> bool:
    """Whether a method, or the template that an arm like `transfer+TASK` is made of, comes with this package."""
    return method.partition(SOURCE)[0] in _built_in()


@cache
def _built_in() -> frozenset[str]:
    entries = entry_points(group="ticketbench.methods")
    return frozenset({*METHODS, *TEMPLATES, *(entry.name for entry in entries if _package(entry) == OURS)})


def methods() -> Mapping[str, Method]:
    """Method name -> method: the built-in arms, then those of the entry points `ticketbench.methods`, then what was brought."""
    known = {**definitions(), **_brought_methods}
    return {name: method for name, method in known.items() if not method.is_template}


def templates() -> Mapping[str, Method]:
    """Name -> template of an arm that takes the ticket of another task: `method` makes an arm of `name+TASK`."""
    known = {**definitions(), **_brought_methods}
    return {name: method for name, method in known.items() if method.is_template}


@cache
def packaged_tasks() -> dict[str, Task]:
    """`task.key` -> task, of the entry points `ticketbench.tasks`: tasks of domains that are installed."""
    known: dict[str, Task] = {}
    of_domains = _of_domains()

    def check(_: str, value: Any) -> None:
        for task in each_task(value):
            if task.domain not in domains():
                raise UnknownName(f"domain of its task {task.name!r}", task.domain, domains())
            if task.key in {**of_domains, **known}:
                raise SpecError(f"its task {task.key!r} exists already: choose another name")
        known.update({task.key: task for task in each_task(value)})

    for _ in _loaded("ticketbench.tasks", {}, check):
        continue
    return known


def each_task(value: Any) -> tuple[Task, ...]:
    """The tasks that somebody gives: one, or several as a list or by scale.

    Raises:
        SpecError: if it is none of these, if a field is of another kind, if two of them have one name and scale, or if one is filed under another's scale.
    """
    several = tuple(value.values()) if isinstance(value, Mapping) else value
    tasks = tuple(several) if isinstance(several, list | tuple) else (several,)
    for task in tasks:
        if not isinstance(task, Task):
            raise SpecError(
                f"{type(task).__name__} is no task: give a bench.spec.Task, a list of them, or one for each scale"
            )
        task.check_kinds()
    if len({task.key for task in tasks}) < len(tasks) or not tasks:
        raise SpecError(f"{', '.join(task.key for task in tasks) or 'nothing'} is given: give each task once")
    if isinstance(value, Mapping) and (
        wrong := [key for key, task in value.items() if key not in (task.scale, task.key)]
    ):
        raise SpecError(f"under {wrong[0]!r} stands {value[wrong[0]].key}: file each task under its scale")
    return tasks


def brought_tasks() -> Mapping[str, Task]:
    """`task.key` -> task, of those that were brought."""
    return _brought_tasks


def bring_task(task: Task) -> None:
    """Know a task of the user's own by its name and scale; one that was brought before under them is forgotten.

    Raises:
        SpecError: if no task can have its name, or an installed one has it.
        UnknownName: if its domain is not installed.
    """
    domain(task.domain)
    if not NAMES.fullmatch(task.name.removeprefix(f"{task.domain}/")):
        raise SpecError(
            f"a task cannot be called {task.name!r}: write {task.domain}/ and letters, digits, '.', '_' or '-'"
        )
    if task.name in {known.name for known in installed_tasks().values()}:
        raise SpecError(f"task {task.name!r} exists already: give this one a name of its own")
    _brought_tasks[task.key] = task


def bring_method(method: Method) -> None:
    """Know a method, or a template, of the user's own by its name; one that was brought before under it is forgotten.

    Raises:
        SpecError: if no method can have its name, if an installed one has it, or if its columns cannot be had.
    """
    if not isinstance(method, Method):
        raise SpecError(f"{type(method).__name__} is no method: give what bench.tickets.methods.define makes")
    if not NAMES.fullmatch(method.name):
        raise SpecError(f"a method cannot be called {method.name!r}: write letters, digits, '.', '_' or '-'")
    if method.name in definitions():
        raise SpecError(f"method {method.name!r} exists already: give this one a name of its own")
    _check_method(method.name, method)
    _brought_methods[method.name] = method


def _loaded(
    group: str, known: Mapping[str, Any], check: Callable[[str, Any], None]
) -> Iterator[tuple[EntryPoint, Any]]:
    """The entry points of a group that can be had, each name once."""
    taken = set(known)
    for entry in sorted(entry_points(group=group), key=lambda entry: (_package(entry) != OURS, entry.name)):
        try:
            if entry.name in taken:
                raise SpecError(f"{entry.name!r} exists already: choose another name")
            value = entry.load()
            check(entry.name, value)
        except Exception as error:  # noqa: BLE001  somebody's package may raise anything; the others go on
            told = str(error) if isinstance(error, SpecError) else f"{type(error).__name__}: {error}"
            _complain(f"package {_package(entry)} is left out of {group}: {entry.name} = {entry.value}: {told}")
            continue
        taken.add(entry.name)
        yield entry, value


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown"


def _complain(line: str) -> None:
    print(f"ticketbench: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201  one line, and the rest goes on


def _check_domain(name: str, domain: Any) -> None:
    for key, task in domain.tasks().items():
        if not isinstance(task, Task) or task.key != key or task.domain != name:
            raise SpecError(f"its task {key!r} is none of domain {name!r}: file each task of it under `task.key`")


def _check_method(name: str, method: Any) -> None:
    if not isinstance(method, Method) or method.name != name or SOURCE in name:
        raise SpecError(f"it is no bench.spec.Method of the name {name!r}, or {SOURCE!r} is in it")
    if forgotten := [role for role in columns(method).needs if role not in method.parents]:
        raise SpecError(
            f"method {name!r} does not name its parent {forgotten[0]!r}, which its columns need: make it with "
            "bench.tickets.methods.define"
        )


def domain(name: str) -> Domain:
    """The domain of that name.

    Raises:
        UnknownName: if no installed package has it.
    """
    if name not in domains():
        raise UnknownName("domain", name, domains())
    return domains()[name]


def _of_domains() -> dict[str, Task]:
    return {key: task for domain in domains().values() for key, task in domain.tasks().items()}


def installed_tasks() -> dict[str, Task]:
    """`task.key` -> task, over all domains and packages."""
    return {**_of_domains(), **packaged_tasks()}


def tasks() -> dict[str, Task]:
    """`task.key` -> task: what is installed, then what was brought."""
    return {**installed_tasks(), **_brought_tasks}


def task(name: str, scale: str, *, among: Mapping[str, Task] | None = None) -> Task:
    """The task `name` at `scale`.

    Args:
        name: `domain/task`.
        scale: one of `SCALES`.
        among: `task.key` -> task; all that are known unless given.

    Raises:
        UnknownName: with the nearest name, if there is no such task or it has no such scale.
    """
    known = tasks() if among is None else among
    names = {task.name for task in known.values()}
    if name not in names:
        raise UnknownName("task", name, names, hint=unlisted(name))
    scales = {task.scale for task in known.values() if task.name == name}
    if scale not in scales:
        raise UnknownName(f"scale of {name}", scale, sorted(scales, key=SCALES.index))
    return known[f"{name}@{scale}"]


def unlisted(name: str) -> str | None:
    """Why the domain of a task may not list it here; see `bench.doors.ListsMore`."""
    told: Callable[[], str | None] | None = getattr(domains().get(name.partition("/")[0]), "unlisted", None)
    return told() if told else None


def method(name: str) -> Method:
    """The method of that name; `transfer+TASK` is `transfer` from that source task.

    Raises:
        UnknownName: with the nearest name, if there is none.
    """
    template, _, source = name.partition(SOURCE)
    if source and template in templates():
        return templates()[template].from_source(source)
    if name not in methods():
        raise UnknownName("method", name, [*methods(), *(f"{each}{SOURCE}{source or 'TASK'}" for each in templates())])
    return methods()[name]


def known_method(name: str) -> Method | None:
    """The method of that name; None if there is none."""
    try:
        return method(name)
    except UnknownName:
        return None


def offers(task: Task, door: Literal["forwards_ones", "names_nodes", "interpolates"]) -> bool:
    """Whether the task's domain says that its learners offer an optional door of `bench.doors`: `ForwardsOnes`, ..."""
    return bool(getattr(domains().get(task.domain), door, False))


def seats(task: Task, device: str) -> int | str:
    """How many units of the task its domain trains together at best, or why it trains one by one; see `bench.doors.StacksUnits`."""
    offered: Callable[[Task, str], int | str] | None = getattr(domains().get(task.domain), "seats", None)
    return offered(task, device) if offered else f"domain {task.domain!r} trains one unit at a time"


def aligned(task: Task) -> bool:
    """Whether units of the task that sit in one stack must be at one step of training; see `bench.doors.AlignsSeats`."""
    says: Callable[[Task], bool] | None = getattr(domains().get(task.domain), "aligned", None)
    return not task.constant_rate or bool(says and says(task))


def refusal(task: Task) -> str | None:
    """Why no learner can be built of the task, where its domain knows that without its data; see `bench.doors.RefusesTasks`."""
    told: Callable[[Task], str | None] | None = getattr(domains().get(task.domain), "refusal", None)
    return told(task) if told else None


def declining(task: Task) -> Task:
    """The task with what its domain says it cannot run under `unsupported`; as it is if it does not: `bench.doors.DeclinesMethods`."""
    told: Callable[[Task], Mapping[str, str]] | None = getattr(domains().get(task.domain), "unsupported", None)
    return replace(task, unsupported=told(task)) if told else task


def missing(task: Task) -> str | None:
    """What is not installed here that the task needs, by its domain; see `bench.doors.ChecksPackages`."""
    check: Callable[[Task], None] | None = getattr(domains().get(task.domain), "check", None)
    try:
        if check:
            check(task)
    except MissingPackage as error:
        return str(error)
    return None


def network(domain: Domain, task: Task) -> Any:
    """What a domain says of the network of its task (see `bench.doors.TransfersTickets`); None if it says nothing."""
    return domain.network(task) if hasattr(domain, "network") else None


def outputs(domain: Domain, task: Task) -> Any:
    """What it says the outputs of its task stand for; None if it says nothing."""
    return domain.outputs(task) if hasattr(domain, "outputs") else None


def misfit(target: Task, method: Method) -> str | None:
    """Why no ticket of the method's source task fits `target`; None if they fit, or if the method takes none."""
    if not method.source:
        return None
    try:
        source = task(method.task_of("source", target), target.scale)
    except UnknownName as error:
        return f"its source is an {error}"
    if source.name == target.name:
        return f"its source is {target.name} itself, whose own ticket is the method `ticket`"
    if source.pruning != target.pruning:
        return f"{source.name} prunes otherwise than {target.name}, so that its tickets keep other weights"
    return _other_network(source, target)


def _other_network(source: Task, target: Task) -> str | None:
    networks = [network(domain(target.domain), each) for each in (source, target)]
    if None in networks:
        return f"domain {target.domain!r} does not say which of its tasks have the same network (`network`)"
    if networks[0] != networks[1]:
        return f"{source.name} trains another network than {target.name}: {networks[0]}, not {networks[1]}"
    return None


def installed_task(task: Task) -> Task | None:
    """The installed task that trains and evaluates the same as `task`, whatever else they say; None if there is none."""
    known = tasks().get(task.key)
    same = known is not None and task_identity(to_json(known)) == task_identity(to_json(task))
    return known if same else None


def foreign_code(task: Task) -> str | None:
    """What a task of a record names, so that no learner of it may be built here; None if it may.

    A record is from anybody: the code that its task names (see `bench.doors.NamesCode`) is run only if a suite or file of
    the user's own brings that very task.
    """
    named: Callable[[Task], Mapping[str, str]] | None = getattr(domains().get(task.domain), "code", None)
    try:
        modules = sorted(named(task)) if named else []
    except Exception:  # noqa: BLE001  a hostile config may have any shape
        modules = ["?"]
    if not modules or installed_task(task) is not None:
        return None
    return f"names code, {', '.join(map(ascii, modules))}, which runs only for the suite or file of your own that brings it"


def installed_method(method: Method) -> Method | None:
    """The installed method that is the same as `method`, field by field; None if there is none."""
    known = known_method(method.name)
    same = known is not None and method_identity(to_json(known)) == method_identity(to_json(method))
    return known if same else None


def columns_of(method: Method) -> Columns | None:
    """What the columns of `method` promise; None if it is not the installed one, whose names alone are ever imported."""
    known = installed_method(method)
    return None if known is None else columns(known)
