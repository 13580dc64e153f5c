"""The door between harness and domain: what a domain writes so that the protocol can run on it, and what every learner shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from bench.errors import Diverged, SpecError
from bench.spec import Task
from bench.streams import Streams

Mask = Mapping[str, Tensor]
"""Parameter name -> bool tensor of the parameter's shape, True where the weight is kept. Absent names are kept whole."""

CHECK_EVERY = 50
"""Updates between two looks at whether the loss is finite."""


@dataclass(frozen=True, kw_only=True)
class State:
    """All that a learner needs to go on from a step, and nothing of its optimizer.

    Args:
        weights: `module.named_parameters()`, copied; tied parameters once.
        buffers: everything else that is a tensor: batch-norm and normaliser statistics, metric windows.
        scalars: JSON values that the domain needs.
        step: how far training was, in the task's budget unit.
        updates: optimizer updates so far.
        origin: the step at which the learning-rate schedule starts; 0 unless it was restarted after rewinding.
    """

    weights: dict[str, Tensor]
    buffers: dict[str, Tensor] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    updates: int = 0
    origin: int = 0

    def masked(self, mask: Mask) -> State:
        """The same state with exact zeros where `mask` is False; no tensor is shared."""
        weights = {
            name: weight.masked_fill(~mask[name].to(weight.device), 0.0) if name in mask else weight.clone()
            for name, weight in self.weights.items()
        }
        return replace(self, weights=weights)


@runtime_checkable
class Learner(Protocol):
    """One task at one seed, ready to train. The protocol sees no images, episodes or sentences; it sees this.

    A loaded learner equals a newly built one to the bit: `load` copies in place (same `Parameter` and optimizer
    objects), clears the optimizer's state, rebuilds what derives from the weights, reseeds the streams from
    (seed, step) and resets environments. Data order is a function of (seed, step). Schedules span the whole budget
    however many calls `train` gets, and hold their last value beyond it.
    """

    module: nn.Module
    """Its `named_parameters()` are what is counted, masked and hashed."""
    optimizer: torch.optim.Optimizer
    """Masks hook into it; a learner never applies a mask itself."""
    step: int
    """How far training is, in the task's budget unit."""
    updates: int
    """Optimizer updates so far, whatever the budget unit."""
    origin: int
    """The step at which the learning-rate schedule starts; 0 unless it was restarted after rewinding."""

    def prunable(self) -> dict[str, Tensor]:
        """Parameter name -> bool tensor of its shape: which entries may be pruned (padding rows may not).

        The task's `pruning` (exempt patterns, biases) is applied by the harness on top of this.
        """
        ...

    def train(self, until: int) -> None:
        """Train to the first update boundary at or after step `until`.

        Raises:
            Diverged: if the loss or a weight is no longer finite.
        """
        ...

    def evaluate(self, split: str) -> dict[str, float]:
        """Every metric of the task on `val` or `test`; draws from its own stream and changes no state.

        The score may be too dear to compute on the way: it is needed from the end of the budget on.
        """
        ...

    def losses(self, n: int, *, temperature: float = 1.0) -> Iterator[Tensor]:
        """`n` training losses with their graphs, from the `score` stream; advances nothing, the same at each call.

        Args:
            n: number of batches.
            temperature: divides the logits, as GraSP wants it.
        """
        ...

    def snapshot(self) -> State:
        """A copy of the present state that later training does not change."""
        ...

    def load(self, state: State) -> None:
        """Go on from `state` with a fresh optimizer."""
        ...


class Domain(Protocol):
    """A kind of learning: the tasks that exist, and a learner for each."""

    def tasks(self) -> Mapping[str, Task]:
        """`task.key` -> task. Light: imports no torch, and no library of the domain."""
        ...

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """A learner at step 0.

        Args:
            task: one of `tasks()`, or a variant of it.
            streams: `init` gives the initial weights, `data` the order of the data, and so on.
            device: `cpu`, `cuda`, ...
            width: multiplies every hidden width, for the `small-dense` baseline.

        Raises:
            DataError: if the task's data are missing or are not what the task was defined on.
        """
        ...


