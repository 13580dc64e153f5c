"""The functions behind the columns of every built-in method, and the choice that they make together.

The contract of a column function, built in or from outside (its facts are a record of `bench.tickets.columns`):

- column 1, `(inputs) -> Mask`: parameter name -> bool tensor of the parameter's shape on the CPU, True where a weight is
  kept. It keeps exactly `inputs.count` of `inputs.entries`, where only entries that are True there may be False in the mask;
  parameters it leaves out are kept whole. Scores go through `masks.highest`, where ties go by index.
- column 2, `(inputs, mask) -> State`: the weights to start from, whole or masked: zeros are put under the mask afterwards. A
  column may give another `Learner`, already at its start, instead: that one is trained then, without a mask.
- column 3, `(inputs, mask, state) -> Start`: the step to start at, as `state.step`, the step to end at, and what changes the
  mask on the way.

`inputs` is a `bench.tickets.inputs.MethodInputs`. Its learner holds the seed's initial weights and must be left as it was
found; chance comes from `inputs.generator` and from nowhere else; parents are there if the column's record says `needs`. What
another method left (`inputs.parents[role].state(name)`) is shared: nothing of it is written to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from bench.code import own
from bench.code.named import named
from bench.doors import KeepsAccount
from bench.errors import SpecError
from bench.learner import Learner, Mask, State
from bench.tickets import masks, saliency, transfer
from bench.tickets.columns import MaskColumn, TrainingColumn, WeightsColumn, columns
from bench.tickets.dynamic import GradualPruning, Regrowth
from bench.tickets.inputs import MethodInputs, Start

UNIFORM, SHUFFLED, ERK, PERMUTED = range(4)
NOISE = 6
"""Substreams of `mask`, one for each kind of draw. (`dynamic` uses 4, `domains.teacher.choose` 5.)

Arms of one level that draw the same thing share the draw, so that they differ in nothing but what is asked about: `random-erk`,
`set` and `rigl` start from one ERK mask; every shuffle orders a layer's places by the same numbers, so that `shuffled-values` has
the mask of `shuffled`, and the shuffled saliencies differ from it by their layers' counts alone; `permuted` and `shuffled-values`
hand out a layer's values in one order. Draws of different kinds are independent.
"""


def choose(inputs: MethodInputs) -> Start:
    """The subnetwork of the unit: its mask, the weights it starts from and how long it trains.

    Raises:
        SpecError: if a column gives what its contract does not allow, if the method has an option that none reads, or if a
            file of somebody's own is not the one that the method was read from.
    """
    own.check(inputs.unit.method.code)
    column = columns(inputs.unit.method)
    mask: Mask = _given(inputs, "mask", column.mask)
    _check_mask(inputs, mask)
    if mask and inputs.entries.keys() - mask.keys():
        mask = {**masks.ones(inputs.entries), **mask}
    weights: State | Learner = _given(inputs, "weights", column.weights, mask)
    state = weights if isinstance(weights, State) else weights.snapshot()
    if column.weights.state == "trained" and isinstance(inputs.learner, KeepsAccount):
        state = inputs.learner.unaccounted(state)
    start: Start = _given(inputs, "training", column.training, mask, state)
    if unread := inputs.options.unread:
        raise SpecError(
            f"method {inputs.unit.method.name!r} has options that no column reads: {', '.join(unread)}; drop them, or "
            "mend their names"
        )
    _check_end(inputs, start)
    other = None if isinstance(weights, State) else weights
    return replace(start, state=start.state.masked(start.mask), learner=other)


KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "mask": ((Mapping,), "parameter name -> bool tensor"),
    "weights": ((State, Learner), "a bench.learner.State, or another Learner"),
    "training": ((Start,), "a bench.tickets.inputs.Start"),
}
"""Column -> what its function gives, and how to say it."""


def _given(inputs: MethodInputs, which: str, column: MaskColumn | WeightsColumn | TrainingColumn, *before: Any) -> Any:
    """What the function of a column gives, of the columns before it."""
    function = column.function if callable(column.function) else named(column.function, "method column")
    found, (kinds, told) = function(inputs, *before), KINDS[which]
    if not isinstance(found, kinds):
        kind = type(found).__name__
        raise SpecError(f"method {inputs.unit.method.name!r} gives a {kind} for its {which}: give {told}")
    return found


def _check_end(inputs: MethodInputs, start: Start) -> None:
    if not isinstance(start.until, int) or start.until < start.state.step:
        raise SpecError(
            f"method {inputs.unit.method.name!r} trains from step {start.state.step} until {start.until!r}: give a whole number "
            "of steps, none below its start"
        )


def _check_mask(inputs: MethodInputs, mask: Mask) -> None:
    shapes = {name: parameter.shape for name, parameter in inputs.learner.module.named_parameters()}
    what = f"the mask of method {inputs.unit.method.name!r}"
    for name, kept in mask.items():
        if name not in shapes:
            raise SpecError(f"{what} names {name!r}, which is no parameter: the network has {', '.join(shapes)}")
        if not isinstance(kept, torch.Tensor) or kept.dtype != torch.bool:
            kind = kept.dtype if isinstance(kept, torch.Tensor) else type(kept).__name__
            raise SpecError(f"{what} is {kind} in {name}: give a bool tensor, True where a weight is kept")
        if kept.shape != shapes[name]:
            raise SpecError(f"{what} has shape {tuple(kept.shape)} in {name}, the parameter {tuple(shapes[name])}")


# Column 1: masks.


def no_mask(_: MethodInputs) -> Mask:
    return {}


def whole_mask(inputs: MethodInputs) -> Mask:
    return masks.ones(inputs.entries)


def iterative_mask(inputs: MethodInputs) -> Mask:
    """Smallest trained weights of the round before go; only survivors compete."""
    previous = inputs.parents["previous"]
    survivors = {**masks.ones(inputs.entries), **previous.mask}
    scores = saliency.magnitude(previous.state("final").weights, inputs.entries)
    return masks.highest(scores, survivors, inputs.entries, inputs.keep)


def one_shot_mask(inputs: MethodInputs) -> Mask:
    scores = saliency.magnitude(inputs.parents["dense"].state("final").weights, inputs.entries)
    return masks.highest(scores, inputs.entries, inputs.entries, inputs.keep)


def increase_mask(inputs: MethodInputs) -> Mask:
    """What grew most in size in the dense network stays (1905.01067, section 3: magnitude increase)."""
    dense = inputs.parents["dense"]
    before, after = (saliency.magnitude(dense.state(name).weights, inputs.entries) for name in ("initial", "final"))
    growth = {name: after[name] - before[name] for name in inputs.entries}
    return masks.highest(growth, inputs.entries, inputs.entries, inputs.keep)


def ticket_mask(inputs: MethodInputs) -> Mask:
    return inputs.parents["ticket"].mask


def shuffled_mask(inputs: MethodInputs) -> Mask:
    return masks.shuffled(inputs.parents["ticket"].mask, inputs.entries, inputs.generator(SHUFFLED))


def source_mask(inputs: MethodInputs) -> Mask:
    """The mask of another task's ticket, found at the same seed and level (1906.02773, section 3)."""
    mask = inputs.parents["source"].mask
    transfer.check_fit(inputs.source, inputs.task, mask, inputs.entries)
    return mask


