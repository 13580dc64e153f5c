"""What each column of a method promises, and whether one observed unit keeps it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.learner import Domain, Mask, State
from bench.spec import DENSE, Method, Role, Task, Unit
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.choose import Parent
from bench.tickets.conformance.watch import Seen, WatchedDomain
from bench.tickets.methods import METHODS
from bench.tickets.metrics import metrics
from bench.tickets.protocol import Result, run_unit

DYNAMIC = ("gmp", "set", "rigl")
CHANCE_SD = 5.0
"""How many standard deviations of chance a random mask may overlap with the ticket."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One unit, run and watched, with all it can be held against.

    Args:
        method: what was run.
        promise: the arm of that name as this package defines it; the method itself if it is a new one.
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
        fresh: the level's shared draw of fresh weights.
    """

    method: Method
    promise: Method
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
    fresh: State

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


class Family:
    """Units of one seed, run in memory, each parent once."""

    def __init__(self, domain: Domain, task: Task, *, device: str, seed: int) -> None:
        """Run nothing yet."""
        self.domain = WatchedDomain(domain)
        self._task, self._device, self._seed = task, device, seed
        self._results: dict[tuple[str, int], tuple[Result, Seen]] = {}

    def run(self, method: Method, level: int) -> tuple[Result, Seen]:
        """The unit's result, and what its learner did."""
        key = (method.name, level)
        if key not in self._results:
            parents = {role: self._parent(method, role, level) for role in method.parents}
            unit = Unit(
                task=self._task,
                method=method,
                level=level,
                seed=self._seed,
                parents={role: parent.result for role, parent in parents.items()},
            )
            self.domain.seen.clear()
            result = run_unit(unit, self.domain, parents, device=self._device)
            self._results[key] = result, self.domain.trained
        return self._results[key]

    def _parent(self, method: Method, role: Role, level: int) -> Parent:
        name, at = method.parent_of(role, level)
        result, _ = self.run(method if name == method.name else METHODS[name], at)
        states = result.trained.states
        return Parent(
            mask=result.trained.mask, state=states.__getitem__, search_cost=0, result=f"{name} level {at} in memory"
        )


def observe(method: Method, domain: Domain, task: Task, *, level: int, device: str, seed: int) -> Case:
    """Run the unit, its parents, and its doubles."""
    if method.name == DENSE:
        level = 0
    family = Family(domain, task, device=device, seed=seed)
    result, seen = family.run(method, level)
    dense, dense_seen = family.run(METHODS[DENSE], 0) if method.name != DENSE else (result, seen)
    ticket = None
    if level:
        ticket, _ = family.run(METHODS["ticket"] if method.name != "ticket" else method, level)
    torch.manual_seed(level + 99)
    doubles = [Family(domain, task, device=device, seed=each).run(method, level)[0] for each in (seed, seed + 1)]
    learner = domain.learner(task, streams=Streams(seed, level).refreshed(), device=device)
    entries = masks.prunable(learner, task.pruning)
    return Case(
        method=method,
        promise=METHODS.get(method.name, method),
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
        fresh=learner.snapshot(),
    )


def equal(one: Tensor, other: Tensor) -> bool:
    """Equal to the bit, wherever the tensors are."""
    return one.shape == other.shape and bool(torch.equal(one.cpu(), other.cpu()))


def leaks(seen: Seen, mask: Mask) -> Iterator[str]:
    """Pruned entries that had a weight or a gradient when the optimizer stepped."""
    for name, each in mask.items():
        for what, moved in (("weight", seen.weights), ("gradient", seen.gradients)):
            if name in moved and bool((moved[name].cpu() & ~each).any()):
                yield f"pruned entries of {name} had a non-zero {what} during training"


def _no_leaks(case: Case) -> Iterator[str]:
    if case.promise.training not in DYNAMIC:
        yield from leaks(case.seen, case.result.trained.mask)
    final = case.result.trained.states["final"].weights
    for name, mask in case.result.trained.mask.items():
        if bool((final[name].cpu()[~mask] != 0).any()):
            yield f"pruned weights of {name} are not zero in the end"


def _binary_and_nested(case: Case) -> Iterator[str]:
    shapes = {name: weight.shape for name, weight in case.fresh.weights.items()}
    for name, mask in case.result.trained.mask.items():
        if mask.dtype != torch.bool or mask.shape != shapes.get(name):
            yield f"the mask of {name} is not a bool tensor of that parameter's shape"
    if case.previous is None:
        return
    before = {**masks.ones(case.entries), **case.previous.trained.mask}
    for name, mask in case.mask.items():
        if bool((mask & ~before[name]).any()):
            yield f"the mask of {name} keeps weights that the round before had pruned"


