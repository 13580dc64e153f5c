"""The optimizers that a task's `config` can name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Adam(torch.optim.Adam):
    """torch's fused Adam with nothing around its kernel: the same weights to the bit, LeNet's in two thirds of the time.

    Args:
        parameters: all of one device and type.
        rate: of learning.
        weight_decay: added to the gradient, times the weight.
    """

    def __init__(self, parameters: Iterator[nn.Parameter], *, rate: float, weight_decay: float) -> None:
        super().__init__(parameters, lr=rate, weight_decay=weight_decay, fused=True)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for before in self._optimizer_step_pre_hooks.values():
            before(self, (), {})
        with torch.no_grad():
            for group in self.param_groups:
                self._update(group)
        for after in self._optimizer_step_post_hooks.values():
            after(self, (), {})

    # torch wraps a step that does not say this in its profiler, on which LeNet spends 7 % of an update.
    step.hooked = True  # type: ignore[attr-defined]

    def _update(self, group: Mapping[str, Any]) -> None:
        parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
        states = [self.state[parameter] or self._fresh(parameter) for parameter in parameters]
        steps = [state["step"] for state in states]
        beta1, beta2 = group["betas"]
        torch._foreach_add_(steps, 1)
        # The first moments of a unit that died decay to denormal numbers, with which a CPU is many times slower. What is
        # flushed to zero would have moved a weight by 1e-29 of the learning rate: by no bit.
        torch.set_flush_denormal(True)
        try:
            torch._fused_adam_(
                parameters,
                [parameter.grad for parameter in parameters],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=group["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )
        finally:
            torch.set_flush_denormal(False)

    def _fresh(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        return state


def _adam(parameters: Iterator[nn.Parameter], config: Mapping[str, Any], *, stacked: bool) -> torch.optim.Optimizer:
    rate, decay = config["rate"], config.get("weight_decay", 0.0)
    if stacked:
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, foreach=True)
    return Adam(parameters, rate=rate, weight_decay=decay)


def _sgd(parameters: Iterator[nn.Parameter], config: Mapping[str, Any], *, stacked: bool) -> torch.optim.Optimizer:
    options = {key: config.get(key, 0.0) for key in ("momentum", "weight_decay")}
    return torch.optim.SGD(parameters, lr=config["rate"], fused=not stacked, foreach=stacked, **options)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": _adam, "sgd": _sgd}
"""Name -> the optimizer of some parameters, as a `config` has it.

Of `stacked` parameters it is not fused: fused kernels treat the last few entries of a tensor unlike all others, and so the
last network of a stack unlike one that has company behind it.
"""
