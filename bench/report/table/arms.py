"""Records brought together into comparisons: the arms of one task, each with its records by seed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.digests import canonical_json
from bench.record import Record
from bench.spec import DENSE, REPORTED_ONLY, SCALES, Task, task_from_json
from bench.tickets.methods import METHODS

_ORDER = {name: place for place, name in enumerate(METHODS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One method at one level of one task.

    Args:
        method: the method's name.
        version: the method's version.
        level: number of pruning rounds.
        records: seed -> record, seeds ascending.
        scores: (metric, at) -> seed -> value on the task's split, for every metric of `measured(task)` and entry of
            the task's `at`; a diverged seed has the task's metric at chance, a seed without a value is missing.
    """

    method: str
    version: int
    level: int
    records: Mapping[int, Record]
    scores: Mapping[tuple[str, str], Mapping[int, float]]

    @property
    def label(self) -> str:
        """`ticket L12`: the arm in a sentence."""
        return f"{self.method} L{self.level}"

    @property
    def diverged(self) -> list[int]:
        """The seeds whose training diverged."""
        return [seed for seed, record in self.records.items() if record["status"] == "diverged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All arms of one task: what may be compared with each other.

    Args:
        task: as its most recent record describes it.
        arms: dense first, then by method in the order of `METHODS` (others after them, by name), then by level.
    """

    task: Task
    arms: tuple[Arm, ...]
    _newest: dict[tuple[str, int], Arm] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for arm in sorted(self.arms, key=lambda arm: arm.version, reverse=True):
            self._newest.setdefault((arm.method, arm.level), arm)

    def arm(self, method: str, level: int) -> Arm | None:
        """The arm of `method` at `level`; the highest version of the method, where there are several."""
        return self._newest.get((method, 0 if method == DENSE else level))


def measured(task: Task) -> tuple[str, ...]:
    """Every metric of a task: the one that is its score, then the others by name."""
    return task.metric, *sorted(task.directions.keys() - {task.metric})


def comparisons(records: Iterable[Record]) -> list[Comparison]:
    """Bring together what was trained on the same task.

    Two tasks are the same if they train and evaluate the same thing: versions, scales, data and budgets keep them
    apart, a new tolerance or another sentence about deviations does not. Of two records of one seed of an arm (a unit
    run twice, or from another parent) the one that ended last counts.

    Returns:
        By task name, scale and version; independent of the order of `records`.
    """
    by_task: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=_age):
        by_task[_identity(record["spec"]["task"], REPORTED_ONLY)].append(record)
    found = [(_comparison(group), identity) for identity, group in by_task.items()]
    return [comparison for comparison, _ in sorted(found, key=lambda pair: _place(pair[0].task, pair[1]))]


def _comparison(records: list[Record]) -> Comparison:
    task = task_from_json(records[-1]["spec"]["task"])
    arms: dict[tuple[str, int], dict[int, Record]] = defaultdict(dict)
    for record in records:
        spec = record["spec"]
        arms[_identity(spec["method"], ("about",)), spec["level"]][spec["seed"]] = record
    ordered = sorted(((_arm(task, seeds), identity) for (identity, _), seeds in arms.items()), key=_rank)
    return Comparison(task=task, arms=tuple(arm for arm, _ in ordered))


def _arm(task: Task, seeds: dict[int, Record]) -> Arm:
    records = {seed: seeds[seed] for seed in sorted(seeds)}
    spec = next(iter(records.values()))["spec"]
    return Arm(
        method=spec["method"]["name"],
        version=spec["method"]["version"],
        level=spec["level"],
        records=records,
        scores={(metric, at): _scores(task, records, metric, at) for metric in measured(task) for at in task.at},
    )


def _scores(task: Task, records: Mapping[int, Record], metric: str, at: str) -> dict[int, float]:
    found = {seed: _score(task, record, metric, at) for seed, record in records.items()}
    return {seed: score for seed, score in found.items() if score is not None}


def _score(task: Task, record: Record, metric: str, at: str) -> float | None:
    if record["status"] == "diverged":
        return task.chance if metric == task.metric else None
    wanted = (metric, task.split, at)
    return next((m["value"] for m in record["metrics"] if (m["name"], m["split"], m["at"]) == wanted), None)


def _age(record: Record) -> tuple[str, str, str]:
    return str(record["provenance"].get("end", "")), record["unit_id"], record["digests"]["result"]


def _identity(spec: Mapping[str, Any], without: tuple[str, ...]) -> str:
    return canonical_json({key: value for key, value in spec.items() if key not in without})


def _place(task: Task, identity: str) -> tuple[str, int, int, str]:
    return task.name, SCALES.index(task.scale), task.version, identity


def _rank(pair: tuple[Arm, str]) -> tuple[int, str, int, int, str]:
    arm, identity = pair
    return _ORDER.get(arm.method, len(_ORDER)), arm.method, arm.level, arm.version, identity
