"""One side of a comparison, whether records or a published table tell of it: what is known of each arm."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from bench import registry
from bench.record import Record
from bench.report.escaping import unquoted
from bench.report.regression.difference import Sample, observed, tabulated
from bench.report.statistics.seeds import FEWEST
from bench.report.table.arms import Arm, Comparison, comparisons
from bench.report.table.rows import OPPONENTS, UNINSTALLED
from bench.schema import LARGEST, Count
from bench.spec import CODE, DENSE, Task, method_from_json, method_identity, task_identity
from bench.tickets.columns import Columns

TICKET = "ticket"
RIVALS = {column: method for column, method in OPPONENTS.items() if method != DENSE}
"""Column `vs_*` -> the control from which the ticket's distance is compared, not only its score."""


class Key(NamedTuple):
    """What a cell is called on both sides."""

    task: str
    scale: str
    method: str
    level: int

    @property
    def label(self) -> str:
        """`vision/lenet-mnist@quick ticket L4`."""
        return f"{self.task}@{self.scale} {self.method} L{self.level}"


class Gap(NamedTuple):
    """The ticket minus a control, positive where the ticket is better.

    Args:
        sample: over seeds, paired.
        protocol: of the control.
    """

    sample: Sample
    protocol: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """What one side knows of one arm.

    Args:
        key: its name.
        protocol: dotted path -> value, of everything that decides what is trained; of a table, the little it tells.
        quantity: the task's metric and where its headline reads it.
        direction: `max` or `min`.
        score: None if no seed has one.
        gaps: `vs_*` -> the ticket's distance from that control; of the ticket only.
        density: mean over the seeds.
        diverged: number of seeds.
        tolerance: of the task; None of a table, which does not tell it.
        fewest: seeds below which there is no verdict; the baseline's, as the tolerance: no candidate sets what it must meet.
        records: seed -> record; empty of a table.
        dense: seed -> record of the dense network; empty of a table.
        columns: what the method's columns promise; None of a table, and of a method that is not installed here.
    """

    key: Key
    protocol: Mapping[str, Any]
    quantity: str
    direction: str
    score: Sample | None
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    density: float
    diverged: int
    tolerance: float | None = None
    fewest: int = FEWEST
    records: Mapping[int, Record] = field(default_factory=dict)
    dense: Mapping[int, Record] = field(default_factory=dict)
    columns: Columns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Everything that one side knows.

    Args:
        name: where it was read, for people.
        arms: of each name, the versions in ascending order.
        tabulated: whether a table tells of it, not records.
    """

    name: str
    arms: Mapping[Key, list[ArmSummary]]
    tabulated: bool = False


def changes(one: Mapping[str, Any], other: Mapping[str, Any], *, partly: bool) -> dict[str, tuple[Any, Any]]:
    """The fields in which two protocols differ, path -> both values; None stands for a field that is not there.

    Args:
        one: dotted path -> value.
        other: dotted path -> value.
        partly: whether one of them comes from a table, so that only what both tell can differ.
    """
    told = one.keys() & other.keys() if partly else one.keys() | other.keys()
    return {path: (one.get(path), other.get(path)) for path in sorted(told) if one.get(path) != other.get(path)}


def of_records(name: str, records: Iterable[Record]) -> Side:
    """What records tell."""
    arms: dict[Key, list[ArmSummary]] = defaultdict(list)
    for comparison in comparisons(records):
        protocols = {id(arm): _protocol(arm) for arm in comparison.arms}
        for arm in comparison.arms:
            known = _recorded(comparison, arm, protocols)
            arms[known.key].append(known)
    return Side(name=name, arms=dict(arms))


def _recorded(comparison: Comparison, arm: Arm, protocols: Mapping[int, Mapping[str, Any]]) -> ArmSummary:
    task, dense = comparison.task, comparison.arm(DENSE, 0)
    rivals = {column: comparison.arm(method, arm.level) for column, method in RIVALS.items()}
    gaps = {
        f"vs_{column}": Gap(gap, protocols[id(rival)])
        for column, rival in rivals.items()
        if arm.method == TICKET and rival and (gap := _gap(comparison, arm, rival))
    }
    densities = [record["density"] for record in arm.records.values()]
    spec = next(iter(arm.records.values()))["spec"]
    return ArmSummary(
        key=Key(task.name, task.scale, arm.method, arm.level),
        protocol=protocols[id(arm)],
        quantity=f"{task.metric} {task.at[0]}",
        direction=task.direction,
        score=observed(arm.scores[task.metric, task.at[0]]),
        gaps=gaps,
        density=sum(densities) / len(densities),
        diverged=len(arm.diverged),
        tolerance=task.tolerance,
        fewest=max(FEWEST, task.fewest_seeds),
        records=arm.records,
        dense=dense.records if dense else {},
        columns=registry.columns_of(method_from_json(spec["method"])),
    )


def _gap(comparison: Comparison, arm: Arm, rival: Arm) -> Sample | None:
    task = comparison.task
    own, other = (each.scores[task.metric, task.at[0]] for each in (arm, rival))
    sign = 1 if task.direction == "max" else -1
    return observed({seed: sign * (value - other[seed]) for seed, value in own.items() if seed in other})


def _protocol(arm: Arm) -> dict[str, Any]:
    """All that was asked; not by which version of a file of somebody's own it was done, for that is what is in question."""
    spec = next(iter(arm.records.values()))["spec"]
    task, method = json.loads(task_identity(spec["task"])), json.loads(method_identity(spec["method"]))
    method["options"].pop(CODE, None)
    return dict(_flat({"task": task, "method": method, "spec_version": spec["spec_version"]}, ""))


