"""Whether one observed unit keeps what the columns of its method promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from operator import itemgetter

import torch

from bench.chance import FALSE_ALARM, Draw, moments, p_value
from bench.learner import Domain, Mask
from bench.spec import DENSE, VALIDATION, Method, Task, share_of_budget
from bench.store.integrity import revived
from bench.tickets import masks
from bench.tickets.columns import columns
from bench.tickets.conformance.equality import equal
from bench.tickets.conformance.findings import NOTE, Finding, Tell, collected, raised, several, silent
from bench.tickets.conformance.observe import Case, observe, promised
from bench.tickets.conformance.starts import kept_of_ticket, start_weights, untouched
from bench.tickets.conformance.watch import Seen
from bench.tickets.measurements.metrics import metrics
from bench.tickets.methods import METHODS


def check_method(
    method: Method,
    domain: Domain,
    task: Task,
    *,
    level: int = 3,
    device: str = "cpu",
    seed: int = 0,
    tell: Tell = silent,
) -> list[Finding]:
    """What `method` does wrong on `task`; never raises.

    Args:
        method: the arm. One with a built-in name is held to what that name promises, another to its columns' own records.
        domain: of the task.
        task: a small one: the dense network, the chains up to `level` and the arm itself are trained.
        level: at which the arm is looked at.
        device: `cpu`, `cuda`, ...
        seed: the replicate.
        tell: told of every unit that is trained.
    """
    try:
        notes = [Finding(NOTE, what) for what in _notes(method)]
        case = observe(method, domain, task, level=level, device=device, seed=seed, tell=tell)
    except Exception as error:  # noqa: BLE001  whatever somebody's column raises is a finding
        return [raised(error)]
    return [*notes, *(finding for name, check in METHOD_CHECKS for finding in collected(name, check(case)))]


def _notes(method: Method) -> Iterator[str]:
    mask, weights, _ = columns(promised(method))
    if mask.scored and weights.state != mask.scored:
        yield (
            f"the mask is scored at the {mask.scored} weights, training starts from {weights.state or 'others'}: the scores "
            "are of another network"
        )
    if promised(method) is method and method.name not in METHODS:
        for (name, unchecked), column in zip(UNCHECKED.items(), columns(method), strict=True):
            if column == _bare(column):
                yield (
                    f"the {name} column promises nothing, so that {unchecked} was not checked: give it as a record of "
                    "bench.tickets.columns"
                )


def _bare(column: object) -> object:
    return type(column)(function=column.function)  # type: ignore[call-arg,attr-defined]


def leaks(seen: Seen, mask: Mask) -> Iterator[str]:
    """Pruned entries that had a weight or a gradient when the optimizer stepped."""
    for what, moved in (("weight", seen.weights), ("gradient", seen.gradients)):
        leaky = [name for name, kept in mask.items() if name in moved and bool((moved[name].cpu() & ~kept).any())]
        if leaky:
            yield f"pruned entries of {several(leaky)} had a non-zero {what} during training"


def _no_leaks(case: Case) -> Iterator[str]:
    if not case.promise.training.dynamic:
        yield from leaks(case.seen, case.result.trained.mask)
    final = case.result.trained.states["final"].weights
    mask = case.result.trained.mask
    if leaky := [name for name, kept in mask.items() if bool((final[name].cpu()[~kept] != 0).any())]:
        yield f"pruned weights of {several(leaky)} are not zero in the end"


def _binary_and_nested(case: Case) -> Iterator[str]:
    shapes = {name: weight.shape for name, weight in case.fresh.weights.items()}
    masked = case.result.trained.mask
    if odd := [name for name, mask in masked.items() if mask.dtype != torch.bool or mask.shape != shapes.get(name)]:
        yield f"the mask of {several(odd)} is not a bool tensor of the parameter's shape"
    if case.previous is None:
        return
    ours, before = (
        {name: kept.numpy() for name, kept in result.trained.mask.items()} for result in (case.result, case.previous)
    )
    if again := revived(ours, before):
        yield (
            f"the mask of {several(list(again))} keeps {sum(again.values())} weights that the level before had pruned: what "
            "needs `previous` prunes its survivors"
        )


def _counts(case: Case) -> Iterator[str]:
    if case.promise.weights.narrower or case.method.name == DENSE:
        return
    mask, training = case.promise.mask, case.promise.training
    kept = masks.kept(case.mask, case.entries)
    if sum(kept.values()) != sum(case.keep.values()):
        yield f"{sum(kept.values())} weights are kept, the level leaves {sum(case.keep.values())}"
    if (mask.layers in ("level", "ticket", "source") or training.cuts) and "" not in case.keep and kept != case.keep:
        yield f"layers keep {kept}, the level leaves {case.keep}"
    if mask.layers == "shape" and kept != (shape := masks.erk(case.entries, sum(case.keep.values()))):
        yield f"layers keep {kept}, their shapes ask for {shape}"


def _only_prunable(case: Case) -> Iterator[str]:
    entries, pruned = case.entries, case.result.trained.mask
    if wrong := [name for name in pruned if name not in entries or bool((~pruned[name] & ~entries[name]).any())]:
        yield f"entries that the task exempts are pruned in {several(wrong)}"


def _ranked(case: Case) -> Iterator[str]:
    """A mask by magnitude cuts no weight that is larger than one it keeps, of those that compete."""
    role = case.promise.mask.ranked
    if role is None or case.promise.mask.nodes:
        return
    ranking = case.dense if role == "dense" else case.previous or case.dense
    before = {**masks.ones(case.entries), **ranking.trained.mask}
    sizes = {name: ranking.trained.states["final"].weights[name].cpu().abs() for name in case.entries}
    pools = [list(case.entries)] if "" in case.keep else [[name] for name in case.entries]
    wrong: dict[str, str] = {}
    for pool in pools:
        kept = torch.cat([sizes[name][case.mask[name] & case.entries[name]] for name in pool])
        cut = torch.cat([sizes[name][~case.mask[name] & before[name] & case.entries[name]] for name in pool])
        if kept.numel() and cut.numel() and bool(cut.max() > kept.min()):
            wrong[", ".join(pool)] = f"one of {cut.max():.3g}, while it keeps one of {kept.min():.3g}"
    if wrong:
        yield f"the mask of {several(list(wrong))} cuts larger weights than it keeps: {next(iter(wrong.values()))}"


def _whole_nodes(case: Case) -> Iterator[str]:
    """A mask of nodes keeps them whole but for one a layer, and ranked ones by the norm of the weights from them."""
    if not case.promise.mask.nodes:
        return
    for layer in case.hidden:
        shares = [case.mask[name].double().mean(dim=axis) for name, axis in ((layer.incoming, 1), (layer.outgoing, 0))]
        for name, share in zip(layer, shares, strict=True):
            if (parts := int(((share > 0) & (share < 1)).sum())) > 1:
                yield f"the mask of {name} keeps {parts} nodes in part: it prunes weights, not nodes"
        whole, some = (shares[0] == 1) & (shares[1] == 1), (shares[0] > 0) | (shares[1] > 0)
        if int((some & ~whole).sum()) > 1:
            yield f"the masks of {' and '.join(layer)} keep different nodes"
        if case.promise.mask.ranked:
            norms = case.dense.trained.states["final"].weights[layer.outgoing].cpu().double().norm(dim=0)
            if bool((norms[~some, None] > norms[some]).any()):
                yield f"the mask of {layer.outgoing} cuts a node of a larger fan-out than one that it keeps"


def _taken(case: Case) -> Iterator[str]:
    """A transfer has the mask of the source task's ticket, of its seed and level."""
    if case.source is None or case.promise.mask.taken != "source":
        return
    theirs = {**masks.ones(case.entries), **case.source.trained.mask}
    unequal = [name for name in case.entries if not equal(case.mask[name], theirs[name])]
    if unequal:
        yield f"the mask is not that of the source task's ticket in {several(unequal)}"


