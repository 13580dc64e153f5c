"""What every learner must do, whatever it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from bench.doors import ForwardsOnes, Interpolates, NamesNodes
from bench.errors import LeakedMask
from bench.learner import Domain, Learner, State
from bench.spec import VALIDATION, Task
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached
from bench.tickets.choose import UNIFORM
from bench.tickets.conformance.equality import differing, same
from bench.tickets.conformance.findings import Finding, Tell, collected, raised, several, silent
from bench.tickets.conformance.methods import leaks
from bench.tickets.conformance.watch import watch


def check_learner(
    domain: Domain, task: Task, *, device: str = "cpu", seed: int = 0, tell: Tell = silent
) -> list[Finding]:
    """What `domain` does wrong as a learner of `task`; never raises.

    Args:
        domain: builds the learners.
        task: a small one: it is trained about ten times, each for a rewind step or two evaluations.
        device: `cpu`, `cuda`, ...
        seed: the replicate.
        tell: told of every check.
    """

    def build(streams: Streams | None = None) -> Learner:
        return domain.learner(task, streams=streams or Streams(seed), device=device)

    try:
        wrong = list(collected("C2", _entries(build())))
        length = _length(build(), task)
    except Exception as error:  # noqa: BLE001  whatever somebody's learner raises is a finding
        return [raised(error)]
    if wrong:
        return wrong  # the other checks cannot mask what is not there
    doors = (_forwards(domain, task, build()), _names(domain, build()), _interpolates(domain, build()))
    offers = [finding for door in doors for finding in collected("C9", door)]
    found = list(offers)
    for number, (name, check) in enumerate(LEARNER_CHECKS, start=1):
        tell(f"{name} ({number} of {len(LEARNER_CHECKS)})")
        found += collected(name, check(build, Streams(seed), task, length))
    return found


def _length(learner: Learner, task: Task) -> int:
    """How far the checks train: to the rewind step or over two evaluations; further where nothing is learned before."""
    length = task.rewind_step or min(2 * task.evaluate_every, task.budget)
    learner.train(length)
    while not learner.updates and length < task.budget:
        length = min(2 * length, task.budget)
        learner.train(length)
    return length


Build = Callable[..., Learner]
LearnerCheck = Callable[[Build, Streams, Task, int], Iterator[str]]


def unlike(one: State, other: State) -> Iterator[str]:
    """What differs between two states, in a word for all of it; nothing if nothing does."""
    if names := differing(one, other):
        yield several(names, "parts of the state")


def _entries(learner: Learner) -> Iterator[str]:
    """What may be pruned are entries of parameters, tied ones under the name that counts."""
    parameters = dict(learner.module.named_parameters())
    for name, entries in learner.prunable().items():
        if name not in parameters:
            yield f"prunable() names {name!r}, which is not in module.named_parameters()"
        elif entries.dtype != torch.bool or entries.shape != parameters[name].shape:
            yield f"prunable()[{name!r}] is not a bool tensor of that parameter's shape"


def _forwards(domain: Domain, task: Task, learner: Learner) -> Iterator[str]:
    """Planning knows whether SynFlow can run."""
    says, does = bool(getattr(domain, "forwards_ones", False)), isinstance(learner, ForwardsOnes)
    if says and not does and "synflow" not in task.unsupported:
        yield "the domain says `forwards_ones`, and this learner has no forward_ones: decline synflow in `unsupported`"
    if does and not says:
        yield "this learner has forward_ones, and its domain does not say `forwards_ones = True`: SynFlow is never planned"


def _names(domain: Domain, learner: Learner) -> Iterator[str]:
    """Planning knows whether whole nodes can be pruned, and their layers are the network's."""
    says, does = bool(getattr(domain, "names_nodes", False)), isinstance(learner, NamesNodes)
    if says and not does:
        yield "the domain says `names_nodes`, and this learner has no `hidden`: name its layers of hidden nodes, () if none"
    if does and not says:
        yield "this learner has `hidden`, and its domain does not say `names_nodes = True`: whole nodes are never pruned"
    shapes = {name: parameter.shape for name, parameter in learner.module.named_parameters()}
    for layer in learner.hidden if isinstance(learner, NamesNodes) else ():
        incoming, outgoing = (shapes.get(name) for name in layer)
        if incoming is None or outgoing is None or incoming[:1] != outgoing[1:2]:
            yield f"`hidden` names {layer.incoming!r} and {layer.outgoing!r}, which are no (nodes, inputs) and (outputs, nodes)"


