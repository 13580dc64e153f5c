"""The door between harness and domain: what a domain writes so that the protocol can run on it, and what every learner shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from bench.errors import Diverged, SpecError
from bench.record import Items, NodeLayer
from bench.spec import Task
from bench.streams import Streams

if TYPE_CHECKING:
    from bench.stacks.stack import Stack

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


@runtime_checkable
class KeepsNodes(Protocol):
    """What a learner offers besides whose nodes have a teacher's to be compared with."""

    def node_layers(self, mask: Mask) -> list[NodeLayer]:
        """Every hidden layer as it is now, the lowest first; changes no state.

        Args:
            mask: which weights were kept.
        """
        ...


@runtime_checkable
class MeasuresFit(Protocol):
    """What a learner offers besides that has a fixed set of examples to train on."""

    def fit(self) -> dict[str, float]:
        """The metrics of `evaluate` on examples that it is trained on, as they are; draws nothing and changes nothing."""
        ...


@runtime_checkable
class Interpolates(Protocol):
    """What a learner offers besides that can be trained on another order of its data, and evaluated between two trained states.

    A domain whose learners offer it says `interpolates = True`; without that, methods that are trained in another order are
    refused when planning.
    """

    def reestimate(self) -> None:
        """Estimate anew from training data what is no weight and follows from the weights, as statistics of batch norm do.

        Draws nothing, and leaves the weights as they are.
        """
        ...


@runtime_checkable
class ExplainsAbsence(Protocol):
    """What a learner offers besides some of whose metrics do not always exist."""

    def absent(self) -> Mapping[str, str]:
        """Metric of the task that the last `evaluate` did not report -> why."""
        ...


@runtime_checkable
class KnowsInputs(Protocol):
    """What a learner offers besides some of whose inputs are known to tell nothing of its task."""

    def relevant_inputs(self) -> dict[str, Tensor]:
        """Name of the weights that read the inputs, (outputs, inputs) -> (inputs,), bool: True where one tells something.

        Empty where nobody knows, as of most tasks.
        """
        ...


class HiddenLayer(NamedTuple):
    """The parameters of one layer of hidden nodes.

    Args:
        incoming: name of the weights to them, (nodes, inputs).
        outgoing: name of the weights from them, (outputs, nodes).
    """

    incoming: str
    outgoing: str


@runtime_checkable
class NamesNodes(Protocol):
    """What a learner offers besides whose hidden nodes can be pruned whole.

    A domain whose learners offer it says `names_nodes = True`; without that, methods that prune nodes are refused when
    planning.
    """

    hidden: tuple[HiddenLayer, ...]
    """The lowest layer first."""


@runtime_checkable
class NamesHead(Protocol):
    """What a learner offers besides whose output layer fits only what its task's outputs stand for.

    Without it, a ticket of another task brings the whole network.
    """

    head: tuple[str, ...]
    """Patterns of the names of the output layer's parameters."""


class TransfersTickets(Protocol):
    """What a domain says besides of tasks between which tickets can move; without it `transfer` is refused when planning."""

    def network(self, task: Task) -> Any:
        """What decides the names and shapes of all that may be pruned, as JSON: tickets fit tasks for which it is equal."""
        ...

    def outputs(self, task: Task) -> Any:
        """What each output of the network stands for, as JSON: where it is equal, a ticket keeps its output layer."""
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


@runtime_checkable
class ListsMore(Domain, Protocol):
    """What a domain says besides that has more tasks where something is set, as the place of the user's own data."""

    def unlisted(self) -> str | None:
        """Which tasks it does not list now, and what these need, in a sentence; None if that is set. Light, as `tasks`."""
        ...


@runtime_checkable
class NamesCode(Domain, Protocol):
    """What a domain says besides whose tasks can name code of the user's own, which building a learner imports.

    No record is ever believed that names some: only a task of the user's own suite or file is built.
    """

    def code(self, task: Task) -> Mapping[str, str]:
        """Module -> sha256 of its file (see `bench.code`); empty for a task that names none. Light, as `tasks`."""
        ...


@runtime_checkable
class StacksUnits(Domain, Protocol):
    """What a domain offers besides that trains several units of one task together."""

    def seats(self, task: Task, device: str) -> int | str:
        """How many units a stack of the task has at best on a device, or in a sentence why there is none. Light, as `tasks`."""
        ...

    def stack(self, task: Task, *, streams: Sequence[Streams], device: str) -> Stack[Any]:
        """A stack whose seats are learners as `learner` gives them, at step 0.

        Args:
            task: one of which there are stacks.
            streams: of each seat.
            device: `cpu`, `cuda`, ...
        """
        ...


@runtime_checkable
class ChecksPackages(Domain, Protocol):
    """What a domain offers besides that tells before any training what is not installed here."""

    def check(self, task: Task) -> None:
        """Light, as `tasks`.

        Raises:
            MissingPackage: if a package that every training of the task needs is not there.
        """
        ...


def every_entry(module: nn.Module) -> dict[str, Tensor]:
    """What `prunable` gives where nothing is exempt: parameter name -> bool tensor of its shape, all True."""
    return {name: torch.ones_like(parameter, dtype=torch.bool) for name, parameter in module.named_parameters()}


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
