"""The three columns of every method: where the mask comes from, which weights start, how they train.

A column is a name of one of the tables at the end, or `package.module:function` with the same signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any, TypeVar

import torch

from bench.errors import SpecError
from bench.learner import Domain, Learner, Mask, State
from bench.spec import Role, Unit
from bench.streams import Streams
from bench.tickets import masks, saliency
from bench.tickets.dynamic import Dynamics, GradualPruning, Regrowth

F = TypeVar("F")

UNIFORM, SHUFFLED, ERK, PERMUTED = range(4)
"""Substreams of `mask`: two arms of one level never share a draw. (`dynamic` uses 4.)"""


@dataclass(frozen=True, kw_only=True)
class Parent:
    """What a finished unit hands to its children.

    Args:
        mask: its mask.
        state: `initial`, `rewind` or `final` -> that state.
        search_cost: updates spent to obtain it, ancestors included.
        result: its result digest.
    """

    mask: Mask
    state: Callable[[str], State]
    search_cost: int
    result: str


@dataclass(frozen=True, kw_only=True)
class Start:
    """A subnetwork, ready to be trained.

    Args:
        mask: which weights are kept.
        state: the weights it starts from, and the step it starts at.
        until: the step at which training ends.
        dynamics: what changes the mask while training, if anything.
    """

    mask: Mask
    state: State
    until: int
    dynamics: Dynamics | None = None


class MethodInputs:
    """What a method may look at when it chooses.

    Args:
        unit: what was asked.
        domain: builds further learners of the same task.
        device: where.
        parents: role -> parent.

    Attributes:
        learner: the network at its initial weights; `narrow` puts a narrower one in its place.
    """

    def __init__(self, unit: Unit, domain: Domain, device: str, parents: Mapping[Role, Parent]) -> None:
        """Build the learner at its initial weights."""
        self.unit, self.task, self.parents = unit, unit.task, parents
        self.options: Mapping[str, Any] = unit.method.options
        self.streams = Streams(unit.seed, unit.level)
        self._domain, self._device = domain, device
        self.learner: Learner = domain.learner(self.task, streams=self.streams, device=device)
        self.entries = masks.prunable(self.learner, self.task.pruning)
        self.keep = self.task.pruning.keep(masks.sizes(self.entries), unit.level)

    @property
    def count(self) -> int:
        """How many weights the level leaves in the whole network."""
        return sum(self.keep.values())

    @cached_property
    def fresh(self) -> State:
        """Fresh initial weights: one draw per (seed, level), shared by all arms that start fresh."""
        return self.build(1.0).snapshot()

    def build(self, width: float) -> Learner:
        """A learner with fresh weights and `width` times the hidden units."""
        return self._domain.learner(self.task, streams=self.streams.refreshed(), device=self._device, width=width)

    def generator(self, purpose: int) -> torch.Generator:
        """The level's `mask` stream for one purpose."""
        return self.streams.torch("mask", purpose)


# Column 1: masks.


def _none(_: MethodInputs) -> Mask:
    return {}


def _ones(setting: MethodInputs) -> Mask:
    return masks.ones(setting.entries)


def _iterative(setting: MethodInputs) -> Mask:
    """Smallest trained weights of the round before go; only survivors compete."""
    previous = setting.parents["previous"]
    survivors = {**masks.ones(setting.entries), **previous.mask}
    scores = saliency.magnitude(previous.state("final").weights, setting.entries)
    return masks.highest(scores, survivors, setting.entries, setting.keep)


def _one_shot(setting: MethodInputs) -> Mask:
    scores = saliency.magnitude(setting.parents["dense"].state("final").weights, setting.entries)
    return masks.highest(scores, setting.entries, setting.entries, setting.keep)


def _of_ticket(setting: MethodInputs) -> Mask:
    return setting.parents["ticket"].mask


def _shuffled(setting: MethodInputs) -> Mask:
    return masks.shuffled(setting.parents["ticket"].mask, setting.entries, setting.generator(SHUFFLED))


def _uniform(setting: MethodInputs) -> Mask:
    return masks.uniform(setting.entries, setting.count, setting.generator(UNIFORM))


def _erk(setting: MethodInputs) -> Mask:
    counts = masks.erk(setting.entries, setting.count)
    return masks.uniform_per_layer(setting.entries, counts, setting.generator(ERK))


def _globally(setting: MethodInputs, scores: saliency.Scores) -> Mask:
    return masks.highest(scores, setting.entries, setting.entries, {"": setting.count})


def _magnitude(setting: MethodInputs) -> Mask:
    return _globally(setting, saliency.magnitude(setting.learner.snapshot().weights, setting.entries))


def _snip(setting: MethodInputs) -> Mask:
    return _globally(setting, saliency.snip(setting.learner, setting.entries, **setting.options))


def _grasp(setting: MethodInputs) -> Mask:
    return _globally(setting, saliency.grasp(setting.learner, setting.entries, **setting.options))


def _synflow(setting: MethodInputs) -> Mask:
    return saliency.synflow(setting.learner, setting.entries, keep=setting.count, **setting.options)


# Column 2: weights.


def _initial(setting: MethodInputs, _: Mask) -> State:
    return setting.learner.snapshot()


def _rewind(setting: MethodInputs, _: Mask) -> State:
    return setting.parents["dense"].state("rewind")


def _trained(setting: MethodInputs, _: Mask) -> State:
    return setting.parents["previous"].state("final")


