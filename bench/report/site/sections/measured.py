"""What somebody measured again of the scores that are claimed: `ticketbench verify --measured`, published beside them.

Anybody may write such a file. A line counts only if it is of a published result, digest for digest, and of what that
result claims; everything else is set aside, and so is what contradicts a line that stands before it. The page says so.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.record import Measurement, Record, score_of
from bench.report.table.arms import Arm
from bench.schema import decode
from bench.store import files

WORDS = {"replay": "replayed", "retrain": "retrained"}
DIGITS = 12
"""Hexadecimal digits by which a digest is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is published of measurements.

    Args:
        believed: unit id -> what was measured of it; of several, the first training, else the first replay.
        aside: a sentence on every line that does not count, or tells of a unit otherwise than what does, with file and line.
    """

    believed: Mapping[str, Measurement] = field(default_factory=dict)
    aside: tuple[str, ...] = ()


NOTHING = Measured()


def measurements(folder: Path, suites: Mapping[str, Sequence[Record]]) -> Measured:
    """What was measured of published records.

    Args:
        folder: of `*.jsonl` files; it need not exist.
        suites: name -> its records.

    Raises:
        StoreError: if a file cannot be read, or a line is no measurement.
    """
    published = {record["unit_id"]: record for records in suites.values() for record in records}
    lines = [(place, line, _doubt(line, published.get(line["unit_id"]))) for place, line in _lines(folder)]
    first: dict[str, tuple[str, Measurement]] = {}
    for place, line, doubt in sorted(lines, key=lambda each: each[1]["how"] == "replay"):  # in order but for that
        if doubt is None:
            first.setdefault(line["unit_id"], (place, line))
    told = ((place, doubt or _otherwise(line, *first[line["unit_id"]])) for place, line, doubt in lines)
    return Measured(
        believed={unit: line for unit, (_, line) in first.items()},
        aside=tuple(f"{place}: {why}" for place, why in told if why),
    )


def _lines(folder: Path) -> Iterator[tuple[str, Measurement]]:
    """`FILE, line N` and what stands there."""
    for path in sorted(folder.glob("*.jsonl")):
        try:
            content = files.read(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot read {path}: {files.why(error)}; remove it, or make it readable") from error
        for number, line in enumerate(content.split(b"\n"), start=1):
            try:
                if line.strip():
                    yield f"{path.name}, line {number}", decode(line, Measurement)
            except ValueError as error:
                raise StoreError(f"{path}, line {number}: not a measurement ({error}); remove the line") from error


def _doubt(line: Measurement, record: Record | None) -> str | None:
    """Why a measurement says nothing about what is published; None if it does."""
    if record is None:
        return f"unit {line['unit_id'][:DIGITS]} is not published"
    task, result = record["spec"]["task"], record["digests"]["result"]
    if line["result"] != result:
        return f"it measured result {line['result'][:DIGITS]}, published is {result[:DIGITS]}"
    if (line["metric"], line["split"]) != (task["metric"], task["split"]):
        return f"it measured {line['metric']} on {line['split']}, the score is {task['metric']} on {task['split']}"
    if line["claimed"] != score_of(record):
        return f"it says that {line['claimed']} was claimed, the record claims {score_of(record)}"
    if line["equal"] and line["measured"] != line["claimed"]:
        return f"it says that {line['measured']} is equal to {line['claimed']}"
    return None


def _otherwise(line: Measurement, place: str, believed: Measurement) -> str | None:
    """How a measurement contradicts the one that stands; None if it does not."""
    if (line["measured"], line["equal"]) == (believed["measured"], believed["equal"]):
        return None
    says = [f"{each['measured']}, {'equal' if each['equal'] else 'not equal'} to the bit" for each in (line, believed)]
    return f"it says {says[0]}, of unit {line['unit_id'][:DIGITS]}; {place}, which is shown, says {says[1]}"


def of_arm(arm: Arm, measured: Mapping[str, Measurement]) -> str:
    """Measured and claimed of an arm's units that were measured again, side by side; empty if none was."""
    again = [measured[record["unit_id"]] for record in arm.records.values() if record["unit_id"] in measured]
    if not again:
        return ""
    how = " or ".join(sorted({WORDS[line["how"]] for line in again}))
    both = f"{_mean([line['measured'] for line in again])} / {_mean([line['claimed'] for line in again])}"
    return f"{both}, {len(again)} of {len(arm.records)} {how}, {_equal(again)}{_on_trust(again)}"


def of_unit(record: Record, measured: Mapping[str, Measurement]) -> str:
    """The same of one unit, and whether it is equal to the bit or by how much it differs."""
    line = measured.get(record["unit_id"])
    if line is None:
        return ""
    both = f"{_mean([line['measured']])} / {_mean([line['claimed']])}"
    return f"{both}, {WORDS[line['how']]}, {_difference(line)}{_on_trust([line])}"


def measurers(measured: Mapping[str, Measurement]) -> list[str]:
    """How many units were measured how, when and with what: a sentence each, as whoever measured tells it."""
    groups: dict[tuple[str, str, str], list[Measurement]] = defaultdict(list)
    for line in measured.values():
        day = str(line["provenance"].get("end", ""))[:10] or "an unknown day"
        groups[setting(line["provenance"]), day, WORDS[line["how"]]].append(line)
    return [
        f"{how.capitalize()}: {_units(lines)}, {_equal(lines)}, on {day}, with {told}."
        for (told, day, how), lines in sorted(groups.items(), key=lambda pair: pair[0])
    ]


def again(measured: Mapping[str, Measurement], records: int) -> str:
    """How many of a task's records were measured again, and how many of them are equal to the bit: a sentence."""
    lines = list(measured.values())
    return f"Measured again: {_units(lines)} of {records}, {_equal(lines)}."


def setting(provenance: Mapping[str, Any]) -> str:
    """Everything about where a unit was trained or measured but when."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(provenance.get("versions", {}).items()))
    names = ("commit", "device", "machine", "cpu", "capability", "threads")
    told = [f"{name} {provenance[name]}" for name in names if provenance.get(name) is not None]
    return ", ".join([*told, versions])


def _units(lines: Sequence[Measurement]) -> str:
    return f"{len(lines)} unit{'s' * (len(lines) > 1)}"


def _equal(lines: Sequence[Measurement]) -> str:
    """How many of the lines are the published result to the bit."""
    equal = sum(line["equal"] for line in lines)
    return "equal to the bit" if equal == len(lines) else f"{equal or 'none'} equal to the bit"


def _on_trust(lines: Sequence[Measurement]) -> str:
    parts = sorted({part for line in lines for part in line.get("believed", ())})
    return f", {' and '.join(parts)} believed" if parts else ""


def _difference(line: Measurement) -> str:
    claimed, measured = line["claimed"], line["measured"]
    if measured == claimed:
        return "equal to the bit" if line["equal"] else "equal in this score only"
    if measured is None or claimed is None:
        return "not equal to the bit"
    return f"differs by {measured - claimed:+.2g}"


def _mean(values: Sequence[float | None]) -> str:
    finished = [value for value in values if value is not None]
    return f"{math.fsum(finished) / len(finished):.4g}" if len(finished) == len(values) else "diverged"
