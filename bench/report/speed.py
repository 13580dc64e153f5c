"""What sparsity is worth, as text: Markdown, CSV and JSON of what `ticketbench speed` measured, and the reader of its lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

from bench.digests import canonical_json
from bench.errors import StoreError, UnknownName
from bench.record import Provenance
from bench.report import escaping
from bench.report.table.render import markdown_table
from bench.schema import decode
from bench.speed import BYTES, NETS, STYLES, TIMED, WAYS, Compared, Speed, Spread, flops_ratio
from bench.store import files

CLOCKS = {
    "processor": "the processor, whatever else ran on the machine",
    "wall": "the clock on the wall: with the time that other programs took",
}
NAMED = 3
"""Parameters that a note names, at most, of those with one reason."""

HEADER = (
    *("method", "level", "density %", "flops_ratio", "by FLOPs", "batch 1", "batch 128", "step"),
    *("masked step", f"{NETS} nets' step", "memory", "training memory", "disk"),
)
"""Behind `flops_ratio` how many times as fast as dense: in theory, and as measured; then shares of dense's bytes."""
KINDS: tuple[Literal["seconds", "faster"], ...] = ("seconds", "faster")
"""What an execution tells of each that is timed."""


def read(path: Path) -> list[Speed]:
    """The lines of a file that anybody may have written.

    Raises:
        StoreError: if it cannot be read, or a line is no such measurement.
    """
    try:
        lines = files.read(path).split(b"\n")
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {files.why(error)}; remove it, or make it readable") from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                found.append(_whole(decode(line, Speed)))
        except ValueError as error:
            raise StoreError(f"{path}, line {number}: not a measured speed ({error}); remove the line") from error
    return found


def _whole(speed: Speed) -> Speed:
    for way in WAYS:
        told = speed["executions"].get(way)
        if told is None or any(name not in told[kind] for kind in KINDS for name in TIMED):
            raise ValueError(f"it does not say how long {way} takes, and how much faster that is: {', '.join(TIMED)}")
    return speed


def line(speed: Speed) -> str:
    """A line of a `speed/*.jsonl` file."""
    return canonical_json(speed) + "\n"


def render(speeds: Sequence[Speed], style: str) -> str:
    """What was measured as text that ends in a newline.

    Args:
        speeds: in any order.
        style: `md` has the compact tables; `csv` one row of all numbers each; `json` and `jsonl` all there is.

    Raises:
        UnknownName: if there is no such style.
    """
    if style not in STYLES:
        raise UnknownName("format", style, STYLES)
    ordered = sorted(
        speeds, key=lambda each: (each["task"], setting(each), each["method"], each["level"], each["seed"])
    )
    if style == "jsonl":
        return "".join(map(line, ordered))
    if style == "json":
        return json.dumps(ordered, indent=1, allow_nan=False) + "\n"
    return _csv(ordered) if style == "csv" else _markdown(ordered)


def cells(speed: Speed) -> tuple[str, ...]:
    """The line of the compact table, below `HEADER`."""
    ratio, sparse, dense = flops_ratio(speed), speed["executions"]["sparse"], speed["executions"]["dense"]
    return (
        *(speed["method"], str(speed["level"]), f"{100 * speed['density']:.3g}"),
        *(("", "") if ratio is None else (f"{ratio:.3g}", f"{1 / ratio:.3g}" if ratio else "")),
        *(_spread(sparse["faster"][name]) for name in TIMED),
        _spread(speed["executions"]["masked"]["faster"]["step"]),
        _spread(speed["several"]["faster"]) if "several" in speed else "",
        *(f"{sparse[name] / dense[name]:.3g}" if dense[name] else "" for name in BYTES),
    )


def setting(speed: Speed) -> str:
    """Where it was measured and how: whatever the numbers hold for."""
    told: Provenance = speed["provenance"]
    versions = told.get("versions", {})
    parts = [told.get("cpu"), told.get("device"), told.get("capability"), told.get("machine")]
    named = [part for part in dict.fromkeys(parts) if part]
    threads = told.get("threads", 0)
    torch = [f"torch {versions['torch']}"] if "torch" in versions else []
    return ", ".join([*named, f"{threads} thread{'s' * (threads != 1)}", *torch])


