"""What is equal to the bit, and what is not."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.learner import State


def equal(one: Tensor, other: Tensor) -> bool:
    """Equal to the bit, wherever the tensors are."""
    return one.shape == other.shape and bool(torch.equal(one.cpu(), other.cpu()))


def differing(one: State, other: State) -> list[str]:
    """Names of the weights and buffers that are not equal to the bit, and of the counters that differ."""
    names = [name for name in one.weights if not same(one.weights[name], other.weights.get(name))]
    names += [name for name in one.buffers if not same(one.buffers[name], other.buffers.get(name))]
    return names + [key for key in ("step", "updates", "scalars") if getattr(one, key) != getattr(other, key)]


def same(one: Tensor, other: Tensor | None) -> bool:
    """Equal to the bit, NaN included."""
    return (
        other is not None
        and one.shape == other.shape
        and bool(torch.equal(one.isnan(), other.isnan()))
        and bool(torch.equal(one.nan_to_num(), other.nan_to_num()))
    )
