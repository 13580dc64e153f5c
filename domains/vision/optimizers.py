"""The optimizers that a task's `config` can name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from bench.fused import Adam


def _adam(parameters: Iterator[nn.Parameter], config: Mapping[str, Any], *, stacked: bool) -> torch.optim.Optimizer:
    return Adam(parameters, lr=config["rate"], weight_decay=config.get("weight_decay", 0.0), by_row=stacked)


def _sgd(parameters: Iterator[nn.Parameter], config: Mapping[str, Any], *, stacked: bool) -> torch.optim.Optimizer:
    options = {key: config.get(key, 0.0) for key in ("momentum", "weight_decay")}
    return torch.optim.SGD(parameters, lr=config["rate"], fused=not stacked, foreach=stacked, **options)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": _adam, "sgd": _sgd}
"""Name -> the optimizer of some parameters, as a `config` has it.

Of `stacked` parameters it moves each network's by itself (see `bench.fused.Fused`); torch's fused SGD cannot, and so is not used.
"""
