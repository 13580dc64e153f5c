"""Seats and their stack: learners whose weights, gradients and moments are slices of the same tensors while they train.

A seat is an ordinary learner. Whenever its company changes, the stack is assembled anew from what its seats have: whoever
looks at a seat sees a learner, and whoever leaves takes along what is his.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bench.errors import Diverged, LeakedMask, SpecError
from bench.learner import State, check_finite

FEWEST = 2
"""Rows of a stack: kernels treat a stack of one unlike all larger ones, so a lone seat sits beside an empty one."""


class Masking(Protocol):
    """The mask that is attached to a seat; see `bench.tickets.attach.Attached`."""

    keep: dict[str, Tensor]
    """Parameter name -> what its gradients are multiplied by."""
    dense_gradients: bool
    """Whether it wants to see gradients before they are masked."""

    @property
    def is_due(self) -> bool:
        """Whether it looks at weights, gradients or moments after the next update."""
        ...

    def see(self, name: str, gradient: Tensor) -> None:
        """Look at the gradient of a parameter before it is masked."""
        ...

    def updated(self) -> None:
        """Look at an update that has been made."""
        ...


class Seat:
    """What a learner is besides that sits in a stack; a class to inherit from before the learner's own.

    Attributes:
        stack: where it sits.
        masking: the mask that is attached to it; the stack masks the gradients of all seats at once.
        trouble: why it cannot be trained any further.
    """

    module: nn.Module
    optimizer: Optimizer
    step: int
    updates: int
    stack: Stack[Any]
    masking: Masking | None = None
    trouble: Exception | None = None

    def train(self, until: int) -> None:
        """Train to the first update boundary at or after `until`, unless the stack has come there already."""
        if self.step < until and self.trouble is None:
            self.stack.train({self.stack.seats.index(self): until})
        if self.trouble is not None:
            raise self.trouble
        check_finite(self.step, self.module.named_parameters())

    def load(self, state: State) -> None:
        """Go on from `state` with a fresh optimizer."""
        self.trouble = None
        self.stack.scatter()
        super().load(state)  # type: ignore[misc]  # of the learner

    def attach(self, masking: Masking | None) -> None:
        """Let the stack mask this seat's gradients, or no longer."""
        self.stack.scatter()
        self.masking = masking


AnySeat = TypeVar("AnySeat", bound=Seat)
Value = TypeVar("Value")


