"""Which units are trained together in a stack: those whose domain offers it and whose steps run in lockstep, if that is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from math import ceil
from statistics import median
from typing import NamedTuple

from bench import registry
from bench.errors import LaunchError
from bench.record import is_stacked
from bench.spec import DIGITS, Task, Unit
from bench.store.store import Store
from bench.tickets.columns import columns


class Lockstep(NamedTuple):
    """What units have in common that may sit in one stack: they take equal steps at equal times of their schedules."""

    task: str
    begins: str | None = None
    length: str | None = None


class Stacking:
    """How many units of a task are trained together, and which.

    Args:
        asked: at most so many wherever a task stacks, 0: none; None: as many as pay on the device.
        device: where to train.
    """

    def __init__(self, asked: int | None = None, *, device: str = "cpu") -> None:
        """Ask no domain yet."""
        self._asked, self._device = asked, device
        self._offers: dict[str, int | str] = {}
        self._locksteps: dict[tuple[str, str], Lockstep | None] = {}

    def seats(self, task: Task) -> int | str:
        """How many units of the task sit in a stack at most, or why they are trained one by one."""
        best = self._offer(task)
        if isinstance(best, str):
            return best
        if self._asked is None:
            return best if best > 1 else f"a stack of it does not pay on {self._device}"
        return self._asked or "--stack off"

    def check(self, tasks: Iterable[Task]) -> None:
        """Refuse a number of seats where there is no stack at all.

        Args:
            tasks: of everything that is asked.

        Raises:
            LaunchError: with the reason of the first.
        """
        reasons = {task.key: self.seats(task) for task in tasks}
        if self._asked and not any(isinstance(each, int) for each in reasons.values()):
            key, reason = next(iter(reasons.items()))
            raise LaunchError(f"--stack {self._asked}: no task here stacks ({key}: {reason}); leave --stack out")

    def company(self, units: Iterable[Unit], *, workers: int) -> dict[str, int]:
        """Task key -> how many units a stack of it will have, as far as the plan tells: those of one level are ready together.

        Args:
            units: of the plan.
            workers: how many stacks are trained at once.
        """
        levels: dict[str, Counter[int]] = defaultdict(Counter)
        most: dict[str, int] = {}
        for unit in units:
            seats = self.seats(unit.task)
            if isinstance(seats, int) and self.lockstep(unit):
                levels[unit.task.key][unit.level] += 1
                most[unit.task.key] = seats
        return {key: min(most[key], ceil(median(counts.values()) / workers)) for key, counts in levels.items()}

    def lockstep(self, unit: Unit) -> Lockstep | None:
        """What other units must have in common with it to sit beside it, whatever is asked; None: it can sit in no stack."""
        key = unit.task.key, unit.method.name
        if key not in self._locksteps:
            self._locksteps[key] = None if isinstance(self._offer(unit.task), str) else _lockstep(unit)
        return self._locksteps[key]

    def stacks(self, unit: Unit) -> bool:
        """Whether the unit is to be trained in a stack."""
        return isinstance(self.seats(unit.task), int) and self.lockstep(unit) is not None

    def _offer(self, task: Task) -> int | str:
        if task.key not in self._offers:
            self._offers[task.key] = registry.seats(task, self._device)
        return self._offers[task.key]


def _lockstep(unit: Unit) -> Lockstep | None:
    _, weights, training = columns(unit.method)
    if weights.narrower:
        return None
    task = unit.task
    if not registry.aligned(task):
        return Lockstep(task.key)
    if training.begins is None or training.length is None:
        return None
    if training.begins == "rewind" and task.rewind_step == 0:
        return Lockstep(task.key, "start", "budget")
    return Lockstep(task.key, training.begins, training.length)


class Seats:
    """How each unit of a store is trained by a drive: as it was before, where it is made again; one by one after a crash.

    Args:
        stacking: of units that nothing is known of.
        store: prepared.
    """

    def __init__(self, stacking: Stacking, store: Store) -> None:
        """Look for crashes."""
        self._stacking, self._store = stacking, store
        self._crashed = store.crashed_in_stacks()

    def is_stacked(self, unit: Unit, finished: bool) -> bool:  # noqa: FBT001  a fact of the unit
        """Whether the unit sits in a stack, and be it beside an empty seat.

        Args:
            unit: to be trained.
            finished: whether it was before, and only files of it are lost.
        """
        record = self._store.record(unit) if finished else None
        if record is None:
            return self._stacking.stacks(unit)
        return is_stacked(record) and self._stacking.lockstep(unit) is not None

    def group(self, unit: Unit, finished: bool) -> Lockstep | None:  # noqa: FBT001
        """What it must have in common with others to sit beside them; None: nobody may sit beside it."""
        if unit.id[:DIGITS] in self._crashed or not self.is_stacked(unit, finished):
            return None
        return self._stacking.lockstep(unit)

    def most(self, unit: Unit) -> int:
        """How many units may sit in its stack."""
        seats = self._stacking.seats(unit.task)
        return seats if isinstance(seats, int) else 1