def every_entry(module: nn.Module) -> dict[str, Tensor]:
    """What `prunable` gives where nothing is exempt: name of each parameter that is trained -> bool tensor of its shape.

    All True, but for an embedding's row for padding, which is no weight. A parameter that is frozen (`requires_grad` is False) is
    never pruned: it counts among all weights, as exempt ones do.
    """
    entries: dict[Tensor, Tensor] = {
        parameter: torch.ones_like(parameter, dtype=torch.bool)
        for parameter in module.parameters()
        if parameter.requires_grad
    }
    for layer in module.modules():
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.weight in entries:
            padding = [] if layer.padding_idx is None else [layer.padding_idx]
            entries[layer.weight][padding] = False
    return {name: entries[each] for name, each in module.named_parameters() if each in entries}


def copy_state(
    learner: Learner,
    *,
    buffers: Mapping[str, Tensor] = MappingProxyType({}),
    scalars: Mapping[str, Any] = MappingProxyType({}),
) -> State:
    """A learner's state that its later training does not change.

    Args:
        learner: its module's parameters (tied ones once, under their first name) and buffers are copied.
        buffers: tensors that are no buffers of the module, copied by the caller.
        scalars: JSON values that the domain needs.
    """
    return State(
        weights={name: parameter.detach().clone() for name, parameter in learner.module.named_parameters()},
        buffers={**{name: buffer.clone() for name, buffer in learner.module.named_buffers()}, **buffers},
        scalars=dict(scalars),
        step=learner.step,
        updates=learner.updates,
        origin=learner.origin,
    )


def restore(learner: Learner, state: State) -> None:
    """Put weights, buffers and position of a state into a learner, in place, and make its optimizer a fresh one.

    What derives from the weights, streams and environments are the caller's to rebuild.

    Args:
        learner: of the same model at the same width.
        state: buffers that the module does not have are the caller's too.

    Raises:
        SpecError: if a name or a shape is not the module's; nothing is changed then.
    """
    own: dict[str, Tensor] = {**dict(learner.module.named_parameters()), **dict(learner.module.named_buffers())}
    given = {**state.weights, **{name: buffer for name, buffer in state.buffers.items() if name in own}}
    if strange := sorted(own.keys() ^ given.keys()):
        raise SpecError(f"a state of another model: {', '.join(strange)} on one side only; load one of this task")
    for name, tensor in own.items():
        if tensor.shape != given[name].shape:
            shapes = f"{tuple(given[name].shape)}, not {tuple(tensor.shape)}"
            raise SpecError(f"a state of another width: {name} is {shapes}; load one of this width")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(given[name])
    learner.optimizer.zero_grad(set_to_none=True)
    learner.optimizer.state.clear()
    learner.step, learner.updates, learner.origin = state.step, state.updates, state.origin


@contextmanager
def mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """A module in training or in evaluation mode, and then in the mode it was found in."""
    before = module.training
    module.train(training)
    try:
        yield
    finally:
        module.train(before)


def check_finite(step: int, values: Iterable[tuple[str, Tensor | float]]) -> None:
    """Nothing is infinite or NaN.

    Args:
        step: where training is.
        values: what to call each, and tensors of any shape or numbers.

    Raises:
        Diverged: naming the first that is not.
    """
    for name, value in values:
        if not torch.as_tensor(value).isfinite().all():
            raise Diverged(step, name)


def train_to(learner: Learner, until: int, update: Callable[[], Tensor]) -> None:
    """The loop of a learner whose steps are updates.

    Args:
        learner: put into training mode.
        until: the step where it ends.
        update: takes one step, counts it, and returns its loss without graph.

    Raises:
        Diverged: if a loss, looked at every `CHECK_EVERY` updates and at the last, or then a weight is not finite.
    """
    if learner.step >= until:
        return
    learner.module.train()
    while learner.step < until:
        loss = update()
        if learner.step % CHECK_EVERY == 0 or learner.step == until:
            check_finite(learner.step, [("the training loss", loss)])
    check_finite(learner.step, learner.module.named_parameters())
