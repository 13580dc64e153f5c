"""A ticket in a module of yours: its weights and its mask, which hold whichever optimizer trains it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from bench.errors import SpecError
from bench.learner import Learner, Mask
from bench.tickets.attach import Attached

Arrays = Mapping[str, NDArray[Any]]


def apply(
    mask: Arrays,
    state: Arrays,
    module: nn.Module,
    *,
    names: Mapping[str, str] | None = None,
    leave: Collection[str] = (),
) -> Applied:
    """Put a ticket into a module, in place, and hold its pruned weights at exactly zero from then on.

    Args:
        mask: parameter name -> bool array of its shape.
        state: `weights/<parameter>` and `buffers/<name>` -> array; buffers that the module does not have are passed over.
        module: on any device; train it with optimizers that are made afterwards, or have not taken a step.
        names: name in the ticket -> name in the module, of parameters and buffers whose names differ.
        leave: patterns of names, `head.*`: the module's stay as they are, the ticket's are not taken.

    Returns:
        What takes the mask away again, and looks for leaks.

    Raises:
        SpecError: if a name or a shape is not the module's, or a pattern fits no name; nothing is changed then.
    """
    renamed = dict(names or {})
    _check_patterns(leave, state, module, renamed)
    parameters = {name: each for name, each in module.named_parameters() if not _matches(name, leave)}
    buffers = {name: each for name, each in module.named_buffers() if not _matches(name, leave)}
    weights = _under("weights/", state, renamed, leave)
    brought = {name: each for name, each in _under("buffers/", state, renamed, leave).items() if name in buffers}
    _check_names(weights, parameters)
    for name, tensor in {**parameters, **buffers}.items():
        if (given := {**weights, **brought}.get(name)) is not None and given.shape != tuple(tensor.shape):
            raise SpecError(
                f"the ticket's {name} is {given.shape}, the module's {tuple(tensor.shape)}: build the ticket's network, "
                "or name in `leave` what is to stay as it is"
            )
    with torch.no_grad():
        for name, given in {**weights, **brought}.items():
            ({**parameters, **buffers}[name]).copy_(_tensor(given))
            if name in parameters:
                parameters[name].grad = None  # it was accumulated without the mask
    kept = {renamed.get(name, name): _tensor(each) for name, each in mask.items()}
    return Applied(module, {name: each for name, each in kept.items() if name in parameters})


class Applied:
    """A ticket at work in a module; a context manager that takes its hooks away again, as `remove` does.

    Args:
        module: its weights are masked already.
        mask: parameter name -> kept entries.

    Attributes:
        mask: the same, on the parameters' device.
    """

    def __init__(self, module: nn.Module, mask: Mask) -> None:
        """Hook into the gradients, and into every optimizer that trains the module."""
        self._optimizers = _Optimizers([each for name, each in module.named_parameters() if name in mask])
        self._attached = Attached(cast("Learner", _Trained(module, self._optimizers)), mask)
        self.mask: Mask = self._attached.mask
        self._attached.__enter__()

    def check(self) -> None:
        """Look for a number where there must be none; every 256 updates this is done anyway.

        Raises:
            LeakedMask: if a pruned weight or its gradient is not exactly zero, or a parameter was replaced.
            Diverged: if it is not finite.
        """
        self._attached.check()

    def remove(self) -> None:
        """Take the hooks away: what is trained from now on is dense."""
        self._attached.__exit__(None, None, None)
        self._optimizers.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class _Optimizers:
    """In the place of one optimizer: whichever take steps on these parameters, told apart when they do."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.steps = 0
        self.state: Mapping[Any, Any] = {}
        self._parameters = set(parameters)
        self._known: WeakKeyDictionary[Optimizer, bool] = WeakKeyDictionary()
        self._handles = [register_optimizer_step_pre_hook(self._before)]

    def register_step_post_hook(self, hook: Any) -> RemovableHandle:
        def after(optimizer: Optimizer, *given: Any) -> None:
            if self._known.get(optimizer):
                self.state, self.steps = optimizer.state, self.steps + 1
                hook(optimizer, *given)

        self._handles.append(register_optimizer_step_post_hook(after))
        return self._handles[-1]

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _before(self, optimizer: Optimizer, *_: Any) -> None:
        """Refuse one that would move pruned weights by what it remembers of them."""
        if optimizer in self._known:
            return
        trained = self._parameters.intersection(each for group in optimizer.param_groups for each in group["params"])
        if any(_has_stepped(optimizer.state.get(each, {})) for each in trained):
            raise SpecError(
                f"this {type(optimizer).__name__} has taken steps before the ticket was applied, and its moments would "
                "move pruned weights: make a new one after `apply`"
            )
        self._known[optimizer] = bool(trained)


def _has_stepped(state: Mapping[str, Any]) -> bool:
    """Whether an optimizer remembers an update of a parameter; Adagrad has a state from the beginning."""
    if "step" in state:
        return bool(state["step"] > 0)
    return any(isinstance(each, Tensor) for each in state.values())


@dataclass
class _Trained:
    """What `Attached` asks of a learner."""

    module: nn.Module
    optimizer: _Optimizers

    @property
    def step(self) -> int:
        return self.optimizer.steps


def _under(prefix: str, state: Arrays, renamed: Mapping[str, str], leave: Collection[str]) -> dict[str, NDArray[Any]]:
    found = {key.removeprefix(prefix): each for key, each in state.items() if key.startswith(prefix)}
    own = {renamed.get(name, name): each for name, each in found.items()}
    return {name: each for name, each in own.items() if not _matches(name, leave)}


def _check_names(weights: Arrays, parameters: Mapping[str, Tensor]) -> None:
    missing, extra = sorted(weights.keys() - parameters.keys()), sorted(parameters.keys() - weights.keys())
    if missing or extra:
        sides = {"the ticket": missing, "the module": extra}
        told = ", ".join(f"{' '.join(found)} only in {side}" for side, found in sides.items() if found)
        raise SpecError(
            f"the ticket is of another network: {told}; map names that differ with `names`, "
            "or name in `leave` what is to stay as it is"
        )


def _check_patterns(leave: Collection[str], state: Arrays, module: nn.Module, renamed: Mapping[str, str]) -> None:
    """A misspelled pattern would leave nothing alone."""
    own = [name for each in (module.named_parameters(), module.named_buffers()) for name, _ in each]
    theirs = [name for prefix in ("weights/", "buffers/") for name in _under(prefix, state, renamed, ())]
    if vain := [pattern for pattern in leave if not any(_matches(name, [pattern]) for name in (*own, *theirs))]:
        raise SpecError(f"leave names {vain[0]!r}, which fits no name of the module or the ticket: {', '.join(own)}")


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array))  # of its own memory, to be written to
