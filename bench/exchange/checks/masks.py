"""Are the masks what the method and the level make of the network?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.exchange.submission import Submission, SubmittedUnit
from bench.store.attempt import STATES
from bench.store.tensors import read_tensors
from bench.tickets.measurements.survival import survival


def network(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """It has the layers that every unit of its task has."""
    model = submission.whole(entry)
    if model is None or entry.columns.weights.narrower:
        return
    ours, theirs = model.record["counts"], entry.record["counts"]
    for name in sorted(ours["layers"].keys() | theirs["layers"].keys()):
        sides = [counts["layers"].get(name) for counts in (ours, theirs)]
        sizes = [side and (side["all"], side["prunable"]) for side in sides]
        if sizes[0] != sizes[1]:
            yield f"its layer {name!a} has another size than that of {model.unit.label!a}"
    if ours["weights"] != theirs["weights"]:
        yield f"it counts {theirs['weights']} weights, {model.unit.label!a} counts {ours['weights']}"


def prunable(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Nothing is pruned that the task exempts."""
    rule = entry.unit.task.pruning
    for name, mask in entry.mask.items():
        if rule.is_exempt(name) or (mask.ndim < 2 and not rule.biases):
            yield f"its mask prunes {name!a}, which its task does not"


def level(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """It keeps exactly as many weights as its level leaves, layer by layer where the method cuts so."""
    unit, kept, (mask, _, training) = entry.unit, entry.kept, entry.columns
    if mask.whole and not training.dynamic:
        if entry.mask:
            yield f"it has a mask, and {unit.method.name} has none"
        return
    if entry.installed.method is None or (entry.diverged and training.dynamic):
        return
    asked = unit.task.pruning.keep(entry.sizes, unit.level)
    if sum(kept.values()) != sum(asked.values()):
        yield f"its mask keeps {sum(kept.values())} weights, level {unit.level} leaves {sum(asked.values())}"
    elif unit.task.pruning.scope == "layer" and (mask.layers == "level" or training.cuts):
        for name in asked:
            if kept[name] != asked[name]:
                yield f"its mask keeps {kept[name]} weights of {name!a}, level {unit.level} leaves {asked[name]}"


def ranked(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What a round, or the one shot, keeps are the largest weights of the parent that it ranks, if those were submitted.

    Pools of layers that hold entries which may not be pruned are left out, as no record tells which these are: only
    `--retrain` cuts them again. So it is with whole nodes, as no record tells whose weights these are.
    """
    parent = submission.parent(entry, entry.columns.mask.ranked)
    if parent is None or not parent.has_trained_weights or entry.columns.mask.nodes:
        return
    trained = read_tensors(parent.folder / STATES[-1]).arrays
    layers, asked = entry.record["counts"]["layers"], entry.unit.task.pruning.keep(entry.sizes, entry.unit.level)
    for pool, count in asked.items():
        names = [pool] if pool else list(entry.sizes)
        if not all(name in entry.mask and layers[name]["all"] == layers[name]["prunable"] for name in names):
            continue
        before = [parent.mask.get(name, np.ones_like(entry.mask[name])).reshape(-1) for name in names]
        sizes = [np.abs(trained[f"weights/{name}"]).reshape(-1) for name in names]
        largest = _largest(np.concatenate(sizes), np.concatenate(before), count)
        wrong = int((largest != np.concatenate([entry.mask[name].reshape(-1) for name in names])).sum())
        if wrong:
            where = f" of {pool!a}" if pool else ""
            yield f"its mask differs in {wrong} weights{where} from the largest that {parent.unit.label!a} ended with"


def survived(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """How survivors differed in the dense network is what its states, where they were submitted, give."""
    dense, told = submission.parent(entry, "dense"), entry.record.get("survival")
    if told is None or dense is None or not all((dense.folder / STATES[place]).exists() for place in (0, -1)):
        return
    initial, final = (_weights(dense.folder / STATES[place]) for place in (0, -1))
    found = survival(entry.mask, initial, final, entry.record["counts"]["layers"])
    if told != found:
        yield f"its survivors differed by {found} in the dense network, the record says {told}"


def _weights(path: Path) -> dict[str, NDArray[Any]]:
    arrays = read_tensors(path).arrays.items()
    return {name.removeprefix("weights/"): array for name, array in arrays if name.startswith("weights/")}


def _largest(scores: NDArray[np.floating], allowed: NDArray[np.bool_], keep: int) -> NDArray[np.bool_]:
    """`bench.tickets.masks.largest` without torch: equal scores go by index, the first first."""
    candidates = np.flatnonzero(allowed)
    chosen = np.zeros_like(allowed)
    chosen[candidates[np.argsort(-scores[candidates], kind="stable")[:keep]]] = True
    return chosen


def totals(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The totals that densities are computed from follow from the mask."""
    counts, sizes, kept = entry.record["counts"], entry.sizes, entry.kept
    pruned = sum(sizes.values()) - sum(kept.values())
    thin = sum(sizes[name] - kept[name] for name, mask in entry.mask.items() if mask.ndim < 2 and name in sizes)
    for name, told, total in (
        ("kept_all", counts["kept_all"], counts["all"] - pruned),
        ("kept_weights", counts["kept_weights"], counts["weights"] - pruned + thin),
    ):
        if told != total:
            yield f"its {name} is {total} by its mask, the record says {told}"


def paired(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What takes a ticket's mask, its own or another task's, has that one; what takes its counts has those in every layer."""
    if "ticket" not in entry.unit.method.parents and entry.record["overlap"] is not None:
        yield f"it has no ticket, yet shares {entry.record['overlap']} of one"
    ticket, column = submission.parent(entry, "ticket"), entry.columns.mask
    taken = submission.parent(entry, column.taken)
    if taken and entry.record["digests"]["mask"] != taken.record["digests"]["mask"]:
        yield (
            f"its mask is not the {column.taken}'s"
            if taken is ticket
            else f"its mask is not that of {taken.unit.label!a}"
        )
    if ticket is None:
        return
    if column.layers == "ticket" and entry.kept != ticket.kept:
        layer = next((name for name, count in ticket.kept.items() if entry.kept.get(name) != count), "a layer")
        yield f"it keeps another number of weights of {layer!a} than the ticket that it shuffles"
    common = sum(int((entry.mask[name] & ticket.mask[name]).sum()) for name in ticket.sizes)
    fixed = sum(mask.size - ticket.sizes[name] for name, mask in ticket.mask.items() if name in ticket.sizes)
    total, told = sum(ticket.kept.values()), entry.record["overlap"]
    if told != ((common - fixed) / total if total else None):
        yield f"it shares {common - fixed} of the ticket's {total} weights, the record says {told}"
