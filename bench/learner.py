"""The door between harness and domain: what a domain writes so that the protocol can run on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from bench.record import Items
from bench.spec import Task
from bench.streams import Streams

Mask = Mapping[str, Tensor]
"""Parameter name -> bool tensor of the parameter's shape, True where the weight is kept. Absent names are kept whole."""


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


@runtime_checkable
class ForwardsOnes(Protocol):
    """What a learner may offer besides: one all-ones example through the module.

    SynFlow, the effective density and theoretical FLOPs follow from it; without it they are null with a reason. A domain
    whose learners offer it says `forwards_ones = True`; without that, SynFlow is refused when planning.
    """

    def forward_ones(self) -> Tensor:
        """The module's outputs in evaluation mode for one all-ones example of the parameters' dtype, with graph.

        Leaves the module in the mode it found.
        """
        ...


@runtime_checkable
class CountsEnvSteps(Protocol):
    """What a learner with environments offers besides."""

    env_steps: int
    """Environment steps so far, over all environments; restored by `load` with the rest of the state."""


@runtime_checkable
class KeepsItems(Protocol):
    """What a learner offers besides whose score is no mean over test items, so that a table can resample them."""

    def scored_items(self) -> Items | None:
        """What the last `evaluate` of the task's split computed a score from; None if it computed no such score."""
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
