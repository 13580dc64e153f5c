"""Curves as event files, which TensorBoard shows: a run for every unit, a tag for every metric of every split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bench.errors import MissingPackage
from bench.record import CurvePoint, Record
from bench.spec import DIGITS
from bench.store import files

try:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter
except ImportError as error:
    raise MissingPackage("--tensorboard", "tensorboard", install="ticketbench[tensorboard]") from error

VERSION = "brain.Event:2"
"""What the first event of a file says."""


def write(records: Iterable[Record], curves: Mapping[str, Sequence[CurvePoint]], folder: Path) -> list[Path]:
    """Write the curves of finished units; the same records give the same bytes, in the place of what was written before.

    Args:
        records: in any order.
        curves: unit id -> its curve.
        folder: below it each unit has `TASK@SCALE/METHOD/L03/s0`, the name of its run in TensorBoard; what no file
            should be called has a dash in its place.

    Returns:
        The files, one for each record.
    """
    return [_write(record, curves[record["unit_id"]], folder) for record in records]


def _write(record: Record, curve: Sequence[CurvePoint], folder: Path) -> Path:
    spec = record["spec"]
    arm = (f"{spec['task']['name']}@{spec['task']['scale']}", spec["method"]["name"])
    task, method = (re.sub(r"[^\w.@+-]", "-", name, flags=re.ASCII) for name in arm)
    place = folder / task / method / f"L{spec['level']:02d}" / f"s{spec['seed']}"
    path = place / f"events.out.tfevents.{record['unit_id'][:DIGITS]}"
    place.mkdir(parents=True, exist_ok=True)
    with files.drafted(path) as draft, draft.open("wb") as file:
        writer = RecordWriter(file)
        for event in _events(record, curve):
            writer.write(event.SerializeToString())
    return path


def _events(record: Record, curve: Sequence[CurvePoint]) -> Iterator[Event]:
    begun, end = (_seconds(record, which) for which in ("start", "end"))
    yield Event(wall_time=begun, file_version=VERSION)
    last = curve[-1]["updates"] if curve else 0
    for point in curve:
        share = point["updates"] / last if last else 1.0  # nobody noted when: as if every update took as long
        values = [
            Summary.Value(tag=f"{split}/{name}", simple_value=value)
            for split, metrics in point["metrics"].items()
            for name, value in metrics.items()
        ]
        yield Event(wall_time=begun + share * (end - begun), step=point["step"], summary=Summary(value=values))


def _seconds(record: Record, which: str) -> float:
    """When a unit's training began or ended, since 1970; 0 where the record does not tell."""
    told = dict(record["provenance"]).get(which)
    return datetime.fromisoformat(str(told)).timestamp() if told else 0.0
