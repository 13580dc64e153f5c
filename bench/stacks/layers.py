"""Layers of many networks at once, equal in architecture: each network sees its own rows of a batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import SpecError


class Activation(NamedTuple):
    """What stands between linear layers.

    Args:
        apply: changes its input in place.
        backward: gradient behind it, and what it gave, to the gradient before it, in place.
    """

    apply: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


def _relu_backward(gradient: Tensor, output: Tensor) -> Tensor:
    found: Tensor = torch.ops.aten.threshold_backward.grad_input(gradient, output, 0, grad_input=gradient)
    return found


def _tanh_backward(gradient: Tensor, output: Tensor) -> Tensor:
    found: Tensor = torch.ops.aten.tanh_backward.grad_input(gradient, output, grad_input=gradient)
    return found


ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: Activation(torch.relu_, _relu_backward),
    nn.Tanh: Activation(torch.tanh_, _tanh_backward),
    nn.Identity: Activation(lambda values: values, lambda gradient, _: gradient),
}


def forward(activations: Sequence[Activation], inputs: Tensor, layers: Sequence[Tensor]) -> list[Tensor]:
    """What every linear layer gives behind its activation, the lowest first, and before all the inputs.

    Args:
        activations: of each layer.
        inputs: (networks, n, in).
        layers: weights (networks, out, in) and biases (networks, out), in turns.

    Returns:
        (networks, n, features) each.
    """
    values = [inputs]
    for activation, weight, bias in zip(activations, layers[::2], layers[1::2], strict=True):
        values.append(activation.apply(torch.baddbmm(bias.unsqueeze(1), values[-1], weight.mT)))
    return values


def backward(
    activations: Sequence[Activation], values: Sequence[Tensor], weights: Sequence[Tensor], outer: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The way back, from the last layer to the first.

    A weight's gradient comes out of its product in the weight's own memory order.

    Args:
        activations: of each layer.
        values: what `forward` gave.
        weights: of each layer.
        outer: the gradient of the last values; it is used up.

    Yields:
        Gradients of a layer's weights and biases, and the gradient in front of its activation.
    """
    for number in reversed(range(len(weights))):
        inner = activations[number].backward(outer, values[number + 1])
        yield torch.bmm(inner.mT, values[number]), inner.sum(1), inner
        if number:
            outer = torch.bmm(inner, weights[number])


class _Perceptron(torch.autograd.Function):
    """Linear layers, each with an activation behind it, as one node of the graph: small networks spend most time between nodes."""

    @staticmethod
    def forward(context: Any, activations: Sequence[Activation], inputs: Tensor, *layers: Tensor) -> Tensor:
        values = forward(activations, inputs.view(len(layers[0]), -1, inputs.shape[1]), layers)
        context.activations = activations
        context.save_for_backward(*layers[::2], *values)
        return values[-1].flatten(0, 1)

    @staticmethod
    def backward(context: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        count = len(context.activations)
        weights, values = context.saved_tensors[:count], context.saved_tensors[count:]
        steps = list(backward(context.activations, values, weights, outer.clone().view(values[-1].shape)))
        found = [each for weight, bias, _ in steps for each in (bias, weight)]
        before = torch.bmm(steps[-1][2], weights[0]).flatten(0, 1) if context.needs_input_grad[1] else None
        return None, before, *reversed(found)


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

    def layers(self) -> list[tuple[StackedLinear, Activation]]:
        """Every linear layer with what stands behind it."""
        found: list[tuple[StackedLinear, Activation]] = []
        for layer in self:
            if isinstance(layer, StackedLinear):
                found.append((layer, ACTIVATIONS[nn.Identity]))
            elif type(layer) in ACTIVATIONS:
                found[-1] = (found[-1][0], ACTIVATIONS[type(layer)])
        return found

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (networks * n, ...) to (networks * n, out)."""
        return perceptron(inputs.flatten(1), self.layers())


def perceptron(inputs: Tensor, layers: Sequence[tuple[StackedLinear, Activation]]) -> Tensor:
    """Inputs (networks * n, in) through layers, each with an activation behind it, to (networks * n, out)."""
    parameters = [each for layer, _ in layers for each in (layer.weight, layer.bias)]
    outputs: Tensor = _Perceptron.apply([activation for _, activation in layers], inputs, *parameters)
    return outputs


def side_by_side(inputs: Tensor, *layers: StackedLinear) -> tuple[Tensor, ...]:
    """What each of several layers gives for the same inputs (networks * n, in), in one product."""
    weight, bias = (torch.cat([getattr(layer, name) for layer in layers], dim=1) for name in ("weight", "bias"))
    outputs: Tensor = _Perceptron.apply([ACTIVATIONS[nn.Identity]], inputs, weight, bias)
    return tuple(outputs.split([layer.bias.shape[1] for layer in layers], dim=1))


class StackedConv2d(nn.Module):
    """`nn.Conv2d` of each network, as the groups of one.

    Args:
        layer: of one of them.

    Attributes:
        weight: (networks, out, in, height, width).
        bias: (networks, out), or None.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().unsqueeze(0).clone())
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().unsqueeze(0).clone())
        self._options: dict[str, Any] = {key: getattr(layer, key) for key in ("stride", "padding", "dilation")}
        self._groups = layer.groups

    def forward(self, images: Tensor) -> Tensor:
        """Images (networks * n, in, height, width) to (networks * n, out, height, width)."""
        networks = len(self.weight)
        bias = None if self.bias is None else self.bias.flatten()
        kernels = self.weight.flatten(0, 1)
        found = F.conv2d(as_channels(images, networks), kernels, bias, groups=networks * self._groups, **self._options)
        return as_rows(found, networks)


