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
        self._groups: dict[tuple[str, str], tuple[Unit, dict[int, float]]] = {}
        self._count = 0
        for unit in units:
            self._add(unit, 1)
            self._count += 1

    def remove(self, unit: Unit) -> None:
        """One less."""
        self._add(unit, -1)
        self._count -= 1

    def less(self, trained: Iterable[tuple[Unit, float]]) -> Left:
        """The same without the shares, from 0 to 1, that units which are being trained have behind them."""
        left = Left()
        left._groups = {group: (unit, seeds.copy()) for group, (unit, seeds) in list(self._groups.items())}
        for unit, share in trained:
            left._add(unit, -share)
        return left

    def _add(self, unit: Unit, count: float) -> None:
        _, seeds = self._groups.setdefault((unit.task.key, unit.method.name), (unit, defaultdict(float)))
        seeds[unit.seed] += count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[Unit, dict[int, float]]]:
        """One unit of each group, and seed -> how many of them there are."""
        return (
            (unit, {seed: count for seed, count in seeds.items() if count > 0}) for unit, seeds in self._groups.values()
        )


class Pace:
    """How long units take, those in stacks their share of its time; what is known of either kind tells nothing of the other.

    Args:
        records: finished units; the more like those to come, the better.
        timings: task key, and whether in a stack -> what a trial on this machine told; used where no record tells anything.
        stacks: whether a unit will be trained in a stack.
        company: task key -> how many units a stack of it will have.
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        timings: Mapping[tuple[str, bool], Timing] | None = None,
        *,
        stacks: Callable[[Unit], bool] = lambda _: False,
        company: Mapping[str, int] | None = None,
    ) -> None:
        """Learn from `records`."""
        self._of_method: dict[tuple[str, bool, str], list[float]] = defaultdict(list)  # sorted
        self._of_task: dict[tuple[str, bool], list[float]] = defaultdict(list)
        self.timings = dict(timings or {})
        self._stacks, self._company = stacks, dict(company or {})
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
        """Seconds until all units are done; None if nothing tells how long one takes.

        The workers share what is left, but no two of them a unit, a stack, or levels of a chain, which wait for each other.
        """
        total = longest = 0.0
        for unit, seeds in left:
            seconds = self.seconds(unit) if seeds else 0.0
            if seconds is None:
                return None
            total += sum(seeds.values()) * seconds
            longest = max(longest, self._in_a_row(unit, seeds) * seconds)
        return max(total / workers, longest)

    def _in_a_row(self, unit: Unit, seeds: dict[int, float]) -> float:
        """Of so many units with the same task and method the work that one worker does after the other, in units."""
        if not seeds:
            return 0
        row = max(seeds.values())
        abreast = min(self._company.get(unit.task.key, 1), len(seeds)) if self._stacks(unit) else 1
        return min((row if unit.method.is_chain else min(row, 1)) * abreast, sum(seeds.values()))


def duration(seconds: float | None) -> str:
    """`12 s`, `5 min`, `3.2 h`, or `unknown`."""
    if seconds is None:
        return "unknown"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