def _flat(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def of_table(name: str, lines: Iterable[str], *, tasks: Mapping[str, Task]) -> Side:
    """What a published table tells: its headline rows.

    Args:
        name: where it was read.
        lines: of CSV.
        tasks: `name@scale` -> a task that is installed, which knows the tolerance that no table tells.

    Raises:
        KeyError: if a column is missing.
        ValueError: if a field is not what its column holds.
    """
    rows = [{key: unquoted(value) for key, value in row.items() if key} for row in csv.DictReader(lines)]
    headlines: dict[tuple[str, str, str], tuple[str, str]] = {}
    shown: dict[tuple[Key, str], dict[str, str]] = {}
    for row in rows:
        version = _versions(row)["task"]
        headline = headlines.setdefault((row["task"], row["scale"], version), (row["metric"], row["at"]))
        if (row["metric"], row["at"]) == headline:
            key = Key(row["task"], row["scale"], row["method"], _count(row["level"]))
            shown.setdefault((key, row["versions"]), row)
    arms: dict[Key, list[ArmSummary]] = defaultdict(list)
    for (key, _), row in shown.items():
        arms[key].append(_tabulated(key, row, shown, tasks.get(f"{key.task}@{key.scale}")))
    return Side(name=name, arms=dict(arms), tabulated=True)


def _tabulated(
    key: Key, row: Mapping[str, str], shown: Mapping[tuple[Key, str], Mapping[str, str]], task: Task | None
) -> ArmSummary:
    known = task is not None and task.version == int(_versions(row)["task"])
    rivals = {column: shown.get((key._replace(method=RIVALS[column]), row["versions"])) for column in RIVALS}
    gaps = {
        f"vs_{column}": Gap(gap, _told(rival) if rival else {})
        for column, rival in rivals.items()
        if key.method == TICKET and (gap := _sample(row, f"vs_{column}", _count((rival or row)["n"])))
    }
    return ArmSummary(
        key=key,
        protocol=_told(row),
        quantity=f"{row['metric']} {row['at']}",
        direction=row["direction"],
        score=_sample(row, "", _count(row["n"])),
        gaps=gaps,
        density=_number(row["density"]),
        diverged=_count(row["n_diverged"]),
        tolerance=task.tolerance if task and known else None,
        fewest=max(FEWEST, task.fewest_seeds) if task and known else FEWEST,
    )


def _sample(row: Mapping[str, str], column: str, n: int) -> Sample | None:
    names = (column, f"{column}_low", f"{column}_high") if column else ("mean", "low", "high")
    mean, low, high = (_number(row[each]) if row[each] else None for each in names)
    return None if mean is None else tabulated(mean, low, high, min(n, _count(row["n"])))


def _number(text: str) -> float:
    if not abs(number := float(text)) <= LARGEST:  # NaN is not either
        raise ValueError(f"{text[:80]} is not a finite number, or larger than {LARGEST:g}")
    return number


def _count(text: str) -> int:
    return msgspec.convert(int(text), Count)


def _told(row: Mapping[str, str]) -> dict[str, Any]:
    versions = _versions(row)
    return {
        "task.version": int(versions["task"]),
        "method.version": int(versions["method"]),
        "task.metric": row["metric"],
        "task.split": row["split"],
        "task.at.0": row["at"],
        f"task.directions.{row['metric']}": row["direction"],
    }


def _versions(row: Mapping[str, str]) -> dict[str, str]:
    parts = (part.removesuffix(UNINSTALLED) for part in row["versions"].split(", "))
    return dict(part.rsplit(" ", 1) for part in parts if " " in part)