class StackedBatchNorm2d(nn.Module):
    """`nn.BatchNorm2d` of each network, over its own rows.

    Args:
        layer: of one of them.

    Attributes:
        weight: (networks, channels), like the bias and the running statistics.
        num_batches_tracked: (networks,).
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().unsqueeze(0).clone())
        self.bias = nn.Parameter(layer.bias.detach().unsqueeze(0).clone())
        for name, buffer in layer.named_buffers():
            self.register_buffer(name, buffer.unsqueeze(0).clone())
        self._options: dict[str, Any] = {key: getattr(layer, key) for key in ("momentum", "eps")}

    def forward(self, images: Tensor) -> Tensor:
        """Images (networks * n, channels, height, width), normalised."""
        networks = len(self.weight)
        if self.training:
            self.num_batches_tracked += 1
        normal = F.batch_norm(
            as_channels(images, networks),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.weight.view(-1),
            self.bias.view(-1),
            training=self.training,
            **self._options,
        )
        return as_rows(normal, networks)


def as_channels(images: Tensor, networks: int) -> Tensor:
    """(networks * n, channels, ...) as (n, networks * channels, ...)."""
    by_network = images.view(networks, -1, *images.shape[1:])
    return by_network.transpose(0, 1).flatten(1, 2)


def as_rows(images: Tensor, networks: int) -> Tensor:
    """(n, networks * channels, ...) as (networks * n, channels, ...)."""
    by_network = images.view(len(images), networks, -1, *images.shape[2:])
    return by_network.transpose(0, 1).flatten(0, 1)


STACKED: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Linear: StackedLinear,
    nn.Conv2d: StackedConv2d,
    nn.BatchNorm2d: StackedBatchNorm2d,
}
"""Layer -> the same of many networks."""


def stacked(module: nn.Module) -> nn.Module:
    """A module of the same names whose layers are those of many networks; of one, until it is given more parameters.

    Whatever else it does treats the rows of a batch alike, and so those of all networks.

    Args:
        module: of one network; its parameters all belong to layers of `STACKED`.

    Raises:
        SpecError: if another layer has parameters.
    """
    whole = nn.ModuleDict({"module": deepcopy(module)})
    for parent in list(whole.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in STACKED:
                setattr(parent, name, STACKED[type(child)](child))
            elif any(True for _ in child.parameters(recurse=False)):
                raise SpecError(
                    f"a layer of {type(child).__name__} cannot be stacked: drop it, or run with --stack off"
                )
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
