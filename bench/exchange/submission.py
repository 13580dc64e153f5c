"""What was submitted, read once: the units of a store or an unpacked archive whose records parse, and their masks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from bench.digests import canonical_json
from bench.errors import TicketBenchError
from bench.exchange.installed import Catalogue, Installed
from bench.record import CurvePoint, Record
from bench.spec import Unit
from bench.store.attempt import STATES, read_record
from bench.store.store import Store, curve
from bench.store.tensors import Mask, read_mask
from bench.tickets.columns import Columns

MASKS_KEPT = 64

Place = tuple[str, int, str, int, int]
"""Task key, task version, method, level, seed."""


@dataclass(frozen=True, kw_only=True)
class SubmittedUnit:
    """A unit that was submitted.

    Args:
        folder: where its files are.
        unit: what it says was asked.
        record: what it says came out.
        installed: what is known here of its task and method.
        load: reads the mask of a folder; the last few are kept.
    """

    folder: Path
    unit: Unit
    record: Record
    installed: Installed
    load: Callable[[Path], Mask] = read_mask

    @property
    def columns(self) -> Columns:
        """What its method promises."""
        return self.installed.columns

    @property
    def place(self) -> Place:
        """Which one of its task's units it says it is."""
        unit = self.unit
        return unit.task.key, unit.task.version, unit.method.name, unit.level, unit.seed

    @property
    def mask(self) -> Mask:
        """Parameter name -> bool array of its shape."""
        return self.load(self.folder)

    @property
    def curve(self) -> list[CurvePoint]:
        """Every evaluation that it says was made."""
        return curve(self.folder)

    @property
    def diverged(self) -> bool:
        """Whether it says that training left the finite numbers."""
        return self.record["status"] == "diverged"

    @property
    def is_drawn(self) -> bool:
        """Whether its mask is a fair draw that training left alone."""
        return self.columns.mask.drawn is not None and not self.columns.training.dynamic

    @property
    def has_trained_weights(self) -> bool:
        """Whether its weights at the end of training were submitted."""
        return (self.folder / STATES[-1]).exists()

    @property
    def sizes(self) -> dict[str, int]:
        """Parameter name -> number of prunable weights, of those that have any."""
        layers = self.record["counts"]["layers"]
        return {name: layer["prunable"] for name, layer in layers.items() if layer["prunable"]}

    @property
    def kept(self) -> dict[str, int]:
        """Parameter name -> number of prunable weights that the mask keeps."""
        layers, mask = self.record["counts"]["layers"], self.mask
        fixed = {name: layers[name]["all"] - layers[name]["prunable"] for name in self.sizes}
        return {
            name: int(mask[name].sum()) - fixed[name] if name in mask else size for name, size in self.sizes.items()
        }


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Everything that was submitted, by what it says it is.

    Args:
        entries: unit id -> entry.
    """

    entries: Mapping[str, SubmittedUnit]

    @cached_property
    def by_place(self) -> Mapping[Place, list[SubmittedUnit]]:
        """Place -> the entries that claim it; honestly one."""
        claims: dict[Place, list[SubmittedUnit]] = {}
        for entry in self.entries.values():
            claims.setdefault(entry.place, []).append(entry)
        return claims

    @cached_property
    def seeds(self) -> Mapping[tuple[str, int, str, int], list[int]]:
        """(task key, task version, method, level) -> the seeds that were submitted, in order."""
        arms: dict[tuple[str, int, str, int], list[int]] = {}
        for key, version, method, level, seed in sorted(self.by_place):
            arms.setdefault((key, version, method, level), []).append(seed)
        return arms

    @cached_property
    def first_to_end(self) -> Mapping[tuple[str, str], SubmittedUnit]:
        """(task key, digest of the trained weights) -> the entry of the lowest seed that ended there."""
        first: dict[tuple[str, str], SubmittedUnit] = {}
        for entry in self.entries.values():
            end = entry.unit.task.key, entry.record["digests"]["weights"]
            if end not in first or entry.unit.seed < first[end].unit.seed:
                first[end] = entry
        return first

    @cached_property
    def models(self) -> Mapping[str, SubmittedUnit]:
        """Task, as JSON -> the first entry of it whose network is the task's own; of a method that is known, if there is one."""
        models: dict[str, SubmittedUnit] = {}
        for entry in sorted(self.entries.values(), key=lambda entry: entry.installed.method is None):
            if not entry.columns.weights.narrower:
                models.setdefault(canonical_json(entry.record["spec"]["task"]), entry)
        return models

    def whole(self, entry: SubmittedUnit) -> SubmittedUnit | None:
        """The entry that tells the network of the task of another, to which densities refer."""
        return self.models.get(canonical_json(entry.record["spec"]["task"]))

    @cached_property
    def _widths(self) -> Mapping[str, list[int]]:
        """Task, as JSON -> prunable weights of its networks of all widths, in order."""
        widths: dict[str, set[int]] = {}
        for entry in self.entries.values():
            if self.whole(entry) is entry or entry.columns.weights.narrower:
                task = canonical_json(entry.record["spec"]["task"])
                widths.setdefault(task, set()).add(entry.record["counts"]["prunable"])
        return {task: sorted(counts) for task, counts in widths.items()}

    def nearest_width(self, entry: SubmittedUnit, asked: int) -> int:
        """How near the network of another's task comes, of those widths that were submitted, to so many weights."""
        counts = self._widths[canonical_json(entry.record["spec"]["task"])]
        place = bisect_left(counts, asked)
        return min(abs(count - asked) for count in counts[max(0, place - 1) : place + 1])

    def beside(
        self, entry: SubmittedUnit, method: str, *, level: int | None = None, seed: int | None = None
    ) -> SubmittedUnit | None:
        """The entry of the same task, level and seed, unless others are given, of another method."""
        key, version, _, own_level, own_seed = entry.place
        place = (key, version, method, own_level if level is None else level, own_seed if seed is None else seed)
        return next(iter(self.by_place.get(place, ())), None)

    def seed_before(self, entry: SubmittedUnit) -> SubmittedUnit | None:
        """The entry of the same task, method and level with the next lower seed."""
        key, version, method, level, seed = entry.place
        seeds = self.seeds[key, version, method, level]
        number = bisect_left(seeds, seed)
        return self.beside(entry, method, seed=seeds[number - 1]) if number else None

    def parent(self, entry: SubmittedUnit, role: str | None) -> SubmittedUnit | None:
        """The entry that plays `role` for another; for an imported ticket none but the very one that it was found with."""
        found = self.entries.get({str(known): unit for known, unit in entry.unit.parents.items()}.get(role or "", ""))
        if found is None or "imported" not in entry.record:
            return found
        return found if entry.record["parents"].get(found.unit.id) == found.record["digests"]["result"] else None

    def believes_mask(self, entry: SubmittedUnit) -> bool:
        """Whether nothing but its own word says that its mask is what its chain gives."""
        role = entry.columns.mask.ranked
        parent = self.parent(entry, role)
        return role is not None and (parent is None or not parent.has_trained_weights)


Check = Callable[[Submission, SubmittedUnit], Iterator[str]]


def read(store: Store) -> Submission:
    """The units whose records and specs parse; what is wrong with the others, `bench.store.integrity` says."""
    entries = {}
    load = lru_cache(MASKS_KEPT)(read_mask)
    catalogue = Catalogue()
    for folder in store.folders():
        record = read_record(folder)
        if record is None:
            continue
        try:
            unit = Unit.from_spec(record["spec"])
            if unit.id == record["unit_id"] and store.folder(unit) == folder:
                known = catalogue.of(unit)
                entries[unit.id] = SubmittedUnit(folder=folder, unit=unit, record=record, installed=known, load=load)
        except TicketBenchError:
            continue
    return Submission(entries=entries)
