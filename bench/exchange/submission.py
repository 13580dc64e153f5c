"""What was submitted, read once: the units of a store or an unpacked archive whose records parse, and their masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from bench.errors import TicketBenchError
from bench.record import CurvePoint, Record
from bench.runs.attempt import read_record
from bench.runs.integrity import Arrays, read_mask
from bench.runs.store import Store, curve
from bench.spec import Method, Task, Unit

MASKS_KEPT = 64


@dataclass(frozen=True, kw_only=True)
class SubmittedUnit:
    """A unit that was submitted.

    Args:
        folder: where its files are.
        unit: what it says was asked.
        record: what it says came out.
        load: reads the mask of a folder; the last few are kept.
    """

    folder: Path
    unit: Unit
    record: Record
    load: Callable[[Path], Arrays] = read_mask

    @property
    def mask(self) -> Arrays:
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
    def sizes(self) -> dict[str, int]:
        """Parameter name -> number of prunable weights, of those that have any."""
        layers = self.record["counts"]["layers"]
        return {name: layer["prunable"] for name, layer in layers.items() if layer["prunable"]}

    @property
    def kept(self) -> dict[str, int]:
        """Parameter name -> number of prunable weights that the mask keeps."""
        layers = self.record["counts"]["layers"]
        fixed = {name: layers[name]["all"] - layers[name]["prunable"] for name in self.sizes}
        return {
            name: int(self.mask[name].sum()) - fixed[name] if name in self.mask else size
            for name, size in self.sizes.items()
        }


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Everything that was submitted, by what it says it is.

    Args:
        entries: unit id -> entry.
        tasks: key -> task, of those that are installed here.
        methods: name -> method, likewise.
    """

    entries: Mapping[str, SubmittedUnit]
    tasks: Mapping[str, Task] = field(default_factory=dict)
    methods: Mapping[str, Method] = field(default_factory=dict)

    @cached_property
    def by_place(self) -> Mapping[tuple[str, int, str, int, int], list[SubmittedUnit]]:
        """(task key, task version, method, level, seed) -> the entries that claim it; honestly one."""
        found: dict[tuple[str, int, str, int, int], list[SubmittedUnit]] = {}
        for each in self.entries.values():
            unit = each.unit
            place = (unit.task.key, unit.task.version, unit.method.name, unit.level, unit.seed)
            found.setdefault(place, []).append(each)
        return found

    @cached_property
    def seeds(self) -> Mapping[tuple[str, int, str, int], list[int]]:
        """(task key, task version, method, level) -> the seeds that were submitted, in order."""
        found: dict[tuple[str, int, str, int], list[int]] = {}
        for key, version, method, level, seed in sorted(self.by_place):
            found.setdefault((key, version, method, level), []).append(seed)
        return found

    @cached_property
    def by_weights(self) -> Mapping[tuple[str, str], list[SubmittedUnit]]:
        """(task key, digest of the trained weights) -> the entries that ended there."""
        found: dict[tuple[str, str], list[SubmittedUnit]] = {}
        for each in self.entries.values():
            found.setdefault((each.unit.task.key, each.record["digests"]["weights"]), []).append(each)
        return found

    def beside(
        self, entry: SubmittedUnit, method: str, *, level: int | None = None, seed: int | None = None
    ) -> SubmittedUnit | None:
        """The entry of the same task, level and seed, unless others are given, of another method."""
        unit = entry.unit
        place = (
            *(unit.task.key, unit.task.version, method),
            *(unit.level if level is None else level, unit.seed if seed is None else seed),
        )
        return next(iter(self.by_place.get(place, ())), None)

    def parent(self, entry: SubmittedUnit, role: str) -> SubmittedUnit | None:
        """The entry that plays `role` for another."""
        return self.entries.get({str(key): each for key, each in entry.unit.parents.items()}.get(role, ""))


Check = Callable[[Submission, SubmittedUnit], Iterator[str]]


def read(store: Store, *, tasks: Mapping[str, Task], methods: Mapping[str, Method]) -> Submission:
    """The units whose records and specs parse; what is wrong with the others, `bench.runs.integrity` says."""
    entries = {}
    load = lru_cache(MASKS_KEPT)(read_mask)
    for folder in store.folders():
        record = read_record(folder)
        if record is None:
            continue
        try:
            unit = Unit.from_spec(record["spec"])
            if unit.id == record["unit_id"] and store.folder(unit) == folder:
                entries[unit.id] = SubmittedUnit(folder=folder, unit=unit, record=record, load=load)
        except TicketBenchError:
            continue
    return Submission(entries=entries, tasks=tasks, methods=methods)
