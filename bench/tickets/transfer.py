"""What of another task's ticket fits a task: the mask, the weights, and the output layer where outputs mean the same.

As in 1906.02773 (section 3): the weights are those of the source's rewind step, batch-norm statistics with them; the output layer
is no part of the ticket where the classes are others. Optimizers, data, budgets and schedules may differ: step, schedule and
the rest of a state are the target's own, whose training begins where its own tickets' begins.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase

from bench.doors import NamesHead
from bench.errors import Unsupported
from bench.learner import Domain, Learner, Mask, State
from bench.registry import outputs
from bench.spec import Task


def new_head(learner: Learner, domain: Domain, *, source: Task, target: Task) -> frozenset[str]:
    """Names of the parameters that start from the target's own initial weights, not from the source's.

    Empty where the outputs of both mean the same, as between two halves of one data set or two optimizers: the target's own
    ticket keeps its output layer, too. Empty as well where the learner names no head.

    Raises:
        Unsupported: if the learner names a head, and no parameter is called so.
    """
    if not isinstance(learner, NamesHead) or outputs(domain, source) == outputs(domain, target):
        return frozenset()
    names = [name for name, _ in learner.module.named_parameters()]
    head = frozenset(name for name in names if any(fnmatchcase(name, pattern) for pattern in learner.head))
    if not head:
        layers = " or ".join(f"`{pattern.removesuffix('.*')}`" for pattern in learner.head)
        raise Unsupported(
            f"the outputs of {source.key} and {target.key} mean different things, and no parameter of the network is in "
            f"{' or '.join(learner.head)}, the last is {names[-1]}: call the output layer {layers}, which is then not taken over"
        )
    return head


def state(source: State, *, own: State, head: Collection[str], learner: Learner) -> State:
    """The state that a transferred ticket starts from.

    Args:
        source: of the source's dense network at its rewind step.
        own: of the target's; its step, scalars, and buffers that are none of the network's stay.
        head: see `new_head`.
        learner: of the target, at its initial weights.
    """
    initial = learner.snapshot().weights
    statistics = {name: source.buffers[name] for name, _ in learner.module.named_buffers()}
    weights = {name: initial[name] if name in head else each for name, each in source.weights.items()}
    return replace(own, weights=weights, buffers={**own.buffers, **statistics})


def check_fit(source: Task, target: Task, mask: Mask, entries: Mask) -> None:
    """A mask is of the very layers that the target may prune.

    Args:
        source: whose ticket's mask it is.
        target: the task that takes it.
        mask: parameter name -> bool tensor of its shape.
        entries: of the target, likewise.

    Raises:
        Unsupported: naming the layers that differ.
    """
    theirs, ours = ({name: tuple(each.shape) for name, each in side.items()} for side in (mask, entries))
    wrong = [
        f"{name} ({theirs.get(name, 'absent')} there, {ours.get(name, 'absent')} here)"
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name) != ours.get(name)
    ]
    if wrong:
        raise Unsupported(
            f"the ticket of {source.key} does not fit {target.key}: it differs in {', '.join(wrong)}; take a source of the "
            "same network"
        )
