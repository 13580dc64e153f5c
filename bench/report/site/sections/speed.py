"""What the page tells of seconds and bytes: lines of `speed.jsonl` beside the records, of units that are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.record import Record
from bench.report.site.anchors import Page
from bench.report.speed import HEADER, cells, groups, notes, read
from bench.speed import Speed

SAME = ("density", "flops", "flops_dense")
"""What a line repeats of its record."""


def published(path: Path, suites: Mapping[str, Sequence[Record]]) -> list[Speed]:
    """The lines of a file, of each unit and setting the last one.

    Args:
        path: it need not exist.
        suites: name -> published records.

    Raises:
        StoreError: if it cannot be read, or a line is no measurement of a published result.
    """
    if not path.exists():
        return []
    records = {record["unit_id"]: record for each in suites.values() for record in each}
    found = read(path)
    for speed in found:
        if doubt := _doubt(speed, records.get(speed["unit_id"])):
            raise StoreError(f"{path}: unit {speed['unit_id'][:10]} {doubt}: publish its record, or remove the line")
    return found


def speed_tables(page: Page, speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """Of each setting: `lines` as anchor of the record, percent of the weights and cells below `HEADER`; and `notes`."""
    anchors = {
        record["unit_id"]: page.records[place][seed]
        for place, arm in enumerate(page.section.arms)
        for seed, record in arm.records.items()
    }
    own = [speed for speed in speeds if speed["unit_id"] in anchors]
    return [
        {
            "headings": HEADER,
            "lines": [(anchors[each["unit_id"]], each["density"], cells(each)) for each in lines],
            "notes": notes(lines),
        }
        for lines in map(_ordered, groups(own))
    ]


def _ordered(group: Sequence[Speed]) -> list[Speed]:
    """By method and level; of a unit that was measured again, the last."""
    last = {speed["unit_id"]: speed for speed in group}
    return sorted(last.values(), key=lambda each: (each["method"], each["level"], each["seed"]))


def _doubt(speed: Speed, record: Record | None) -> str | None:
    """Why a line says nothing about what is published."""
    if record is None:
        return "is not published"
    if speed["result"] != record["digests"]["result"]:
        return "was published with another result"
    spec = record["spec"]
    own = (f"{spec['task']['name']}@{spec['task']['scale']}", spec["method"]["name"], spec["level"], spec["seed"])
    if (speed["task"], speed["method"], speed["level"], speed["seed"]) != own:
        return f"is {' '.join(map(str, own))}, not what the line says"
    if any(speed[name] != record[name] for name in SAME):  # type: ignore[literal-required]
        return f"has another {', '.join(SAME)} than the line says"
    return None