def _controls(case: Case) -> Iterator[str]:
    """A control differs from the ticket in what it declares, and only there."""
    if case.ticket is None or case.method.name == "ticket":
        return
    mask, weights = case.promise.mask, case.promise.weights
    ticket = {**masks.ones(case.entries), **case.ticket.trained.mask}
    theta = case.dense.trained.states["rewind"].masked(ticket).weights
    unequal = [name for name in case.entries if not equal(case.mask[name], ticket[name])]
    if mask.taken == "ticket" and unequal:
        yield f"the mask is not the ticket's in {several(unequal)}"
    if mask.drawn and not mask.nodes and not case.promise.training.dynamic:
        yield from _by_chance(case, ticket)
    if mask.layers == "ticket" and masks.kept(case.mask, case.entries) != masks.kept(ticket, case.entries):
        yield "the mask does not keep the ticket's count in every layer"
    other_weights = weights.state is not None and not weights.inherited and not weights.narrower
    if other_weights and all(equal(case.start.weights[name], theta[name]) for name in case.entries):
        yield "the start is the ticket's: this control controls nothing"
    yield from kept_of_ticket(case, theta)


def _by_chance(case: Case, ticket: Mask) -> Iterator[str]:
    """Overlap with the ticket is hypergeometric: over the network for a uniform draw, inside layers otherwise."""
    sizes, ours = masks.sizes(case.entries), masks.kept(case.mask, case.entries)
    theirs = masks.kept(ticket, case.entries)
    common = masks.kept({name: case.mask[name] & ticket[name] for name in case.entries}, case.entries)
    if case.promise.mask.drawn == "network":
        draws = [Draw(sum(sizes.values()), sum(theirs.values()), sum(ours.values()))]
    else:
        draws = [Draw(sizes[name], theirs[name], ours[name]) for name in case.entries]
    shared = sum(common.values())
    if p_value(draws, shared) < FALSE_ALARM:
        mean, _ = moments(draws)
        yield (
            f"the mask column {case.method.mask} promises drawn={case.promise.mask.drawn!r}, and its mask shares {shared} "
            f"weights with the ticket where chance gives {mean:.0f}: draw it from the `mask` stream, or leave `drawn` out"
        )


def _training(case: Case) -> Iterator[str]:
    """Where training starts and ends, and at which learning rates."""
    promise, budget = case.promise.training, case.task.budget
    rewind = case.dense.trained.states["rewind"].step
    length = promise.steps(budget, rewind)
    if promise.begins is None or length is None:
        return
    begin = {"start": 0, "rewind": rewind, "budget": budget}[promise.begins]
    if case.start.step != begin:
        yield f"training starts at step {case.start.step}, its column promises {begin}"
    if case.task.unit == "updates" and case.result.trained.steps != length:
        yield f"training took {case.result.trained.steps} steps, its column promises {length}"
    if not length:
        return
    rates, dense = dict(case.seen.rates), dict(case.dense_seen.rates)
    if promise.begins == "budget" and set(rates.values()) != {case.dense_seen.rates[-1][1]}:
        yield f"learning rates are {sorted(set(rates.values()))}, the dense run's last is {case.dense_seen.rates[-1][1]}"
    if promise.begins != "budget" and (begin == 0 or case.task.schedule == "resume"):
        wrong = [step for step in rates.keys() & dense.keys() if not math.isclose(rates[step], dense[step])]
        if wrong or not rates.keys() & dense.keys():
            yield f"learning rates differ from the dense run's at steps {sorted(wrong)[:5]}"


def _reordered(case: Case) -> Iterator[str]:
    """One of two copies, whose data came in another order than the ticket's."""
    if not case.promise.training.reordered or case.ticket is None:
        return
    ends = [unit.trained.states["final"].weights for unit in (case.result, case.ticket)]
    if all(equal(ends[0][name], ends[1][name]) for name in ends[0]):
        yield "it ends where the ticket ends: its data came in the same order"


def _passes(case: Case) -> Iterator[str]:
    rounds = promised(case.method).options.get("rounds", 1)
    measured = case.seen.ones - 1  # once to find out whether a flow is defined
    if case.promise.mask.ones and measured < rounds:
        yield f"synaptic flow was measured {measured} times, the method takes {rounds} rounds"


