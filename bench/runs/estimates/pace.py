"""How long units take, from the records of those that are finished, and from a trial of tasks that have none."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import median

from bench.record import Record, is_stacked
from bench.runs.estimates.timing import Timing
from bench.runs.planning.plan import Plan
from bench.spec import Unit
from bench.store.store import Store
from bench.tickets.columns import columns

SAMPLE = 15
"""Records of a task and method that are read to learn its pace; more would tell little more."""


def steps_of(unit: Unit) -> int:
    """How many steps the unit trains, in its task's budget unit; a training that promises nothing counts as a full one."""
    steps = columns(unit.method).training.steps(unit.task.budget, unit.task.rewind_step)
    return unit.task.budget if steps is None else steps


def sample(plan: Plan, store: Store) -> Iterator[Record]:
    """Records of the plan's units that are finished, a few of every task and method."""
    groups: dict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit in plan.units.values():
        groups[unit.task.key, unit.method.name].append(unit)
    for units in groups.values():
        if store.folder(units[0]).parents[1].exists():
            found = (record for unit in units if (record := store.record(unit)))
            yield from (record for record, _ in zip(found, range(SAMPLE), strict=False))


class Left:
    """The units that are left, by task and method: all units of one of these take equally long."""

    def __init__(self, units: Iterable[Unit] = ()) -> None:
        """Count `units`."""
        self._groups: dict[tuple[str, str], tuple[Unit, int]] = {}
        self._count = 0
        for unit in units:
            self._add(unit, 1)

    def remove(self, unit: Unit) -> None:
        """One less."""
        self._add(unit, -1)

    def _add(self, unit: Unit, count: int) -> None:
        group = unit.task.key, unit.method.name
        self._groups[group] = (unit, self._groups.get(group, (unit, 0))[1] + count)
        self._count += count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[Unit, int]]:
        """One unit of each group, and how many there are."""
        return iter(self._groups.values())


class Pace:
    """How long units take, those in stacks their share of its time; what is known of either kind tells nothing of the other.

    Args:
        records: finished units; the more like those to come, the better.
        timings: task key, and whether in a stack -> what a trial on this machine told; used where no record tells anything.
        stacks: whether a unit will be trained in a stack.
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        timings: Mapping[tuple[str, bool], Timing] | None = None,
        *,
        stacks: Callable[[Unit], bool] = lambda _: False,
    ) -> None:
        """Learn from `records`."""
        self._of_method: dict[tuple[str, bool, str], list[float]] = defaultdict(list)  # sorted
        self._of_task: dict[tuple[str, bool], list[float]] = defaultdict(list)
        self.timings = dict(timings or {})
        self._stacks = stacks
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Learn from one more record."""
        steps, seconds = record.get("steps"), record.get("wall_seconds")
        if record["status"] != "ok" or not steps or not seconds:
            return
        task = f"{record['spec']['task']['name']}@{record['spec']['task']['scale']}", is_stacked(record)
        insort(self._of_method[*task, record["spec"]["method"]["name"]], seconds / steps)
        insort(self._of_task[task], seconds / steps)

    def knows(self, task: str, *, stack: bool = False) -> bool:
        """Whether a record tells of the task, trained in a stack or not."""
        return bool(self._of_task.get((task, stack)))

    def seconds(self, unit: Unit) -> float | None:
        """How long the unit takes on one worker: the median of its task and method, else of its task, else by the trial."""
        task = unit.task.key, self._stacks(unit)
        known = self._of_method.get((*task, unit.method.name)) or self._of_task.get(task)
        if known:
            return median(known) * steps_of(unit)
        timing = self.timings.get(task)
        return timing.seconds(steps_of(unit), unit.task.evaluate_every) if timing else None

    @property
    def worker(self) -> float:
        """Seconds until new workers train, as trials told; 0 where there was none."""
        return max((timing.worker for timing in self.timings.values()), default=0.0)

    def remaining(self, left: Left, *, workers: int) -> float | None:
        """Seconds until all units are done, if none waits for another; None if nothing tells how long one takes."""
        total = 0.0
        for unit, count in left:
            seconds = self.seconds(unit) if count else 0.0
            if seconds is None:
                return None
            total += count * seconds
        return total / workers


def duration(seconds: float | None) -> str:
    """`12 s`, `5 min`, `3.2 h`, or `unknown`."""
    if seconds is None:
        return "unknown"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
