"""Do the counts follow from the layers, and the densities from the network of the task?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.exchange.submission import Submission, SubmittedUnit
from bench.record import IRRELEVANT, RELEVANT, Counts, LayerCount, grouped, keeps_everything, wrong_densities
from bench.spec import Task

UNIT = 16
"""Numbers of a layer that one hidden unit may stand for: an entry of each attention head, the gates of an LSTM."""


def derived(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What the level asks for, collapsed layers and groups are those of the layers."""
    counts, unit = entry.record["counts"], entry.unit
    whole = submission.whole(entry)
    if whole is not None:
        asked = sum(unit.task.pruning.keep(whole.sizes, unit.level).values())
        if counts["level_asks"] != asked:
            yield f"its level asks for {asked} weights, the record says {counts['level_asks']}"
    empty = {name for name, layer in counts["layers"].items() if layer["prunable"] and not layer["kept"]}
    if set(counts["collapsed"]) != empty or len(counts["collapsed"]) != len(empty):
        told = ", ".join(map(ascii, counts["collapsed"])) or "none"
        yield f"its layers without a weight are {', '.join(map(ascii, sorted(empty))) or 'none'}, the record says {told}"
    known = entry.installed.task  # whose patterns stand in order there: the first match wins
    if known is not None and known.groups == unit.task.groups:
        yield from _groups(known, counts)


def _groups(task: Task, counts: Counts) -> Iterator[str]:
    found = grouped(task, counts["layers"])
    by_relevance = (
        counts["groups"].keys() & {RELEVANT, IRRELEVANT} - found.keys()
    )  # of inputs: only a learner knows them
    inputs = [counts["groups"][name] for name in by_relevance]
    if inputs and (len(inputs) < 2 or not all(each["prunable"] for each in inputs)):
        yield "its weights that read inputs are not told for relevant and irrelevant ones, some of each"
    if sum(each["kept"] for each in inputs) > counts["kept"]:
        yield f"its weights that read inputs are more than the {counts['kept']} that it keeps"
    told = {name: group for name, group in counts["groups"].items() if name not in by_relevance}
    for name in sorted(found.keys() | told.keys()):
        if found.get(name) != told.get(name):
            yield f"its group {name!a} has {found.get(name)} by its layers, the record says {told.get(name)}"


def densities(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Of a network without a mask they are its counts over those of the task's own, as `bench.tickets.protocol.measure` has them."""
    whole, record = submission.whole(entry), entry.record
    if whole is None or not keeps_everything(record):
        return  # its reader has it
    for density, found, told in wrong_densities(record, whole.record["counts"]):
        yield f"its {density} is {found:.6g} by its counts and those of {whole.unit.label!a}, the record says {told}"


def unmeasured(submission: Submission) -> Iterator[str]:
    """Narrower networks, no unit of whose task has its own network, to which their densities refer."""
    for entry in submission.entries.values():
        if entry.columns.weights.narrower and submission.whole(entry) is None:
            yield f"{entry.unit.label} is narrower than the network of its task, yet no unit with that network is here"


def narrowed(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """A narrower network has the layers of the task's own, none of them larger, and as few weights as the level leaves, nearly."""
    whole = submission.whole(entry)
    if whole is None or not entry.columns.weights.narrower:
        return
    ours, theirs = whole.record["counts"], entry.record["counts"]
    for name in sorted(ours["layers"].keys() | theirs["layers"].keys()):
        full, own = (counts["layers"].get(name) for counts in (ours, theirs))
        if not full or not own or own["all"] > full["all"] or bool(own["prunable"]) != bool(full["prunable"]):
            yield f"its layer {name!a} is none of a narrower {whole.unit.label!a}"
            return
    if not entry.unit.task.pruning.biases:
        fixed, most = (counts["weights"] - _prunable_layers(counts) for counts in (theirs, ours))
        if not 0 <= fixed <= most:
            yield f"it counts {theirs['weights']} weights, its layers and {whole.unit.label!a} tell otherwise"
    asked = sum(entry.unit.task.pruning.keep(whole.sizes, entry.unit.level).values())
    kept, (low, high) = theirs["kept"], _nearest_to(theirs, ours["layers"])
    if not low <= asked <= high or submission.nearest_width(entry, asked) < abs(kept - asked):
        yield f"it has {kept} weights, level {entry.unit.level} leaves {asked}: another width comes nearer"


def _prunable_layers(counts: Counts) -> int:
    """Numbers in layers that are pruned: without biases these are all weights but for exempt ones."""
    return sum(layer["all"] for layer in counts["layers"].values() if layer["prunable"])


def _nearest_to(counts: Counts, full: Mapping[str, LayerCount]) -> tuple[float, float]:
    """Fewest and most weights that a level may ask for where a network of these counts, of all widths, comes nearest.

    Another unit more or less in each hidden layer changes the weights by the square of the change in width at most; the
    smallest layer tells how many units there are at least. Of a network of one, none is narrower.
    """
    smaller = [layer["all"] for name, layer in counts["layers"].items() if layer["all"] < full[name]["all"]]
    units = max(1, min(smaller or [layer["all"] for layer in counts["layers"].values()], default=1) // UNIT)
    fewer, more = ((units + step) ** 2 / units**2 for step in (-1, 1))
    low = 0.0 if smaller and units == 1 else counts["kept"] * (1 + fewer) / 2
    return low, counts["kept"] * (1 + more) / 2


def flops(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Operations are those of the task's own network, and no fewer than the layer that keeps the smallest share has left."""
    whole, record = submission.whole(entry), entry.record
    if whole is None or record["flops"] is None or record["flops_dense"] is None:
        return
    dense = whole.record["flops_dense"]
    if dense is not None and record["flops_dense"] != dense:
        yield f"its flops_dense is {record['flops_dense']!a}, that of {whole.unit.label!a} {dense!a}"
    full = whole.record["counts"]["layers"]
    shares = [
        (layer["all"] - layer["prunable"] + layer["kept"]) / full[name]["all"]
        for name, layer in record["counts"]["layers"].items()
        if name in full and full[name]["all"]
    ]
    least = min(shares, default=0.0) * record["flops_dense"]
    if record["flops"] < least * (1 - 1e-9):
        yield f"its flops is {record['flops']!a}, its layers need {least:.6g} or more"