class Stack(ABC, Generic[AnySeat]):
    """Learners of one task and architecture, each with its own seed, mask and method.

    What becomes of a seat does not depend on who else sits in the stack, nor on how many.

    Args:
        seats: their learners.
        module: layers of many networks, with the names of each seat's module; see `bench.stacks.layers.stacked`.

    Attributes:
        seats: all of them, whoever is trained at the moment.
        module: with the parameters (rows, ...) of those who are trained at the moment.
        parameters: name -> parameter of the module.
        optimizer: of these parameters.
        company: the seats who are trained at the moment, in the order of the rows; rows beyond are empty.
    """

    optimizer: Optimizer

    def __init__(self, seats: Sequence[AnySeat], module: nn.Module) -> None:
        self.seats = tuple(seats)
        self.module = module
        self.company: tuple[AnySeat, ...] = ()
        for seat in self.seats:
            seat.stack = self

    @abstractmethod
    def make_optimizer(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        """The optimizer that each seat has, of other parameters."""

    @abstractmethod
    def advance(self) -> None:
        """Train the company by one step or rollout: move weights by `update`, and count each seat's `step`."""

    def gathered(self) -> None:
        """The company has changed: bring together what a domain keeps for its seats besides weights."""

    def scattered(self) -> None:
        """The company ends: give back to each seat what `gathered` took."""

    @property
    def rows(self) -> int:
        """Rows of every stacked tensor."""
        return max(FEWEST, len(self.company))

    def train(self, until: Mapping[int, int]) -> None:
        """Train some of the seats together until one of them has come to its step, or cannot be trained any further.

        Args:
            until: place in `seats` -> the step that it is to be trained to.

        Raises:
            SpecError: if some of them have trained since they were loaded, and others have not; or if what is one for all
                is not the same for each (see `common`).
        """
        company = tuple(self.seats[place] for place in until)
        self.gather(company)
        pairs = list(zip(company, until.values(), strict=True))
        while all(seat.step < step and seat.trouble is None for seat, step in pairs):
            self.advance()
        for row, seat in enumerate(company):
            self._share_gradients(row, seat)

    def has_arrived(self, place: int, step: int) -> bool:
        """Whether a seat has come to a step, or will never come there."""
        seat = self.seats[place]
        return seat.step >= step or seat.trouble is not None

    def update(self, losses: Tensor) -> None:
        """One update of every seat's weights.

        Args:
            losses: (company,), each a function of its own seat's weights alone.
        """
        for parameter in self.parameters.values():
            parameter.grad = None
        losses.sum().backward()
        self.apply_gradients()

    def apply_gradients(self) -> None:
        """One update of every seat's weights by the gradients that its parameters have; they are masked first."""
        self._mask_gradients()
        self._call_hooks("pre")
        # Moments of nodes that died decay to denormal numbers, with which a CPU is many times slower. What is flushed to
        # zero is far below what would move a weight by a bit.
        torch.set_flush_denormal(True)
        try:
            self.optimizer.step()
        finally:
            torch.set_flush_denormal(False)
        if self._is_fresh:
            self._share_moments()
        self._call_hooks("post")
        for row, seat in enumerate(self.company):
            seat.updates += 1
            if seat.masking:
                self._look(row, seat, seat.masking)

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next update."""
        for optimizer in (self.optimizer, *(seat.optimizer for seat in self.company)):
            for group in optimizer.param_groups:
                group["lr"] = rate

    def _call_hooks(self, kind: Literal["pre", "post"]) -> None:
        """Whoever hooked into a seat's optimizer is called as if that had stepped itself."""
        for row, seat in enumerate(self.company):
            hooks = getattr(seat.optimizer, f"_optimizer_step_{kind}_hooks")
            if hooks:
                self._share_gradients(row, seat)
            for hook in list(hooks.values()):
                hook(seat.optimizer, (), {})

    def _look(self, row: int, seat: AnySeat, masking: Masking) -> None:
        if masking.is_due:
            self._share_gradients(row, seat)
        try:
            masking.updated()
        except (LeakedMask, Diverged) as error:
            seat.trouble = error

    def common(self, what: str, values: Iterable[Value]) -> Value:
        """What is one for the whole company in an update, and would be wrong for some if it were not the same for each.

        Args:
            what: to call it.
            values: of each seat.

        Raises:
            SpecError: if they differ.
        """
        different = set(values)
        if len(different) > 1:
            told = ", ".join(sorted(map(str, different)))
            raise SpecError(
                f"seats of a stack train together that differ in {what} ({told}): seat those together that are at one step "
                "of training, or run with --stack off"
            )
        return different.pop()

    def check_losses(self, losses: Tensor, name: str, *, every: int = 1) -> None:
        """Whoever's loss is no longer finite has diverged.

        Args:
            losses: (company,).
            name: what to call them.
            every: steps of its own at which a seat's is looked at, whenever another's is due.
        """
        finite = losses.detach().isfinite()
        if not bool(finite.all()):
            for seat, ok in zip(self.company, finite.tolist(), strict=True):
                if not ok and seat.step % every == 0:
                    seat.trouble = Diverged(seat.step, name)

    def filled(self, own: Tensor) -> Tensor:
        """Inputs (company * n, ...) of the seats as (rows * n, ...): those of empty rows are zero."""
        empty = (self.rows - len(self.company)) * len(own) // len(self.company)
        return torch.cat((own, own.new_zeros((empty, *own.shape[1:])))) if empty else own

    def scatter(self) -> None:
        """End the company: each seat takes what is its own, so that who leaves for good keeps no memory of the others."""
        if not self.company:
            return
        self.scattered()
        for seat in self.company:
            for own in (*seat.module.parameters(), *seat.module.buffers()):
                own.data = own.data.clone()
                own.grad = None if own.grad is None else own.grad.clone()
            for state in seat.optimizer.state.values():
                state |= {key: value.clone() for key, value in state.items() if isinstance(value, Tensor)}
            if seat.masking:
                seat.masking.keep |= {name: each.clone() for name, each in seat.masking.keep.items()}
        self.company = ()

    def gather(self, company: tuple[AnySeat, ...]) -> None:
        """Let some of the seats, and nobody else, share all that they have.

        Raises:
            SpecError: if some of them have trained since they were loaded, and others have not.
        """
        if company == self.company:
            return
        self.scatter()
        fresh = {not seat.optimizer.state for seat in company}
        if len(fresh) > 1:
            raise SpecError("seats of a stack train together that did not begin together: load them all, or none")
        self.company = company
        self._is_fresh = fresh.pop()
        names = [name for name, _ in self.module.named_parameters()]
        self.parameters = {name: self._gather_parameter(name) for name in names}
        self._keep: dict[str, tuple[Tensor, list[Masking | None]]] = {}
        for name, _ in list(self.module.named_buffers()):
            self._gather_buffer(name)
        self.optimizer = self.make_optimizer(list(self.parameters.values()))
        for name, parameter in self.parameters.items():
            self._gather_mask(name, parameter)
            if not self._is_fresh:
                self._gather_moments(name, parameter)
        self.gathered()

    def _gather_parameter(self, name: str) -> nn.Parameter:
        own = [seat.module.get_parameter(name) for seat in self.company]
        parameter = nn.Parameter(self._stacked([each.detach() for each in own]))
        for row, each in enumerate(own):
            each.data = parameter.data[row]
        self._put(name, parameter)
        return parameter

    def _gather_buffer(self, name: str) -> None:
        own = [seat.module.get_buffer(name) for seat in self.company]
        whole = self._stacked(own)
        for row, each in enumerate(own):
            each.data = whole[row]
        self._put(name, whole)

    def _put(self, name: str, tensor: Tensor) -> None:
        path, _, leaf = name.rpartition(".")
        setattr(self.module.get_submodule(path), leaf, tensor)

    def _gather_mask(self, name: str, parameter: nn.Parameter) -> None:
        maskings = [seat.masking if seat.masking and name in seat.masking.keep else None for seat in self.company]
        if not any(maskings):
            return
        whole = torch.ones_like(parameter[0])
        keep = self._stacked([masking.keep[name] if masking else whole for masking in maskings])
        for row, masking in enumerate(maskings):
            if masking:
                masking.keep[name] = keep[row]
        self._keep[name] = keep, maskings

    def _mask_gradients(self) -> None:
        for name, (keep, maskings) in self._keep.items():
            gradient = self.parameters[name].grad
            if gradient is None:
                continue
            for row, masking in enumerate(maskings):
                if masking and masking.dense_gradients:
                    masking.see(name, gradient[row])
            gradient.mul_(keep)

    def _gather_moments(self, name: str, parameter: nn.Parameter) -> None:
        states = [seat.optimizer.state[seat.module.get_parameter(name)] for seat in self.company]
        for key, value in states[0].items():
            if _is_of_each_weight(value, parameter[0]):
                self.optimizer.state[parameter][key] = self._stacked([state[key] for state in states])
            elif all(torch.equal(torch.as_tensor(value), torch.as_tensor(state[key])) for state in states):
                self.optimizer.state[parameter][key] = value.clone() if isinstance(value, Tensor) else value
            else:
                raise SpecError(f"seats of a stack train together whose optimizers differ in {key}: load them all")
        self._share_moments_of(name, parameter)

    def _share_gradients(self, row: int, seat: AnySeat) -> None:
        for name, parameter in self.parameters.items():
            seat.module.get_parameter(name).grad = None if parameter.grad is None else parameter.grad[row]

    def _share_moments(self) -> None:
        for name, parameter in self.parameters.items():
            self._share_moments_of(name, parameter)
        self._is_fresh = False

    def _share_moments_of(self, name: str, parameter: nn.Parameter) -> None:
        state = self.optimizer.state.get(parameter, {})
        for row, seat in enumerate(self.company):
            seat.optimizer.state[seat.module.get_parameter(name)] = {
                key: value[row] if _is_of_each_weight(value, parameter) else value for key, value in state.items()
            }

    def _stacked(self, own: Sequence[Tensor]) -> Tensor:
        """(rows, ...) copies of the tensors of each seat of the company, and zeros in the rows beyond."""
        empty = [torch.zeros_like(own[0])] * (self.rows - len(own))
        return torch.stack([*own, *empty])


def _is_of_each_weight(value: Any, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape
