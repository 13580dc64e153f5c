"""Plans and their state as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from bench.runs.estimates.pace import Left, Pace, duration, steps_of
from bench.runs.planning.frontier import Frontier
from bench.runs.planning.plan import Plan
from bench.runs.planning.stacking import Stacking
from bench.spec import DIGITS, Unit
from bench.store.store import Failure, Store

STATES = ("done", "diverged", "running", "failed", "blocked", "todo")


def in_columns(rows: Iterable[Sequence[object]]) -> str:
    """Rows as lines of aligned cells; numbers to the right."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [text.replace(",", "").isdecimal() for text in cells[-1]]
    lines = (
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def planned(plan: Plan, store: Store, pace: Pace, stacking: Stacking, *, workers: int) -> str:
    """What a run of the plan would do, task by task, how, and how long it would take."""
    frontier = Frontier(plan, store)
    head = ("task", "methods", "units", "done", "blocked", "to run", "steps", "worker time", "trained")
    why: dict[str, list[str]] = {}
    rows: list[Sequence[object]] = [head]
    for key, units in _by_task(frontier):
        left = [unit for unit in units if unit.id in frontier.todo]
        seats = stacking.seats(units[0].task)
        if isinstance(seats, str):
            why.setdefault(seats, []).append(key)
        rows.append(
            (
                key,
                len({unit.method.name for unit in units}),
                len(units),
                sum(unit.id in frontier.finished for unit in units),
                sum(unit.id in frontier.blocked for unit in units),
                len(left),
                sum(map(steps_of, left)),
                duration(pace.remaining(Left(left), workers=1)),
                "one by one" if isinstance(seats, str) else f"up to {seats} at once",
            )
        )
    time = f"{duration(_seconds(frontier, pace, workers))} with {_team(workers)}"
    return "\n".join([title(plan), "", in_columns(rows), "", *_aliases(plan), *_alone(why), f"time left: {time}"])


def forecast(frontier: Frontier, pace: Pace, *, workers: int) -> str | None:
    """What is left to train and how long it will take, in a line; None where nothing is left."""
    count = len(frontier.todo)
    if not count:
        return None
    seconds = _seconds(frontier, pace, workers)
    long = "nothing tells how long it takes" if seconds is None else f"about {duration(seconds)}"
    return f"{count} unit{'s' * (count > 1)} to train: {long} with {_team(workers)}"


def _seconds(frontier: Frontier, pace: Pace, workers: int) -> float | None:
    """Until all that is left is trained, the start of the workers included; None if nothing tells how long a unit takes."""
    seconds = pace.remaining(Left(frontier.units[unit_id] for unit_id in frontier.todo), workers=workers)
    return seconds + pace.worker if seconds else seconds


def _team(workers: int) -> str:
    return f"{workers} worker{'s' * (workers > 1)}"


def title(plan: Plan) -> str:
    """The suite's name, and its title if it has one."""
    return f"{plan.suite.name}: {plan.suite.title}" if plan.suite.title else plan.suite.name


def _aliases(plan: Plan) -> list[str]:
    return [f"{key}: {name} coincides with {same} and is not run" for (key, name), same in plan.aliases.items()]


def _alone(why: Mapping[str, list[str]]) -> list[str]:
    """Why units of tasks are trained one by one, a line for every reason."""
    return [
        f"one by one: {keys[0]}{f' and {len(keys) - 1} more' if keys[1:] else ''}: {reason}"
        for reason, keys in why.items()
    ]


def _by_task(frontier: Frontier) -> list[tuple[str, list[Unit]]]:
    ordered = sorted(frontier.units.values(), key=lambda unit: unit.task.key)
    return [(key, list(units)) for key, units in groupby(ordered, key=lambda unit: unit.task.key)]


def status(plan: Plan, store: Store) -> str:
    """How far the plan is, method by method, and why units failed or are blocked."""
    states, why = _states(plan, store)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for unit in (plan.units[unit_id] for unit_id in states):
        counts.setdefault((unit.task.key, unit.method.name), Counter())[states[unit.id]] += 1
    shown = [state for state in STATES if any(counter[state] for counter in counts.values())]
    rows: list[Sequence[object]] = [("task", "method", *shown)]
    rows += [(*key, *(counter[state] for state in shown)) for key, counter in counts.items()]
    return "\n".join([title(plan), "", in_columns(rows), *([""] if why else []), *why])


def lacking(plan: Plan, store: Store) -> str:
    """How many units of the plan are not finished, and which methods have none on which task; empty if all are."""
    frontier = Frontier(plan, store)
    count, total = len(frontier.units.keys() - frontier.finished.keys()), len(frontier.units)
    if not count:
        return ""
    done: dict[str, Counter[str]] = {}  # method -> key of a task -> how many of its units
    for unit in (unit for unit_id, unit in frontier.units.items() if unit_id in plan.asked):
        done.setdefault(unit.method.name, Counter())[unit.task.key] += unit.id in frontier.finished
    absent = [name for method, counts in done.items() for name in _absent(method, counts)]
    none = f", none of {', '.join(absent)}" if absent else ""
    return f"{count:,} of {total:,} units of {plan.suite.name} {'is' if count == 1 else 'are'} not finished{none}"


def _absent(method: str, counts: Mapping[str, int]) -> list[str]:
    """The method where nothing of it is finished: everywhere, or on some of its tasks."""
    if not any(counts.values()):
        return [method]
    return [f"{method} on {key}" for key, count in counts.items() if not count]


def _states(plan: Plan, store: Store) -> tuple[dict[str, str], list[str]]:
    """Id -> state, and why some failed or are blocked."""
    frontier, failures = Frontier(plan, store), store.failures()
    claimed = {holder.what for holder in store.holders()}
    running = {unit_id for unit_id in frontier.todo if unit_id[:DIGITS] in claimed}
    for unit_id in list(frontier.todo):
        if unit_id[:DIGITS] in failures and unit_id not in running:
            frontier.fail(plan.units[unit_id], failures[unit_id[:DIGITS]].reason)
    states: dict[str, str] = dict.fromkeys(frontier.units, "todo")
    states |= {unit_id: "done" if status == "ok" else status for unit_id, status in frontier.finished.items()}
    states |= dict.fromkeys(frontier.blocked, "blocked") | dict.fromkeys(frontier.failed, "failed")
    states |= dict.fromkeys(running, "running")
    return states, reasons(frontier, failures)


def reasons(frontier: Frontier, failures: Mapping[str, Failure]) -> list[str]:
    """Every unit that failed, and where its traceback is; and a line for every reason why units are blocked.

    Args:
        frontier: which units.
        failures: of the store.
    """
    told = []
    for unit_id, reason in frontier.failed.items():
        told.append(f"failed: {frontier.plan.units[unit_id].label}: {reason}")
        if failure := failures.get(unit_id[:DIGITS]):
            told.append(f"  all of it: {failure.path}")
    blocked = Counter(frontier.blocked.values())
    return told + [f"blocked: {count} unit{'s' * (count > 1)}: {reason}" for reason, count in blocked.items()]