def _interpolates(domain: Domain, learner: Learner) -> Iterator[str]:
    """Planning knows whether there can be two copies that differ by the order of the data."""
    says, does = bool(getattr(domain, "interpolates", False)), isinstance(learner, Interpolates)
    if says and not does:
        yield "the domain says `interpolates`, and this learner has no reestimate: give it one, that does nothing if need be"
    if does and not says:
        yield "this learner has reestimate, and its domain does not say `interpolates = True`: it is never asked for it"


def _after(learner: Learner, until: int) -> State:
    learner.train(until)
    return learner.snapshot()


def _loads(build: Build, _: Streams, __: Task, length: int) -> Iterator[str]:
    """A loaded learner equals a newly built one, buffers included."""
    learner = build()
    parameters = dict(learner.module.named_parameters())
    optimizer, begin = learner.optimizer, learner.snapshot()
    first = _after(learner, length)
    learner.load(begin)
    present = dict(learner.module.named_parameters())
    replaced = any(present.get(name) is not parameter for name, parameter in parameters.items())
    if replaced or learner.optimizer is not optimizer:
        yield "load replaces parameters or the optimizer: masks attached to them are lost; copy in place"
    for parts in unlike(begin, learner.snapshot()):
        yield f"load does not restore {parts}"
    for parts in unlike(first, _after(learner, length)):
        yield f"training after load differs in {parts}: optimizer state, streams or data order are not reset"


def _snapshots(build: Build, _: Streams, __: Task, length: int) -> Iterator[str]:
    """A snapshot is a copy."""
    learner = build()
    begin = learner.snapshot()
    kept = {name: weight.clone() for name, weight in {**begin.weights, **begin.buffers}.items()}
    learner.train(length)
    now = {**begin.weights, **begin.buffers}
    if shared := [name for name, value in now.items() if not same(kept[name], value)]:
        yield f"snapshot shares {several(shared, 'parts of the state')} with the live network: clone what it gives"


def _observing(build: Build, _: Streams, task: Task, length: int) -> Iterator[str]:
    """Evaluation and scoring change nothing, and report what the task declares."""
    plain = _after(build(), length)
    looked = build()
    begin = looked.snapshot()
    looked.load(replace(begin, step=task.budget))
    if task.metric not in looked.evaluate(task.split):
        yield f"evaluate({task.split!r}) does not report {task.metric} at the end of the budget"
    looked.load(begin)
    if task.select and task.select not in looked.evaluate(VALIDATION):
        yield f"evaluate('val') does not report {task.select}"
    for split in task.splits:
        if looked.evaluate(split) != looked.evaluate(split):
            yield f"evaluate({split!r}) gives another result at each call"
    for parts in unlike(plain, _after(looked, length)):
        yield f"evaluate changes {parts} of the training that follows"
    scored = build()
    twice = [[float(loss.detach()) for loss in scored.losses(3)] for _ in range(2)]
    if twice[0] != twice[1]:
        yield "losses gives other values at each call: read the score stream from its start"
    for parts in unlike(plain, _after(scored, length)):
        yield f"losses changes {parts} of the training that follows"


def _seeded(build: Build, streams: Streams, _: Task, length: int) -> Iterator[str]:
    """The same seed gives the same bytes whatever ran before; another seed gives other weights and another training.

    Fresh weights are other weights, and the same training: all arms of a seed see the same data in the same order.
    """
    first = build().snapshot()
    torch.manual_seed(12345)
    again = build()
    for parts in unlike(first, again.snapshot()):
        yield f"{parts} depends on a global random state: draw it from the streams"
    torch.manual_seed(54321)
    end = _after(again, length)
    for parts in unlike(end, _after(build(), length)):
        yield f"{parts} after training depends on a global random state: draw it from the streams"
    for what, other in (("another seed", Streams(streams.seed + 1)), ("fresh weights", streams.refreshed())):
        learner = build(other)
        weights = learner.snapshot().weights
        if all(same(first.weights[name], weights[name]) for name in weights):
            yield f"{what} gives the same initial weights: use the `init` stream"
        learner.load(first)
        trained = _after(learner, length).weights
        alike = all(same(end.weights[name], trained[name]) for name in trained)
        if alike and other.seed != streams.seed:
            yield "another seed trains the same weights to the same end: order the data by the `data` stream"
        if not alike and other.seed == streams.seed:
            yield "an arm with fresh weights sees other data than the ticket: only `init` may depend on `fresh`"


