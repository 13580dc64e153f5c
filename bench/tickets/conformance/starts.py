"""Whether training starts from the weights that column 2 promises, and nothing was changed on the way there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from bench.learner import State
from bench.tickets.conformance.equality import equal
from bench.tickets.conformance.findings import several
from bench.tickets.conformance.observe import Case


def start_weights(case: Case) -> Iterator[str]:
    """The survivors start from what column 2 promises, to the bit, and buffers with them."""
    weights, state = case.promise.weights, _promised_state(case)
    if state is None or weights.narrower:
        return
    if weights.exact:
        mask = case.start_mask if case.promise.training.dynamic else case.mask
        sizes: Collection[str] = case.entries if weights.keeps == "signs" else ()
        theirs, ours = (_without_signs(each, sizes) for each in (state.masked(mask).weights, case.start.weights))
        if wrong := [name for name, weight in theirs.items() if not equal(weight, ours[name])]:
            what = f"sizes of the {weights.state}" if sizes else weights.state
            yield f"survivors of {several(wrong)} do not start from the {what} weights"
    buffers = case.start.buffers
    if wrong := [
        name for name, value in state.buffers.items() if name not in buffers or not equal(value, buffers[name])
    ]:
        yield f"training does not start from the {weights.state} state in {several(wrong, 'buffers')}"


def kept_of_ticket(case: Case, theta: Mapping[str, Tensor]) -> Iterator[str]:
    """What a control keeps of the ticket's start beside its mask.

    Args:
        case: the control.
        theta: the ticket's start.
    """
    pairs = {name: (theta[name].cpu(), case.start.weights[name].cpu()) for name in case.entries}
    if case.promise.weights.keeps == "signs":
        turned = [name for name, (one, other) in pairs.items() if bool((one.sign() * other.sign() < 0).any())]
        if turned:
            yield f"training does not start with the ticket's signs in {several(turned)}"
    if case.promise.weights.keeps == "values":
        ordered = {name: [each.flatten().sort().values for each in pair] for name, pair in pairs.items()}
        if changed := [name for name, (one, other) in ordered.items() if not equal(one, other)]:
            yield f"training does not start from a permutation of the ticket's values in {several(changed)}"


def untouched(case: Case) -> Iterator[str]:
    """What columns are shown is shared: the states of the parents with every other unit, the learner among the columns."""
    if case.written:
        yield f"it writes to its parents' states, which are shared: {', '.join(case.written)}; clone what you change"
    if case.seen.changed:
        yield (
            f"it changes `inputs.learner`, which all columns share, in {several(case.seen.changed, 'parts of its state')}: "
            "leave it as you found it, and change one of your own, `inputs.build(1.0)`"
        )


def _without_signs(weights: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    return {name: weight.abs() if name in names else weight for name, weight in weights.items()}


def _promised_state(case: Case) -> State | None:
    if case.promise.weights.state == "fresh":
        return case.fresh
    if case.promise.weights.state == "trained":
        return (case.previous or case.dense).trained.states["final"]
    if case.promise.weights.state == "source":
        return _transferred(case)
    return case.dense.trained.states.get(str(case.promise.weights.state))


def _transferred(case: Case) -> State:
    """The source's rewind weights and statistics, under the task's own output layer where outputs mean something else."""
    assert case.source_dense is not None
    source, own = (unit.trained.states["rewind"] for unit in (case.source_dense, case.dense))
    initial = case.dense.trained.states["initial"].weights
    weights = {name: (initial if name in case.new_head else source.weights)[name] for name in own.weights}
    return replace(own, weights=weights, buffers={**own.buffers, **{n: source.buffers[n] for n in case.statistics}})
