"""What a method may look at when it chooses a subnetwork, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from bench.errors import SpecError
from bench.learner import Domain, Learner, Mask, State
from bench.spec import CODE, Role, Task, Unit
from bench.streams import Streams
from bench.tickets import masks, transfer
from bench.tickets.columns import columns
from bench.tickets.dynamic import Dynamics


@dataclass(frozen=True, kw_only=True)
class Parent:
    """What a finished unit hands to its children.

    Args:
        mask: its mask.
        state: `initial`, `rewind` or `final` -> that state.
        search_cost: updates spent to obtain it, ancestors included.
        result: its result digest.
        task: what it was trained on, where that may be another task than its children's.
    """

    mask: Mask
    state: Callable[[str], State]
    search_cost: int
    result: str
    task: Task | None = None


@dataclass(frozen=True, kw_only=True)
class Start:
    """A subnetwork, ready to be trained.

    Args:
        mask: which weights are kept.
        state: the weights it starts from, and the step it starts at.
        until: the step at which training ends.
        dynamics: what changes the mask while training, if anything.
        learner: the network that is trained, where it is another than the task's own.
    """

    mask: Mask
    state: State
    until: int
    dynamics: Dynamics | None = None
    learner: Learner | None = None


class Parents(dict[Role, Parent]):
    """Role -> parent; who asks for one that the method does not name is told so."""

    def __init__(self, parents: Mapping[Role, Parent], method: str) -> None:
        """Take the parents of a unit of `method`."""
        super().__init__(parents)
        self._method = method

    def __missing__(self, role: Role) -> Parent:
        """Name the method and the parent that it forgot."""
        raise SpecError(f"method {self._method!r} looks at its {role!r} parent and does not name it: add it to `needs`")


class Options(Mapping[str, Any]):
    """A method's options; remembers which of them a column has read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Take the options; none is read yet."""
        self._values = values
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        """The value of one option, which counts as read."""
        self.read.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Their number."""
        return len(self._values)

    def of(self, *names: str) -> dict[str, Any]:
        """Those of one column, where the other columns of its method may have their own.

        Raises:
            SpecError: naming one that the method was not given.
        """
        if missing := [name for name in names if name not in self._values]:
            given = ", ".join(self._values) or "none"
            raise SpecError(
                f"a column of the method needs the option {missing[0]!r}, and it has {given}: give it to `define`"
            )
        return {name: self[name] for name in names}

    @property
    def unread(self) -> list[str]:
        """Those that no column looked at, and that so have no effect."""
        return sorted(self._values.keys() - self.read)


def streams_of(unit: Unit) -> Streams:
    """The random streams of a unit, which its method may ask for in another order of the data."""
    return Streams(unit.seed, unit.level, order=int(columns(unit.method).training.reordered))


class MethodInputs:
    """What a method may look at when it chooses.

    Args:
        unit: what was asked.
        domain: builds further learners of the same task.
        device: where.
        parents: role -> parent, of the roles that the method's columns need.
        learner: of the task, at the initial weights that the unit's streams give, where there is one already.

    Attributes:
        learner: the task's own network at its initial weights.
        entries: parameter name -> bool tensor of its shape: what may be pruned; a parameter without any is absent.
        keep: what the level leaves, per parameter or, with global pruning, `{"": count}`.
        options: the method's numbers.
    """

    def __init__(
        self,
        unit: Unit,
        domain: Domain,
        device: str,
        parents: Mapping[Role, Parent],
        learner: Learner | None = None,
    ) -> None:
        """Build the learner at its initial weights."""
        self.unit, self.task = unit, unit.task
        self.parents = Parents(parents, unit.method.name)
        self.options = Options({name: value for name, value in unit.method.options.items() if name != CODE})
        self.streams = streams_of(unit)
        self._domain, self._device = domain, device
        self.learner: Learner = learner or domain.learner(self.task, streams=self.streams, device=device)
        self.entries = masks.prunable(self.learner, self.task.pruning)
        self.keep = self.task.pruning.keep(masks.sizes(self.entries), unit.level)

    @property
    def count(self) -> int:
        """How many weights the level leaves in the whole network."""
        return sum(self.keep.values())

    @cached_property
    def fresh(self) -> State:
        """Fresh initial weights, one draw per (seed, level) that all arms share which start fresh."""
        return self.build(1.0).snapshot()

    @property
    def source(self) -> Task:
        """The task whose ticket is taken."""
        task = self.parents["source"].task
        assert task is not None
        assert task.name == f"{self.task.domain}/{self.options['source']}"
        return task

    @property
    def new_head(self) -> frozenset[str]:
        """Names of the parameters that no transferred ticket brings; see `bench.tickets.transfer.new_head`."""
        return transfer.new_head(self.learner, self._domain, source=self.source, target=self.task)

    def build(self, width: float) -> Learner:
        """A learner with fresh weights and `width` times the hidden units."""
        return self._domain.learner(self.task, streams=self.streams.refreshed(), device=self._device, width=width)

    def generator(self, purpose: int) -> torch.Generator:
        """The level's `mask` stream for one purpose."""
        return self.streams.torch("mask", purpose)