def _counts(case: Case) -> Iterator[str]:
    if case.promise.weights == "narrow" or case.promise.name == DENSE:
        return
    kept = masks.kept(case.mask, case.entries)
    if sum(kept.values()) != sum(case.keep.values()):
        yield f"{sum(kept.values())} weights are kept, the level leaves {sum(case.keep.values())}"
    quota = case.promise.mask in ("iterative", "one-shot", "ticket", "shuffled") or case.promise.training == "gmp"
    if quota and "" not in case.keep and kept != case.keep:
        yield f"layers keep {kept}, the level leaves {case.keep}"


def _only_prunable(case: Case) -> Iterator[str]:
    for name, mask in case.result.trained.mask.items():
        if name not in case.entries or bool((~mask & ~case.entries[name]).any()):
            yield f"{name} has pruned entries that the task exempts"


def _start_weights(case: Case) -> Iterator[str]:
    """The survivors start from what column 2 promises, to the bit, and buffers with them."""
    column = case.promise.weights
    states = case.dense.trained.states
    expected = {"rewind": states["rewind"], "initial": states["initial"], "fresh": case.fresh}.get(column)
    if column == "trained":
        expected = (case.previous or case.dense).trained.states["final"]
    if expected is not None:
        start = case.start_mask if case.promise.training in DYNAMIC else case.mask
        for name, weight in expected.masked(start).weights.items():
            if not equal(weight, case.start.weights[name]):
                yield f"survivors of {name} do not start from the {column} weights"
    buffers = expected or (states["rewind"] if column == "permuted" else case.fresh)
    if column == "narrow":
        return
    for name, value in buffers.buffers.items():
        if name not in case.start.buffers or not equal(value, case.start.buffers[name]):
            yield f"buffer {name} does not start from the {column} state"


def _controls(case: Case) -> Iterator[str]:
    """A control differs from the ticket in what it declares, and only there."""
    if case.ticket is None or case.method.name == "ticket":
        return
    ticket = {**masks.ones(case.entries), **case.ticket.trained.mask}
    theta = case.dense.trained.states["rewind"].masked(ticket).weights
    unequal = [name for name in case.entries if not equal(case.mask[name], ticket[name])]
    if case.promise.mask == "ticket" and unequal:
        yield f"the mask is not the ticket's in {', '.join(unequal)}"
    if case.promise.mask in ("shuffled", "uniform", "erk") and case.promise.training not in DYNAMIC:
        yield from _by_chance(case, ticket)
    if case.promise.mask == "shuffled" and masks.kept(case.mask, case.entries) != masks.kept(ticket, case.entries):
        yield "the shuffled mask does not keep the ticket's count in every layer"
    other_weights = case.promise.weights in ("fresh", "fresh-signed", "permuted")
    if other_weights and all(equal(case.start.weights[name], theta[name]) for name in case.entries):
        yield "the start is the ticket's: this control controls nothing"
    for name in case.entries:
        yield from _derived_weights(case, name, theta[name].cpu(), case.start.weights[name].cpu())


def _derived_weights(case: Case, name: str, theta: Tensor, start: Tensor) -> Iterator[str]:
    if case.promise.weights == "fresh-signed":
        both = (theta != 0) & (start != 0)
        if not equal(theta.sign()[both], start.sign()[both]) or not equal(
            start.abs(), case.fresh.weights[name].cpu().abs() * case.mask[name]
        ):
            yield f"{name} does not start from fresh sizes with the ticket's signs"
    if case.promise.weights == "permuted" and not equal(theta.flatten().sort().values, start.flatten().sort().values):
        yield f"{name} does not start from a permutation of the ticket's values"


def _by_chance(case: Case, ticket: Mask) -> Iterator[str]:
    """Overlap with the ticket is hypergeometric: over the network for a uniform draw, inside layers otherwise."""
    sizes, ours = masks.sizes(case.entries), masks.kept(case.mask, case.entries)
    theirs = masks.kept(ticket, case.entries)
    common = masks.kept({name: case.mask[name] & ticket[name] for name in case.entries}, case.entries)
    if case.promise.mask == "uniform":
        draws = [(sum(sizes.values()), sum(ours.values()), sum(theirs.values()))]
    else:
        draws = [(sizes[name], ours[name], theirs[name]) for name in case.entries]
    mean = sum(k * m / n for n, k, m in draws)
    variance = sum(k * m / n * (n - k) / n * (n - m) / max(1, n - 1) for n, k, m in draws)
    found = sum(common.values())
    if abs(found - mean) > CHANCE_SD * math.sqrt(variance) + 0.5:
        yield f"the random mask shares {found} weights with the ticket, chance gives {mean:.0f}: it is not random"


