"""How long units take, from the records of those that are finished."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from bench.record import Record
from bench.spec import Unit
from bench.tickets.columns import columns


def steps_of(unit: Unit) -> int:
    """How many steps the unit trains, in its task's budget unit; a training that promises nothing counts as a full one."""
    rewound = columns(unit.method).training.length == "rewound"
    return unit.task.budget - unit.task.rewind_step if rewound else unit.task.budget


class Pace:
    """Seconds per step, as records tell them.

    Args:
        records: finished units; the more like those to come, the better.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        """Learn from `records`."""
        self._of_method: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._of_task: dict[str, list[float]] = defaultdict(list)
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Learn from one more record."""
        steps, seconds = record.get("steps"), record.get("wall_seconds")
        if record["status"] != "ok" or not steps or not seconds:
            return
        task = f"{record['spec']['task']['name']}@{record['spec']['task']['scale']}"
        self._of_method[task, record["spec"]["method"]["name"]].append(seconds / steps)
        self._of_task[task].append(seconds / steps)

    def seconds(self, unit: Unit) -> float | None:
        """How long the unit takes on one worker: the median of its task and method, else of its task, else unknown."""
        known = self._of_method.get((unit.task.key, unit.method.name)) or self._of_task.get(unit.task.key)
        return median(known) * steps_of(unit) if known else None

    def remaining(self, units: Iterable[Unit], *, workers: int) -> float | None:
        """Seconds until all `units` are done, if none waits for another; None if a task was never run."""
        estimates = [self.seconds(unit) for unit in units]
        known = [seconds for seconds in estimates if seconds is not None]
        return sum(known) / workers if len(known) == len(estimates) else None


def duration(seconds: float | None) -> str:
    """`12 s`, `5 min`, `3.2 h`, or `unknown`."""
    if seconds is None:
        return "unknown"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
