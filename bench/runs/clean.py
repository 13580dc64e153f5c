"""Frees the room that states take once nothing is left to start from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bench.errors import SpecError
from bench.runs.frontier import NEEDS
from bench.runs.plan import Plan
from bench.spec import Unit
from bench.store.attempt import STATES
from bench.store.store import Store


class Freed(NamedTuple):
    """What was removed."""

    files: int
    bytes: int


def clean(store: Store, plan: Plan | None = None) -> Freed:
    """Remove the initial, rewind and final weights of finished units whose children have all started from them.

    A unit that turns out to be needed again is trained again, and gives the same weights.

    Args:
        store: where.
        plan: whose units, and whose children count; without one, every unit from which a finished one started.
    """
    sizes = []
    for unit in _spent_in(store, plan) if plan else _spent(store):
        for path in (store.folder(unit) / name for name in STATES):
            if path.exists():
                sizes.append(path.stat().st_size)
                path.unlink()
    return Freed(len(sizes), sum(sizes))


def _spent_in(store: Store, plan: Plan) -> Iterable[Unit]:
    done = {unit.id for unit in plan.units.values() if store.record(unit)}
    left = (unit for unit in plan.units.values() if unit.id not in done)
    wanted = {parent for unit in left for parent in _starts_from(unit)}
    return (plan.units[unit_id] for unit_id in done - wanted)


def _spent(store: Store) -> Iterable[Unit]:
    units = []
    for record in store.records():
        try:
            units.append(Unit.from_spec(record["spec"]))
        except SpecError:
            continue
    used = {parent for unit in units for parent in _starts_from(unit)}
    return (unit for unit in units if unit.id in used)


def _starts_from(unit: Unit) -> Iterable[str]:
    """Ids of the parents whose states, and not only masks, the unit reads."""
    return (parent for role, parent in unit.parents.items() if set(STATES) & set(NEEDS[role]))