def _training(case: Case) -> Iterator[str]:
    """Where training starts and ends, and at which learning rates."""
    rewind = case.dense.trained.states["rewind"].step
    budget, kind = case.task.budget, case.promise.training
    begin, length = {"rewound": (rewind, budget - rewind), "last-rate": (budget, budget - rewind)}.get(
        kind, (0, budget)
    )
    if case.start.step != begin:
        yield f"training starts at step {case.start.step}, {kind} starts at {begin}"
    if case.task.unit == "updates" and case.result.trained.steps != length:
        yield f"training took {case.result.trained.steps} steps, {kind} takes {length}"
    rates, dense = dict(case.seen.rates), dict(case.dense_seen.rates)
    if kind == "last-rate" and set(rates.values()) != {case.dense_seen.rates[-1][1]}:
        yield f"learning rates are {sorted(set(rates.values()))}, the dense run's last is {case.dense_seen.rates[-1][1]}"
    if kind != "last-rate" and (begin == 0 or case.task.schedule == "resume"):
        wrong = [step for step in rates.keys() & dense.keys() if not math.isclose(rates[step], dense[step])]
        if wrong or not rates.keys() & dense.keys():
            yield f"learning rates differ from the dense run's at steps {sorted(wrong)[:5]}"


def _passes(case: Case) -> Iterator[str]:
    rounds = case.promise.options.get("rounds", 0)
    if case.promise.mask == "synflow" and case.seen.ones < rounds:
        yield f"synaptic flow was measured {case.seen.ones} times, the method takes {rounds} rounds"


def _reproducible(case: Case) -> Iterator[str]:
    one, two, other = (each.trained for each in (case.result, case.again, case.other))
    for name in one.mask:
        if not equal(one.mask[name], two.mask[name]):
            yield f"the mask of {name} depends on more than seed and level: draw it from the `mask` stream"
    for name, weight in one.states["final"].weights.items():
        if not equal(weight, two.states["final"].weights[name]):
            yield f"the final {name} depends on more than seed and level"
    if one.mask and case.promise.mask != "ones" and all(equal(one.mask[name], other.mask[name]) for name in one.mask):
        yield "another seed gives the same mask"


def _selection(case: Case) -> Iterator[str]:
    """Early-stop numbers stand at the validation optimum; final numbers stand at the end."""
    trained = case.result.trained
    recorded = metrics(case.task, trained.curve, steps=trained.steps, diverged=trained.diverged is not None)
    select = case.task.select
    chosen = trained.curve[-1]
    for metric in recorded:
        if metric["at"] == "early-stop" and select is not None:
            sign = 1 if case.task.directions[select] == "min" else -1
            values = [sign * point["metrics"]["val"][select] for point in trained.curve]
            chosen = trained.curve[values.index(min(values))]
        else:
            chosen = trained.curve[-1]
        if metric["step"] != chosen["step"] or metric["value"] != chosen["metrics"][metric["split"]][metric["name"]]:
            yield f"{metric['name']} on {metric['split']} at {metric['at']} is not that of step {chosen['step']}"


def _dynamics(case: Case) -> Iterator[str]:
    if case.promise.training not in DYNAMIC:
        return
    for name, count in case.seen.stale.items():
        if count:
            yield f"{count} grown weights of {name} kept moments of an earlier life"
    if all(equal(case.start_mask[name], case.mask[name]) for name in case.entries):
        yield f"the mask never changed while training: {case.promise.training} did not act"


METHOD_CHECKS: tuple[tuple[str, Callable[[Case], Iterator[str]]], ...] = (
    ("C2", _no_leaks),
    ("C3", _binary_and_nested),
    ("C5", _counts),
    ("C6", _only_prunable),
    ("C1", _start_weights),
    ("C8", _controls),
    ("C9", _training),
    ("C9", _passes),
    ("C10", _reproducible),
    ("C13", _selection),
    ("C14", _dynamics),
)