def _fresh(setting: MethodInputs, _: Mask) -> State:
    return setting.fresh


def _fresh_signed(setting: MethodInputs, mask: Mask) -> State:
    signs = setting.parents["dense"].state("rewind").weights
    weights = {
        name: weight.abs().copysign(signs[name].to(weight.device)) if name in mask else weight
        for name, weight in setting.fresh.weights.items()
    }
    return replace(setting.fresh, weights=weights)


def _permuted(setting: MethodInputs, mask: Mask) -> State:
    """The rewound values of each layer's survivors, in another order."""
    state = setting.parents["dense"].state("rewind")
    generator = setting.generator(PERMUTED)
    weights = {name: weight.clone() for name, weight in state.weights.items()}
    for name, entries in setting.entries.items():
        survivors = (mask[name] & entries).to(weights[name].device)
        values = weights[name][survivors]
        weights[name][survivors] = values[torch.randperm(values.numel(), generator=generator).to(values.device)]
    return replace(state, weights=weights)


def _narrow(setting: MethodInputs, _: Mask) -> State:
    """Fresh weights of the narrower network whose prunable weights come nearest to the level's count."""
    low, high = 0.0, 1.0
    nearest = setting.build(high)
    for _round in range(16):
        middle = (low + high) / 2
        narrower = setting.build(middle)
        excess = prunable_count(narrower, setting) - setting.count
        if abs(excess) <= abs(prunable_count(nearest, setting) - setting.count):
            nearest = narrower
        low, high = (low, middle) if excess > 0 else (middle, high)
    setting.learner = nearest
    return nearest.snapshot()


def prunable_count(learner: Learner, setting: MethodInputs) -> int:
    """How many weights of `learner` the task may prune."""
    return sum(masks.sizes(masks.prunable(learner, setting.task.pruning)).values())


# Column 3: training.


def _full(setting: MethodInputs, mask: Mask, state: State) -> Start:
    return Start(mask=mask, state=state, until=setting.task.budget)


def _rewound(setting: MethodInputs, mask: Mask, state: State) -> Start:
    """From the rewind step to the end of the budget; `restart` winds the schedule back too."""
    rewind = setting.parents["dense"].state("rewind")
    origin = rewind.step if setting.task.schedule == "restart" else 0
    state = replace(state, step=rewind.step, updates=rewind.updates, origin=origin)
    return Start(mask=mask, state=state, until=setting.task.budget)


def _last_rate(setting: MethodInputs, mask: Mask, state: State) -> Start:
    """As many steps as a rewound run, beyond the budget, where schedules hold their last value."""
    budget = setting.task.budget
    length = budget - setting.parents["dense"].state("rewind").step
    return Start(mask=mask, state=replace(state, step=budget, origin=0), until=budget + length)


def _gmp(setting: MethodInputs, mask: Mask, state: State) -> Start:
    rule = GradualPruning(setting.entries, setting.keep, budget=setting.task.budget, **setting.options)
    return replace(_full(setting, mask, state), dynamics=rule)


def _set(setting: MethodInputs, mask: Mask, state: State) -> Start:
    rule = Regrowth(setting.entries, setting.streams, budget=setting.task.budget, by_gradient=False, **setting.options)
    return replace(_full(setting, mask, state), dynamics=rule)


def _rigl(setting: MethodInputs, mask: Mask, state: State) -> Start:
    rule = Regrowth(setting.entries, setting.streams, budget=setting.task.budget, by_gradient=True, **setting.options)
    return replace(_full(setting, mask, state), dynamics=rule)


MASKS: dict[str, Callable[[MethodInputs], Mask]] = {
    "none": _none,
    "ones": _ones,
    "iterative": _iterative,
    "one-shot": _one_shot,
    "ticket": _of_ticket,
    "shuffled": _shuffled,
    "uniform": _uniform,
    "erk": _erk,
    "magnitude": _magnitude,
    "snip": _snip,
    "grasp": _grasp,
    "synflow": _synflow,
}
WEIGHTS: dict[str, Callable[[MethodInputs, Mask], State]] = {
    "initial": _initial,
    "rewind": _rewind,
    "trained": _trained,
    "fresh": _fresh,
    "fresh-signed": _fresh_signed,
    "permuted": _permuted,
    "narrow": _narrow,
}
TRAININGS: dict[str, Callable[[MethodInputs, Mask, State], Start]] = {
    "full": _full,
    "rewound": _rewound,
    "last-rate": _last_rate,
    "gmp": _gmp,
    "set": _set,
    "rigl": _rigl,
}


def column(table: Mapping[str, F], name: str) -> F:
    """The function behind a column's name.

    Raises:
        SpecError: if it is neither in the table nor an importable `package.module:function`.
    """
    if name in table:
        return table[name]
    module, _, function = name.partition(":")
    try:
        found: F = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise SpecError(
            f"method column {name!r}: write one of {', '.join(table)}, or package.module:function ({error})"
        ) from error
    return found


def choose(setting: MethodInputs) -> Start:
    """The subnetwork of the unit: its mask, the weights it starts from and how long it trains."""
    method = setting.unit.method
    mask = column(MASKS, method.mask)(setting)
    state = column(WEIGHTS, method.weights)(setting, mask)
    start = column(TRAININGS, method.training)(setting, mask, state)
    return replace(start, state=start.state.masked(start.mask))