def _reproducible(case: Case) -> Iterator[str]:
    one, two, other = (result.trained for result in (case.result, case.again, case.other))
    if drawn := [name for name in one.mask if not equal(one.mask[name], two.mask[name])]:
        yield f"the mask of {several(drawn)} depends on more than seed and level: draw it from the `mask` stream"
    ends = [trained.states["final"].weights for trained in (one, two)]
    if wrong := [name for name in ends[0] if not equal(ends[0][name], ends[1][name])]:
        yield f"where {several(wrong)} ends depends on more than seed and level"
    pruned = any(not bool(kept.all()) for kept in one.mask.values())
    if pruned and all(equal(one.mask[name], other.mask[name]) for name in one.mask):
        yield "another seed gives the same mask"


def _selection(case: Case) -> Iterator[str]:
    """Early-stop numbers stand at the validation optimum, early ones after their share, final ones at the end."""
    trained = case.result.trained
    settled = case.promise.training.settled(case.task.budget, case.method.options)
    diverged = trained.diverged is not None
    recorded = metrics(case.task, trained.curve, steps=trained.steps, diverged=diverged, settled=settled)
    select = case.task.select
    for metric in recorded:
        chosen = trained.curve[-1]
        if metric["at"] == "early-stop" and select is not None:
            sign = 1 if case.task.directions[select] == "min" else -1
            pruned = [point for point in trained.curve[:-1] if point["step"] > settled] + trained.curve[-1:]
            values = [sign * point["metrics"][VALIDATION][select] for point in pruned]
            chosen = pruned[values.index(min(values))]
        elif (share := share_of_budget(metric["at"])) is not None:
            late = (p for p in trained.curve if p["step"] >= share * case.task.budget)
            chosen = min(late, key=itemgetter("step"), default=chosen)
        if metric["step"] != chosen["step"] or metric["value"] != chosen["metrics"][metric["split"]][metric["name"]]:
            yield f"{metric['name']} on {metric['split']} at {metric['at']} is not that of step {chosen['step']}"


def _dynamics(case: Case) -> Iterator[str]:
    if not case.promise.training.dynamic:
        return
    if stale := {name: count for name, count in case.seen.stale.items() if count}:
        yield f"{sum(stale.values())} grown weights of {several(list(stale))} kept moments of an earlier life"
    if all(equal(case.start_mask[name], case.mask[name]) for name in case.entries):
        yield f"the mask never changed while training: {case.method.training} did not act"


def _untold_rewinding(case: Case) -> Iterator[str]:
    """Whoever promises rewinding cannot be held to it where the rewind step is as good as the first."""
    initial, rewind = (case.dense.trained.states[name].weights for name in ("initial", "rewind"))
    promises = "rewind" in (case.promise.weights.state, case.promise.training.begins)
    if promises and all(equal(initial[name], rewind[name]) for name in initial):
        yield (
            f"rewinding is promised and could not be told from starting at the first step: the weights of step "
            f"{case.dense.trained.states['rewind'].step} are the initial ones; check it on a task of a later rewind step too"
        )


UNCHECKED = {
    "mask": "which weights it keeps, but for their number,",
    "weights": "which weights training starts from, be they rewound or not,",
    "training": "where training starts and ends, and at which learning rates,",
}
"""Column -> what is not looked at where it promises nothing."""
METHOD_CHECKS: tuple[tuple[str, Callable[[Case], Iterator[str]]], ...] = (
    ("C2", _no_leaks),
    ("C3", _binary_and_nested),
    ("C5", _counts),
    ("C6", _only_prunable),
    ("C5", _ranked),
    ("C5", _whole_nodes),
    ("C1", start_weights),
    ("C1", untouched),
    ("C8", _taken),
    ("C8", _controls),
    ("C9", _training),
    ("C9", _reordered),
    ("C9", _passes),
    ("C10", _reproducible),
    ("C13", _selection),
    ("C14", _dynamics),
    (NOTE, _untold_rewinding),
)
