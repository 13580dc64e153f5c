"""Trains one unit for a store: reads what its parents left, writes what its children need, and says what came out."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bench import versions
from bench.digests import json_digest
from bench.doors import StacksUnits
from bench.errors import SpecError
from bench.learner import State
from bench.record import FORMAT, MOST_ITEMS, Digests, Metric, Provenance, StoredRecord
from bench.registry import domain
from bench.spec import DENSE, Role, Unit, search_cost
from bench.tickets.columns import columns
from bench.tickets.inputs import Parent
from bench.tickets.measurements.metrics import metrics
from bench.tickets.measurements.survival import survival
from bench.tickets.protocol import Report, Result, Trained, run_unit, run_units
from bench.tickets.units import artifacts
from bench.tickets.units.seating import Seating

RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in what the system counts memory in."""


def work(
    unit: Unit,
    *,
    parents: Mapping[Role, Path],
    folder: Path,
    device: str = "cpu",
    report: Report | None = None,
) -> StoredRecord:
    """Train `unit` and write its mask and the states its children need into `folder`.

    Args:
        unit: what is asked.
        parents: role -> folder of the finished unit that plays it.
        folder: an existing, empty folder.
        device: `cpu`, `cuda`, ...
        report: see `bench.tickets.protocol.run_unit`.

    Returns:
        The record, complete but for the digests of the files.
    """
    clock = Clock()
    family = _load(unit, parents)
    result = run_unit(unit, domain(unit.task.domain), family, device=device, report=report)
    return _finish_with_survival(unit, result, family, folder, device=device, clock=clock)


def work_in_stack(
    seatings: Sequence[Seating], *, device: str = "cpu"
) -> Iterator[tuple[int, StoredRecord | Exception]]:
    """Train units of one task in one stack; see `work`.

    Args:
        seatings: of each unit.
        device: `cpu`, `cuda`, ...

    Yields:
        Place in `seatings`, and its record or why there is none, as they end. The time of a record is the unit's share.

    Raises:
        SpecError: if the task does not stack.
    """
    clock = SharedClock(len(seatings))
    families: dict[int, dict[Role, Parent]] = {}
    for place, each in enumerate(seatings):
        try:
            families[place] = _load(each.unit, each.parents)
        except Exception as error:  # noqa: BLE001  a parent that cannot be read is its own child's trouble
            clock.stop()
            yield place, error
    places = list(families)
    found = run_units(
        [seatings[place].unit for place in places],
        _stacking(seatings[0].unit),
        list(families.values()),
        device=device,
        reports=[seatings[place].report for place in places],
    )
    for number, result in found if places else ():
        place = places[number]
        share = clock.stop()
        if isinstance(result, Exception):
            yield place, result
            continue
        unit, folder = seatings[place].unit, seatings[place].folder
        try:
            record = _finish_with_survival(unit, result, families.pop(place), folder, device=device, clock=share)
            record["provenance"]["stack"] = len(seatings)
            yield place, record
        except Exception as error:  # noqa: BLE001  safetensors, too, has exceptions of its own; the others go on
            yield place, error


def _stacking(unit: Unit) -> StacksUnits:
    found = domain(unit.task.domain)
    if not isinstance(found, StacksUnits):
        raise SpecError(f"{unit.task.key} does not stack: its domain offers no `stack`; run it with --stack off")
    return found


def _load(unit: Unit, parents: Mapping[Role, Path]) -> dict[Role, Parent]:
    return {role: artifacts.load_parent(path, unit.parents[role]) for role, path in parents.items()}


def _finish_with_survival(
    unit: Unit, result: Result, family: Mapping[Role, Parent], folder: Path, *, device: str, clock: Clock | Share
) -> StoredRecord:
    record = finish(unit, result, family, folder, device=device, clock=clock)
    add_survival(record, unit, result, family)
    return record


def add_survival(record: StoredRecord, unit: Unit, result: Result, family: Mapping[Role, Parent]) -> None:
    """Say how survivors differed in the dense network, of a mask that ranks trained weights; dense must have its states."""
    if not columns(unit.method).mask.ranked or "dense" not in family:
        return
    initial, final = (artifacts.arrays(family["dense"].state(name).weights) for name in ("initial", "final"))
    if survived := survival(artifacts.arrays(result.trained.mask), initial, final, result.counts["layers"]):
        record["survival"], record["digests"]["survival"] = survived, json_digest(survived)


