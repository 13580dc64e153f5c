"""Which units of a plan are finished, can run now, must wait, or never will: everything a drive decides by."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Literal

from bench.runs.planning.plan import Plan
from bench.runs.planning.ready import Ready
from bench.spec import DIGITS, SOURCES, Role, Unit
from bench.store.attempt import CONFLICTS
from bench.store.store import Store

NEEDS: dict[Role, tuple[str, ...]] = {
    "dense": ("initial.safetensors", "rewind.safetensors", "final.safetensors"),
    "previous": ("mask.safetensors", "final.safetensors"),
    "ticket": ("mask.safetensors",),
    "twin": ("final.safetensors",),
    "source": ("mask.safetensors",),
    "source-dense": ("rewind.safetensors",),
}
"""Role of a parent -> the files that its child may read."""

Status = Literal["ok", "diverged"]


class Frontier:
    """The state of a plan in a store, as units finish.

    A finished parent whose files were removed is trained again when a child needs them.

    Args:
        plan: what is to be done.
        store: where it is, or will be.
        group: unit, and whether it was finished before -> what it has in common with those that it may be trained
            together with; None: with none.

    Attributes:
        units: id -> unit, of those of the plan that are finished or needed: an imported ticket needs no ancestors.
        finished: id -> status of its record.
        todo: ids that are to run and may be running; finished ones are here while they are trained again.
        failed: id -> reason, of those that failed since.
        blocked: id -> reason, of those that wait for a unit that diverged or failed.
    """

    def __init__(self, plan: Plan, store: Store, *, group: Callable[[Unit, bool], Hashable] = lambda *_: None) -> None:
        """Look at the store once."""
        self.plan, self.store = plan, store
        self._imported = {
            unit.parents["source"]
            for unit in plan.units.values()
            if "source" in unit.parents and self._brings_all(unit)
        }
        known = store.finished(plan.units.values())
        self.finished: dict[str, Status] = {unit_id: found.status for unit_id, found in known.items()}
        spared = self._spared() - self.finished.keys()
        self.units = {unit_id: unit for unit_id, unit in plan.units.items() if unit_id not in spared}
        self.todo: dict[str, None] = {}
        self.failed: dict[str, str] = {}
        self.blocked: dict[str, str] = {}
        self._running: set[str] = set()
        self._restored: set[str] = set()
        self._waits: dict[str, int] = {}  # id of what is to run -> how many of its parents are to run before it
        self._ready = Ready(lambda unit_id: group(plan.units[unit_id], unit_id in self.finished), self._is_free)
        self._order = {unit_id: place for place, unit_id in enumerate(plan.units)}
        for unit_id, status in self.finished.items():
            self._spread(plan.units[unit_id], status, None)
        for unit in self.units.values():
            if unit.id not in self.finished and unit.id not in self.blocked:
                self._want(unit)

    def _brings_all(self, unit: Unit) -> bool:
        """Whether the ticket that a transfer takes has its rewind weights with it, as only imported ones do."""
        folder = self.store.folder(self.plan.units[unit.parents["source"]])
        return all((folder / name).exists() for role in SOURCES for name in NEEDS[role])

    def _spared(self) -> set[str]:
        """Ids of the units that nobody asks for and that nothing but imported tickets comes from."""
        spared: set[str] = set()
        for unit_id in reversed(list(self.plan.units) if self._imported else []):
            children = (self.plan.units[child] for child in self.plan.children[unit_id] if child not in spared)
            roles = [role for child in children for role, home in self._homes(child).items() if home == unit_id]
            if unit_id in self._imported:
                needed = any(self._lacks(self.plan.units[unit_id], NEEDS[role]) for role in roles)
            else:
                needed = bool(roles) or unit_id in self.plan.asked
            if not needed:
                spared.add(unit_id)
        return spared

    def _homes(self, unit: Unit) -> dict[Role, str]:
        """Role -> id of the unit whose folder has what `unit` needs of the parent in that role."""
        homes = dict(unit.parents)
        if homes.keys() >= {*SOURCES} and homes["source"] in self._imported:
            homes["source-dense"] = homes["source"]
        return homes

    def places(self, unit: Unit) -> dict[Role, Path]:
        """Role of a parent -> the folder that has what `unit` needs of it."""
        return {role: self.store.folder(self.plan.units[home]) for role, home in self._homes(unit).items()}

    def _want(self, unit: Unit) -> None:
        """The unit is to run, and before it every parent that lacks what it needs."""
        wanted = {unit.id: unit}
        waiting = [unit]
        while waiting:
            for parent in self._lacking(waiting.pop()):
                if parent.id not in self.todo and parent.id not in wanted:
                    wanted[parent.id] = parent
                    waiting.append(parent)
        self.todo |= dict.fromkeys(wanted)
        for unit_id in wanted:
            self._count(unit_id)
            for child in self.plan.children[unit_id]:
                if child in self._waits and child not in wanted:
                    self._count(child)

    def _count(self, unit_id: str) -> None:
        parents = set(self.plan.units[unit_id].parents.values())
        self._waits[unit_id] = sum(parent in self.todo for parent in parents)
        self._push(unit_id)

    def _push(self, unit_id: str) -> None:
        if not self._waits[unit_id]:  # the longest chain first, then the plan's order
            self._ready.push((-self.plan.heights[unit_id], self._order[unit_id], unit_id))

    def _is_free(self, unit_id: str) -> bool:
        return unit_id in self.todo and unit_id not in self._running and not self._waits[unit_id]

    def _lacking(self, unit: Unit) -> list[Unit]:
        """Finished parents that lack a file which `unit` needs."""
        return [
            self.plan.units[parent]
            for role, parent in self._homes(unit).items()
            if parent in self.finished and self._lacks(self.plan.units[parent], NEEDS[role])
        ]

    def _lacks(self, unit: Unit, names: tuple[str, ...]) -> bool:
        folder = self.store.folder(unit)
        if all((folder / name).exists() for name in names):
            return False
        found = self.store.finished([unit]).get(unit.id)  # a unit without a mask has no file of it
        record = self.store.record(unit)
        brought = record is not None and "imported" in record  # a ticket without what it would take to go on from it
        return found is None or brought or not set(names).isdisjoint(found.missing)

    def next(self) -> Unit | None:
        """A unit that can run now, of the longest chain that is left; it counts as running until it is put back."""
        return self._next(self._ready.pop)

    def next_beside(self, unit: Unit) -> Unit | None:
        """The same of the group of another."""
        return self._next(lambda: self._ready.pop_beside(unit.id))

    def count_beside(self, unit: Unit, *, most: int) -> int:
        """How many units of its group can run now; `most` if there are more."""
        return self._ready.count_beside(unit.id, most=most)

    def _next(self, pop: Callable[[], str | None]) -> Unit | None:
        while unit_id := pop():
            unit = self.plan.units[unit_id]
            if self._can_start(unit):
                self._running.add(unit_id)
                return unit
        return None

    def put_back(self, unit: Unit) -> None:
        """Somebody else is at it: it may be asked for again."""
        self._running.discard(unit.id)
        self._push(unit.id)

    def is_settled(self, unit: Unit) -> bool:
        """Whether another drive has done it in the meantime; it is no longer to run then."""
        if unit.id in self.finished:
            children = (self.plan.units[child] for child in self.plan.children[unit.id] if child in self.todo)
            if any(unit in self._lacking(child) for child in children):
                return False
            self._end(unit)
            return True
        record = self.store.record(unit)
        if record is None:
            return False
        self.finish(unit, record["status"], None)
        return True

    def _can_start(self, unit: Unit) -> bool:
        """Whether its parents left all it needs; what they did not is trained again, once."""
        lacking = self._lacking(unit)
        lost = next((parent for parent in lacking if parent.id in self._restored), None)
        if lost:
            self._block(unit, self._irreparable(lost))
        elif lacking:
            self._want(unit)
        return not lacking

    def _irreparable(self, unit: Unit) -> str:
        if any((self.store.root / CONFLICTS).glob(f"{unit.id[:DIGITS]}.*")):
            return f"{unit.label} was trained again and came out differently: see {CONFLICTS}/ in the store"
        return f"{unit.label} was trained again, and its folder still lacks a file: remove {unit.path} and run again"

    @property
    def is_waiting(self) -> bool:
        """Whether something is left to do, here or elsewhere, now or later."""
        return bool(self.todo)

    def finish(self, unit: Unit, status: Status, reason: str | None) -> None:
        """The unit has a record now."""
        if unit.id in self.finished:
            self._restored.add(unit.id)
        self.finished[unit.id] = status
        self._end(unit)
        self._spread(unit, status, reason)

    def fail(self, unit: Unit, reason: str) -> None:
        """The unit failed, and waits for the next run."""
        self._end(unit)
        self.failed[unit.id] = reason
        self._spread(unit, "failed", reason)

    def _end(self, unit: Unit) -> None:
        self._running.discard(unit.id)
        if unit.id not in self.todo:
            return
        del self.todo[unit.id]
        for child in self.plan.children[unit.id]:
            if child in self.todo:
                self._waits[child] -= 1
                self._push(child)

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
