"""Frees the room that states take once nothing is left to start from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bench.errors import SpecError, StoreError
from bench.runs.planning.frontier import NEEDS, Frontier
from bench.runs.planning.plan import Plan
from bench.spec import DIGITS, Unit
from bench.store.attempt import RECORD, STATES, read_record
from bench.store.integrity import differences
from bench.store.store import Store


class Cleaned(NamedTuple):
    """What was removed, and what was not."""

    files: int
    bytes: int
    kept: list[str]  # units left alone as evidence: folder and reason, one line each


def clean(store: Store, plan: Plan | None = None) -> Cleaned:
    """Remove the initial, rewind and final weights of finished units whose children have all started from them.

    A unit that turns out to be needed again is trained again, and gives the same weights. A unit whose files are not those
    of its record is left alone, and so is what was made from it: the weights may be all that shows what happened. An imported
    ticket keeps its weights, which nothing here could make again.

    Args:
        store: where.
        plan: whose units, and whose children count; without one nobody knows what else is to start from a dense network, so
            only levels of chains are cleaned, from which none but the next level and a `twin` starts.

    Raises:
        StoreError: if somebody trains a unit at this moment of which nothing here tells what it starts from.
    """
    sizes, kept = [], []
    evidence = Evidence(store)
    for unit in _spent_in(store, plan) if plan else _spent(store):
        paths = [path for name in STATES if (path := store.folder(unit) / name).exists()]
        if paths and evidence.is_imported(unit):
            continue
        if paths and (reason := evidence.against(unit)):
            kept.append(f"{unit.path}: {reason}")
            continue
        for path in paths:
            sizes.append(path.stat().st_size)
            path.unlink()
    return Cleaned(len(sizes), sum(sizes), kept)


def _spent_in(store: Store, plan: Plan) -> Iterable[Unit]:
    _refuse_strangers(store, plan.units)
    frontier = Frontier(plan, store)
    left = {*frontier.todo, *frontier.blocked, *_attempted(store, frontier.finished)}
    wanted = {parent for unit_id in left for parent in _starts_from(plan.units[unit_id])}
    return (plan.units[unit_id] for unit_id in frontier.finished if unit_id not in wanted)


def _spent(store: Store) -> Iterable[Unit]:
    units = {unit.id: unit for unit in _units(store)}
    _refuse_strangers(store, units)
    wanted = {parent for unit_id in _attempted(store, units) for parent in _starts_from(units[unit_id])}
    spent = {unit.parents["previous"] for unit in units.values() if unit.method.is_chain} - wanted
    return (unit for unit_id, unit in units.items() if unit_id in spent and unit.method.is_chain)


def _refuse_strangers(store: Store, known: Collection[str]) -> None:
    """A unit may read a state of its parent as late as after its training, and its claim tells its own id alone."""
    strangers = {holder.what for holder in store.holders()} - {unit_id[:DIGITS] for unit_id in known}
    if strangers:
        one = len(strangers) == 1
        raise StoreError(
            f"{len(strangers)} unit{'' if one else 's'} that {'is' if one else 'are'} not known here "
            f"{'is' if one else 'are'} being trained in {store.root}, and may still need what would be removed: "
            "clean when that run is over, or name its suite"
        )


def _units(store: Store) -> Iterator[Unit]:
    for record in store.records():
        try:
            yield Unit.from_spec(record["spec"])
        except SpecError:
            continue


def _attempted(store: Store, finished: Iterable[str]) -> list[str]:
    """Those of the finished that somebody is training again."""
    held = {holder.what for holder in store.holders()}
    return [unit_id for unit_id in finished if unit_id[:DIGITS] in held]


def _starts_from(unit: Unit) -> Iterable[str]:
    """Ids of the parents whose states, and not only masks, the unit reads."""
    return (parent for role, parent in unit.parents.items() if set(STATES) & set(NEEDS[role]))


class Evidence:
    """What speaks against the units of a store.

    Args:
        store: where they are.
    """

    def __init__(self, store: Store) -> None:
        """Look where the units are; files are read when somebody asks."""
        self._folders = {folder.name.partition("-")[2]: folder for folder in store.folders()}
        self._wrong = cache(_wrong)

    def is_imported(self, unit: Unit) -> bool:
        """Whether it came in a ticket file, with weights that nothing here could make again."""
        return "imported" in (read_record(self._folders[unit.id[:DIGITS]]) or {})

    def against(self, unit: Unit) -> str | None:
        """Why a finished unit is not to be touched: its own files, or else those of an ancestor; None if it may be."""
        waiting, seen = [unit.id], set()
        while waiting:
            place = waiting.pop(0)[:DIGITS]
            if place in seen or place not in self._folders:
                continue
            seen.add(place)
            folder = self._folders[place]
            parents, wrong = self._wrong(folder)
            if wrong:
                return wrong if place == unit.id[:DIGITS] else f"it comes from {folder.name}, where {wrong}"
            waiting += parents
        return None


def _wrong(folder: Path) -> tuple[list[str], str]:
    """Ids of the parents of the unit in a folder, and what its files and its record do not agree about."""
    record = read_record(folder)
    if record is None:
        return [], f"{RECORD} cannot be read"
    return list(record["parents"]), "; ".join(differences(folder, record))
