"""What `import bench` offers, in scripts and notebooks: the functions behind the command line. Imports no torch.

Everything is reached as `bench.run`, `bench.tasks`, ...; these names and what they take stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from pathlib import Path
from typing import Any, TypeVar

from bench import registry, suitefile
from bench.errors import LaunchError, SpecError, UnitFailed
from bench.exchange.ticketfile import TicketFile, read_ticket, ticket_of
from bench.record import Record
from bench.report.frame import frame
from bench.report.results import Results
from bench.runs.planning.frontier import Frontier
from bench.runs.planning.plan import Plan
from bench.runs.planning.plan import plan as make_plan
from bench.runs.planning.selection import Selection
from bench.spec import CODE, Entry, Method, Suite, Task, Unit
from bench.store.store import DEFAULT, PLAIN, Store
from bench.verbs import training
from bench.verbs.arguments.execution import Execution
from bench.verbs.arguments.request import existing, joined, named, names

OTHERS = "run something first, or pass another `store`"

__all__ = ["methods", "tasks", "suites", "suite", "unit", "run", "train", "results", "frame", "ticket"]

Name = TypeVar("Name")
One = str | Path | Suite | Unit
Asked = One | Iterable[One]
"""The name of a suite, its TOML file, a suite or unit that was made here, or several of these."""
Names = str | Iterable[str]
"""`"ticket,reinit"` or `["ticket", "reinit"]`."""
Arms = Names | Method | Iterable[str | Method]
"""The same of methods; one of your own is `mine.py:method`, or what `bench.methods()` or `bench.tickets.methods.define` gave."""
Numbers = str | int | Iterable[int]
"""`"0-2"`, `2` or `[0, 1, 2]`, of Python or numpy."""

methods, tasks = registry.methods, registry.tasks


def suites() -> dict[str, Suite]:
    """Name -> suite, of those that come with Ticket Bench."""
    return {name: suitefile.load_suite(name) for name in suitefile.names()}


def suite(
    *, tasks: Names, methods: Arms, levels: Numbers, seeds: Numbers, name: str = "suite", title: str = ""
) -> Suite:
    """A suite made here: every method at every level and seed of every task.

    Args:
        tasks: keys of `bench.tasks()`, `vision/lenet-mnist@smoke`.
        methods: names of `bench.methods()`, `transfer+TASK`, or methods of your own.
        levels: pruning rounds; chains run those between, too, and dense runs at 0.
        seeds: replicates.
        name: it begins the names of figures.
        title: one line for people.

    Raises:
        UnknownName: if there is no such task or method.
        SpecError: if no file can be named so.
    """
    if not PLAIN.fullmatch(name):
        raise SpecError(f"name {name!r}: figures are called so; take letters, digits, '.', '_', '+' and '-'")
    arms = tuple(registry.method(each) if isinstance(each, str) else each for each in _arms(methods))
    rounds, replicates = _numbers(levels), _numbers(seeds)
    chosen = map(_task, _names(tasks))
    entries = (Entry(task=task, methods=arms, levels=rounds, seeds=replicates) for task in chosen)
    return Suite(name=name, title=title, entries=tuple(entries))


def unit(task: str, method: str, level: int = 0, seed: int = 0) -> Unit:
    """One training; `bench.run` and `bench.train` take it.

    Args:
        task: a key of `bench.tasks()`, `vision/lenet-mnist@smoke`.
        method: a name of `bench.methods()`. Where it is the same as another on this task, the unit is that one's.
        level: pruning rounds; 0 for dense, and for nothing else.
        seed: the replicate.

    Raises:
        UnknownName: if there is no such task or method.
        Unsupported: if the task cannot run the method.
        SpecError: if the method has no such level.
    """
    made = make_plan(suite(tasks=task, methods=method, levels=level, seeds=seed))
    found = [each for each in made.units.values() if each.id in made.asked and each.level == level]
    if not found:
        raise SpecError(f"{method} has no level {level}: dense is level 0, every other method begins at 1")
    return found[0]


def run(
    what: Asked,
    *,
    store: str | Path = DEFAULT,
    tasks: Names | None = None,
    methods: Arms | None = None,
    levels: Numbers | None = None,
    seeds: Numbers | None = None,
    scale: str | None = None,
    **execution: Any,
) -> Results:
    """Train what is left of a suite in worker processes, and show how far it is: `ticketbench run`.

    Args:
        what: the suite, or what else is to be trained.
        store: where finished units are kept, and are found again.
        tasks: only these.
        methods: only these; those of your own join every task.
        levels: only these.
        seeds: only these.
        scale: another scale: `smoke`, `quick`, `small` or `paper`.
        execution: fields of {py:class}`bench.verbs.arguments.execution.Execution`: `workers`, `threads`, `device`, `stack`,
            `progress` ...

    Returns:
        The finished units; `failed` tells of the others.

    Raises:
        TicketBenchError: in one line what was asked, what was found and what to do.
        KeyboardInterrupt: after Ctrl-C; no worker is left, and the same call goes on from there.
    """
    plan = _plan(what, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale)
    kept, how = Store(store), Execution(**execution)
    if how.launcher == "slurm":
        raise LaunchError(
            "bench.run waits for its units, --launcher slurm only submits them: `ticketbench run` does that"
        )
    how.check()
    return _results(plan, kept, training.train(plan, kept, how))


def train(unit: Unit, *, store: str | Path = DEFAULT, **execution: Any) -> Record:
    """The record of one unit, trained if it is not there; so is what it starts from.

    Args:
        unit: what `bench.unit` made.
        store: where finished units are kept.
        execution: as `bench.run` takes it.

    Raises:
        UnitFailed: if it failed, or what it starts from did.
    """
    found = run(unit, store=store, **execution)
    record = found.store.record(unit)
    if record is None:
        raise UnitFailed("; ".join(f"{label}: {reason}" for label, reason in found.failed.items()))
    return record


def results(
    what: Asked | None = None,
    *,
    store: str | Path = DEFAULT,
    tasks: Names | None = None,
    methods: Arms | None = None,
    levels: Numbers | None = None,
    seeds: Numbers | None = None,
    scale: str | None = None,
) -> Results:
    """What has finished in a store, of all that is in it or of a suite; nothing is trained.

    Args:
        what: as `bench.run` takes it; None: everything.
        store: a folder that `bench.run` or `ticketbench run` filled.
        tasks: only these.
        methods: only these.
        levels: only these, and dense.
        seeds: only these.
        scale: of a suite another scale; else only tasks of this one.
    """
    kept = existing(Path(store), OTHERS)
    chosen = _selection(tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale)
    if what is None:
        return Results(name="records", store=kept, records=chosen.of_records(kept.records()))
    plan = make_plan(chosen.of_suite(_joined(what, methods)))
    return Results(name=plan.suite.name, store=kept, records=kept.records(plan.listed))


def ticket(source: str | Path | Unit, *, store: str | Path = DEFAULT) -> TicketFile:
    """A ticket, to be looked at or put to work in a module of yours: see its `apply`.

    Args:
        source: a ticket file; or a finished unit of the store, the beginning of its id, or its folder.
        store: where the unit is.

    Raises:
        StoreError: if there is no such unit, or it starts from weights that its seed gives.
        SubmissionError: if the file is none.
    """
    if not isinstance(source, Unit) and Path(source).is_file():
        return read_ticket(Path(source))
    kept = existing(Path(store), OTHERS)
    return ticket_of(kept, kept.folder(source) if isinstance(source, Unit) else kept.find(str(source)))


def _plan(what: Asked, **part: Any) -> Plan:
    made = make_plan(_selection(**part).of_suite(_joined(what, part["methods"])))
    if not made.units:
        raise SpecError(f"nothing is selected of {made.suite.name}: leave out some of {', '.join(part)}")
    return made


def _results(plan: Plan, store: Store, frontier: Frontier) -> Results:
    left = {**frontier.failed, **frontier.blocked}
    failed = {plan.units[unit_id].label: reason for unit_id, reason in left.items()}
    return Results(name=plan.suite.name, store=store, records=store.records(plan.listed), failed=failed)


def _selection(
    *, tasks: Names | None, methods: Arms | None, levels: Numbers | None, seeds: Numbers | None, scale: str | None
) -> Selection:
    return Selection(
        tasks=None if tasks is None else _names(tasks),
        methods=None if methods is None else tuple(e if isinstance(e, str) else e.name for e in _arms(methods)),
        levels=None if levels is None else _numbers(levels),
        seeds=None if seeds is None else _numbers(seeds),
        scale=scale,
    )


def _joined(what: Asked, methods: Arms | None) -> Suite:
    return joined(_suite(what), () if methods is None else _arms(methods))


def _suite(what: Asked) -> Suite:
    if isinstance(what, Suite):
        return what
    if isinstance(what, str | Path):
        return suitefile.load_suite(str(what))
    several = [what] if isinstance(what, Unit) else what
    return Suite(name="units", title="", entries=tuple(entry for each in several for entry in _entries(each)))


def _entries(what: One) -> tuple[Entry, ...]:
    if isinstance(what, Unit):
        return (Entry(task=what.task, methods=(what.method,), levels=(what.level,), seeds=(what.seed,)),)
    return _suite(what).entries


def _task(key: str) -> Task:
    name, _, scale = key.partition("@")
    scales = [task.scale for task in registry.tasks().values() if task.name == name]
    if scales and not scale:
        raise SpecError(f"{key!r} names no scale of it: write {' or '.join(f'{name}@{each}' for each in scales)}")
    return registry.task(name, scale)


def _names(given: str | Iterable[Name]) -> tuple[str | Name, ...]:
    return names(given) or () if isinstance(given, str) else tuple(given)


def _arms(given: Arms) -> tuple[Method | str, ...]:
    each = (given,) if isinstance(given, Method) else _names(given)
    return tuple(named(one) if isinstance(one, str) else _made(one) for one in each)


def _made(method: Method) -> Method:
    """A method that was made in Python; its ids have to cover its code, of which an object does not tell the file."""
    if registry.methods().get(method.name) != method:
        if any(":" in part for part in (method.mask, method.weights, method.training)) and CODE not in method.options:
            raise SpecError(
                f"method {method.name!r} names code of yours: ask for it as 'mine.py:method', so that its ids cover the file"
            )
        registry.bring_method(method)
    return method


def _numbers(given: Numbers) -> tuple[int, ...]:
    if isinstance(given, str):
        return suitefile.numbers(given)
    each: Iterable[Any] = given if isinstance(given, Iterable) else [given]
    return suitefile.numbers(
        [index(one) if hasattr(one, "__index__") and not isinstance(one, bool) else one for one in each]
    )
