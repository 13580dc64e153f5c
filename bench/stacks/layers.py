"""Layers of many networks at once, equal in architecture: each network sees its own rows of a batch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import SpecError


class _Affine(torch.autograd.Function):
    """Inputs (networks * n, in), weights (networks, out, in) and biases (networks, out) to outputs (networks * n, out).

    The gradient of a weight comes out of its product in the weight's own memory order, which autograd's does not, and the
    output is no view, so that what follows may act in place: together a fifth of a step.
    """

    @staticmethod
    def forward(context: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        context.save_for_backward(inputs, weight)
        outputs = inputs.new_empty(len(inputs), weight.shape[1])
        torch.baddbmm(bias.unsqueeze(1), _by_network(inputs, weight), weight.mT, out=_by_network(outputs, weight))
        return outputs

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        inputs, weight = context.saved_tensors
        rows = _by_network(gradient, weight)
        inner = torch.bmm(rows, weight).flatten(0, 1) if context.needs_input_grad[0] else None
        return inner, torch.bmm(rows.mT, _by_network(inputs, weight)), rows.sum(1)


def _by_network(rows: Tensor, weight: Tensor) -> Tensor:
    """(networks * n, features) as (networks, n, features)."""
    return rows.view(len(weight), -1, rows.shape[1])


class StackedLinear(nn.Module):
    """`nn.Linear` of each network.

    Args:
        layer: of one of them; its weight (out, in) gives the shape.

    Attributes:
        weight: (networks, out, in).
        bias: (networks, out), or None.
    """

    bias: nn.Parameter | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().unsqueeze(0).clone())
        bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().unsqueeze(0).clone())
        self.register_parameter("bias", bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (networks * n, in), the rows of the first network first, to (networks * n, out)."""
        if self.bias is None:
            return torch.bmm(_by_network(inputs, self.weight), self.weight.mT).flatten(0, 1)
        outputs: Tensor = _Affine.apply(inputs, self.weight, self.bias)
        return outputs


def stacked(module: nn.Module) -> nn.Module:
    """A module of the same names whose layers are those of many networks; of one, until it is given more parameters.

    Args:
        module: of one network; its parameters all belong to layers of `nn.Linear`.

    Raises:
        SpecError: if another layer has parameters.
    """
    whole = nn.ModuleDict({"module": deepcopy(module)})
    for parent in list(whole.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Linear):
                setattr(parent, name, StackedLinear(layer))
            elif isinstance(layer, nn.ReLU):
                layer.inplace = True  # the linear layer below does not need what it gave
            elif any(True for _ in layer.parameters(recurse=False)):
                raise SpecError(f"a layer of {type(layer).__name__} cannot be stacked: only linear ones can")
    return whole["module"]
