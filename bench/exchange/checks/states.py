"""Are the weights those of this network: every layer, of its size, finite, at the step where training ended?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.exchange.checks import budgets
from bench.exchange.submission import Submission, SubmittedUnit
from bench.exchange.ticketfile import START
from bench.record import StateRest
from bench.runs.attempt import STATES
from bench.runs.integrity import LARGEST_TENSORS
from bench.runs.tensors import Tensors, read_tensors
from bench.schema import decode


def weights(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Each stored state has the network's layers and nothing that is not finite."""
    for name in STATES:
        if (entry.folder / name).exists():
            found = read_tensors(entry.folder / name, largest=LARGEST_TENSORS)
            yield from (f"{name}: {each}" for each in _state(entry, found, last=name == STATES[-1]))


def _state(entry: SubmittedUnit, found: Tensors, *, last: bool) -> Iterator[str]:
    layers = entry.record["counts"]["layers"]
    kept = {key.removeprefix("weights/"): each for key, each in found.arrays.items() if key.startswith("weights/")}
    for key in sorted(kept.keys() ^ layers.keys()):
        yield f"its layers are not those of the record: {key!a}"
        return
    for key, each in kept.items():
        if each.size != layers[key]["all"] or (key in entry.mask and each.shape != entry.mask[key].shape):
            yield f"the weights of {key!a} have another shape than the layer"
    if entry.diverged and last:
        return
    for key, each in found.arrays.items():
        if each.dtype.kind == "f" and not np.isfinite(each).all():
            yield f"{key!a} is not finite"


INHERITED = ("initial", "rewind", "trained")
"""Starts that arms share: one-shot pruning finds at level 1 what the ticket's first round finds."""


def controls(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What starts from fresh weights ends elsewhere than the ticket, and no two seeds end in the same place."""
    unit, mine = entry.unit, entry.record["digests"]["weights"]
    for other in (submission.beside(entry, "ticket"), submission.beside(entry, "dense", level=0)):
        same = other is not None and other is not entry and other.record["digests"]["weights"] == mine
        if other is not None and same and unit.method.weights not in INHERITED:
            yield f"its trained weights are those of {other.unit.label!a}"
    twins = submission.by_weights[unit.task.key, mine]
    twin = next((each for each in twins if each.unit.seed < unit.seed), None)
    if twin is not None:
        yield f"its trained weights are those of another seed: {twin.unit.label!a}"


def start(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The weights that a ticket file starts from are zero where its mask is False, at a step before the budget's end."""
    found = read_tensors(entry.folder / START, largest=LARGEST_TENSORS)
    for name, mask in entry.mask.items():
        leaked = int(np.count_nonzero(found.arrays[f"weights/{name}"][~mask]))
        if leaked:
            yield f"{leaked} pruned weights of {name!a} are not zero at the start"
    step = decode(found.metadata["state"], StateRest)["step"]
    asked = entry.unit.task.rewind_step if entry.unit.method.weights == "rewind" else 0
    if step not in range(asked, asked + budgets.slack(entry.unit.task) + 1):
        yield f"its weights are those of step {step!a}, its method starts at {asked}"
