"""Layers of many networks at once, equal in architecture: each network sees its own rows of a batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench.errors import SpecError


class Activation(NamedTuple):
    """What stands between linear layers.

    Args:
        apply: changes its input in place.
        backward: gradient behind it, and what it gave, to the gradient before it.
    """

    apply: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: Activation(torch.relu_, lambda gradient, output: torch.ops.aten.threshold_backward(gradient, output, 0)),
    nn.Tanh: Activation(torch.tanh_, torch.ops.aten.tanh_backward),
    nn.Identity: Activation(lambda values: values, lambda gradient, _: gradient),
}


class _Perceptron(torch.autograd.Function):
    """Linear layers, each with an activation behind it, as one function.

    Small networks spend most of a step between their products: as one function they take half of the time that autograd
    takes with a node for each operation. A weight's gradient comes out of its product in the weight's own memory order.
    """

    @staticmethod
    def forward(context: Any, activations: Sequence[Activation], inputs: Tensor, *layers: Tensor) -> Tensor:
        """Inputs (networks * n, in) through weights (networks, out, in) and biases (networks, out), in turns."""
        values = [inputs.view(len(layers[0]), -1, inputs.shape[1])]
        for activation, weight, bias in zip(activations, layers[::2], layers[1::2], strict=True):
            values.append(activation.apply(torch.baddbmm(bias.unsqueeze(1), values[-1], weight.mT)))
        context.activations = activations
        context.save_for_backward(*layers[::2], *values)
        return values[-1].flatten(0, 1)

    @staticmethod
    def backward(context: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        """The same way back."""
        count = len(context.activations)
        weights, values = context.saved_tensors[:count], context.saved_tensors[count:]
        gradient: Tensor | None = outer.view(values[-1].shape)
        found: list[Tensor | None] = []
        for number in reversed(range(count)):
            assert gradient is not None
            gradient = context.activations[number].backward(gradient, values[number + 1])
            found += [gradient.sum(1), torch.bmm(gradient.mT, values[number])]
            is_needed = number or context.needs_input_grad[1]
            gradient = torch.bmm(gradient, weights[number]) if is_needed else None
        return None, None if gradient is None else gradient.flatten(0, 1), *reversed(found)


class StackedLinear(nn.Module):
    """`nn.Linear` of each network.

    Args:
        layer: of one of them; its weight (out, in) gives the shape.

    Attributes:
        weight: (networks, out, in).
        bias: (networks, out).
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().unsqueeze(0).clone())
        self.bias = nn.Parameter(layer.bias.detach().unsqueeze(0).clone())

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (networks * n, in), the rows of the first network first, to (networks * n, out)."""
        return perceptron(inputs, [(self, ACTIVATIONS[nn.Identity])])


class StackedPerceptron(nn.Sequential):
    """A sequence of linear layers and activations of each network, whose parameters keep their names."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (networks * n, ...) to (networks * n, out)."""
        layers: list[tuple[StackedLinear, Activation]] = []
        for layer in self:
            if isinstance(layer, StackedLinear):
                layers.append((layer, ACTIVATIONS[nn.Identity]))
            elif isinstance(layer, nn.Flatten):
                inputs = inputs.flatten(1)
            else:
                layers[-1] = (layers[-1][0], ACTIVATIONS[type(layer)])
        return perceptron(inputs, layers)


def perceptron(inputs: Tensor, layers: Sequence[tuple[StackedLinear, Activation]]) -> Tensor:
    """Inputs (networks * n, in) through layers, each with an activation behind it, to (networks * n, out)."""
    parameters = [each for layer, _ in layers for each in (layer.weight, layer.bias)]
    outputs: Tensor = _Perceptron.apply([activation for _, activation in layers], inputs, *parameters)
    return outputs


def stacked(module: nn.Module) -> nn.Module:
    """A module of the same names whose layers are those of many networks; of one, until it is given more parameters.

    Args:
        module: of one network; its parameters all belong to layers of `nn.Linear` with biases.

    Raises:
        SpecError: if another layer has parameters.
    """
    whole = nn.ModuleDict({"module": deepcopy(module)})
    for parent in list(whole.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and child.bias is not None:
                setattr(parent, name, StackedLinear(child))
            elif any(True for _ in child.parameters(recurse=False)):
                raise SpecError(f"{type(child).__name__} cannot be stacked: only linear layers with biases can")
    for parent in list(whole.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Sequential and _is_perceptron(list(child)):
                setattr(parent, name, StackedPerceptron(OrderedDict(child.named_children())))
    return whole["module"]


def _is_perceptron(layers: Sequence[nn.Module]) -> bool:
    kinds = [type(layer) for layer in layers if type(layer) is not nn.Flatten]
    return (
        kinds[:1] == [StackedLinear]
        and all(kind is StackedLinear or kind in ACTIVATIONS for kind in kinds)
        and all(StackedLinear in pair for pair in pairwise(kinds))
        and all(type(layer) is not nn.Flatten for layer in layers[1:])
    )
