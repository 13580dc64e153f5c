"""The optional doors: what a learner or a domain may offer besides, each a small protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from bench.learner import Domain, Mask, State
from bench.record import Items, NodeLayer
from bench.spec import Task
from bench.streams import Streams

if TYPE_CHECKING:
    from bench.stacks.stack import Stack


@runtime_checkable
class ForwardsOnes(Protocol):
    """What a learner may offer besides: one all-ones example through the module.

    SynFlow, the effective density and theoretical FLOPs follow from it; without it they are null with a reason. A domain
    whose learners offer it says `forwards_ones = True`; without that, SynFlow is refused when planning. Of networks with
    layers without flow (see `bench.tickets.saliency.undefined`) they are not taken.
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
class KeepsAccount(Protocol):
    """What a learner offers besides some of whose metrics tell of its training, as an agent's of the episodes it has played."""

    def unaccounted(self, state: State) -> State:
        """`state` as the beginning of another training: its account is empty, all else as it is. Changes nothing.

        Asked of trained weights that a method trains on: what earned them is not its own.
        """
        ...


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
        """Module -> sha256 of its file (see `bench.code.pinned`); empty for a task that names none. Light, as `tasks`."""
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
class AlignsSeats(StacksUnits, Protocol):
    """What a domain says besides of stacks whose seats must be at one step of training though the learning rate never changes."""

    def aligned(self, task: Task) -> bool:
        """Whether anything else that a stack of the task has in common follows the step: the size of a batch, a clipping range.

        Light, as `tasks`. Without it nothing does.
        """
        ...


@runtime_checkable
class RefusesTasks(Domain, Protocol):
    """What a domain says besides that knows before any training of some tasks that they contradict themselves."""

    def refusal(self, task: Task) -> str | None:
        """Why no learner can be built of the task, in a sentence; None if nothing tells so without its data. Light, as `tasks`."""
        ...


@runtime_checkable
class DeclinesMethods(Domain, Protocol):
    """What a domain offers besides that knows by what a task is made of which methods it cannot run, whatever it was made from."""

    def unsupported(self, task: Task) -> Mapping[str, str]:
        """Method -> why the task cannot run it, in a sentence, as its `unsupported` has to say. Light, as `tasks`."""
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
