"""Records brought together into comparisons: the arms of one task, each with its records by seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar

from bench import registry
from bench.record import Record, score_of
from bench.report.table.merge import Replicate, merged
from bench.spec import DENSE, SCALES, Task, method_from_json, task_from_json
from bench.tickets.methods import METHODS

_Value = TypeVar("_Value")

_ORDER = {name: place for place, name in enumerate(METHODS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One method at one level of one task.

    Args:
        method: the method's name.
        version: the method's version.
        level: number of pruning rounds.
        installed: whether the method is the one that is installed here, field by field; one that takes the ticket of another
            task is, on an installed task, only where such a ticket fits.
        records: seed -> record, seeds ascending.
        scores: (metric, at) -> seed -> value on the task's split, for every metric of `measured(task)` and entry of
            the task's `at`; a diverged seed has the task's metric at chance, a seed without a value is missing.
    """

    method: str
    version: int
    level: int
    installed: bool
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

    @property
    def imported(self) -> list[int]:
        """The seeds whose ticket came in a file and was not made here."""
        return [seed for seed, record in self.records.items() if "imported" in record]

    @property
    def flops_ratio(self) -> float | None:
        """Theoretical multiply-adds over those of the dense network, one or more, on average over the seeds that tell both."""
        pairs = [(record["flops"], record["flops_dense"]) for record in self.records.values()]
        return _mean(
            [flops / dense for flops, dense in pairs if flops is not None and dense is not None and dense >= 1]
        )

    @property
    def cut_off(self) -> bool:
        """Whether no seed's network has a path from input to output, and so answers the same to whatever it sees."""
        return self.average("effective_density") == 0

    @property
    def unbroken(self) -> list[int]:
        """The seeds from the lowest on, up to the first that nobody ran. Whoever adds others may have chosen them."""
        return [
            seed for seed, expected in zip(self.records, count(min(self.records)), strict=False) if seed == expected
        ]

    def average(self, field: str) -> float | None:
        """The mean of a number of the records, over the seeds that tell it."""
        return _mean([value for record in self.records.values() if (value := dict(record)[field]) is not None])

    def of_seeds(self, seeds: Collection[int]) -> Arm:
        """The same arm, as if only these seeds had been run."""
        chosen = frozenset(seeds)
        scores = {reading: _of_seeds(known, chosen) for reading, known in self.scores.items()}
        return replace(self, records=_of_seeds(self.records, chosen), scores=scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All arms of one task: what may be compared with each other.

    Args:
        task: the installed one, whatever the records say of its tolerance, chance or sources; where it is not
            installed, as its most recent record describes it.
        installed: whether it is.
        arms: dense first, then by method in the order of `METHODS` (others after them, by name), then by level.
    """

    task: Task
    installed: bool
    arms: tuple[Arm, ...]
    _installed: dict[tuple[str, int], Arm] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._installed.update({(arm.method, arm.level): arm for arm in self.arms if arm.installed})

    def arm(self, method: str, level: int) -> Arm | None:
        """The arm of the installed `method` at `level`: a stranger's of the same name is nobody's opponent."""
        return self._installed.get((method, 0 if method == DENSE else level))

    @property
    def unbroken(self) -> Comparison:
        """The same task, as if nobody had run a seed of an arm without those before it."""
        return replace(self, arms=tuple(arm.of_seeds(arm.unbroken) for arm in self.arms))

    def of_seeds(self, seeds: Collection[int]) -> Comparison:
        """The same task, as if only these seeds had been run; without the arms that have none of them."""
        arms = (arm.of_seeds(seeds) for arm in self.arms)
        return replace(self, arms=tuple(arm for arm in arms if arm.records))


def measured(task: Task) -> tuple[str, ...]:
    """Every metric of a task: the one that is its score, then the others by name."""
    return task.metric, *sorted(task.directions.keys() - {task.metric})


def comparisons(records: Iterable[Record]) -> list[Comparison]:
    """Bring together what was trained on the same task.

    Two tasks are the same if they train and evaluate the same thing: versions, scales, data and budgets keep them
    apart, a new tolerance or another sentence about deviations does not.

    Returns:
        By task name, scale and version; independent of the order of `records`.

    Raises:
        Conflict: if two records of one unit, or of one seed of an arm, have different results.
    """
    by_task: dict[str, dict[Replicate, Record]] = defaultdict(dict)
    for replicate, record in merged({"": records}).items():
        by_task[replicate.task][replicate] = record
    compared = [(_comparison(group), identity) for identity, group in by_task.items()]
    return [comparison for comparison, _ in sorted(compared, key=lambda pair: _place(pair[0].task, pair[1]))]


def _comparison(records: Mapping[Replicate, Record]) -> Comparison:
    told = task_from_json(max(records.values(), key=_end)["spec"]["task"])
    known = registry.installed_task(told)
    task = known or told
    by_arm: dict[tuple[str, int], dict[int, Record]] = defaultdict(dict)
    for replicate, record in records.items():
        by_arm[replicate.method, replicate.level][replicate.seed] = record
    ranked = sorted(((_arm(task, known, seeds), identity) for (identity, _), seeds in by_arm.items()), key=_rank)
    return Comparison(task=task, installed=known is not None, arms=tuple(arm for arm, _ in ranked))


def _arm(task: Task, known: Task | None, seeds: dict[int, Record]) -> Arm:
    records = {seed: seeds[seed] for seed in sorted(seeds)}
    spec = next(iter(records.values()))["spec"]
    return Arm(
        method=spec["method"]["name"],
        version=spec["method"]["version"],
        level=spec["level"],
        installed=_is_installed(spec["method"], known),
        records=records,
        scores={(metric, at): _scores(task, records, metric, at) for metric in measured(task) for at in task.at},
    )


def _is_installed(told: Mapping[str, Any], known: Task | None) -> bool:
    method = registry.installed_method(method_from_json(told))
    return method is not None and (known is None or registry.misfit(known, method) is None)


def _scores(task: Task, records: Mapping[int, Record], metric: str, at: str) -> dict[int, float]:
    by_seed = {seed: _score(task, record, metric, at) for seed, record in records.items()}
    return {seed: score for seed, score in by_seed.items() if score is not None}


def _score(task: Task, record: Record, metric: str, at: str) -> float | None:
    if record["status"] == "diverged":
        return task.chance if metric == task.metric else None
    return score_of(record, metric, at)


def _of_seeds(by_seed: Mapping[int, _Value], seeds: frozenset[int]) -> dict[int, _Value]:
    return {seed: value for seed, value in by_seed.items() if seed in seeds}


def _mean(values: list[Any]) -> float | None:
    if len(set(values)) == 1:
        return float(values[0])  # to the bit: the mean of equal densities must be that density
    return math.fsum(values) / len(values) if values else None


def _end(record: Record) -> tuple[str, str]:
    return str(record["provenance"].get("end", "")), record["unit_id"]


def _place(task: Task, identity: str) -> tuple[str, int, int, str]:
    return task.name, SCALES.index(task.scale), task.version, identity


def _rank(pair: tuple[Arm, str]) -> tuple[int, str, int, int, str]:
    arm, identity = pair
    return _ORDER.get(arm.method, len(_ORDER)), arm.method, arm.level, arm.version, identity
