"""Are the masks what the method and the level make of the network?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bench.exchange.submission import Submission, SubmittedUnit
from bench.runs.attempt import STATES
from bench.runs.integrity import LARGEST_TENSORS
from bench.runs.tensors import read_tensors

RANKED = ("iterative", "one-shot")
"""Masks that are cut layer by layer where the task says so."""
CHANGING = ("gmp", "set", "rigl")
"""Trainings that change the mask; one that diverged may have stopped at any count."""


def network(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """It has the layers that every unit of its task has."""
    if entry.unit.method.weights == "narrow":
        return
    model = next(each for each in submission.entries.values() if _is_like(each, entry))
    ours, theirs = model.record["counts"], entry.record["counts"]
    for name in sorted(ours["layers"].keys() | theirs["layers"].keys()):
        sides = [each["layers"].get(name) for each in (ours, theirs)]
        sizes = [side and (side["all"], side["prunable"]) for side in sides]
        if sizes[0] != sizes[1]:
            yield f"its layer {name!a} has another size than that of {model.unit.label!a}"
    if ours["weights"] != theirs["weights"]:
        yield f"it counts {theirs['weights']} weights, {model.unit.label!a} counts {ours['weights']}"


def _is_like(model: SubmittedUnit, entry: SubmittedUnit) -> bool:
    return model.unit.task == entry.unit.task and model.unit.method.weights != "narrow"


def prunable(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Nothing is pruned that the task exempts."""
    rule = entry.unit.task.pruning
    for name, mask in entry.mask.items():
        if rule.is_exempt(name) or (mask.ndim < 2 and not rule.biases):
            yield f"its mask prunes {name!a}, which its task does not"


def level(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """It keeps exactly as many weights as its level leaves, layer by layer where the method cuts so."""
    unit, kept = entry.unit, entry.kept
    if unit.method.mask == "none":
        if entry.mask:
            yield f"it has a mask, and {unit.method.name} has none"
        return
    if entry.diverged and unit.method.training in CHANGING:
        return
    asked = unit.task.pruning.keep(entry.sizes, unit.level)
    if sum(kept.values()) != sum(asked.values()):
        yield f"its mask keeps {sum(kept.values())} weights, level {unit.level} leaves {sum(asked.values())}"
    elif unit.method.mask in RANKED and unit.task.pruning.scope == "layer":
        for name in asked:
            if kept[name] != asked[name]:
                yield f"its mask keeps {kept[name]} weights of {name!a}, level {unit.level} leaves {asked[name]}"


def ranked(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What a round, or the one shot, cut was smaller than what it kept, where the weights it ranked were submitted too.

    Layers that hold entries which may not be pruned are left out: which entries those are is not recorded.
    """
    previous = submission.parent(entry, "previous" if entry.unit.method.mask == "iterative" else "dense")
    if entry.unit.method.mask not in RANKED or previous is None or not (previous.folder / STATES[-1]).exists():
        return
    trained = read_tensors(previous.folder / STATES[-1], largest=LARGEST_TENSORS).arrays
    layers = entry.record["counts"]["layers"]
    cut: dict[str, float] = {}
    kept: dict[str, float] = {}
    for name in (name for name in entry.mask if layers[name]["all"] == layers[name]["prunable"]):
        sizes, mask = np.abs(trained[f"weights/{name}"]), entry.mask[name]
        gone = ~mask & previous.mask[name] if name in previous.mask else ~mask
        pool = name if entry.unit.task.pruning.scope == "layer" else ""
        cut[pool] = max(cut.get(pool, 0.0), float(sizes[gone].max(initial=0.0)))
        kept[pool] = min(kept.get(pool, math.inf), float(sizes[mask].min(initial=math.inf)))
    for pool, largest in cut.items():
        if largest > kept[pool]:
            where = f" of {pool!a}" if pool else ""
            yield f"its mask cuts a weight{where} of {largest:.3g} and keeps one of {kept[pool]:.3g}: not by magnitude"


def totals(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The totals that densities are computed from follow from the mask."""
    counts, sizes, kept = entry.record["counts"], entry.sizes, entry.kept
    pruned = sum(sizes.values()) - sum(kept.values())
    thin = sum(sizes[name] - kept[name] for name, mask in entry.mask.items() if mask.ndim < 2 and name in sizes)
    for name, found in (("kept_all", counts["all"] - pruned), ("kept_weights", counts["weights"] - pruned + thin)):
        told = dict(counts)[name]
        if told != found:
            yield f"its {name} is {found} by its mask, the record says {told!a}"


def paired(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """A control that takes the ticket's mask has that one; a shuffled one keeps its counts in every layer."""
    if "ticket" not in entry.unit.method.parents and entry.record["overlap"] is not None:
        yield f"it has no ticket, yet shares {entry.record['overlap']!a} of one"
    ticket = submission.parent(entry, "ticket")
    if ticket is None:
        return
    if entry.unit.method.mask == "ticket" and entry.record["digests"]["mask"] != ticket.record["digests"]["mask"]:
        yield "its mask is not the ticket's"
    if entry.unit.method.mask == "shuffled" and entry.kept != ticket.kept:
        layer = next((name for name, count in ticket.kept.items() if entry.kept.get(name) != count), "a layer")
        yield f"it keeps another number of weights of {layer!a} than the ticket that it shuffles"
    common = sum(int((entry.mask[name] & ticket.mask[name]).sum()) for name in ticket.sizes)
    fixed = sum(mask.size - ticket.sizes[name] for name, mask in ticket.mask.items() if name in ticket.sizes)
    total, told = sum(ticket.kept.values()), entry.record["overlap"]
    if told != ((common - fixed) / total if total else None):
        yield f"it shares {common - fixed} of the ticket's {total} weights, the record says {told!a}"
