"""Masks that change while training follow their papers' paths, weight by weight."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
import torch
from example import MOONS, ExampleDomain, Moons, variant
from scipy import stats
from torch import nn

from bench.errors import SpecError
from bench.streams import Streams
from bench.tickets import attach, masks
from bench.tickets.attach import Attached
from bench.tickets.conformance import check_method
from bench.tickets.dynamic import GradualPruning, Regrowth, regrown
from bench.tickets.methods import METHODS

BUDGET = 120
TASK = variant(budget=BUDGET)
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-2),
    "adam": lambda parameters: torch.optim.Adam(parameters, weight_decay=1e-2),
}


@dataclass
class Frame:
    """One update: before and after the rule acted."""

    step: int
    old_mask: dict
    old_weights: dict
    dense_gradients: dict
    mask: dict = field(default_factory=dict)
    weights: dict = field(default_factory=dict)
    moments: dict = field(default_factory=dict)

    @property
    def changed(self):
        return any(not torch.equal(self.mask[name], self.old_mask[name]) for name in self.mask)


def copies(tensors):
    return {name: each.detach().clone() for name, each in tensors.items()}


def build(optimizer="sgd", seed=0):
    learner = Moons(TASK, Streams(seed), 4.0)
    learner.optimizer = OPTIMIZERS[optimizer](learner.module.parameters())
    return learner, masks.prunable(learner, TASK.pruning)


def film(rule, learner, mask, until=BUDGET):
    """Train under the rule and keep every update."""
    frames, dense = [], {}
    parameters = dict(learner.module.named_parameters())
    for name in mask:
        parameters[name].register_post_accumulate_grad_hook(
            lambda parameter, name=name: dense.update({name: parameter.grad.clone()})
        )
    learner.load(learner.snapshot().masked(mask))

    def moments_of(parameter):
        values = learner.optimizer.state[parameter].values()
        return [each.clone() for each in values if torch.is_tensor(each) and each.shape == parameter.shape]

    def end(frame):
        frame.mask, frame.weights = copies(attached.mask), copies(parameters)
        frame.moments = {name: moments_of(parameters[name]) for name in mask}

    with Attached(learner, mask) as attached:
        attached.after_update(
            lambda: frames.append(Frame(learner.step, copies(attached.mask), copies(parameters), copies(dense)))
        )
        rule.bind(attached, learner)
        attached.after_update(lambda: end(frames[-1]))
        learner.train(until)
        attached.check()
    return frames


def nothing_at_pruned_entries(frames):
    for frame in frames:
        for name, mask in frame.mask.items():
            assert frame.moments[name]
            for values in (frame.weights[name], *frame.moments[name]):
                assert int(values[~mask].count_nonzero()) == 0


# Gradual magnitude pruning.

START, END, CUTS = 0.1, 0.7, 6


def gradual(entries, keep):
    return GradualPruning(entries, keep, budget=BUDGET, start=START, end=END, cuts=CUTS)


def cubic(whole, keep, cut):
    """1710.01878, equation 1, in counts: initial sparsity 0, final sparsity 1 - keep / whole."""
    final = 1 - keep / whole
    return round(whole * (1 - (final + (0 - final) * (1 - cut / CUTS) ** 3)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("keep", [
    {"0.weight": 13, "4.weight": 40}, {"0.weight": 0, "4.weight": 128}, {"": 31}, {"": 0}, {"": 256},
])  # fmt: skip
def test_gradual_pruning_follows_the_cubic_path_cut_by_cut(optimizer, keep):
    learner, entries = build(optimizer)
    frames = film(gradual(entries, keep), learner, masks.ones(entries))
    sizes = {"": 256} if "" in keep else {"0.weight": 128, "4.weight": 128}
    for frame in frames:
        progress = (frame.step / BUDGET - START) / (END - START)
        near = {min(CUTS, max(0, math.floor(CUTS * progress + rounding))) for rounding in (-1e-9, 1e-9)}
        kept = masks.sizes(frame.mask)
        kept = {"": sum(kept.values())} if "" in keep else kept
        assert kept in [{name: cubic(sizes[name], keep[name], cut) for name in keep} for cut in near]
    nothing_at_pruned_entries(frames)


@pytest.mark.parametrize(("start", "end"), [(0.1, 1.0), (0.7, 0.1), (-0.1, 0.5), (0.5, 0.5)])
def test_gradual_pruning_that_would_miss_its_last_cut_is_refused(start, end):
    _, entries = build()
    with pytest.raises(SpecError, match="choose 0 <= start < end < 1"):
        GradualPruning(entries, {"": 31}, budget=BUDGET, start=start, end=end, cuts=CUTS)


def test_gradual_pruning_may_start_at_once():
    learner, entries = build()
    frames = film(
        GradualPruning(entries, {"": 31}, budget=BUDGET, start=0.0, end=0.5, cuts=CUTS), learner, masks.ones(entries)
    )
    cuts = [frame.step for frame in frames if frame.changed]
    assert [round(step / BUDGET / 0.5 * CUTS) for step in cuts] == [1, 2, 3, 4, 5, 6]


def test_gradual_pruning_starts_and_ends_in_time_and_makes_every_cut():
    learner, entries = build()
    frames = film(gradual(entries, {"": 31}), learner, masks.ones(entries))
    cuts = [frame.step / BUDGET for frame in frames if frame.changed]
    assert len(cuts) == CUTS
    assert START < cuts[0] <= START + (END - START) / CUTS + 1 / BUDGET
    assert END <= cuts[-1] <= END + 1 / BUDGET + 1e-9
    assert sum(masks.sizes(frames[-1].mask).values()) == 31


@pytest.mark.parametrize("keep", [{"0.weight": 13, "4.weight": 40}, {"": 31}])
def test_every_cut_removes_the_smallest_survivors_and_none_returns(keep):
    learner, entries = build()
    frames = film(gradual(entries, keep), learner, masks.ones(entries))
    for frame in frames:
        assert all(not bool((frame.mask[name] & ~frame.old_mask[name]).any()) for name in entries)
        pools = [list(entries)] if "" in keep else [[name] for name in entries]
        for pool in pools:
            sizes, old, new = (
                torch.cat([values[name].flatten() for name in pool])
                for values in (frame.old_weights, frame.old_mask, frame.mask)
            )
            if bool((old & ~new).any()):
                assert float(sizes[old & ~new].abs().max()) <= float(sizes[new].abs().min())


class Rollouts:
    """A learner whose step stands still for many updates, and then jumps."""

    def __init__(self, module=None):
        torch.manual_seed(0)
        self.module = module or nn.Linear(20, 5, bias=False)
        self.optimizer = OPTIMIZERS["sgd"](self.module.parameters())
        self.step = self.updates = 0

    def train(self, *, step, updates=1):
        self.step = step
        for _ in range(updates):
            self.optimizer.zero_grad()
            self.module(torch.randn(4, 20)).square().sum().backward()
            self.optimizer.step()

    @property
    def entries(self):
        return {name: torch.ones_like(each, dtype=torch.bool) for name, each in self.module.named_parameters()}


def test_cuts_that_a_jump_of_the_step_passes_are_made_at_once():
    learner = Rollouts()
    counts = []
    with Attached(learner, masks.ones(learner.entries)) as attached:
        gradual(learner.entries, {"weight": 10}).bind(attached, learner)
        for step in (0, 55, 65, 120):
            learner.train(step=step, updates=5)
            counts.append(int(attached.mask["weight"].sum()))
    assert counts == [100, cubic(100, 10, 3), cubic(100, 10, 4), 10]


def test_a_survivor_that_has_become_zero_is_not_swapped_for_a_weight_that_is_gone():
    learner = Rollouts()
    learner.optimizer.param_groups[0].update(lr=0.0)
    with torch.no_grad():
        learner.module.weight.copy_(torch.arange(1.0, 101.0).view(5, 20))
    with Attached(learner, masks.ones(learner.entries)) as attached:
        gradual(learner.entries, {"weight": 10}).bind(attached, learner)
        learner.train(step=40)
        first = attached.mask["weight"].clone()
        assert not bool(first.view(-1)[:20].any())
        learner.module.weight.data.zero_()
        learner.train(step=120)
        assert int((attached.mask["weight"] & first).sum()) == int(attached.mask["weight"].sum()) == 10


# SET and RigL.

DROP, FREEZE, CHANGES = 0.3, 0.75, 10


def regrowth(entries, *, by_gradient, seed=0, level=3):
    return Regrowth(
        entries, Streams(seed, level), budget=BUDGET, by_gradient=by_gradient, drop=DROP, end=FREEZE, cuts=CHANGES
    )


@pytest.mark.parametrize(("drop", "end"), [(0.0, 0.75), (1.5, 0.75), (0.3, 0.0), (0.3, 1.1)])
def test_regrowth_of_no_share_or_beyond_the_budget_is_refused(drop, end):
    _, entries = build()
    with pytest.raises(SpecError, match="choose both above 0 and up to 1"):
        Regrowth(entries, Streams(0, 3), budget=BUDGET, by_gradient=False, drop=drop, end=end, cuts=CHANGES)


def sparse(entries):
    return masks.uniform_per_layer(entries, {"0.weight": 60, "4.weight": 25}, torch.Generator().manual_seed(0))


def moving(frame, name):
    """How many weights of a layer move at a step: 1911.11134, section 3."""
    share = DROP / 2 * (1 + math.cos(math.pi * min(1.0, frame.step / BUDGET / FREEZE)))
    return round(share * int(frame.old_mask[name].sum()))


def first_of(values, candidates, count):
    """Indices of the `count` largest values among the candidates, by full sorting."""
    return sorted(candidates, key=lambda index: (-values[index], index))[:count]


def staying(frame, name):
    sizes = frame.old_weights[name].abs().flatten().tolist()
    active = frame.old_mask[name].flatten().nonzero().flatten().tolist()
    return set(first_of(sizes, active, len(active) - moving(frame, name)))


def indices(mask):
    return set(mask.flatten().nonzero().flatten().tolist())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_rigl_drops_the_smallest_weights_and_grows_the_largest_dense_gradients(optimizer):
    learner, entries = build(optimizer)
    frames = film(regrowth(entries, by_gradient=True), learner, sparse(entries))
    changes = [frame for frame in frames if frame.changed]
    assert len(changes) > CHANGES / 2
    for frame in changes:
        for name in entries:
            stays, gradients = staying(frame, name), frame.dense_gradients[name].abs().flatten().tolist()
            grown = first_of(gradients, set(range(128)) - stays, moving(frame, name))
            assert indices(frame.mask[name]) == stays | set(grown)
    nothing_at_pruned_entries(frames)


def test_set_drops_the_smallest_weights_and_lets_every_other_stay():
    learner, entries = build()
    frames = film(regrowth(entries, by_gradient=False), learner, sparse(entries))
    changes = [frame for frame in frames if frame.changed]
    assert len(changes) > CHANGES / 2
    for frame in changes:
        assert all(staying(frame, name) <= indices(frame.mask[name]) for name in entries)
    nothing_at_pruned_entries(frames)


def test_each_change_of_set_grows_by_a_draw_of_its_own_from_the_mask_stream():
    learner, entries = build()
    frames = film(regrowth(entries, by_gradient=False), learner, sparse(entries))
    for frame in [frame for frame in frames if frame.changed]:
        number = math.floor((frame.step - 1) / BUDGET / FREEZE * CHANGES + 1e-9)
        generator = Streams(0, 3).torch("mask", 4, number)
        for name, layer in entries.items():
            draw, stays = torch.rand(layer.shape, generator=generator).flatten().tolist(), staying(frame, name)
            grown = first_of(draw, set(range(128)) - stays, moving(frame, name))
            assert indices(frame.mask[name]) == stays | set(grown)


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
def test_every_layer_keeps_its_count_and_the_mask_rests_in_the_end(by_gradient):
    learner, entries = build()
    start = sparse(entries)
    frames = film(regrowth(entries, by_gradient=by_gradient), learner, start)
    assert all(masks.sizes(frame.mask) == masks.sizes(start) for frame in frames)
    changes = [frame.step / BUDGET for frame in frames if frame.changed]
    assert CHANGES / 2 < len(changes) <= CHANGES
    assert changes[0] >= FREEZE / CHANGES
    assert changes[-1] <= FREEZE + 1 / BUDGET
    spacing = FREEZE / CHANGES
    assert all(abs(each / spacing - round(each / spacing)) * spacing < 2.5 / BUDGET for each in changes)


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
def test_fewer_weights_move_as_training_goes_on(by_gradient):
    learner, entries = build()
    frames = film(regrowth(entries, by_gradient=by_gradient), learner, sparse(entries))
    moved = [moving(frame, "0.weight") for frame in frames if frame.changed]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] >= 0.9 * DROP * 60
    assert moved[-1] <= 0.1 * DROP * 60


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
def test_grown_weights_start_at_zero_with_zero_moments_and_then_learn(optimizer, by_gradient):
    learner, entries = build(optimizer)
    frames = film(regrowth(entries, by_gradient=by_gradient), learner, sparse(entries))
    learned = total = 0
    for frame, after in pairwise(frames):
        for name in entries:
            grown = frame.mask[name] & ~frame.old_mask[name]
            assert all(int(each[grown].count_nonzero()) == 0 for each in (frame.weights[name], *frame.moments[name]))
            learns = after.dense_gradients[name][grown] != 0
            assert torch.equal(after.old_weights[name][grown] != 0, learns)
            learned += int(learns.sum())
            total += int(grown.sum())
    assert total > 50
    assert learned > 20


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
def test_weights_that_stay_keep_every_bit_when_others_move(by_gradient):
    learner, entries = build()
    for frame in film(regrowth(entries, by_gradient=by_gradient), learner, sparse(entries)):
        for name in entries:
            stays = frame.mask[name] & frame.old_mask[name]
            assert torch.equal(frame.weights[name][stays], frame.old_weights[name][stays])


def final_mask(*, by_gradient, seed=0, level=3, disturbed=1):
    torch.manual_seed(disturbed)
    learner, entries = build()
    rule = regrowth(entries, by_gradient=by_gradient, seed=seed, level=level)
    return {name: each.tolist() for name, each in film(rule, learner, sparse(entries))[-1].mask.items()}


def test_what_set_grows_depends_on_the_mask_stream_alone():
    first = final_mask(by_gradient=False)
    assert final_mask(by_gradient=False, disturbed=2) == first
    assert final_mask(by_gradient=False, seed=1) != first
    assert final_mask(by_gradient=False, level=4) != first


def test_what_rigl_grows_depends_on_no_random_number():
    first = final_mask(by_gradient=True)
    assert final_mask(by_gradient=True, seed=1, level=4, disturbed=2) == first


def test_set_grows_every_free_weight_with_equal_chance():
    grown = np.zeros(100)
    draws = 300
    for seed in range(draws):
        learner = Rollouts()
        mask = {"weight": torch.zeros(5, 20, dtype=torch.bool)}
        mask["weight"][:2] = True
        with torch.no_grad():
            learner.module.weight.copy_(mask["weight"] * torch.linspace(1, 2, 100).view(5, 20))
        with Attached(learner, mask) as attached:
            regrowth(learner.entries, by_gradient=False, seed=seed).bind(attached, learner)
            learner.optimizer.param_groups[0]["lr"] = 0.0
            learner.train(step=10, updates=2)
            grown += attached.mask["weight"].flatten().numpy()
    assert set(grown[12:40]) == {draws}  # the largest stay, and 12 of the 72 others grow
    free, share = np.delete(grown, range(12, 40)), 12 / 72
    statistic = ((free - draws * share) ** 2 / (draws * share * (1 - share))).sum() * 71 / 72
    assert 0.001 < stats.chi2.sf(statistic, 71) < 0.999


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
@pytest.mark.parametrize("keep", [0, 1, 99, 100])
def test_layers_that_are_empty_or_full_stay_so_and_others_keep_their_count(by_gradient, keep):
    learner = Rollouts()
    mask = masks.uniform(learner.entries, keep, torch.Generator().manual_seed(0))
    learner.module.weight.data.mul_(mask["weight"])
    with Attached(learner, mask) as attached:
        regrowth(learner.entries, by_gradient=by_gradient).bind(attached, learner)
        for step in range(0, BUDGET, 3):
            learner.train(step=step)
            assert int(attached.mask["weight"].sum()) == keep
        attached.check()


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
@pytest.mark.parametrize(("second", "moves"), [(65, True), (120, False)])
def test_nothing_moves_where_a_jump_of_the_step_leaves_the_end_behind(by_gradient, second, moves):
    learner = Rollouts()
    mask = masks.uniform(learner.entries, 50, torch.Generator().manual_seed(0))
    learner.module.weight.data.mul_(mask["weight"])
    with Attached(learner, mask) as attached:
        regrowth(learner.entries, by_gradient=by_gradient).bind(attached, learner)
        for step in (60, second):  # a change is due at the first, and made at the second
            learner.train(step=step)
        assert torch.equal(attached.mask["weight"], mask["weight"]) is not moves


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
def test_entries_that_may_not_be_pruned_never_move(by_gradient):
    learner = Rollouts()
    entries = {"weight": torch.ones(5, 20, dtype=torch.bool)}
    entries["weight"][0] = False
    mask = masks.uniform(entries, 30, torch.Generator().manual_seed(0))
    learner.module.weight.data.mul_(mask["weight"])
    with Attached(learner, mask) as attached:
        regrowth(entries, by_gradient=by_gradient).bind(attached, learner)
        for step in range(0, BUDGET, 3):
            learner.train(step=step)
            assert bool(attached.mask["weight"][0].all())
            assert int((attached.mask["weight"] & entries["weight"]).sum()) == 30
    assert not torch.equal(attached.mask["weight"], mask["weight"])


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
def test_a_layer_that_the_loss_does_not_reach_rests_under_rigl_and_is_no_obstacle(by_gradient):
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.spare, self.used = nn.Linear(8, 8, bias=False), nn.Linear(20, 5, bias=False)

        def forward(self, x):
            return self.used(x)

    learner = Rollouts(Unused())
    mask = masks.uniform_per_layer(
        learner.entries, {"spare.weight": 32, "used.weight": 50}, torch.Generator().manual_seed(0)
    )
    for name, each in learner.module.named_parameters():
        each.data.mul_(mask[name])
    with Attached(learner, mask) as attached:
        regrowth(learner.entries, by_gradient=by_gradient).bind(attached, learner)
        learner.train(step=20, updates=3)
        assert masks.sizes(attached.mask) == masks.sizes(mask)
        moved = {name: not torch.equal(attached.mask[name], mask[name]) for name in mask}
    assert moved == {"spare.weight": not by_gradient, "used.weight": True}


@pytest.mark.parametrize(("moved", "expected"), [
    (0, [1, 1, 1, 0, 0]),  # nothing moves
    (1, [0, 1, 1, 0, 1]),  # the smallest goes, the largest gradient comes
    (2, [1, 0, 1, 0, 1]),  # one of the two that went comes back
    (3, [1, 0, 0, 1, 1]),  # all go
])  # fmt: skip
def test_a_dropped_weight_may_grow_again_and_a_staying_one_is_never_touched(moved, expected):
    sizes, growth = torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0]), torch.tensor([4.0, 1.0, 2.0, 3.0, 5.0])
    active, entries = torch.tensor([True, True, True, False, False]), torch.ones(5, dtype=torch.bool)
    assert regrown(sizes, growth, active, entries, moved).int().tolist() == expected


@pytest.mark.parametrize("name", ["gmp", "set", "rigl"])
def test_a_look_for_leaks_right_after_a_change_finds_none(monkeypatch, name):
    """Gradients of the update before were accumulated under the mask before: that is no leak."""
    monkeypatch.setattr(attach, "CHECK_EVERY", 1)
    assert check_method(METHODS[name], ExampleDomain(), MOONS) == []


def changed_by(updates, *, begin, by_gradient):
    """The mask after updates that saw such gradients of every weight, the first of them behind step `begin`."""
    learner, entries = build()
    attached = Attached(learner, sparse(entries))
    regrowth(entries, by_gradient=by_gradient).bind(attached, learner)
    for step, gradients in enumerate(updates, start=begin + 1):
        learner.step = step
        if attached.dense_gradients:
            for name, gradient in gradients.items():
                attached.see(name, gradient)
        attached.updated()
    return attached.mask


@pytest.mark.parametrize("by_gradient", [True, False], ids=["rigl", "set"])
def test_an_update_that_overflowed_changes_no_mask_and_the_next_one_does(by_gradient):
    """What was gathered at it is forgotten: the change is the one of a training that came there without it."""
    _, entries = build()
    before = sparse(entries)
    good = {name: torch.rand(each.shape, generator=torch.Generator().manual_seed(1)) for name, each in entries.items()}
    overflowed = {name: each.masked_fill(each > 0.99, math.inf) for name, each in good.items()}
    due, kind = round(BUDGET * FREEZE / CHANGES), {"by_gradient": by_gradient}
    rests = changed_by([good, overflowed], begin=due, **kind)
    assert all(torch.equal(before[name], rests[name]) for name in entries)
    moved = changed_by([good, overflowed, good], begin=due, **kind)
    other = changed_by([good, good], begin=due + 1, **kind)
    assert all(torch.equal(moved[name], other[name]) for name in entries)
    assert not any(torch.equal(before[name], moved[name]) for name in entries)
