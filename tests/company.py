"""What must hold of every domain that stacks: a seat is a learner, whoever sits beside it."""

from dataclasses import replace

import pytest
import torch

from bench.errors import Diverged
from bench.spec import Unit
from bench.streams import Streams
from bench.tickets.attach import Attached
from bench.tickets.methods import METHODS
from bench.tickets.protocol import run_unit, run_units


def half(learner, seed):
    """A random half of every prunable weight."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(entries.shape, generator=generator) < 0.5 for name, entries in learner.prunable().items()}


def trained(domain, task, seeds, until, *, masked=()):
    """States of the seats of a stack that were trained together to step `until`, seed by seed.

    Args:
        masked: seeds whose seats have half of the weights.
    """
    stack = domain.stack(task, streams=[Streams(seed) for seed in seeds], device="cpu")
    attached = []
    for seed, seat in zip(seeds, stack.seats, strict=True):
        mask = half(seat, seed) if seed in masked else {}
        seat.load(seat.snapshot().masked(mask))
        attached.append(Attached(seat, mask).__enter__())
    left = dict.fromkeys(range(len(seeds)), until)
    while left:
        stack.train(left)
        left = {place: step for place, step in left.items() if not stack.has_arrived(place, step)}
    for each in attached:
        each.check()
        each.__exit__(None, None, None)
    return {seed: seat.snapshot() for seed, seat in zip(seeds, stack.seats, strict=True)}


def alone(domain, task, seed, until, *, masked=()):
    """The state of an ordinary learner."""
    learner = domain.learner(task, streams=Streams(seed), device="cpu")
    mask = half(learner, seed) if seed in masked else {}
    learner.load(learner.snapshot().masked(mask))
    with Attached(learner, mask):
        learner.train(until)
    return learner.snapshot()


def same(one, other):
    """Whether two states are equal to the bit, counters and all."""
    return distance(one, other) == 0 and one.scalars == other.scalars


def distance(one, other):
    """The largest difference of a weight or a buffer."""
    assert (one.step, one.updates, one.origin) == (other.step, other.updates, other.origin)
    pairs = [(one.weights, other.weights), (one.buffers, other.buffers)]
    assert all(left.keys() == right.keys() for left, right in pairs)
    return max(
        ((left[name].double() - right[name].double()).abs().max().item() if left[name].numel() else 0.0)
        for left, right in pairs
        for name in left
    )


def check_company(domain, task, until):
    """A seat's state does not depend on who else sits there, how many, where, or with which mask."""
    beside = {count: trained(domain, task, list(range(count)), until, masked={1, 4, 6}) for count in (1, 2, 3, 5, 8)}
    others = trained(domain, task, [7, 3, 0], until, masked={7, 3, 0})
    for count, states in beside.items():
        for seed, state in states.items():
            assert same(state, beside[8][seed]), f"seed {seed} in a stack of {count} is not as in one of 8"
    masked, whole = others[0].weights, beside[8][0].weights
    assert any(not torch.equal(masked[name], whole[name]) for name in whole), "a mask changes its own seat"
    turned = trained(domain, task, [5, 1, 0], until, masked={1})
    assert all(same(turned[seed], beside[8][seed]) for seed in turned)


def check_leaving(domain, task, until):
    """Who leaves changes nothing for those who stay: they go on where they were."""
    stack = domain.stack(task, streams=[Streams(seed) for seed in range(4)], device="cpu")
    for seat in stack.seats:
        seat.load(seat.snapshot())
    for company in ((0, 1, 2, 3), (1, 2, 3), (3, 2), (3,)):
        begun = max(stack.seats[place].step for place in company)
        stack.train(
            dict.fromkeys(company, begun + until // 4)
        )  # until the first has come there: all have had as many updates
    last = stack.seats[3].snapshot()
    assert same(last, trained(domain, task, [9, 3], last.step)[3]), "who stayed is not where it would be with others"


def check_units(domain, task, *, tolerance):
    """Units in a stack come out as those that are run one by one: to the bit beside an empty seat, nearly if by themselves."""
    units = [Unit(task=task, method=METHODS["dense"], level=0, seed=seed) for seed in range(3)]
    found = dict(run_units(units, domain, [{}] * 3, reports=[None] * 3))
    lonely = [dict(run_units([unit], domain, [{}], reports=[None]))[0] for unit in units]
    for place, unit in enumerate(units):
        single = run_unit(unit, domain, {})
        assert found[place].trained.curve == lonely[place].trained.curve
        assert same(found[place].trained.states["final"], lonely[place].trained.states["final"])
        assert distance(found[place].trained.states["final"], single.trained.states["final"]) <= tolerance


def check_divergence(domain, task):
    """At which step a seat is found to have diverged does not depend on the steps of those beside it."""
    found = set()
    for begins in ((0,), (0, 0), (0, 10), (0, 40, 10)):
        stack = domain.stack(task, streams=[Streams(seed) for seed in range(len(begins))], device="cpu")
        for seat, begin in zip(stack.seats, begins, strict=True):
            state = replace(seat.snapshot(), step=begin)
            factor = float("nan") if seat is stack.seats[0] else 1.0
            seat.load(replace(state, weights={name: factor * weights for name, weights in state.weights.items()}))
        left = {place: begin + 100 for place, begin in enumerate(begins)}
        while 0 in left:
            stack.train(left)
            left = {place: step for place, step in left.items() if not stack.has_arrived(place, step)}
        found.add((stack.seats[0].step, str(stack.seats[0].trouble)))
    assert len(found) == 1, found


def check_trouble(domain, task, until):
    """One seat whose weights are not finite has diverged; the others do not notice."""
    stack = domain.stack(task, streams=[Streams(seed) for seed in range(3)], device="cpu")
    for seat in stack.seats:
        state = seat.snapshot()
        if seat is stack.seats[1]:
            name = next(iter(state.weights))
            state = replace(state, weights={**state.weights, name: state.weights[name] * float("nan")})
        seat.load(state)
    left = dict.fromkeys(range(3), until)
    while left:
        stack.train(left)
        left = {place: step for place, step in left.items() if not stack.has_arrived(place, step)}
    with pytest.raises(Diverged):
        stack.seats[1].train(until)
    expected = trained(domain, task, [0, 2], until)
    assert all(same(stack.seats[seed].snapshot(), expected[seed]) for seed in (0, 2))