def _reordered(build: Build, streams: Streams, task: Task, length: int) -> Iterator[str]:
    """Another order of the data is another training of the same network; what is estimated anew follows from its weights."""
    learner, other = build(), build(replace(streams, order=1))
    if not isinstance(learner, Interpolates):
        return
    begin = learner.snapshot()
    for parts in unlike(begin, other.snapshot()):
        yield f"another order of the data gives another network before training: other are {parts}"
    if learner.evaluate(task.split) != other.evaluate(task.split):
        yield "another order of the data is evaluated on other examples"
    end, elsewhere = _after(learner, length), _after(other, length)
    if all(same(end.weights[name], elsewhere.weights[name]) for name in end.weights):
        yield "another order of the data trains to the same end: order them by the `data` stream"
    found = []
    for buffers in (begin.buffers, end.buffers):
        learner.load(replace(end, buffers=buffers))
        learner.reestimate()
        found.append(learner.snapshot())
    if moved := [name for name, weight in end.weights.items() if not same(weight, found[0].weights[name])]:
        yield f"reestimate changes {several(moved)}"
    yield from (f"reestimate leaves partly as it was: {parts}" for parts in unlike(*found))


def _segmented(build: Build, _: Streams, __: Task, length: int) -> Iterator[str]:
    """However many calls train gets, it is one training."""
    whole = _after(build(), length)
    parts = build()
    for until in (length // 3, 2 * length // 3, length):
        parts.train(until)
    for differs in unlike(whole, parts.snapshot()):
        yield f"training in three calls differs in {differs} from training in one"


def _held(build: Build, _: Streams, task: Task, __: int) -> Iterator[str]:
    """Beyond the budget the learning rate is that of the budget's last update, where methods train on at the last rate."""
    if task.constant_rate or "fine-tune" in task.unsupported:
        return
    learner = build()
    begin = learner.snapshot()
    seen = watch(learner)
    for end in (task.budget, 2 * task.budget):
        learner.load(replace(begin, step=end - 1))
        learner.train(end)
    if len(rates := {rate for _, rate in seen.rates}) > 1:
        yield f"learning rates at the end of the budget and beyond are {sorted(rates)}: hold the budget's last one"


def _masked(build: Build, streams: Streams, task: Task, length: int) -> Iterator[str]:
    """Half a network keeps every pruned weight, gradient and moment at zero; a full mask changes nothing."""
    learner = build()
    entries = masks.prunable(learner, task.pruning)
    half = masks.uniform(entries, sum(masks.sizes(entries).values()) // 2, streams.torch("mask", UNIFORM))
    seen = watch(learner)
    learner.load(learner.snapshot().masked(half))
    try:
        with Attached(learner, half) as attached:
            learner.train(length)
            attached.check()
    except LeakedMask as error:
        yield str(error)
    yield from leaks(seen, half)


def _full_mask(build: Build, _: Streams, task: Task, length: int) -> Iterator[str]:
    dense = _after(build(), length)
    learner = build()
    with Attached(learner, masks.ones(masks.prunable(learner, task.pruning))):
        for parts in unlike(dense, _after(learner, length)):
            yield f"a mask of ones changes {parts}"


LEARNER_CHECKS: tuple[tuple[str, LearnerCheck], ...] = (
    ("C4", _loads),
    ("C1", _snapshots),
    ("C13", _observing),
    ("C10", _seeded),
    ("C9", _segmented),
    ("C9", _reordered),
    ("C9", _held),
    ("C2", _masked),
    ("C15", _full_mask),
)