def uniform_mask(inputs: MethodInputs) -> Mask:
    return masks.uniform(inputs.entries, inputs.count, inputs.generator(UNIFORM))


def erk_mask(inputs: MethodInputs) -> Mask:
    counts = masks.erk(inputs.entries, inputs.count)
    return masks.uniform_per_layer(inputs.entries, counts, inputs.generator(ERK))


def _globally(inputs: MethodInputs, scores: saliency.Scores) -> Mask:
    return masks.highest(scores, inputs.entries, inputs.entries, {"": inputs.count})


def magnitude_mask(inputs: MethodInputs) -> Mask:
    return _globally(inputs, saliency.magnitude(inputs.learner.snapshot().weights, inputs.entries))


def snip_mask(inputs: MethodInputs) -> Mask:
    return _globally(inputs, saliency.snip(inputs.learner, inputs.entries, **inputs.options.of("losses")))


def shuffled_magnitude_mask(inputs: MethodInputs) -> Mask:
    return masks.shuffled(magnitude_mask(inputs), inputs.entries, inputs.generator(SHUFFLED))


def shuffled_snip_mask(inputs: MethodInputs) -> Mask:
    return masks.shuffled(snip_mask(inputs), inputs.entries, inputs.generator(SHUFFLED))


def grasp_mask(inputs: MethodInputs) -> Mask:
    options = inputs.options.of("losses", "temperature")
    return _globally(inputs, saliency.grasp(inputs.learner, inputs.entries, **options))


def synflow_mask(inputs: MethodInputs) -> Mask:
    return saliency.synflow(inputs.learner, inputs.entries, keep=inputs.count, **inputs.options.of("rounds"))


# Column 2: weights.


def initial_weights(inputs: MethodInputs, _: Mask) -> State:
    return inputs.learner.snapshot()


def rewind_weights(inputs: MethodInputs, _: Mask) -> State:
    return inputs.parents["dense"].state("rewind")


def trained_weights(inputs: MethodInputs, _: Mask) -> State:
    return inputs.parents["previous"].state("final")


def fresh_weights(inputs: MethodInputs, _: Mask) -> State:
    return inputs.fresh


def signed_weights(inputs: MethodInputs, mask: Mask) -> State:
    signs = inputs.parents["dense"].state("rewind").weights
    weights = {
        name: weight.abs().copysign(signs[name].to(weight.device)) if name in mask else weight
        for name, weight in inputs.fresh.weights.items()
    }
    return replace(inputs.fresh, weights=weights)


