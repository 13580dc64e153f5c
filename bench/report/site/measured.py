"""What somebody measured again of the scores that are claimed: `ticketbench verify --measured`, published beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

from bench.errors import StoreError
from bench.record import Measurement
from bench.report.table.arms import Arm
from bench.report.table.rows import Section

WORDS = {"replay": "replayed", "retrain": "retrained"}
NOTE = (
    "Measured: by somebody who evaluated the stored weights (replayed) or trained the unit anew from its seed (retrained); "
    "claimed: by the records of the same seeds. Empty where nobody measured again."
)


def measurements(folder: Path) -> dict[str, Measurement]:
    """Unit id -> what was measured of it again; of several, the last training, else the last replay.

    Args:
        folder: of `*.jsonl` files; it need not exist.

    Raises:
        StoreError: if a file cannot be read, or a line is no measurement.
    """
    found: dict[str, Measurement] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(_lines(path), start=1):
            try:
                each = _measurement(json.loads(line))
            except (ValueError, OverflowError, RecursionError) as error:
                raise StoreError(f"{path}, line {number}: not a measurement ({error}); remove the line") from error
            before = found.get(each["unit_id"])
            if before is None or (before["how"], each["how"]) != ("retrain", "replay"):
                found[each["unit_id"]] = each
    return found


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; remove it, or make it readable") from error


def _measurement(value: Any) -> Measurement:
    asked = get_type_hints(Measurement)
    if not isinstance(value, dict) or value.keys() != asked.keys():
        raise ValueError(f"its keys are not {', '.join(asked)}")
    if value["how"] not in get_args(asked["how"]) or type(value["equal"]) is not bool:
        raise ValueError("its `how` or its `equal` is none")
    for name in ("claimed", "measured"):
        number = value[name]
        if number is not None and (type(number) not in (int, float) or not math.isfinite(number)):
            raise ValueError(f"its `{name}` is no number")
    if not all(isinstance(value[name], str) for name in ("unit_id", "metric", "split")):
        raise ValueError("its texts are none")
    if value["equal"] and value["claimed"] != value["measured"]:
        raise ValueError("it is `equal`, and yet `claimed` and `measured` differ")
    return cast("Measurement", value)


def of_task(section: Section, measured: Mapping[str, Measurement]) -> dict[str, Measurement]:
    """Unit id -> what was measured again of its score, for the units of a task; another metric or split says nothing of it."""
    task = section.comparison.task
    units = (record["unit_id"] for arm in section.arms for record in arm.records.values())
    found = {each: measured[each] for each in units if each in measured}
    wanted = (task.metric, task.split)
    return {each: told for each, told in found.items() if (told["metric"], told["split"]) == wanted}


def of_arm(arm: Arm, measured: Mapping[str, Measurement]) -> str:
    """Measured and claimed of an arm's units that were measured again, side by side; empty if none was."""
    again = {seed: measured[each["unit_id"]] for seed, each in arm.records.items() if each["unit_id"] in measured}
    if not again:
        return ""
    how = " or ".join(sorted({WORDS[each["how"]] for each in again.values()}))
    both = f"{_mean([each['measured'] for each in again.values()])} / {_mean([_claimed(arm, seed) for seed in again])}"
    return f"{both}, {len(again)} of {len(arm.records)} {how}"


def of_unit(arm: Arm, seed: int, measured: Mapping[str, Measurement]) -> str:
    """The same of one unit, and whether it is equal to the bit or by how much it differs."""
    found = measured.get(arm.records[seed]["unit_id"])
    if found is None:
        return ""
    claimed = _claimed(arm, seed)
    return f"{_mean([found['measured']])} / {_mean([claimed])}, {WORDS[found['how']]}, {_difference(found, claimed)}"


def _claimed(arm: Arm, seed: int) -> float | None:
    """By the record, whatever a measurement says was claimed; None if training diverged."""
    return None if seed in arm.diverged else next(iter(arm.scores.values())).get(seed)


def _difference(found: Measurement, claimed: float | None) -> str:
    measured = found["measured"]
    if measured == claimed:
        return "equal to the bit" if found["equal"] else "equal in this score only"
    if measured is None or claimed is None:
        return "not equal to the bit"
    return f"differs by {measured - claimed:+.2g}"


def _mean(values: Sequence[float | None]) -> str:
    """A sum of what anybody may have written could overflow; a sum of shares cannot."""
    shares = [value / len(values) for value in values if value is not None]
    return f"{math.fsum(shares):.4g}" if len(shares) == len(values) else "diverged"
