"""How a learner calls its network in a training step, recorded once, to be called so again: without its data or environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from bench.errors import Unsupported
from bench.learner import Learner


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a module from outside of the network.

    Args:
        name: of the module in the network; empty for the network itself.
        inputs: its arguments, (positional, by name); tensors are leaves, which get a gradient if they got one there.
        gradients: of each tensor of its outputs that has one: that of the training loss.
        batch: examples; the first dimension of its tensors.
    """

    name: str
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    gradients: tuple[Tensor | None, ...] = ()
    batch: int

    def outputs(self, network: nn.Module) -> list[Tensor]:
        """Call the module in `network`; every tensor that comes out of it and has floating-point numbers."""
        positional, named = self.inputs
        return _tensors(network.get_submodule(self.name)(*positional, **named))

    def forget(self) -> None:
        """Remove the gradients of the inputs."""
        for each in tree_leaves(self.inputs):
            if isinstance(each, Tensor):
                each.grad = None

    def resized(self, n: int) -> Call:
        """The same with `n` examples: these again and again, or the first of them; without gradients."""

        def cut(tensor: Tensor) -> Tensor:
            if tensor.ndim == 0 or len(tensor) != self.batch:
                return tensor.detach()
            return tensor.detach().repeat(-(-n // self.batch), *[1] * (tensor.ndim - 1))[:n].contiguous()

        return replace(self, inputs=tree_map_only(Tensor, cut, self.inputs), gradients=(), batch=n)

    def beside_itself(self, times: int) -> Call:
        """The same with `times` times as many features: those of each example, side by side.

        Raises:
            Unsupported: if a tensor has no features.
        """

        def widened(tensor: Tensor) -> Tensor:
            if tensor.ndim < 2:
                raise Unsupported(f"an input or output of {tuple(tensor.shape)} has no features to put side by side")
            return torch.cat([tensor.detach()] * times, 1).requires_grad_(tensor.requires_grad)

        inputs, gradients = tree_map_only(Tensor, widened, (self.inputs, self.gradients))
        return replace(self, inputs=inputs, gradients=gradients)


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """What a training step calls.

    Args:
        calls: of modules that no other of them calls.
        called: names of all modules that were called, those inside of others too.
    """

    calls: tuple[Call, ...]
    called: frozenset[str]


def training_step(learner: Learner) -> TrainingStep:
    """Record the calls from which one training loss follows, and its gradients; the learner is as before.

    The gradient of each parameter follows from these calls alone, each from its own inputs and the whole gradient of its
    own outputs: whatever lies between two of them need not be known.

    Raises:
        Unsupported: if the learner has no losses, or calls no module with a gradient.
    """
    losses = learner.losses(1)
    with _watched(learner.module) as (made, called):
        try:
            loss = next(losses)
        except (NotImplementedError, StopIteration) as error:
            raise Unsupported("its learner gives no training loss: nothing is known of its training step") from error
    outputs = [tensor for _, tensors in made for tensor in tensors if tensor.requires_grad]
    if not outputs:
        raise Unsupported("its training loss calls no module of the network: nothing can be put in a layer's place")
    found = iter(torch.autograd.grad(loss, outputs, allow_unused=True))
    for _ in losses:  # a learner may tidy up behind its last one
        pass
    calls = (
        replace(call, gradients=tuple(next(found) if each.requires_grad else None for each in tensors))
        for call, tensors in made
    )
    return TrainingStep(
        calls=tuple(call for call in calls if any(each is not None for each in call.gradients)),
        called=frozenset(called),
    )


@contextmanager
def _watched(network: nn.Module) -> Iterator[tuple[list[tuple[Call, list[Tensor]]], set[str]]]:
    """The outermost calls with gradients and what came out of them, and the names of all modules that were called."""
    made: list[tuple[Call, list[Tensor]]] = []
    called: set[str] = set()
    inside: list[tuple[str, Any]] = []
    handles = []

    def begin(name: str) -> Any:
        def hook(_: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
            inside.append((name, None if inside else _leaves((positional, dict(named)))))

        return hook

    def end(_: nn.Module, __: Any, outputs: Any) -> None:
        name, inputs = inside.pop()
        if not torch.is_grad_enabled():
            return
        called.add(name)
        if not inside:
            made.append((Call(name=name, inputs=inputs, batch=_batch(inputs)), _tensors(outputs)))

    for name, module in network.named_modules():
        handles += [
            module.register_forward_pre_hook(begin(name), with_kwargs=True),
            module.register_forward_hook(end),
        ]
    try:
        yield made, called
    finally:
        for handle in handles:
            handle.remove()


def _leaves(inputs: Any) -> Any:
    return tree_map_only(Tensor, lambda each: each.detach().clone().requires_grad_(each.requires_grad), inputs)


def _tensors(outputs: Any) -> list[Tensor]:
    return [each for each in tree_leaves(outputs) if isinstance(each, Tensor) and each.is_floating_point()]


def _batch(inputs: Any) -> int:
    first = next((each for each in tree_leaves(inputs) if isinstance(each, Tensor) and each.ndim), None)
    return 1 if first is None else len(first)
