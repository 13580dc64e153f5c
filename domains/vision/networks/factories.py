"""Networks of the user's own: any `torch.nn.Module` that a function of theirs returns."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bench.code import pinned
from bench.errors import SpecError, Unsupported
from bench.streams import drawing_from

SEEN = 2
"""Examples that a new network is tried with."""


def build(
    name: str,
    *,
    modules: Mapping[str, str],
    width: float,
    classes: int,
    example: Tensor,
    generator: torch.Generator,
) -> nn.Module:
    """A network with the initial weights that its own layers draw.

    Args:
        name: `module:function`; called without arguments.
        modules: the task's digests of code (see `bench.code.pinned`).
        width: 1; such a network has no other.
        classes: how many.
        example: of the shape and type of what is seen, zeros.
        generator: seeds the global generators for the call; they are left as they were.

    Raises:
        Unsupported: if another width is asked for.
        SpecError: if it is no network, none for these examples and classes, or one that other seeds have, too.
        DataError: if the file is not what the task was made with.
    """
    if width != 1.0:
        raise Unsupported(f"network {name} has one width: leave out the methods that narrow it")
    seed = int(torch.randint(2**62, (), generator=generator))
    network, other = (_drawn(name, modules, classes, example, each) for each in (seed, seed + 1))
    if not any(parameter.ndim > 1 and parameter.requires_grad for parameter in network.parameters()):
        raise SpecError(
            f"network {name} has no weights (parameters of two or more dimensions) that are not frozen: there is nothing to prune"
        )
    _check_seeded(name, network, other)
    return network.train()


def _drawn(name: str, modules: Mapping[str, str], classes: int, example: Tensor, seed: int) -> nn.Module:
    """What the function returns where the global generators begin at a seed."""
    with drawing_from(seed):
        network = pinned.called(name, modules)
        if not isinstance(network, nn.Module):
            raise SpecError(f"{name} returns a {type(network).__name__}: return a torch.nn.Module")
        _try(name, network, classes, example)
    return network


def _check_seeded(name: str, network: nn.Module, other: nn.Module) -> None:
    """Two calls give two networks, each drawn by its seed; weights that are frozen may be one and the same.

    Buffers may not: whoever trains on a frozen body moves its statistics, and the next unit of the worker would begin with them.
    """
    ours, theirs = dict(network.named_parameters()), dict(other.named_parameters())
    held = {each: weight for each, weight in ours.items() if weight.requires_grad} | dict(network.named_buffers())
    others = {**theirs, **dict(other.named_buffers())}
    if shared := [each for each, tensor in held.items() if others.get(each) is tensor]:
        raise SpecError(
            f"network {name} returns the same {shared[0]} at each call, trained or not: make the network inside of the function"
        )
    if all(each in theirs and torch.equal(weight, theirs[each]) for each, weight in ours.items()):
        raise SpecError(
            f"network {name} has the same initial weights for every seed: let its layers draw them at each call, without "
            "`manual_seed`, as every call begins at the seed of its unit"
        )


def _try(name: str, network: nn.Module, classes: int, example: Tensor) -> None:
    """Let it see zeros, once; lazy layers get their shapes and weights here."""
    network.eval()
    try:
        with torch.no_grad():
            logits = network(example.expand(SEEN, *example.shape).contiguous())
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SpecError(f"network {name} cannot see examples of {_told(example)}: {reason}; make them fit") from error
    if not isinstance(logits, Tensor) or logits.shape != (SEEN, classes):
        found = f"{tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise SpecError(
            f"network {name} gives {found} for {SEEN} examples of {classes} classes: its outputs must be ({SEEN}, {classes})"
        )


def _told(example: Tensor) -> str:
    kind = "numbers" if example.is_floating_point() else "whole numbers, int64"
    return f"{'x'.join(map(str, example.shape))} ({example.numel():,} {kind})"
