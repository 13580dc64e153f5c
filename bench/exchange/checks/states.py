"""Are the weights those of this network: every layer, of its size, finite, at the step where training ended?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.exchange.checks import budgets
from bench.exchange.submission import Submission, SubmittedUnit
from bench.exchange.ticketfile import START
from bench.record import StateRest
from bench.schema import decode
from bench.spec import DENSE
from bench.store.attempt import STATES
from bench.store.tensors import Tensors, read_tensors


def weights(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Each stored state has the network's layers and nothing that is not finite."""
    for name in STATES:
        if (entry.folder / name).exists():
            state = read_tensors(entry.folder / name)
            yield from (f"{name}: {finding}" for finding in _state(entry, state, last=name == STATES[-1]))


def _state(entry: SubmittedUnit, state: Tensors, *, last: bool) -> Iterator[str]:
    layers = entry.record["counts"]["layers"]
    own = {key.removeprefix("weights/"): array for key, array in state.arrays.items() if key.startswith("weights/")}
    for key in sorted(own.keys() ^ layers.keys()):
        yield f"its layers are not those of the record: {key!a}"
        return
    for key, array in own.items():
        if array.size != layers[key]["all"] or (key in entry.mask and array.shape != entry.mask[key].shape):
            yield f"the weights of {key!a} have another shape than the layer"
    if entry.diverged and last:
        return
    for key, array in state.arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            yield f"{key!a} is not finite"


def controls(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What starts from weights of its own ends elsewhere than the ticket, and no two seeds end in the same place."""
    unit, end = entry.unit, entry.record["digests"]["weights"]
    if entry.installed.method is not None and not entry.columns.weights.inherited:
        for other in (submission.beside(entry, "ticket"), submission.beside(entry, DENSE, level=0)):
            if other is not None and other is not entry and other.record["digests"]["weights"] == end:
                yield f"its trained weights are those of {other.unit.label!a}"
    twin = submission.first_to_end[unit.task.key, end]
    if twin.unit.seed < unit.seed:
        yield f"its trained weights are those of another seed: {twin.unit.label!a}"


def start(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The weights that a ticket file starts from are zero where its mask is False, at a step before the budget's end."""
    state = read_tensors(entry.folder / START)
    for name, mask in entry.mask.items():
        leaked = int(np.count_nonzero(state.arrays[f"weights/{name}"][~mask]))
        if leaked:
            yield f"{leaked} pruned weights of {name!a} are not zero at the start"
    step = decode(state.metadata["state"], StateRest)["step"]
    asked = entry.unit.task.rewind_step if entry.columns.weights.state == "rewind" else 0
    if step not in range(asked, asked + budgets.slack(entry.unit.task) + 1):
        yield f"its weights are those of step {step}, its method starts at {asked}"


def imported(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The same of the weights that an imported ticket brought."""
    if "imported" in entry.record and (entry.folder / START).exists():
        yield from start(submission, entry)