def notes(speeds: Sequence[Speed]) -> list[str]:
    """What to know to read the numbers of one task and setting: a sentence each."""
    seeds, batches, counts = (_numbers(each[name] for each in speeds) for name in ("seed", "batch", "rounds"))
    compared: tuple[Compared, ...] = get_args(Compared)
    furthest = {name: max(each["difference"][name] for each in speeds) for name in compared}
    apart = (f"{name} {far:.1g} (at most {speeds[0]['tolerance'][name]:g})" for name, far in furthest.items())
    told = [
        f"Measured with {setting(speeds[0])}; of seed {seeds}.",
        f"How many times as fast as dense, below 1 is slower: median [quartiles] of {counts} rounds that time everything in turn.",
        f"Seconds of {' and of '.join(sorted({CLOCKS[each['clock']] for each in speeds}))}.",
        f"A step: forward, backward and update of a batch of {batches}, without the data and the loss itself.",
        f"Furthest that sparse was from masked: {', '.join(apart)}.",
    ]
    dense = _by_reason(speeds)
    missing = dict.fromkeys(
        f"{NETS} nets at once are not measured: {why}." for each in speeds for why in each["nulls"].values()
    )
    return [*told, *([f"Executed masked-dense all the same: {'; '.join(dense)}."] if dense else []), *missing]


def _by_reason(speeds: Sequence[Speed]) -> list[str]:
    """What no sparse kernel took, and why; of many parameters a few are named."""
    names: dict[str, dict[str, None]] = {}
    for name, why in (pair for each in speeds for pair in each["masked_dense"].items()):
        names.setdefault(why, {})[name] = None
    return [
        ", ".join(list(each)[:NAMED]) + (f" and {len(each) - NAMED} more" if len(each) > NAMED else "") + f" ({why})"
        for why, each in names.items()
    ]


def _numbers(of: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(of))))


def _spread(spread: Spread) -> str:
    return f"{spread['median']:.2f} [{spread['low']:.2f}, {spread['high']:.2f}]"


def groups(speeds: Sequence[Speed]) -> Iterator[list[Speed]]:
    """Those of one setting together, in order."""
    ordered = sorted(speeds, key=lambda each: (each["task"], setting(each)))
    for _, group in groupby(ordered, key=lambda each: (each["task"], setting(each))):
        yield list(group)


def _markdown(speeds: Sequence[Speed]) -> str:
    return "\n".join(_section(group) for group in groups(speeds))


def _section(speeds: Sequence[Speed]) -> str:
    under = [f"- {escaping.markdown(note)}" for note in notes(speeds)]
    table = markdown_table([HEADER, *map(cells, speeds)])
    return "\n".join([f"## {escaping.markdown(speeds[0]['task'])}", "", *table, "", *under, ""])


def _csv(speeds: Sequence[Speed]) -> str:
    rows = [_row(each) for each in speeds]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(speed: Speed) -> dict[str, str]:
    numbers: dict[str, Any] = {
        name: speed[name] for name in ("task", "method", "level", "seed", "density", "batch", "rounds")
    }
    numbers["flops_ratio"] = flops_ratio(speed)
    for way in WAYS:
        execution = speed["executions"][way]
        for kind in KINDS:
            for name in TIMED:
                numbers |= _three(f"{way} {name} {kind}", execution[kind][name])
        numbers |= {f"{way} {name}": execution[name] for name in BYTES}
    if "several" in speed:
        numbers["several nets"] = speed["several"]["nets"]
        numbers |= _three("several step seconds", speed["several"]["seconds"])
        numbers |= _three("several step faster", speed["several"]["faster"])
    numbers |= {"setting": setting(speed), "unit_id": speed["unit_id"]}
    return {name.replace(" ", "_"): _field(value) for name, value in numbers.items()}


def _three(name: str, spread: Mapping[str, Any]) -> dict[str, Any]:
    return {name: spread["median"], f"{name} low": spread["low"], f"{name} high": spread["high"]}


def _field(value: Any) -> str:
    if value is None:
        return ""
    return (
        f"{value:.6g}" if isinstance(value, float) else escaping.field(value) if isinstance(value, str) else str(value)
    )
