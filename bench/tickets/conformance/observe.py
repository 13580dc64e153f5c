"""Runs one unit of a method with its parents and its doubles, in memory, with eyes on every learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from bench.doors import HiddenLayer, NamesNodes
from bench.learner import Domain, Learner, Mask, State
from bench.registry import SOURCE, tasks
from bench.spec import DENSE, SOURCES, Method, Role, Task, Unit
from bench.streams import Streams
from bench.tickets import masks, transfer
from bench.tickets.columns import Columns, columns
from bench.tickets.conformance.findings import Tell, silent
from bench.tickets.conformance.watch import Seen, WatchedDomain
from bench.tickets.inputs import Parent
from bench.tickets.methods import METHODS, TEMPLATES
from bench.tickets.protocol import Result, run_unit


@dataclass(frozen=True, kw_only=True)
class Case:
    """One unit, run and watched, with all it can be held against.

    Args:
        method: what was run.
        promise: what the columns of the arm of that name promise, as this package defines it; or of a new one, as it does.
        task: on which.
        entries: what may be pruned.
        keep: what the level leaves.
        result: what came out.
        again: the same unit, run after other random numbers were drawn.
        other: the same unit at another seed.
        seen: what its learner did.
        dense_seen: what the dense learner did.
        dense: the dense unit of the seed.
        ticket: the ticket of the level; None for dense.
        previous: the level before, of a chain.
        source: of a transfer, the source task's ticket of the level.
        source_dense: of a transfer, the source task's dense unit, if the method looks at it.
        statistics: names of the buffers of the network itself, such as those of batch norm.
        hidden: the layers of hidden nodes, of a learner that names them.
        new_head: of a transfer of weights, the parameters that start from the task's own initial ones.
        fresh: the level's shared draw of fresh weights.
        written: weights of its parents that the method changed.
    """

    method: Method
    promise: Columns
    task: Task
    entries: Mask
    keep: dict[str, int]
    result: Result
    again: Result
    other: Result
    seen: Seen
    dense_seen: Seen
    dense: Result
    ticket: Result | None
    previous: Result | None
    source: Result | None
    source_dense: Result | None
    statistics: frozenset[str]
    hidden: tuple[HiddenLayer, ...]
    new_head: frozenset[str]
    fresh: State
    written: list[str]

    @property
    def start(self) -> State:
        """The state that training started from."""
        return self.seen.loaded[0]

    @property
    def mask(self) -> Mask:
        """The mask in the end, whole parameters included."""
        return {**masks.ones(self.entries), **self.result.trained.mask}

    @property
    def start_mask(self) -> Mask:
        """The mask that training started with, where it is not the mask in the end."""
        return {name: self.start.weights[name].cpu() != 0 for name in self.entries}


class Lineage:
    """Units of one seed, run in memory, each parent once."""

    def __init__(self, domain: Domain, task: Task, *, device: str, seed: int, tell: Tell = silent) -> None:
        """Run nothing yet."""
        self.domain, self._tell = WatchedDomain(domain), tell
        self._task, self._device, self._seed = task, device, seed
        self._handed: dict[str, list[tuple[State, State]]] = {}
        self._results: dict[tuple[str, str, int], tuple[Result, Seen]] = {}

    def run(self, method: Method, level: int, task: Task | None = None) -> tuple[Result, Seen]:
        """The unit's result, and what its learner did; on the task of the lineage, unless another is named."""
        task = task or self._task
        key = (task.key, method.name, level)
        if key not in self._results:
            parents = {role: self._parent(method, role, level, task) for role in method.parents}
            unit = Unit(
                task=task,
                method=method,
                level=level,
                seed=self._seed,
                parents={role: parent.result for role, parent in parents.items()},
            )
            self.domain.next_unit()
            self._tell(f"training {unit.label}")
            result = run_unit(unit, self.domain, parents, device=self._device, report=self._report)
            self._results[key] = result, self.domain.trained
        return self._results[key]

    def _report(self, _: int, metrics: Mapping[str, float]) -> None:
        """What `run_unit` reports without metrics is that its training begins."""
        if not metrics:
            self.domain.training_begins()

    def of_role(self, method: Method, role: Role, level: int, task: Task | None = None) -> Result:
        """The unit that plays `role` for a method."""
        task = task or self._task
        name, at = method.parent_of(role, level)
        return self.run(method if name == method.name else METHODS[name], at, self.home(method, role, task))[0]

    def home(self, method: Method, role: Role, task: Task) -> Task:
        """The task of the unit that plays `role` for a method on `task`."""
        name = method.task_of(role, task)
        known = {**tasks(), **self.domain.tasks()}
        return task if name == task.name else rewinding(known[f"{name}@{task.scale}"])

    def _parent(self, method: Method, role: Role, level: int, task: Task) -> Parent:
        home = self.home(method, role, task)
        trained = self.of_role(method, role, level, task).trained

        def state(asked: str) -> State:
            copy = trained.states[asked].masked({})
            self._handed.setdefault(method.name, []).append((copy, trained.states[asked]))
            return copy

        result = f"{role} of level {level} in memory"
        return Parent(mask=trained.mask, state=state, search_cost=0, result=result, task=home)

    def new_head(self, method: Method, learner: Learner) -> frozenset[str]:
        """See `bench.tickets.transfer.new_head`."""
        source = self.home(method, "source", self._task)
        return transfer.new_head(learner, self.domain, source=source, target=self._task)

    def written(self, method: Method) -> list[str]:
        """Names of the weights that a method changed in states which its parents only lent it."""
        pairs = (
            (name, lent.weights[name], own)
            for lent, kept in self._handed.get(method.name, [])
            for name, own in kept.weights.items()
        )
        return sorted({name for name, lent, own in pairs if not torch.equal(lent, own)})