class Clock:
    """When work began, and how long ago that is."""

    def __init__(self) -> None:
        """Start."""
        self.begun, self._start = datetime.now(UTC), time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the start; no correction of the system's time is in it."""
        return time.perf_counter() - self._start


class Share(NamedTuple):
    """What a `Clock` tells of a unit that was one of several."""

    begun: datetime
    seconds: float


class SharedClock:
    """The time of several units that are worked on at once: each has an equal share of it for as long as it takes.

    Args:
        count: of units.
    """

    def __init__(self, count: int) -> None:
        """Start."""
        self._clock, self._left = Clock(), count
        self._told = self._share = 0.0

    def stop(self) -> Share:
        """One of the units has ended: its share."""
        now = self._clock.seconds
        self._share += (now - self._told) / self._left
        self._told, self._left = now, self._left - 1
        return Share(self._clock.begun, self._share)


def finish(
    unit: Unit, result: Result, family: Mapping[Role, Parent], folder: Path, *, device: str, clock: Clock | Share
) -> StoredRecord:
    """Write what a unit leaves into `folder`, and say what came out; see `work`."""
    _write(unit, result.trained, folder)
    provenance: Provenance = {
        **provenance_of(device),
        "start": clock.begun.isoformat(),
        "end": datetime.now(UTC).isoformat(),
    }
    return _record(unit, result, family, wall_seconds=clock.seconds, provenance=provenance)


def _write(unit: Unit, trained: Trained, folder: Path) -> None:
    artifacts.save_mask(trained.mask, folder)
    if unit.method.is_chain or unit.method.name == DENSE:
        for name, state in trained.states.items():
            artifacts.save_state(state, name, folder)


def _record(
    unit: Unit, result: Result, family: Mapping[Role, Parent], *, wall_seconds: float, provenance: Provenance
) -> StoredRecord:
    trained = result.trained
    settled = columns(unit.method).training.settled(unit.task.budget, unit.method.options)
    diverged = trained.diverged is not None
    scores = metrics(unit.task, trained.curve, steps=trained.steps, diverged=diverged, settled=settled)
    digests = _digests(trained, scores)
    record: StoredRecord = {
        "format": FORMAT,
        "unit_id": unit.id,
        "spec": unit.spec(),
        "status": "diverged" if trained.diverged else "ok",
        "reason": trained.diverged,
        "metrics": scores,
        "counts": result.counts,
        "density": result.density,
        "density_weights": result.density_weights,
        "density_total": result.density_total,
        "effective_density": result.effective_density,
        "flops": result.flops,
        "flops_dense": result.flops_dense,
        "nulls": result.nulls,
        "steps": trained.steps,
        "updates": trained.updates,
        "search_cost": search_cost(trained.updates, {role: each.search_cost for role, each in family.items()}),
        "env_steps": trained.env_steps,
        "overlap": result.overlap,
        "wall_seconds": wall_seconds,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT,
        "parents": {unit.parents[role]: parent.result for role, parent in family.items()},
        "provenance": provenance,
        "digests": digests,
        "curve": trained.curve,
    }
    return {**record, **_closer(trained)}  # type: ignore[typeddict-item]  # its optional keys


def _digests(trained: Trained, scores: list[Metric]) -> Digests:
    final: State = trained.states["final"]
    parts = {
        "curve": json_digest(trained.curve),
        "mask": artifacts.digest(trained.mask),
        "weights": artifacts.digest({**final.weights, **{f"buffers/{k}": v for k, v in final.buffers.items()}}),
    }
    closer = {name: json_digest(told) for name, told in _closer(trained).items()}
    return {"result": json_digest({**parts, "metrics": scores}), **parts, **closer}  # type: ignore[typeddict-item]


def _closer(trained: Trained) -> dict[str, Any]:
    """What stands in a record beside its result, where the learner keeps it and a record has room for it."""
    items = trained.items if trained.items and len(trained.items["statistics"]) <= MOST_ITEMS else None
    told = {"items": items, "nodes": trained.nodes, "fit": trained.fit, "interpolation": trained.interpolation}
    return {name: each for name, each in told.items() if each}


def provenance_of(device: str) -> Provenance:
    """Where this process trains, and with what; without times."""
    return {
        "commit": versions.commit(),
        "versions": {**versions.installed(), "torch": torch.__version__},  # with its build: +cpu, +cu130
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "threads": torch.get_num_threads(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": versions.cpu(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
