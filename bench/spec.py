"""What is asked: tasks, methods, units and suites as frozen data, and the ids that follow from them.

Imports no torch: planning, tables and `--help` use this module alone.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any, Literal, get_type_hints

import msgspec

from bench.digests import canonical_json, json_digest, text_digest
from bench.errors import SpecError
from bench.schema import Count, Digest, Json, Level, Name, Number, Seed, Text, Version

SPEC_VERSION = 1
"""Raised whenever the same spec would come to mean another training; part of every unit id."""

SCALES = ("smoke", "quick", "small", "paper")
DENSE = "dense"
VALIDATION = "val"
"""The split on which `Task.select` is measured."""
WILDCARDS = frozenset("*?[")
"""Of patterns."""
MOST = 128
"""Readings, splits and metrics of a task, since each arm of a report has scores of every pair."""
DIGITS = 10
"""Of a unit's id, in the names of folders."""

Scale = Literal["smoke", "quick", "small", "paper"]
Direction = Literal["max", "min"]
Role = Literal["dense", "previous", "ticket", "twin", "source", "source-dense"]
SOURCES: tuple[Role, ...] = ("source", "source-dense")
"""Roles that units of another task play."""
CODE = "code_sha256"
"""The option that no column reads; file -> sha256, of a method from a file that no package has."""

