"""How much of a network is left: counts, densities, effective density and theoretical FLOPs.

Everything is counted over `named_parameters()`, where shared and tied parameters stand once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.conv import _ConvNd

from bench.doors import ForwardsOnes, KnowsInputs
from bench.errors import Unsupported
from bench.learner import Learner, Mask
from bench.record import IRRELEVANT, RELEVANT, Counts, LayerCount, add_counts, grouped
from bench.spec import Task
from bench.tickets import masks, saliency

ELEMENTWISE = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, nn.RMSNorm)
"""Layers whose matrices are looked up or multiply number by number, and so cost no multiply-adds that are counted."""


def counts(learner: Learner, mask: Mask, entries: Mask, task: Task, *, level_asks: int) -> Counts:
    """Counts of the network under `mask`, per layer and per group of the task, and of the inputs where some are known to be noise.

    Args:
        learner: the network that was trained.
        mask: which weights it kept.
        entries: what may be pruned in it.
        task: names the groups.
        level_asks: how many prunable weights the level leaves.
    """
    left = masks.kept(mask, entries)
    layers: dict[str, LayerCount] = {}
    for name, parameter in learner.module.named_parameters():
        prunable = int(entries[name].sum()) if name in entries else 0
        layers[name] = {"all": parameter.numel(), "prunable": prunable, "kept": left.get(name, 0)}
    groups = grouped(task, layers)
    if isinstance(learner, KnowsInputs):
        groups |= _by_relevance(learner.relevant_inputs(), mask, entries)
    matrices = {name for name, parameter in learner.module.named_parameters() if parameter.ndim > 1}
    removed = {name: layer["prunable"] - layer["kept"] for name, layer in layers.items()}
    every = sum(layer["all"] for layer in layers.values())
    weights = sum(layers[name]["all"] for name in matrices)
    return {
        "all": every,
        "weights": weights,
        "prunable": sum(layer["prunable"] for layer in layers.values()),
        "kept": sum(left.values()),
        "kept_weights": weights - sum(removed[name] for name in matrices),
        "kept_all": every - sum(removed.values()),
        "level_asks": level_asks,
        "layers": layers,
        "groups": groups,
        "collapsed": [name for name, count in left.items() if count == 0],
    }


def _by_relevance(reading: Mapping[str, Tensor], mask: Mask, entries: Mask) -> dict[str, LayerCount]:
    """Group -> counts of the weights that read inputs which tell something, and of those that read the others."""
    groups: dict[str, LayerCount] = {}
    for name, told in reading.items():
        relevant = told.to(entries[name].device)
        for group, columns in ((RELEVANT, relevant), (IRRELEVANT, ~relevant)):
            prunable = entries[name][:, columns]
            kept = prunable & mask[name].to(prunable.device)[:, columns] if name in mask else prunable
            count: LayerCount = {"all": prunable.numel(), "prunable": int(prunable.sum()), "kept": int(kept.sum())}
            add_counts(groups.setdefault(group, {"all": 0, "prunable": 0, "kept": 0}), count)
    return groups


def effective_kept(learner: Learner, mask: Mask, entries: Mask) -> int:
    """How many kept prunable weights lie on a path from input to output.

    Raises:
        Unsupported: see `bench.tickets.saliency.check_flow`.
    """
    whole = {**masks.ones(entries), **mask}
    alive = saliency.connected(learner, whole, entries)
    return sum(int((alive[name] & whole[name] & layer).sum()) for name, layer in entries.items())


def flops(learner: Learner, mask: Mask) -> int:
    """Multiply-adds of one example through linear and convolutional layers, pruned weights left out.

    Raises:
        Unsupported: if the learner cannot forward ones, or if matrices multiply elsewhere than in such layers.
    """
    if not isinstance(learner, ForwardsOnes):
        raise Unsupported("this task's learner has no forward_ones: FLOPs are not counted for it")
    parameters = dict(learner.module.named_parameters())
    names = {parameter: name for name, parameter in parameters.items()}
    layers = [module for module in learner.module.modules() if isinstance(module, (nn.Linear, _ConvNd))]
    positions: dict[str, int] = {}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer.weight, Tensor)
        if (name := names.get(cast("nn.Parameter", layer.weight))) is None:
            return  # it is computed from parameters that are found missing below
        side = inputs[0] if getattr(layer, "transposed", False) else output  # where the weight's first axis stands
        positions[name] = positions.get(name, 0) + side.numel() // layer.weight.shape[0]

    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        outputs = learner.forward_ones()
    finally:
        for handle in handles:
            handle.remove()
    _check_counted(learner.module, outputs, positions.keys())
    return sum(
        used * (int(mask[name].sum()) if name in mask else parameters[name].numel()) for name, used in positions.items()
    )


def _check_counted(module: nn.Module, outputs: Tensor, counted: Collection[str]) -> None:
    """Every matrix that the outputs are computed from is one whose multiply-adds are counted, or none that multiplies.

    Scales and offsets, of one axis longer than one, are left out as those of batch norm are, and embeddings are looked up.

    Raises:
        Unsupported: naming the first that is not.
    """
    missing = {parameter: name for name, parameter in module.named_parameters() if name not in counted}
    used = _leaves(outputs)
    for layer in module.modules():
        for parameter in layer.parameters(recurse=False):
            is_matrix = sum(length > 1 for length in parameter.shape) > 1 and not isinstance(layer, ELEMENTWISE)
            if is_matrix and parameter in used and parameter in missing:
                raise Unsupported(
                    "multiply-adds are counted in linear and convolutional layers, and "
                    f"{missing[parameter]} ({type(layer).__name__}) is used outside of them"
                )


def _leaves(outputs: Tensor) -> set[Tensor]:
    """The parameters that a tensor was computed from, by its graph."""
    waiting, seen = [outputs.grad_fn], set[Node]()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return {node.variable for node in seen if hasattr(node, "variable")}
