"""The functions behind the columns that prune whole hidden nodes (see `bench.tickets.choose` for their contract)."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.doors import HiddenLayer, NamesNodes
from bench.errors import SpecError
from bench.learner import Mask
from bench.tickets import masks
from bench.tickets.inputs import MethodInputs

NODES = 5
"""Substream of `mask`; those below are taken by `bench.tickets.choose` and `bench.tickets.dynamic`."""


def fanout_mask(inputs: MethodInputs) -> Mask:
    """The nodes from which the dense network's weights have the largest norm in the end."""
    layer = hidden_layer(inputs)
    outgoing = inputs.parents["dense"].state("final").weights[layer.outgoing]
    return of_nodes(inputs, layer, outgoing.double().norm(dim=0))


def random_mask(inputs: MethodInputs) -> Mask:
    """As many nodes, drawn at random."""
    layer = hidden_layer(inputs)
    nodes = inputs.entries[layer.outgoing].shape[1]
    return of_nodes(inputs, layer, torch.rand(nodes, generator=inputs.generator(NODES), dtype=torch.float64))


def of_nodes(inputs: MethodInputs, layer: HiddenLayer, scores: Tensor) -> Mask:
    """The mask that keeps whole nodes in the order of their scores, and of the last one as much as the level leaves.

    Args:
        inputs: of the unit.
        layer: whose nodes are pruned.
        scores: (nodes,) the highest are kept; equal ones go by index.
    """
    order = scores.cpu().argsort(descending=True, stable=True)
    priority = torch.empty_like(order, dtype=torch.float64)
    priority[order] = torch.arange(len(order), 0, -1, dtype=torch.float64)
    shapes = {name: entries.shape for name, entries in inputs.entries.items()}
    by_weight = {
        layer.incoming: priority[:, None].expand(shapes[layer.incoming]),
        layer.outgoing: priority.expand(shapes[layer.outgoing]),
    }
    return masks.highest(by_weight, inputs.entries, inputs.entries, inputs.keep)


def hidden_layer(inputs: MethodInputs) -> HiddenLayer:
    """The one hidden layer of a network all whose pruned weights go to or come from it.

    Raises:
        SpecError: if the network or what is pruned of it is another.
    """
    hidden = inputs.learner.hidden if isinstance(inputs.learner, NamesNodes) else ()
    pruned = set(inputs.keep)
    if len(hidden) != 1 or pruned != set(hidden[0]):
        raise SpecError(
            f"{inputs.unit.label}: whole nodes leave each layer's count only where one hidden layer is pruned, layer by layer; "
            f"this network has {len(hidden)}, and pruned are {', '.join(sorted(pruned)) if pruned != {''} else 'all, pooled'}"
        )
    return hidden[0]
