"""What somebody measured again of the scores that are claimed: `ticketbench verify --measured`, published beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

from bench.errors import StoreError
from bench.record import Measurement
from bench.report.arms import Arm

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
        StoreError: if a line is no measurement.
    """
    found: dict[str, Measurement] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                each = _measurement(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise StoreError(f"{path}, line {number}: not a measurement ({error}); remove the line") from error
            before = found.get(each["unit_id"])
            if before is None or (before["how"], each["how"]) != ("retrain", "replay"):
                found[each["unit_id"]] = each
    return found


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
    return cast("Measurement", value)


def of_arm(arm: Arm, measured: Mapping[str, Measurement]) -> str:
    """Measured and claimed of an arm's units that were measured again, side by side; empty if none was."""
    found = [measured[each["unit_id"]] for each in arm.records.values() if each["unit_id"] in measured]
    if not found:
        return ""
    how = " or ".join(sorted({WORDS[each["how"]] for each in found}))
    return f"{_mean(found, 'measured')} / {_mean(found, 'claimed')}, {len(found)} of {len(arm.records)} {how}"


def _mean(found: list[Measurement], name: str) -> str:
    values = [value for each in found if isinstance(value := dict(each)[name], (int, float))]
    return f"{math.fsum(values) / len(values):.4g}" if len(values) == len(found) else "diverged"


def of_unit(unit_id: str, measured: Mapping[str, Measurement]) -> str:
    """The same of one unit, and whether it is equal to the bit."""
    found = measured.get(unit_id)
    if found is None:
        return ""
    same = "equal to the bit" if found["equal"] else "not equal to the bit"
    return f"{_mean([found], 'measured')} / {_mean([found], 'claimed')}, {WORDS[found['how']]}, {same}"