_READING = re.compile(r"final|early-stop|last-[1-9]\d*|(?!0%)(?P<percent>(0|[1-9]\d?)(\.\d*[1-9])?)%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Which weights a task prunes, and how fast.

    Args:
        rate: fraction of the remaining weights removed per round, in (0, 1).
        scope: `layer` ranks weights inside each layer, `global` over the pooled network.
        biases: whether one-dimensional parameters (biases, norm gains) are prunable too.
        rates: parameter-name pattern -> its own rate, the same of all that match one name; only with `layer` scope.
        exempt: patterns of parameter names that are never pruned.
    """

    rate: Number = 0.2
    scope: Literal["layer", "global"] = "layer"
    biases: bool = False
    rates: Mapping[Name, Number] = field(default_factory=dict)
    exempt: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        if self.scope not in ("layer", "global"):
            raise SpecError(f"pruning scope is {self.scope!r}: write 'layer' or 'global'")
        if self.rates and self.scope == "global":
            raise SpecError("pruning has rates per layer and global scope: a pooled ranking has one rate; drop one")
        for rate in (self.rate, *self.rates.values()):
            if not 0 < rate < 1:
                raise SpecError(f"pruning rate is {rate}: it is the fraction removed per round, between 0 and 1")

    def rate_of(self, name: str) -> float:
        """The rate of the parameter `name`."""
        return next((rate for pattern, rate in self.rates.items() if fnmatchcase(name, pattern)), self.rate)

    def is_exempt(self, name: str) -> bool:
        """Whether the parameter `name` is never pruned."""
        return any(fnmatchcase(name, pattern) for pattern in self.exempt)

    def check(self, names: Collection[str]) -> None:
        """Whether what it names is there; a pattern of several names may exempt nothing.

        Args:
            names: of the network's parameters.

        Raises:
            SpecError: naming them, if not: a rate or an exemption that concerns nothing is a typing error. Likewise if two
                rates are given to one parameter: the order of patterns is no part of a unit's id.
        """
        exact = [pattern for pattern in self.exempt if not WILDCARDS.intersection(pattern)]
        for field_name, patterns in (("rates", self.rates), ("exempt", exact)):
            for pattern in patterns:
                if not any(fnmatchcase(name, pattern) for name in names):
                    known = ", ".join(names)
                    raise SpecError(
                        f"pruning.{field_name} names {pattern!r}, of which the network has none: it has {known}"
                    )
        for name in names:
            given = {pattern: rate for pattern, rate in self.rates.items() if fnmatchcase(name, pattern)}
            if len(set(given.values())) > 1:
                told = " and ".join(f"{pattern!r} {rate}" for pattern, rate in given.items())
                raise SpecError(
                    f"pruning.rates give {name} more than one rate: {told}; write patterns of which one fits"
                )

    def keep(self, sizes: Mapping[str, int], level: int) -> dict[str, int]:
        """How many weights `level` rounds leave, exactly.

        Args:
            sizes: parameter name -> number of prunable weights.
            level: number of rounds.

        Returns:
            Parameter name -> count with `layer` scope; `{"": count}` of the pooled network with `global` scope.
        """
        if self.scope == "global":
            return {"": round(sum(sizes.values()) * (1 - self.rate) ** level)}
        return {name: round(size * (1 - self.rate_of(name)) ** level) for name, size in sizes.items()}


class _Identified:
    """Room for what follows from the fields of a frozen class, found once; no field itself, so nothing else sees it."""

    __slots__ = ("_identity",)
    _identity: str

    def _remember(self, identity: str) -> str:
        object.__setattr__(self, "_identity", identity)
        return identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(_Identified):
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
class Method(_Identified):
    """One arm: where the mask comes from, which weights start, how they train.

    Each column is a name of `bench.tickets.columns`, or `package.module:name` of a column, or its function, of your own.

    Args:
        name: the arm's name.
        mask: column 1; see `bench.tickets.columns.MASKS`.
        weights: column 2; see `bench.tickets.columns.WEIGHTS`.
        training: column 3; see `bench.tickets.columns.TRAININGS`.
        parents: units whose masks or weights the columns need: `dense` of the same seed, the `previous` level of the same
            method (level 0 is `dense`), the `ticket` of the same level, again as the `twin` that is trained from the same
            start; the ticket of the `source` task of the same level and seed, and its `source-dense`.
            `bench.tickets.methods.define` finds them.
        options: numbers of the method itself, handed to its functions; `source`, the name of the source task without its
            domain; `code_sha256`, the digests of the files that define it, where no package does.
        version: raised when the method's meaning changes.
        about: one line for people.
    """

    name: Name
    mask: Name
    weights: Name
    training: Name
    parents: tuple[Role, ...] = ()
    options: Mapping[Name, Json] = field(default_factory=dict)
    version: Version = 1
    about: Text = ""

    def __post_init__(self) -> None:
        if not isinstance(self.options.get("source", ""), str):
            raise SpecError(f"method {self.name} has source {self.options['source']!r}: it is the name of a task")
        code = self.options.get(CODE, {})
        if not isinstance(code, Mapping) or not all(isinstance(digest, str) for digest in code.values()):
            raise SpecError(f"method {self.name} has {CODE} {code!r}: it is a table, file -> sha256")

    @property
    def is_chain(self) -> bool:
        """Whether level k needs level k - 1 of the same method."""
        return "previous" in self.parents

    @property
    def source(self) -> str | None:
        """The task, without its domain, whose ticket it takes; None if it stays on its own task."""
        return self.options.get("source") if "source" in self.parents else None

    @property
    def code(self) -> Mapping[str, str]:
        """File -> sha256, of a method from a file of somebody's own; empty of all others."""
        code: Mapping[str, str] = self.options.get(CODE, {})
        return code

    @property
    def is_template(self) -> bool:
        """Whether it is no arm before a source task is named; see `from_source`."""
        return "source" in self.parents and self.source is None

    def from_source(self, task: str) -> Method:
        """The arm `template+TASK` of a template.

        Args:
            task: without its domain.
        """
        return dataclasses.replace(self, name=f"{self.name}+{task}", options={**self.options, "source": task})

    @property
    def identity(self) -> str:
        """All but the line about it, as canonical JSON."""
        try:
            return self._identity
        except AttributeError:
            return self._remember(method_identity(to_json(self)))

    def parent_of(self, role: Role, level: int) -> tuple[str, int]:
        """The (method, level) that plays `role` for this method at `level`."""
        if role in ("ticket", "twin", "source"):
            return "ticket", level
        if role == "previous" and level > 1:
            return self.name, level - 1
        return DENSE, 0

    def task_of(self, role: Role, task: Task) -> str:
        """The name of the task, of the same scale, whose unit plays `role` for this method on `task`."""
        return f"{task.domain}/{self.source}" if role in SOURCES else task.name


def share_of_budget(at: str) -> Fraction | None:
    """The part of the budget after which a score is read, exactly: 1/20 of `5%`; None where it is read otherwise.

    Args:
        at: an entry of a task's `at`.
    """
    found = _READING.fullmatch(at)
    return Fraction(found["percent"]) / 100 if found and found["percent"] else None


def search_cost(updates: int, parents: Mapping[Role, int]) -> int:
    """Updates spent to obtain a unit: its own and those of its dearest parent.

    Of a transfer that is the source's ticket with its whole chain, however dear the target's dense network: nothing was
    searched for there.

    Args:
        updates: its own.
        parents: role -> search cost of the unit that plays it.
    """
    return updates + parents.get("source", max(parents.values(), default=0))


def coincident(method: str, task: Task) -> str | None:
    """The method that `method` is the same as on `task`, if there is one.

    Rewinding to step 0 makes `ticket-init` the `ticket`; a constant learning rate makes `fine-tune` `lr-rewind`, unless the
    task says why not in `unsupported`.
    """
    if method in task.unsupported:
        return None
    if method == "ticket-init" and task.rewind_step == 0:
        return "ticket"
    if method == "fine-tune" and task.constant_rate:
        return "lr-rewind"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(_Identified):
    """One training: a task, a method, a level and a seed.

    Args:
        task: what is trained.
        method: the arm.
        level: number of pruning rounds; 0 for dense.
        seed: the replicate.
        parents: role -> id of the unit that plays it.
    """

    task: Task
    method: Method
    level: Level
    seed: Seed
    parents: Mapping[Role, Digest] = field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        """Everything that was asked, as JSON: what a record embeds."""
        return {
            "spec_version": SPEC_VERSION,
            "task": to_json(self.task),
            "method": to_json(self.method),
            "level": self.level,
            "seed": self.seed,
            "parents": dict(self.parents),
        }

    @property
    def id(self) -> str:
        """sha256 over the part of the spec that decides what is trained and how it is evaluated, in hex; see `unit_id`."""
        try:
            return self._identity
        except AttributeError:
            return self._remember(text_digest(self._canonical()))

    def _canonical(self) -> str:
        """The canonical JSON of the identifying part of `spec()`, from parts that all units of a task or a method share."""
        return (
            f'{{"level":{canonical_json(self.level)},"method":{self.method.identity},'
            f'"parents":{canonical_json(dict(self.parents))},"seed":{canonical_json(self.seed)},'
            f'"spec_version":{SPEC_VERSION},"task":{self.task.identity}}}'
        )

    @property
    def label(self) -> str:
        """`vision/lenet-mnist@quick ticket L12 s0`: the unit in a message."""
        return f"{self.task.key} {self.method.name} L{self.level} s{self.seed}"

    @property
    def path(self) -> str:
        """The unit's folder inside a store."""
        return f"{self.task.name}/{self.method.name}/s{self.seed}/L{self.level:02d}-{self.id[:DIGITS]}"

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Unit:
        """The unit that `spec()` described.

        Raises:
            SpecError: if the spec is not one this version writes.
        """
        version = spec.get("spec_version")
        if version != SPEC_VERSION:
            raise SpecError(f"spec version is {version}, this ticketbench reads {SPEC_VERSION}: install a matching one")
        try:
            return msgspec.convert({key: value for key, value in spec.items() if key != "spec_version"}, cls)
        except ValueError as error:
            raise SpecError(f"not the spec of a unit: {error}; it was not written by this version") from error


def unit_id(spec: Mapping[str, Any]) -> str:
    """The id of the unit that `spec` describes: sha256 of the canonical JSON of its identifying part."""
    return json_digest({**spec, "task": _identifying(spec["task"]), "method": _without_about(spec["method"])})


def task_identity(task: Mapping[str, Any]) -> str:
    """What makes two tasks, given as JSON, the same: everything that decides what is trained and how it is evaluated."""
    return canonical_json(_identifying(task))


def method_identity(method: Mapping[str, Any]) -> str:
    """What makes two methods, given as JSON, the same: all but the line about it."""
    return canonical_json(_without_about(method))


def _identifying(task: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in task.items() if key not in REPORTED_ONLY}


def _without_about(method: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in method.items() if key != "about"}


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


def method_from_json(data: Mapping[str, Any]) -> Method:
    """The method that `to_json` described."""
    return Method(**{**data, "parents": tuple(data["parents"])})


def misfit(value: Any, hint: Any) -> str | None:
    """Why a value is none of a type with bounds, once it is written as JSON; None if it is one."""
    try:
        msgspec.convert(to_json(value), hint)
    except (msgspec.ValidationError, SpecError) as error:
        return f"{str(error)[:1].lower()}{str(error)[1:]}"
    return None


def to_json(value: Any) -> Any:
    """Frozen dataclasses, tuples and mappings as plain JSON values.

    Raises:
        SpecError: if a number is NaN or infinite.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError(f"a spec holds the number {value}: only finite numbers have an id")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One task of a suite with the methods, levels and seeds it is run at."""

    task: Task
    methods: tuple[Method, ...]
    levels: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of tasks, methods, levels and seeds.

    Iterative chains run every round up to the highest level; other methods run at the levels listed; `dense` at 0.
    """

    name: str
    title: str
    entries: tuple[Entry, ...]