def rewinding(task: Task) -> Task:
    """The task, or where it rewinds to step 0 one that rewinds to its first evaluation, if that is before its end.

    Only there do the rewind weights differ from the initial ones, and only there is told which of them a method takes.
    """
    late = task.evaluate_every
    return task if task.rewind_step or late >= task.budget else replace(task, rewind_step=late)


def promised(method: Method) -> Method:
    """The arm whose promises a method is held to: the built-in one of its name, else itself."""
    return METHODS.get(method.name) or TEMPLATES.get(method.name.partition(SOURCE)[0]) or method


def observe(method: Method, domain: Domain, task: Task, *, level: int, device: str, seed: int, tell: Tell) -> Case:
    """Run the unit, its parents, and its doubles; see `rewinding`."""
    if method.name == DENSE:
        level = 0
    task = rewinding(task)
    family = Lineage(domain, task, device=device, seed=seed, tell=tell)
    result, seen = family.run(method, level)
    dense, dense_seen = family.run(METHODS[DENSE], 0) if method.name != DENSE else (result, seen)
    ticket = None
    if level:
        ticket, _ = family.run(METHODS["ticket"] if method.name != "ticket" else method, level)
    torch.manual_seed(level + 99)
    again = [Lineage(domain, task, device=device, seed=other, tell=tell) for other in (seed, seed + 1)]
    doubles = [double.run(method, level)[0] for double in again]
    learner = domain.learner(task, streams=Streams(seed, level).refreshed(), device=device)
    entries = masks.prunable(learner, task.pruning)
    source, source_dense = (family.of_role(method, role, level) if role in method.parents else None for role in SOURCES)
    return Case(
        method=method,
        promise=columns(promised(method)),
        task=task,
        entries=entries,
        keep=task.pruning.keep(masks.sizes(entries), level),
        result=result,
        again=doubles[0],
        other=doubles[1],
        seen=seen,
        dense_seen=dense_seen,
        dense=dense,
        ticket=ticket,
        previous=family.run(method, level - 1)[0] if method.is_chain and level > 1 else None,
        source=source,
        source_dense=source_dense,
        statistics=frozenset(name for name, _ in learner.module.named_buffers()),
        hidden=learner.hidden if isinstance(learner, NamesNodes) else (),
        new_head=family.new_head(method, learner) if source_dense else frozenset(),
        fresh=learner.snapshot(),
        written=family.written(method),
    )
