"""How far apart two executions of one network are: nothing is timed before they are known to be the same network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from bench.speed import Difference
from bench.tickets.speed.calls import Call
from bench.tickets.speed.networks import Network

UPDATES = 5
TOLERANCE: Difference = {"outputs": 1e-5, "gradients": 1e-5, "updates": 5e-2}
"""Sums in another order differ by less than 1e-6; but Adam goes as far for a gradient that is nothing but such a difference, as
that of the keys' biases in a Transformer, which would be zero.
"""


class Unequal(Exception):
    """A sparse execution that does not compute what it should: no measurement."""


def difference(
    sparse: Network, masked: Network, *, inference: Iterable[Sequence[Call]], step: Sequence[Call]
) -> Difference:
    """Between the same network with sparse layers and without; both are trained by it.

    Args:
        sparse: with.
        masked: without.
        inference: the calls of forward passes in evaluation mode.
        step: those of a training step.
    """
    both, start = (sparse, masked), masked.as_dense(lambda parameter: parameter)
    trained(both, step, updates=0)
    outputs = [pair for calls in inference for pair in zip(*(each.predict(calls) for each in both), strict=True)]
    trained(both, step, updates=1)
    ours, theirs = (each.as_dense(lambda parameter: parameter.grad) for each in both)
    trained(both, step, updates=UPDATES - 1)
    moved, there = (each.as_dense(lambda parameter: parameter) for each in both)
    return {
        "outputs": max(apart(*pair) for pair in outputs),
        "gradients": _relative(_distance(ours, theirs), _distance(theirs)),
        "updates": _relative(_distance(moved, there), _distance(there, start)),
    }


def trained(networks: Iterable[Network], step: Sequence[Call], *, updates: int) -> None:
    """Train all of them alike; in evaluation mode, where nothing is drawn and no example depends on another."""
    for each in networks:
        each.module.eval()
        for _ in range(updates):
            each.train(step)


def apart(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference of two tensors, relative to the largest number of the second; infinite if their shapes differ."""
    if ours.shape != theirs.shape:
        return math.inf
    if not theirs.numel():
        return 0.0
    return _relative(float((ours.double() - theirs.double()).abs().max()), float(theirs.double().abs().max()))


def exceeded(found: Difference, tolerance: Difference = TOLERANCE) -> list[str]:
    """What is farther apart than it may be, in words; what is not a number is, too."""
    return [
        f"{name} differ by {value:.2g}, more than {allowed:g}"
        for (name, value), allowed in zip(found.items(), tolerance.values(), strict=True)
        if not value <= allowed  # type: ignore[operator]
    ]


def _relative(difference: float, to: float) -> float:
    return difference / to if to else (math.inf if difference else 0.0)


def _distance(of: Mapping[str, Tensor], to: Mapping[str, Tensor] | None = None) -> float:
    """Of all tensors as one vector from others, or from zero."""
    apart = (each.double() - to[name].double() if to else each.double() for name, each in of.items())
    return math.sqrt(math.fsum(float(each.square().sum()) for each in apart))
