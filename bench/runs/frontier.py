"""Which units of a plan are finished, can run now, must wait, or never will: everything a drive decides by."""

from __future__ import annotations

from typing import Literal

from bench.runs.plan import Plan
from bench.spec import Role, Unit
from bench.store.store import Store

NEEDS: dict[Role, tuple[str, ...]] = {
    "dense": ("initial.safetensors", "rewind.safetensors", "final.safetensors"),
    "previous": ("mask.safetensors", "final.safetensors"),
    "ticket": ("mask.safetensors",),
}
"""Role of a parent -> the files that its child may read."""

Status = Literal["ok", "diverged"]


class Frontier:
    """The state of a plan in a store, as units finish.

    A finished parent whose states were cleaned away is trained again when a child needs them.

    Args:
        plan: what is to be done.
        store: where it is, or will be.

    Attributes:
        finished: id -> status of its record.
        todo: ids that are to run and may be running; finished ones are here while they are trained again.
        failed: id -> reason, of those that failed since.
        blocked: id -> reason, of those that wait for a unit that diverged or failed.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        """Look at the store once."""
        self.plan, self.store = plan, store
        self.finished: dict[str, Status] = {}
        self.todo: dict[str, None] = {}
        self.failed: dict[str, str] = {}
        self.blocked: dict[str, str] = {}
        self._running: set[str] = set()
        self._restored: set[str] = set()
        for unit in plan.units.values():
            self._look(unit)
        for unit in plan.units.values():
            if unit.id in self.finished:
                self._spread(unit, self.finished[unit.id], None)
        for unit in plan.units.values():
            if unit.id not in self.finished and unit.id not in self.blocked:
                self._want(unit)
        self._order = sorted(plan.units, key=lambda unit_id: -plan.heights[unit_id])

    def _look(self, unit: Unit) -> bool:
        record = self.store.record(unit)
        if record:
            self.finished[unit.id] = record["status"]
        return record is not None

    def _want(self, unit: Unit) -> None:
        waiting = [unit]
        while waiting:
            unit = waiting.pop()
            self.todo[unit.id] = None
            waiting += [parent for parent in self._cleaned(unit) if parent.id not in self.todo]

    def _cleaned(self, unit: Unit) -> list[Unit]:
        """Finished parents that lack a file which `unit` needs."""
        return [
            self.plan.units[parent]
            for role, parent in unit.parents.items()
            if parent in self.finished
            and not all((self.store.folder(self.plan.units[parent]) / name).exists() for name in NEEDS[role])
        ]

    def next(self) -> Unit | None:
        """A unit that can run now, of the longest chain that is left; it counts as running."""
        attempted = self.store.attempted() if self.todo else set()
        for unit_id in self._order:
            unit = self.plan.units[unit_id]
            if unit_id not in self.todo or unit_id in self._running or not self._is_ready(unit):
                continue
            if self._is_settled(unit):
                del self.todo[unit_id]
            elif unit_id[:10] not in attempted:
                self._running.add(unit_id)
                return unit
        return None

    def _is_settled(self, unit: Unit) -> bool:
        """Whether another drive has done it in the meantime."""
        if unit.id in self.finished:
            children = (self.plan.units[child] for child in self.plan.children[unit.id] if child in self.todo)
            return not any(unit in self._cleaned(child) for child in children)
        if not self._look(unit):
            return False
        self._spread(unit, self.finished[unit.id], None)
        return True

    def _is_ready(self, unit: Unit) -> bool:
        if any(parent in self.todo or parent not in self.finished for parent in unit.parents.values()):
            return False
        cleaned = self._cleaned(unit)
        lost = next((parent for parent in cleaned if parent.id in self._restored), None)
        if lost:
            self._block(unit, f"{lost.label} was trained again and came out differently: see conflicts/ in the store")
        elif cleaned:
            self._want(unit)
        return not cleaned

    @property
    def is_waiting(self) -> bool:
        """Whether something is left to do here, now or later."""
        return bool(self.todo)

    def finish(self, unit: Unit, status: Status, reason: str | None) -> None:
        """The unit has a record now."""
        if unit.id in self.finished:
            self._restored.add(unit.id)
        self._end(unit)
        self.finished[unit.id] = status
        self._spread(unit, status, reason)

    def fail(self, unit: Unit, reason: str) -> None:
        """The unit failed, and waits for the next run."""
        self._end(unit)
        self.failed[unit.id] = reason
        self._spread(unit, "failed", reason)

    def _end(self, unit: Unit) -> None:
        self._running.discard(unit.id)
        self.todo.pop(unit.id, None)

    def _spread(self, unit: Unit, status: str, reason: str | None) -> None:
        """Everything that waits for a unit that diverged or failed is blocked."""
        if status == "ok":
            return
        why = f"{unit.label} {status}" + (f": {reason}" if reason else "")
        for child in self.plan.children[unit.id]:
            if child not in self.finished or child in self.todo:
                self._block(self.plan.units[child], why)

    def _block(self, unit: Unit, why: str) -> None:
        waiting = [unit.id]
        while waiting:
            unit_id = waiting.pop()
            if unit_id in self.blocked or (unit_id in self.finished and unit_id not in self.todo):
                continue
            self.blocked[unit_id] = why
            self.todo.pop(unit_id, None)
            waiting += self.plan.children[unit_id]
