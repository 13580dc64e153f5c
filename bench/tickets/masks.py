"""Masks of exact counts: which weights a score, a shuffle or chance keeps.

A mask is `{parameter name: bool tensor of its shape}`; `entries` has the same form and marks what may be pruned at all.
Entries that may not be pruned are True in every mask.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.errors import Diverged, SpecError
from bench.learner import Learner, Mask
from bench.spec import Pruning


def prunable(learner: Learner, pruning: Pruning) -> dict[str, Tensor]:
    """Parameter name -> which of its entries the task may prune; parameters without any are left out.

    Raises:
        SpecError: if the task's pruning names a parameter that the network does not have, or leaves nothing to prune.
    """
    dimensions = {name: parameter.ndim for name, parameter in learner.module.named_parameters()}
    pruning.check(dimensions.keys())
    entries = {
        name: entries.cpu()
        for name, entries in learner.prunable().items()
        if (pruning.biases or dimensions[name] > 1) and not pruning.is_exempt(name) and bool(entries.any())
    }
    if not entries:
        raise SpecError(
            f"the network has nothing to prune: pruning.exempt = {list(pruning.exempt)},"
            f" pruning.biases = {str(pruning.biases).lower()} and what its learner protects leave no weight"
        )
    return entries


def sizes(mask: Mask) -> dict[str, int]:
    """Parameter name -> number of True entries."""
    return {name: int(kept.count_nonzero()) for name, kept in mask.items()}


def kept(mask: Mask, entries: Mask) -> dict[str, int]:
    """Parameter name -> number of prunable weights that `mask` keeps."""
    return sizes({name: mask[name] & layer if name in mask else layer for name, layer in entries.items()})


def ones(entries: Mask) -> dict[str, Tensor]:
    """The mask that keeps everything."""
    return {name: torch.ones_like(layer) for name, layer in entries.items()}


def largest(scores: Tensor, allowed: Tensor, keep: int) -> Tensor:
    """The `keep` highest scores among `allowed`, exactly; equal scores go by index, the first first.

    Args:
        scores: (n,) one score per weight.
        allowed: (n,) bool; only these compete.
        keep: how many to choose, at most as many as are allowed.

    Returns:
        (n,) bool.

    Raises:
        Diverged: if a score is NaN.
    """
    whole = bool(allowed.all())
    candidates = scores if whole else scores[allowed]
    assert keep <= candidates.numel(), f"{keep} weights asked of {candidates.numel()}"
    if candidates.numel() and bool(scores.max().isnan()):  # a maximum is NaN as soon as one score is
        raise Diverged(None, "a pruning score")
    if keep == 0:
        return torch.zeros_like(allowed)
    threshold = candidates.kthvalue(candidates.numel() - keep + 1).values
    chosen, tied = scores > threshold, scores == threshold
    if not whole:
        chosen, tied = chosen & allowed, tied & allowed
    first = tied.nonzero().squeeze(1)[: keep - int(chosen.count_nonzero())]
    chosen[first] = True
    return chosen


def highest(scores: Mapping[str, Tensor], allowed: Mask, entries: Mask, keep: Mapping[str, int]) -> dict[str, Tensor]:
    """The mask of the highest scores.

    Args:
        scores: parameter name -> score per weight, of the parameter's shape.
        allowed: what competes: the survivors of the round before.
        entries: what may be pruned.
        keep: parameter name -> count, or `{"": count}` to rank the pooled network.
    """
    names = list(entries)
    candidates = {name: (allowed[name] & entries[name]).flatten() for name in names}
    if "" in keep:
        flat = torch.cat([scores[name].detach().cpu().flatten() for name in names])
        chosen = largest(flat, torch.cat(list(candidates.values())), keep[""])
        parts = dict(zip(names, torch.split(chosen, [entries[name].numel() for name in names]), strict=True))
    else:
        parts = {name: largest(scores[name].detach().cpu().flatten(), candidates[name], keep[name]) for name in names}
    return {name: parts[name].view_as(entries[name]) | ~entries[name] for name in names}


def uniform(entries: Mask, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """`count` weights drawn uniformly over the whole network."""
    scores = {
        name: torch.rand(layer.shape, generator=generator, dtype=torch.float64) for name, layer in entries.items()
    }
    return highest(scores, entries, entries, {"": count})


def uniform_per_layer(entries: Mask, counts: Mapping[str, int], generator: torch.Generator) -> dict[str, Tensor]:
    """`counts[name]` weights drawn uniformly inside each layer."""
    scores = {
        name: torch.rand(layer.shape, generator=generator, dtype=torch.float64) for name, layer in entries.items()
    }
    return highest(scores, entries, entries, counts)


def shuffled(mask: Mask, entries: Mask, generator: torch.Generator) -> dict[str, Tensor]:
    """`mask` shuffled inside each layer: every layer keeps its count."""
    return uniform_per_layer(entries, kept(mask, entries), generator)


def erk(entries: Mask, total: int) -> dict[str, int]:
    """Erdos-Renyi-kernel counts: density in proportion to sum(shape) / prod(shape), at most 1, `total` in all.

    Source: Evci et al. 2020 (1911.11134), section 3. Fractions left by rounding go to the largest remainders.

    Args:
        entries: what may be pruned; the shapes are the parameters'.
        total: how many weights are kept in the whole network.
    """
    capacity = sizes(entries)
    raw = {name: sum(layer.shape) / layer.numel() for name, layer in entries.items()}
    full: set[str] = set()
    while True:
        free = [name for name in entries if name not in full]
        left = total - sum(capacity[name] for name in full)
        scale = left / sum(raw[name] * capacity[name] for name in free) if free else 0.0
        over = {name for name in free if raw[name] * scale > 1}
        if not over:
            break
        full |= over
    wanted = {name: float(capacity[name]) if name in full else raw[name] * scale * capacity[name] for name in entries}
    counts = {name: int(count) for name, count in wanted.items()}
    by_remainder = sorted(entries, key=lambda name: counts[name] - wanted[name])
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def overlap(mask: Mask, other: Mask, entries: Mask) -> float | None:
    """Share of the weights kept by `other` that `mask` keeps too; None if `other` keeps none."""
    both = {name: mask.get(name, layer) & other.get(name, layer) & layer for name, layer in entries.items()}
    common = sum(sizes(both).values())
    total = sum(kept(other, entries).values())
    return common / total if total else None
