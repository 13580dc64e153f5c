"""Students: the teacher's layers with more hidden nodes, and how they are initialised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from domains.teacher.chosen import chosen
from domains.teacher.teachers import Layers


def names(count: int) -> list[str]:
    """What `count` layers are called, the lowest first."""
    return [*(f"hidden{number}" for number in range(1, count)), "output"]


def network(sizes: Sequence[int], dtype: torch.dtype) -> nn.Sequential:
    """Linear layers with ReLU between, of any weights."""
    module = nn.Sequential()
    for name, (inputs, outputs) in zip(names(len(sizes) - 1), pairwise(sizes), strict=True):
        module.add_module(name, nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=dtype))
        if name != "output":
            module.add_module(name.replace("hidden", "relu"), nn.ReLU())
    return module


def layers_of(parameters: Mapping[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every layer of a `network`, the lowest first, from its named parameters."""
    return [(parameters[f"{name}.weight"], parameters[f"{name}.bias"]) for name in names(len(parameters) // 2)]


def activations(layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> list[Tensor]:
    """What every layer gives for (n, inputs): (n, nodes) behind the ReLU of each hidden layer, then the outputs."""
    found = [inputs]
    for number, (weight, bias) in enumerate(layers, start=1):
        linear = F.linear(found[-1], weight, bias)
        found.append(linear if number == len(layers) else linear.relu_())
    return found[1:]


def initial(sizes: Sequence[int], teacher: Layers, init: Mapping[str, Any], generator: np.random.Generator) -> Layers:
    """The weights that a student starts from.

    Args:
        sizes: of the student's layers, input and output included.
        teacher: which a planted start copies.
        init: the `kind`, one of `INITIAL`, with its numbers.
        generator: of the draw.

    Raises:
        UnknownName: if there is no such kind.
    """
    return chosen("initialisation", INITIAL, init["kind"])(sizes, teacher, init, generator)


def normal(sizes: Sequence[int], _: Layers, init: Mapping[str, Any], generator: np.random.Generator) -> Layers:
    """Normal weights of standard deviation `std`, biases zero (1909.13458, code)."""
    return [
        (generator.normal(0.0, init["std"], (outputs, inputs)), np.zeros(outputs))
        for inputs, outputs in pairwise(sizes)
    ]


def uniform(sizes: Sequence[int], _: Layers, __: Mapping[str, Any], generator: np.random.Generator) -> Layers:
    """Weights and biases uniform within 1 / sqrt(inputs), as torch initialises linear layers (1905.13405, code)."""
    return [
        (generator.uniform(-bound, bound, (outputs, inputs)), generator.uniform(-bound, bound, outputs))
        for inputs, outputs in pairwise(sizes)
        for bound in (inputs**-0.5,)
    ]


def planted(sizes: Sequence[int], teacher: Layers, init: Mapping[str, Any], generator: np.random.Generator) -> Layers:
    """Normal weights and biases of standard deviation `std`, the teacher added to the first nodes of each layer.

    Then the weights to each node and its bias are one unit vector (1905.13405, code: a perturbed start).
    """
    layers = []
    for (inputs, outputs), (weight, bias) in zip(pairwise(sizes), teacher, strict=True):
        both = generator.normal(0.0, init["std"], (outputs, inputs + 1))
        rows, columns = (min(pair) for pair in zip(weight.shape, (outputs, inputs), strict=True))
        both[:rows, :columns] += weight[:rows, :columns]
        both[:rows, -1] += bias[:rows]
        both /= np.linalg.norm(both, axis=1, keepdims=True)
        layers.append((both[:, :-1], both[:, -1]))
    return layers


INITIAL: dict[str, Callable[[Sequence[int], Layers, Mapping[str, Any], np.random.Generator], Layers]] = {
    "normal": normal,
    "uniform": uniform,
    "planted": planted,
}
