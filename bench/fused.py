"""Optimizers as one pass over memory each, with nothing around torch's kernel; of one network, or of each in a stack."""

from __future__ import annotations

import inspect
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Fused(Optimizer):
    """What is done around the kernel; a class to inherit from before torch's optimizer, whose moments and groups it keeps.

    Attributes:
        by_row: whether parameters are (networks, ...), and each row of them is the kernel's own tensor. The kernel treats
            the last few entries of a tensor unlike all others, and so, in a whole one, the last network of a stack.
    """

    def __init__(self, *arguments: Any, by_row: bool, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.by_row = by_row
        self._views: dict[Tensor, Sequence[Tensor]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a copy has: torch's own says nothing of what a subclass adds, and views are of one copy's parameters."""
        return {**super().__getstate__(), "by_row": self.by_row, "_views": {}}

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for before in self._optimizer_step_pre_hooks.values():
            before(self, (), {})
        with torch.no_grad():
            for group in self.param_groups:
                parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
                states = [self.state[parameter] or self._fresh(parameter) for parameter in parameters]
                torch._foreach_add_([state["step"] for state in states], 1)
                # The first moments of a unit that died decay to denormal numbers, with which a CPU is many times slower.
                # What is flushed to zero would have moved a weight by 1e-29 of the learning rate: by no bit.
                torch.set_flush_denormal(True)
                try:
                    self._update(group, parameters, states)
                finally:
                    torch.set_flush_denormal(False)
        for after in self._optimizer_step_post_hooks.values():
            after(self, (), {})

    # torch wraps a step that does not say this in its profiler, on which LeNet spends 7 % of an update.
    step.hooked = True  # type: ignore[attr-defined]

    # torch's own, without what hides them from its compiler: that is imported for it, which takes about a second, and nobody
    # here asks for it.
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)

    @abstractmethod
    def _update(
        self, group: Mapping[str, Any], parameters: Sequence[nn.Parameter], states: Sequence[dict[str, Tensor]]
    ) -> None:
        """Move the parameters of a group, whose moments are in `states`."""

    @abstractmethod
    def _fresh(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """Moments before the first update, kept under the parameter."""

    def _start(self, parameter: nn.Parameter, *moments: str) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
        state |= {moment: torch.zeros_like(parameter) for moment in moments}
        return state

    def _parts(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """What the kernel is given of parameters or moments."""
        return [row for tensor in tensors for row in self._rows(tensor)] if self.by_row else list(tensors)

    def _gradients(self, parameters: Iterable[nn.Parameter]) -> list[Tensor]:
        """The same of gradients, which are new tensors at every update."""
        found = [parameter.grad for parameter in parameters if parameter.grad is not None]
        return [row for gradient in found for row in gradient.unbind()] if self.by_row else found

    def _rows(self, tensor: Tensor) -> Sequence[Tensor]:
        """Views of a tensor's rows, which take long to make."""
        rows = self._views.get(tensor, ())
        if not rows or rows[0].data_ptr() != tensor.data_ptr():
            rows = self._views[tensor] = tensor.detach().unbind()
        return rows

    def _counts(self, parameters: Sequence[nn.Parameter], counts: Iterable[Tensor]) -> list[Tensor]:
        """Updates so far, for each of `_parts`."""
        return [
            count
            for parameter, count in zip(parameters, counts, strict=True)
            for _ in range(len(parameter) if self.by_row else 1)
        ]


class Adam(Fused, torch.optim.Adam):
    """torch's fused Adam, the same weights to the bit; LeNet's in two thirds of the time.

    Args:
        parameters: all of one device and type.
        lr: learning rate.
        weight_decay: added to the gradient, times the weight.
        eps: added to the root of the second moment.
        betas: what is left of the moments after an update.
        by_row: see `Fused`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float = 0.0,
        eps: float = 1e-8,
        betas: tuple[float, float] = (0.9, 0.999),
        by_row: bool = False,
    ) -> None:
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, eps=eps, betas=betas, fused=True, by_row=by_row)

    def _update(
        self, group: Mapping[str, Any], parameters: Sequence[nn.Parameter], states: Sequence[dict[str, Tensor]]
    ) -> None:
        beta1, beta2 = group["betas"]
        torch._fused_adam_(
            self._parts(parameters),
            self._gradients(parameters),
            self._parts(state["exp_avg"] for state in states),
            self._parts(state["exp_avg_sq"] for state in states),
            [],
            self._counts(parameters, (state["step"] for state in states)),
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    def _fresh(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        return self._start(parameter, "exp_avg", "exp_avg_sq")


class RMSprop(Fused, torch.optim.RMSprop):
    """torch's RMSprop without momentum, as Adam of no first moment and no bias; equal but for rounding.

    torch's own goes over memory seven times, and takes roots by a kernel that is ten times slower where moments are zero, as
    those of pruned weights are.

    Args:
        parameters: all of one device and type.
        lr: learning rate.
        alpha: what is left of the moment after an update.
        eps: added to the moment's root.
        by_row: see `Fused`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        alpha: float = 0.99,
        eps: float = 1e-8,
        by_row: bool = False,
    ) -> None:
        super().__init__(parameters, lr=lr, alpha=alpha, eps=eps, by_row=by_row)

    def _update(
        self, group: Mapping[str, Any], parameters: Sequence[nn.Parameter], states: Sequence[dict[str, Tensor]]
    ) -> None:
        gradients = self._gradients(parameters)
        torch._fused_adam_(
            self._parts(parameters),
            gradients,
            gradients,  # its first moment, of which nothing is kept
            self._parts(state["square_avg"] for state in states),
            [],
            self._counts(parameters, [parameters[0].new_full((), math.inf)] * len(parameters)),  # no bias is left
            lr=group["lr"],
            beta1=0.0,
            beta2=group["alpha"],
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    def _fresh(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        return self._start(parameter, "square_avg")