def permuted_weights(inputs: MethodInputs, mask: Mask) -> State:
    """The rewound values of each layer's survivors, in another order."""
    state = inputs.parents["dense"].state("rewind")
    generator = inputs.generator(PERMUTED)
    weights = {name: weight.clone() for name, weight in state.weights.items()}
    for name, entries in inputs.entries.items():
        survivors = (mask[name] & entries).to(weights[name].device)
        values = weights[name][survivors]
        weights[name][survivors] = values[torch.randperm(values.numel(), generator=generator).to(values.device)]
    return replace(state, weights=weights)


def carried_weights(inputs: MethodInputs, mask: Mask) -> State:
    """The rewound values of the ticket's survivors in each layer, on whatever weights the mask keeps there."""
    state = inputs.parents["dense"].state("rewind")
    ticket, generator = inputs.parents["ticket"].mask, inputs.generator(PERMUTED)
    weights = {name: weight.clone() for name, weight in state.weights.items()}
    for name, entries in inputs.entries.items():
        values = weights[name][(ticket[name] & entries).to(weights[name].device)]
        order = torch.randperm(values.numel(), generator=generator).to(values.device)
        weights[name][(mask[name] & entries).to(values.device)] = values[order]
    return replace(state, weights=weights)


def noisy_weights(inputs: MethodInputs, _: Mask) -> State:
    """The rewound weights, and normal noise of so many standard deviations of each layer's initial weights (1803.03635, appendix F)."""
    state, initial = (inputs.parents["dense"].state(name) for name in ("rewind", "initial"))
    generator, deviations = inputs.generator(NOISE), inputs.options.of("deviations")["deviations"]
    weights = dict(state.weights)
    for name, entries in inputs.entries.items():
        noise = torch.randn(entries.shape, generator=generator).to(weights[name])
        spread = initial.weights[name].std(correction=0)
        weights[name] = weights[name] + deviations * spread * noise * entries.to(weights[name].device)
    return replace(state, weights=weights)


def source_weights(inputs: MethodInputs, _: Mask) -> State:
    """The weights of the other task at its own rewind step; step and schedule are this task's (1906.02773, section 3)."""
    return transfer.state(
        inputs.parents["source-dense"].state("rewind"),
        own=inputs.parents["dense"].state("rewind"),
        head=inputs.new_head,
        learner=inputs.learner,
    )


def narrow_network(inputs: MethodInputs, _: Mask) -> Learner:
    """The network with fresh weights and fewer hidden units whose prunable weights come nearest to the level's count."""
    low, high = 0.0, 1.0
    nearest = inputs.build(high)
    for _round in range(16):
        middle = (low + high) / 2
        narrower = inputs.build(middle)
        excess = prunable_count(narrower, inputs) - inputs.count
        if abs(excess) <= abs(prunable_count(nearest, inputs) - inputs.count):
            nearest = narrower
        low, high = (low, middle) if excess > 0 else (middle, high)
    return nearest


def prunable_count(learner: Learner, inputs: MethodInputs) -> int:
    """How many weights of `learner` the task may prune."""
    return sum(masks.sizes(masks.prunable(learner, inputs.task.pruning)).values())


# Column 3: training.


def full_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    """From step 0, whatever training the weights have behind them."""
    return Start(mask=mask, state=replace(state, step=0, updates=0, origin=0), until=inputs.task.budget)


def rewound_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    """From the rewind step to the end of the budget; `restart` winds the schedule back too."""
    rewind = inputs.parents["dense"].state("rewind")
    origin = rewind.step if inputs.task.schedule == "restart" else 0
    state = replace(state, step=rewind.step, updates=rewind.updates, origin=origin)
    return Start(mask=mask, state=state, until=inputs.task.budget)


def reordered_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    """As the ticket; that its data come in another order is the streams' to know (`bench.tickets.inputs.streams_of`)."""
    return rewound_training(inputs, mask, state)


def last_rate_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    """As many steps as a rewound run, beyond the budget, where schedules hold their last value."""
    budget = inputs.task.budget
    length = budget - inputs.parents["dense"].state("rewind").step
    return Start(mask=mask, state=replace(state, step=budget, origin=0), until=budget + length)


def no_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    return replace(full_training(inputs, mask, state), until=0)


def gmp_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    options = inputs.options.of("start", "end", "cuts")
    rule = GradualPruning(inputs.entries, inputs.keep, budget=inputs.task.budget, **options)
    return replace(full_training(inputs, mask, state), dynamics=rule)


def set_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    return _regrowing(inputs, mask, state, by_gradient=False)


def rigl_training(inputs: MethodInputs, mask: Mask, state: State) -> Start:
    return _regrowing(inputs, mask, state, by_gradient=True)


def _regrowing(inputs: MethodInputs, mask: Mask, state: State, *, by_gradient: bool) -> Start:
    options = inputs.options.of("drop", "end", "cuts")
    rule = Regrowth(inputs.entries, inputs.streams, budget=inputs.task.budget, by_gradient=by_gradient, **options)
    return replace(full_training(inputs, mask, state), dynamics=rule)
