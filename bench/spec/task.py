"""What is learned and how, and when its scores are read."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any, Literal, get_type_hints

from bench.digests import canonical_json
from bench.errors import SpecError
from bench.schema import Count, Json, Name, Number, Text, Version
from bench.spec.plain import Identified, misfit, to_json
from bench.spec.pruning import Pruning

SCALES = ("smoke", "quick", "small", "paper")
VALIDATION = "val"
"""The split on which `Task.select` is measured."""
MOST = 128
"""Readings, splits and metrics of a task, since each arm of a report has scores of every pair."""

Scale = Literal["smoke", "quick", "small", "paper"]
Direction = Literal["max", "min"]

_READING = re.compile(r"final|early-stop|last-[1-9]\d*|(?!0%)(?P<percent>(0|[1-9]\d?)(\.\d*[1-9])?)%")

REPORTED_ONLY = (
    "tolerance",
    "chance",
    "reference",
    "fewest_seeds",
    "constant_rate",
    "groups",
    "unsupported",
    "source",
    "deviations",
)
"""Fields of a task that change how results read, never what is trained; not part of a unit's identity."""

LATER = ("fewest_seeds",)
"""Those that the first records do not have; all other fields stand in every spec that was ever written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Identified):
    """What is learned and how. Never edited once results of it are published: raise `version`.

    Args:
        name: `domain/task`.
        scale: how much of the source's budget is spent; `smoke` and `quick` never carry a verdict on a claim.
        version: raised when the task changes.
        config: what the domain needs to build it (model, data, optimizer, batch), as JSON.
        data: data set -> sha256 of its content.
        budget: length of a full training, in its `unit`.
        unit: what a step counts.
        evaluate_every: steps between two evaluations.
        rewind_step: the step whose weights tickets return to.
        schedule: learning rates after rewinding: `resume` them where they were, or `restart` them (with their
            warm-up) over the remaining `budget - rewind_step` steps.
        pruning: which weights are pruned, and how fast.
        metric: the score of the task, one of `directions`.
        directions: every metric that the learner reports -> whether more (`max`) or less (`min`) is better.
        split: where the score is measured, one of `splits`.
        splits: what is evaluated every `evaluate_every` steps.
        at: which scores are recorded, the headline first: `final`, `early-stop`, `last-100`, or after a share of the
            budget, `5%`.
        select: the validation metric whose best value is the early-stop step; never measured on test.
        evaluation: the evaluation protocol, as JSON.
        tolerance: how much worse than dense still counts as matching, in units of the metric.
        chance: the score of a network that has learned nothing; a diverged seed counts as this.
        reference: score of the dense network in the source, if it prints one.
        fewest_seeds: seeds below which no verdict is given; more than three where one seed learns and the next does not.
        constant_rate: whether the learning rate never changes (then `fine-tune` is `lr-rewind`).
        groups: parameter-name pattern -> group whose density is reported (first match wins).
        unsupported: method -> why this task cannot run it.
        source: paper and section.
        deviations: sentences, printed under every table of the task.
    """

    name: Name
    scale: Scale
    version: Version = 1
    config: Mapping[Name, Json]
    data: Mapping[Name, Text] = field(default_factory=dict)
    budget: Count
    unit: Literal["updates", "env_steps", "episodes"] = "updates"
    evaluate_every: Count
    rewind_step: Count = 0
    schedule: Literal["resume", "restart"] = "resume"
    pruning: Pruning
    metric: Name
    directions: Mapping[Name, Direction]
    split: Name = "test"
    splits: tuple[Name, ...] = (VALIDATION, "test")
    at: tuple[Name, ...] = ("final",)
    select: Name | None = None
    evaluation: Mapping[Name, Json] = field(default_factory=dict)
    tolerance: Number
    chance: Number
    reference: Number | None = None
    fewest_seeds: Count = 3
    constant_rate: bool
    groups: Mapping[Name, Name] = field(default_factory=dict)
    unsupported: Mapping[Name, Text] = field(default_factory=dict)
    source: Text = ""
    deviations: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        try:
            self._check()
        except (TypeError, AttributeError):
            self.check_kinds()  # the one that cannot be asked what it says, by its name
            raise

    def check_kinds(self) -> None:
        """Every field holds what may stand in it, as records are read; a task is made without asking for all of this.

        Raises:
            SpecError: naming the first that does not.
        """
        hints = get_type_hints(Task, include_extras=True)
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            is_other = each.name == "pruning" and not isinstance(value, Pruning)
            if reason := "expected a bench.spec.Pruning" if is_other else misfit(value, hints[each.name]):
                raise SpecError(f"task {self.name}: {each.name} is {value!r}: {reason}")

    def _check(self) -> None:
        if self.scale not in SCALES:
            raise SpecError(f"task {self.name} has scale {self.scale!r}: scales are {', '.join(SCALES)}")
        if not 0 <= self.rewind_step < self.budget:
            raise SpecError(
                f"task {self.name} rewinds to step {self.rewind_step} of {self.budget}: "
                "choose a rewind step from 0 to below the budget"
            )
        if self.evaluate_every < 1:
            raise SpecError(f"task {self.name} evaluates every {self.evaluate_every} steps: choose 1 or more")
        if self.metric not in self.directions:
            raise SpecError(f"task {self.name} scores {self.metric!r} without a direction: name it in directions")
        if self.split not in self.splits:
            raise SpecError(f"task {self.name} scores split {self.split!r}: evaluated are {', '.join(self.splits)}")
        for name, many in (("at", self.at), ("splits", self.splits), ("directions", self.directions)):
            if len(many) > MOST:
                raise SpecError(
                    f"task {self.name} names {len(many)} in {name}: a report has room for {MOST}; drop some"
                )
        for name, several in (("at", self.at), ("splits", self.splits)):
            if twice := next((each for each, count in Counter(several).items() if count > 1), None):
                raise SpecError(f"task {self.name} names {twice!r} twice in {name}: once is enough")
        self._check_readings()

    def _check_readings(self) -> None:
        if not self.at:
            raise SpecError(f"task {self.name} reads no score: name in `at` when it is read, `final` for the end")
        if self.select is not None and self.select not in self.directions:
            raise SpecError(
                f"task {self.name} selects by {self.select!r}: measured are {', '.join(self.directions)}; choose one of these"
            )
        if self.select is not None and VALIDATION not in self.splits:
            raise SpecError(
                f"task {self.name} selects by {self.select!r} on {VALIDATION!r}, which it does not evaluate: evaluated are "
                f"{', '.join(self.splits)}; add it to splits"
            )
        if ("early-stop" in self.at) != (self.select is not None):
            raise SpecError(f"task {self.name}: `early-stop` in `at` and a metric in `select` go together")
        for at in self.at:
            if not _READING.fullmatch(at):
                raise SpecError(
                    f"task {self.name} reads scores at {at!r}: write final, early-stop, last-100 (a number of episodes), "
                    "or a share of the budget as 5%"
                )

    @property
    def domain(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]

    @property
    def key(self) -> str:
        """`name@scale`: what tells two tasks of one registry apart."""
        return f"{self.name}@{self.scale}"

    @property
    def direction(self) -> Direction:
        """Whether more (`max`) or less (`min`) of the task's metric is better."""
        return self.directions[self.metric]

    @property
    def identity(self) -> str:
        """Everything that decides what is trained and how it is evaluated, as canonical JSON."""
        try:
            return self._identity
        except AttributeError:
            return self._remember(task_identity(to_json(self)))

    def group_of(self, name: str) -> str | None:
        """The group of the parameter `name`, if any."""
        return next((group for pattern, group in self.groups.items() if fnmatchcase(name, pattern)), None)


def share_of_budget(at: str) -> Fraction | None:
    """The part of the budget after which a score is read, exactly: 1/20 of `5%`; None where it is read otherwise.

    Args:
        at: an entry of a task's `at`.
    """
    found = _READING.fullmatch(at)
    return Fraction(found["percent"]) / 100 if found and found["percent"] else None


def sentences(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """What somebody writes as deviations: several sentences, or one, whose letters are none."""
    return (given,) if isinstance(given, str) else tuple(given)


def task_identity(task: Mapping[str, Any]) -> str:
    """What makes two tasks, given as JSON, the same: everything that decides what is trained and how it is evaluated."""
    return canonical_json(identifying(task))


def task_from_json(data: Mapping[str, Any]) -> Task:
    """The task that `to_json` described."""
    pruning = data["pruning"]
    return Task(
        **{
            **data,
            "pruning": Pruning(**{**pruning, "exempt": tuple(pruning["exempt"])}),
            "splits": tuple(data["splits"]),
            "at": tuple(data["at"]),
            "deviations": tuple(data["deviations"]),
        }
    )


def identifying(task: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a task, given as JSON, that an id covers."""
    return {key: value for key, value in task.items() if key not in REPORTED_ONLY}
