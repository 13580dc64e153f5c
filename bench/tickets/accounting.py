"""How much of a network is left: counts, densities, effective density and theoretical FLOPs.

Everything is counted over `named_parameters()`, where shared and tied parameters stand once.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from bench.doors import ForwardsOnes, KnowsInputs
from bench.errors import Unsupported
from bench.learner import Learner, Mask
from bench.record import IRRELEVANT, RELEVANT, Counts, LayerCount
from bench.spec import Task
from bench.tickets import masks, saliency


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
    groups: dict[str, LayerCount] = {}
    for name, parameter in learner.module.named_parameters():
        prunable = int(entries[name].sum()) if name in entries else 0
        layer: LayerCount = {"all": parameter.numel(), "prunable": prunable, "kept": left.get(name, 0)}
        layers[name] = layer
        group = task.group_of(name)
        if group is not None:
            _add(groups.setdefault(group, {"all": 0, "prunable": 0, "kept": 0}), layer)
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
            _add(groups.setdefault(group, {"all": 0, "prunable": 0, "kept": 0}), count)
    return groups


def _add(total: LayerCount, layer: LayerCount) -> None:
    total["all"] += layer["all"]
    total["prunable"] += layer["prunable"]
    total["kept"] += layer["kept"]


def effective_kept(learner: Learner, mask: Mask, entries: Mask) -> int:
    """How many kept prunable weights lie on a path from input to output.

    Raises:
        Unsupported: if the learner cannot forward ones.
    """
    whole = {**masks.ones(entries), **mask}
    alive = saliency.connected(learner, whole, entries)
    return sum(int((alive[name] & whole[name] & layer).sum()) for name, layer in entries.items())


def flops(learner: Learner, mask: Mask) -> int:
    """Multiply-adds of one example through linear and convolutional layers, pruned weights left out.

    Raises:
        Unsupported: if the learner cannot forward ones.
    """
    if not isinstance(learner, ForwardsOnes):
        raise Unsupported("this task's learner has no forward_ones: FLOPs are not counted for it")
    names = {parameter: name for name, parameter in learner.module.named_parameters()}
    layers = [module for module in learner.module.modules() if isinstance(module, (nn.Linear, _ConvNd))]
    positions: dict[str, int] = {}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer.weight, nn.Parameter)
        name = names[layer.weight]
        side = inputs[0] if getattr(layer, "transposed", False) else output  # where the weight's first axis stands
        positions[name] = positions.get(name, 0) + side.numel() // layer.weight.shape[0]

    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.no_grad():
            learner.forward_ones()
    finally:
        for handle in handles:
            handle.remove()
    sizes = {name: parameter.numel() for name, parameter in learner.module.named_parameters()}
    return sum(used * (int(mask[name].sum()) if name in mask else sizes[name]) for name, used in positions.items())
