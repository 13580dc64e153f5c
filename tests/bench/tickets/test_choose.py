"""Each column of a method chooses what its name says: the mask, the weights, the training."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from broken import broken_column
from example import MOONS, ExampleDomain, Moons, variant
from torch import nn

from bench.code.own import digests, load
from bench.errors import SpecError, WrongCount
from bench.spec import CODE, Method, Pruning, Unit
from bench.streams import Streams
from bench.tickets import masks, saliency
from bench.tickets.attach import Attached
from bench.tickets.choose import ERK, NOISE, PERMUTED, SHUFFLED, UNIFORM, choose
from bench.tickets.columns import MASKS, TRAININGS, WEIGHTS, columns
from bench.tickets.dynamic import GradualPruning, Regrowth
from bench.tickets.inputs import MethodInputs, Parent, Start
from bench.tickets.methods import METHODS, define
from bench.tickets.protocol import run_unit
from domains.teacher.choose import NODES

DOMAIN = ExampleDomain()
LEVEL = 3


def handed(result):
    """A finished unit as its children see it."""
    return Parent(mask=result.trained.mask, state=result.trained.states.__getitem__, search_cost=0, result="")


class Families:
    """Finished units of the example task, each trained once for all tests."""

    def __init__(self):
        self._finished = {}

    def parents(self, method, level, seed=0, task=MOONS):
        found = {}
        for role in method.parents:
            name, at = method.parent_of(role, level)
            key = (name, at, seed, task.schedule, task.rewind_step)
            if key not in self._finished:
                self._finished[key] = handed(self.run(METHODS[name], at, seed, task))
            found[role] = self._finished[key]
        return found

    def run(self, method, level=LEVEL, seed=0, task=MOONS):
        unit = Unit(task=task, method=method, level=level, seed=seed)
        return run_unit(unit, DOMAIN, self.parents(method, level, seed, task))

    def setting(self, method, level=LEVEL, seed=0, task=MOONS):
        method = METHODS[method] if isinstance(method, str) else method
        unit = Unit(task=task, method=method, level=level, seed=seed)
        return MethodInputs(unit, DOMAIN, "cpu", self.parents(method, level, seed, task))

    def start(self, *args, **options):
        return choose(self.setting(*args, **options))


@pytest.fixture(scope="module")
def family():
    return Families()


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def fresh_weights(level=LEVEL, seed=0):
    return Moons(MOONS, Streams(seed, level, "fresh"), 1.0).snapshot()


def initial_weights(seed=0):
    return Moons(MOONS, Streams(seed), 1.0).snapshot()


# Masks.


def test_the_iterative_mask_removes_the_smallest_trained_survivors_of_every_layer(family):
    setting = family.setting("ticket")
    before = setting.parents["previous"]
    after = choose(setting).mask
    for name, entries in setting.entries.items():
        sizes = before.state("final").weights[name].abs()
        assert not bool((after[name] & ~before.mask[name]).any())
        assert int(after[name].sum()) == round(entries.numel() * (1 - MOONS.pruning.rate_of(name)) ** LEVEL)
        assert float(sizes[before.mask[name] & ~after[name]].max()) <= float(sizes[after[name]].min())


def test_the_one_shot_mask_removes_the_smallest_weights_of_the_dense_network(family):
    setting = family.setting("one-shot")
    mask = choose(setting).mask
    for name in setting.entries:
        sizes = setting.parents["dense"].state("final").weights[name].abs()
        assert float(sizes[~mask[name]].max()) <= float(sizes[mask[name]].min())


def test_the_first_round_of_a_chain_is_the_one_shot_mask(family):
    assert equal(family.start("ticket", level=1).mask, family.start("one-shot", level=1).mask)
    assert not equal(family.start("ticket").mask, family.start("one-shot").mask)


def test_chains_prune_what_they_trained_themselves(family):
    chains = [family.start(name).mask for name in ("ticket", "ticket-init", "lr-rewind", "fine-tune")]
    assert all(not equal(chains[0], other) for other in chains[1:])


@pytest.mark.parametrize("name", ["reinit", "reinit-signed", "permuted"])
def test_controls_of_the_weights_keep_the_tickets_mask(family, name):
    assert equal(family.start(name).mask, family.start("ticket").mask)


def test_the_mask_of_increase_removes_what_grew_least_in_size(family):
    setting = family.setting("one-shot-increase")
    dense, mask = setting.parents["dense"], choose(setting).mask
    for name in setting.entries:
        growth = dense.state("final").weights[name].abs() - dense.state("initial").weights[name].abs()
        assert float(growth[~mask[name]].max()) <= float(growth[mask[name]].min())
    assert masks.sizes(mask) == masks.sizes(family.start("one-shot").mask)
    assert not equal(mask, family.start("one-shot").mask)


@pytest.mark.parametrize(("name", "arm"), [("snip", "snip-shuffled"), ("magnitude-init", "magnitude-shuffled")])
def test_a_shuffled_saliency_keeps_its_layer_counts_and_the_initial_weights(family, name, arm):
    own, shuffled = family.start(name), family.start(arm)
    assert masks.sizes(shuffled.mask) == masks.sizes(own.mask)
    assert not equal(shuffled.mask, own.mask)
    assert equal(shuffled.state.weights, initial_weights().masked(shuffled.mask).weights)
    other = family.start(arm, seed=1).mask
    assert not equal(other, shuffled.mask)


def test_the_shuffled_mask_keeps_the_tickets_layer_counts_only(family):
    ticket, shuffled = family.start("ticket").mask, family.start("shuffled").mask
    assert masks.sizes(shuffled) == masks.sizes(ticket)
    assert all(not torch.equal(shuffled[name], ticket[name]) for name in ticket)


def contains(one, other):
    """Whether a layer of one mask lies inside the same layer of the other: masks of one draw do, others hardly ever."""
    return any(
        bool((one[name] <= other[name]).all()) or bool((other[name] <= one[name]).all()) for name in one.keys() & other
    )


def test_masks_drawn_at_random_share_no_draw_and_change_with_level_and_seed(family):
    arms = ("random-ticket", "random-erk", "shuffled")
    drawn = {name: family.start(name).mask for name in arms}
    assert not any(contains(drawn[one], drawn[other]) for one in arms for other in arms if one != other)
    for name in arms:
        assert equal(drawn[name], family.start(name).mask)
        assert not contains(drawn[name], family.start(name, seed=1).mask)
        assert not contains(drawn[name], family.start(name, level=2).mask)


REGROWN = 4
DRAWS = {
    "random-ticket": {UNIFORM},
    "random-erk": {ERK},
    "set": {ERK, REGROWN},
    "rigl": {ERK, REGROWN},
    "shuffled": {SHUFFLED},
    "magnitude-shuffled": {SHUFFLED},
    "snip-shuffled": {SHUFFLED},
    "shuffled-values": {SHUFFLED, PERMUTED},
    "permuted": {PERMUTED},
    "ticket-noise": {NOISE},
}
"""Arm -> the substreams of `mask` that it opens. Who adds one here says in `choose` with whom it shares, and why."""


@pytest.mark.parametrize("name", METHODS)
def test_an_arm_shares_the_substreams_that_are_told_and_no_other(family, monkeypatch, name):
    level = int(name != "dense")
    family.parents(METHODS[name], level)
    opened, sequence = set(), Streams.sequence

    def seen(self, stream, *index):
        if stream == "mask":
            opened.add(index[0] if index else UNIFORM)
        return sequence(self, stream, *index)

    monkeypatch.setattr(Streams, "sequence", seen)
    family.run(METHODS[name], level)
    assert opened == DRAWS.get(name, set())


def test_the_substreams_of_different_draws_are_different():
    kinds = [UNIFORM, SHUFFLED, ERK, PERMUTED, REGROWN, NODES, NOISE]
    assert sorted(kinds) == list(range(7))


def test_arms_that_draw_the_same_thing_draw_it_alike(family):
    start = {name: family.start(name) for name in DRAWS}
    for name in ("set", "rigl"):
        assert equal(start[name].mask, start["random-erk"].mask)
    shuffles = [start[name].mask for name in ("shuffled", "magnitude-shuffled", "snip-shuffled")]
    for one, other in itertools.combinations(shuffles, 2):
        assert all(contains({name: one[name]}, {name: other[name]}) for name in one), (
            "they differ by their counts alone"
        )
    permuted, both, ticket = start["permuted"], start["shuffled-values"], family.start("ticket")
    for name, kept in ticket.mask.items():
        assert torch.equal(permuted.state.weights[name][kept], both.state.weights[name][both.mask[name]])


@pytest.mark.parametrize("name", ["random-erk", "set", "rigl"])
def test_sparse_arms_start_with_erk_densities_whatever_the_rates_of_the_task(family, name):
    assert [family.start(name, level=level).mask["0.weight"].sum() for level in (4, 8)] == [17, 10]
    assert [family.start(name, level=level).mask["4.weight"].sum() for level in (4, 8)] == [17, 9]


def test_a_survivor_of_size_zero_stays_ahead_of_everything_that_is_gone(family):
    setting = family.setting("ticket", level=2)
    before = setting.parents["previous"]
    zeros = before.state("final").masked({name: torch.zeros_like(each) for name, each in before.mask.items()})
    setting.parents = {**setting.parents, "previous": replace(before, state=lambda _: zeros)}
    mask = choose(setting).mask
    assert all(not bool((mask[name] & ~before.mask[name]).any()) for name in mask)
    assert masks.sizes(mask) == setting.keep


def test_saliency_masks_keep_the_highest_scores_of_the_initial_network(family):
    setting = family.setting("magnitude-init")
    weights = initial_weights().weights
    scores = {
        "magnitude-init": saliency.magnitude(weights, setting.entries),
        "snip": saliency.snip(Moons(MOONS, Streams(0), 1.0), setting.entries, **METHODS["snip"].options),
        "grasp": saliency.grasp(Moons(MOONS, Streams(0), 1.0), setting.entries, **METHODS["grasp"].options),
    }
    for name, each in scores.items():
        mask = family.start(name).mask
        flat, kept = (torch.cat([part[layer].flatten() for layer in setting.entries]) for part in (each, mask))
        assert int(kept.sum()) == setting.count
        assert float(flat[~kept].max()) <= float(flat[kept].min())


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("dense", "small-dense", "gmp")])
@pytest.mark.parametrize("level", [1, 3])
def test_every_masked_arm_keeps_exactly_the_levels_total(family, name, level):
    start = family.start(name, level=level)
    expected = round(32 * 0.8**level) + round(32 * 0.9**level)
    assert sum(masks.sizes(start.mask).values()) == expected
    for layer, kept in start.mask.items():
        assert int(start.state.weights[layer][~kept].count_nonzero()) == 0


# Weights.


def test_arms_that_start_fresh_share_one_draw_of_each_level_and_seed(family):
    arms = ("reinit", "shuffled", "random-ticket", "random-erk", "one-shot-reinit")
    for level, seed in ((3, 0), (2, 0), (3, 1)):
        drawn = fresh_weights(level, seed)
        for name in arms:
            start = family.start(name, level=level, seed=seed)
            assert equal(start.state.weights, drawn.masked(start.mask).weights)
            assert start.state.step == start.state.updates == 0
    draws = [fresh_weights(3, 0), fresh_weights(2, 0), fresh_weights(3, 1), initial_weights()]
    for name in ("0.weight", "4.weight"):
        assert len({tuple(each.weights[name].flatten().tolist()) for each in draws}) == len(draws)


@pytest.mark.parametrize("name", ["magnitude-init", "snip", "grasp", "synflow", "gmp", "set", "rigl", "dense"])
def test_arms_that_start_at_initialisation_have_the_dense_networks_initial_weights(family, name):
    start = family.start(name, level=LEVEL if name != "dense" else 0)
    assert equal(start.state.weights, initial_weights().masked(start.mask).weights)
    assert equal(start.state.buffers, initial_weights().buffers)


@pytest.mark.parametrize("name", ["ticket", "one-shot"])
def test_tickets_start_from_the_weights_and_buffers_of_the_rewind_step(family, name):
    start = family.start(name)
    rewind = family.parents(METHODS["one-shot"], LEVEL)["dense"].state("rewind")
    learner = Moons(MOONS, Streams(0), 1.0)
    learner.train(MOONS.rewind_step)
    assert equal(rewind.weights, learner.snapshot().weights)
    assert equal(start.state.weights, rewind.masked(start.mask).weights)
    assert equal(start.state.buffers, rewind.buffers)
    assert (start.state.step, start.until) == (MOONS.rewind_step, MOONS.budget)


def test_ticket_init_goes_back_to_the_first_step(family):
    start = family.start("ticket-init")
    assert equal(start.state.weights, initial_weights().masked(start.mask).weights)
    assert (start.state.step, start.until) == (0, MOONS.budget)


def test_permuted_values_are_a_permutation_of_the_tickets_inside_each_layer(family):
    ticket, permuted = family.start("ticket"), family.start("permuted")
    for name, kept in ticket.mask.items():
        values, moved = (start.state.weights[name][kept] for start in (ticket, permuted))
        assert values.tolist() != moved.tolist()
        assert values.sort().values.tolist() == moved.sort().values.tolist()
    others = set(ticket.state.weights) - set(ticket.mask)
    assert all(torch.equal(ticket.state.weights[name], permuted.state.weights[name]) for name in others)
    again, other = family.start("permuted"), family.start("permuted", seed=1)
    assert equal(permuted.state.weights, again.state.weights)
    assert not equal(permuted.state.weights, other.state.weights)


def test_signed_reinit_has_fresh_sizes_and_the_tickets_signs(family):
    ticket, signed = family.start("ticket"), family.start("reinit-signed")
    drawn = fresh_weights().weights
    for name, kept in ticket.mask.items():
        assert torch.equal(signed.state.weights[name][kept].abs(), drawn[name][kept].abs())
        assert torch.equal(signed.state.weights[name][kept].sign(), ticket.state.weights[name][kept].sign())
        assert not torch.equal(signed.state.weights[name], drawn[name] * kept)
    others = set(drawn) - set(ticket.mask)
    assert all(torch.equal(signed.state.weights[name], drawn[name]) for name in others)


class Biased(Moons):
    """Biases are drawn too, so that their signs tell where they come from."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        for layer in (self.module[0], self.module[4]):
            nn.init.normal_(layer.bias, generator=streams.torch("init", 1))


def test_signed_reinit_leaves_fresh_what_has_no_mask():
    drawn = Biased(MOONS, Streams(0, 1, "fresh"), 1.0).snapshot()
    opposite = replace(drawn, weights={name: -weight for name, weight in drawn.weights.items()})
    mask = {name: torch.ones_like(drawn.weights[name], dtype=torch.bool) for name in ("0.weight", "4.weight")}
    parent = Parent(mask=mask, state=lambda _: opposite, search_cost=0, result="")
    unit = Unit(task=MOONS, method=METHODS["reinit-signed"], level=1, seed=0)
    start = choose(MethodInputs(unit, ExampleDomain(Biased), "cpu", {"ticket": parent, "dense": parent}))
    expected = {name: (opposite if name in mask else drawn).weights[name] for name in drawn.weights}
    assert equal(start.state.weights, expected)


@pytest.mark.parametrize("name", METHODS)
def test_only_a_narrower_network_is_another_one(family, name):
    assert (family.start(name, level=int(name != "dense")).learner is not None) is (name == "small-dense")


def test_noise_of_three_deviations_lies_on_the_tickets_survivors(family):
    setting = family.setting("ticket-noise")
    noisy, ticket = choose(setting), family.start("ticket")
    assert equal(noisy.mask, ticket.mask)
    assert noisy.state.step == ticket.state.step
    initial = setting.parents["dense"].state("initial").weights
    drawn = []
    for name, entries in setting.entries.items():
        moved = noisy.state.weights[name] - ticket.state.weights[name]
        assert not bool(moved[~ticket.mask[name]].any())
        drawn.append((moved / initial[name].std(correction=0))[ticket.mask[name] & entries])
    assert float(torch.cat(drawn).std()) == pytest.approx(3.0, rel=0.2)
    for name in noisy.state.weights.keys() - setting.entries.keys():
        assert torch.equal(noisy.state.weights[name], ticket.state.weights[name]), (
            "nothing that cannot be pruned is moved"
        )
    for changed in ({"seed": 1}, {"level": 2}):
        other = family.start("ticket-noise", **changed).state.weights
        assert not equal(other, noisy.state.weights)
    assert equal(family.start("ticket-noise").state.weights, noisy.state.weights)


def test_shuffled_values_are_the_tickets_on_the_shuffled_mask(family):
    both, shuffled, ticket = (family.start(name) for name in ("shuffled-values", "shuffled", "ticket"))
    assert equal(both.mask, shuffled.mask)
    assert both.state.step == ticket.state.step
    for name, kept in both.mask.items():
        ours, theirs = both.state.weights[name][kept], ticket.state.weights[name][ticket.mask[name]]
        assert torch.equal(ours.sort().values, theirs.sort().values)
        assert not torch.equal(both.state.weights[name], ticket.state.weights[name])


# Training.


@pytest.mark.parametrize("schedule", ["resume", "restart"])
def test_learning_rate_rewinding_keeps_the_trained_weights_and_winds_the_schedule_back(family, schedule):
    task = variant(schedule=schedule)
    setting = family.setting("lr-rewind", task=task)
    start = choose(setting)
    trained = setting.parents["previous"].state("final")
    assert equal(start.state.weights, trained.masked(start.mask).weights)
    assert equal(start.state.buffers, trained.buffers)
    assert (start.state.step, start.state.updates, start.until) == (10, 10, 40)
    assert start.state.origin == {"resume": 0, "restart": 10}[schedule]


def test_fine_tuning_goes_on_beyond_the_budget_for_as_long_as_a_rewound_run(family):
    for level in (1, 2):
        setting = family.setting("fine-tune", level=level)
        start = choose(setting)
        assert equal(start.state.weights, setting.parents["previous"].state("final").masked(start.mask).weights)
        assert (start.state.step, start.until, start.state.origin) == (40, 70, 0)


@pytest.mark.parametrize("weights", ["initial", "rewind", "trained", "permuted", "noisy"])
@pytest.mark.parametrize("training", ["full", "gmp", "rigl", "untrained"])
def test_a_training_begins_where_its_column_says_whatever_the_weights_have_behind_them(family, weights, training):
    """Trained weights stand at the end of the budget: a full training of them was none."""
    given = {"gmp": {"start": 0.1, "end": 0.7, "cuts": 4}, "rigl": {"drop": 0.3, "end": 0.7, "cuts": 4}}.get(
        training, {}
    )
    if weights == "noisy":
        given = {**given, "deviations": 1.0}
    start = family.start(define("mine", "one-shot", weights, training, "", **given), level=1)
    assert (start.state.step, start.state.updates, start.state.origin) == (0, 0, 0)
    assert start.until == (0 if training == "untrained" else MOONS.budget)


def test_a_restarted_schedule_begins_at_the_rewind_step_only_for_rewound_runs(family):
    task = variant(schedule="restart")
    assert family.start("ticket", task=task).state.origin == 10
    for name in ("ticket-init", "reinit", "random-ticket", "fine-tune", "snip"):
        assert family.start(name, task=task).state.origin == 0


def test_only_dynamic_arms_have_a_rule_that_changes_the_mask(family):
    with_rule = {name for name in METHODS if family.start(name, level=int(name != "dense")).dynamics}
    assert with_rule == {"gmp", "set", "rigl"}


RULES = {
    "gmp": lambda inputs, options: GradualPruning(inputs.entries, inputs.keep, budget=40, **options),
    "set": lambda inputs, options: Regrowth(inputs.entries, inputs.streams, budget=40, by_gradient=False, **options),
    "rigl": lambda inputs, options: Regrowth(inputs.entries, inputs.streams, budget=40, by_gradient=True, **options),
}


@pytest.mark.parametrize("name", RULES)
def test_a_dynamic_arm_has_its_own_rule_over_the_whole_budget(family, name):
    inputs, learner = family.setting(name), Moons(MOONS, Streams(0), 1.0)
    start = choose(inputs)
    learner.load(start.state)
    with Attached(learner, start.mask) as attached:
        RULES[name](inputs, METHODS[name].options).bind(attached, learner)
        learner.train(40)
    assert not equal(attached.mask, start.mask)
    assert equal(attached.mask, family.run(METHODS[name]).trained.mask)


# A narrower network.


class Deep(Moons):
    """Two hidden layers, whose counts grow with the square of the width."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        first, second = (max(1, round(hidden * width)) for hidden in (24, 10))
        self.module = nn.Sequential(
            nn.Linear(2, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 2)
        )


@pytest.mark.parametrize("learner", [Moons, Deep])
@pytest.mark.parametrize("level", [0, 1, 4, 8, 12, 30])
def test_small_dense_has_the_nearest_count_of_all_widths(learner, level):
    domain, task = ExampleDomain(learner), variant(pruning=replace(MOONS.pruning, rates={}))
    setting = MethodInputs(Unit(task=task, method=METHODS["small-dense"], level=level, seed=0), domain, "cpu", {})
    asked = round(sum(masks.sizes(setting.entries).values()) * 0.8**level)

    def count(narrower):
        return sum(each.numel() for each in narrower.module.parameters() if each.ndim > 1)

    every = {count(learner(task, Streams(0), float(width))) for width in np.linspace(0, 1, 500)}
    start = choose(setting)
    assert abs(count(start.learner) - setting.count) == min(abs(each - setting.count) for each in every)
    assert abs(setting.count - asked) <= len(setting.entries)
    assert start.mask == {}


@pytest.mark.parametrize(("level", "units"), [
    (0, 16), (1, 14), (3, 10), (16, 2),  # 55, 39 and 7 weights are asked, four make a unit
    (2, 11), (4, 9), (7, 5), (10, 3), (13, 3), (17, 1),  # halfway between two widths: the one that the search meets last
])  # fmt: skip
def test_small_dense_has_the_same_width_in_every_version(level, units):
    inputs = MethodInputs(Unit(task=MOONS, method=METHODS["small-dense"], level=level, seed=0), DOMAIN, "cpu", {})
    assert choose(inputs).learner.module[0].out_features == units


def test_small_dense_starts_from_the_fresh_weights_of_its_width():
    setting = MethodInputs(Unit(task=MOONS, method=METHODS["small-dense"], level=4, seed=2), DOMAIN, "cpu", {})
    start = choose(setting)
    width = start.learner.module[0].out_features / 16
    assert equal(start.state.weights, Moons(MOONS, Streams(2, 4, "fresh"), width).snapshot().weights)


# Columns of one's own.

OWN = """
import torch
from dataclasses import replace
from bench.tickets import masks
from bench.tickets.inputs import Start

def rows(setting):
    "Whole rows first: as many of the first weights as the level leaves."
    scores = {name: torch.arange(each.numel(), 0, -1.0).view(each.shape) for name, each in setting.entries.items()}
    return masks.highest(scores, setting.entries, setting.entries, setting.keep)

def constant(setting, mask):
    state = setting.learner.snapshot()
    weights = {name: torch.full_like(each, setting.options["value"]) for name, each in state.weights.items()}
    return replace(state, weights=weights)

def short(setting, mask, state):
    return Start(mask=mask, state=state, until=setting.options["until"])
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_columns.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return Method(
        name="rows",
        mask="own_columns:rows",
        weights="own_columns:constant",
        training="own_columns:short",
        options={"value": 0.5, "until": 20},
    )


def test_columns_of_ones_own_are_found_by_module_and_function_and_get_the_methods_options(own):
    result = run_unit(Unit(task=MOONS, method=own, level=2, seed=0), DOMAIN, {})
    assert result.counts["kept"] == round(32 * 0.64) + round(32 * 0.81)
    assert result.trained.mask["0.weight"].flatten().int().tolist() == [1] * 20 + [0] * 12
    assert (result.trained.steps, [point["step"] for point in result.trained.curve]) == (20, [10, 20])
    start = choose(MethodInputs(Unit(task=MOONS, method=own, level=2, seed=0), DOMAIN, "cpu", {}))
    assert set(start.state.weights["0.weight"].flatten().tolist()) == {0.0, 0.5}


def test_a_column_of_ones_own_may_stand_beside_built_in_ones(own, family):
    method = replace(own, weights="rewind", training="rewound", parents=("dense",), options={})
    start = family.start(method)
    assert (start.state.step, start.until) == (10, 40)


@pytest.mark.parametrize(("place", "table"), [("mask", MASKS), ("weights", WEIGHTS), ("training", TRAININGS)])
@pytest.mark.parametrize("name", ["magnitud", "no.such.module:function", "math:no_such_function", "", ":rows"])
def test_an_unknown_column_is_an_error_that_says_what_to_write(place, table, name):
    with pytest.raises(SpecError, match="package.module:name") as error:
        columns(replace(METHODS["ticket"], **{place: name}))
    assert repr(name) in str(error.value)
    assert ":" in name or all(known in str(error.value) for known in table)


def test_every_registered_method_has_built_in_columns_and_the_parents_that_they_need():
    for method in METHODS.values():
        assert {method.mask in MASKS, method.weights in WEIGHTS, method.training in TRAININGS} == {True}
        assert columns(method).needs == method.parents


def test_an_option_that_a_saliency_does_not_take_is_refused(family):
    method = replace(METHODS["snip"], options={"losses": 2, "loses": 3})
    with pytest.raises(SpecError, match="method 'snip' has options that no column reads: loses"):
        family.start(method)


@pytest.mark.parametrize(
    ("mask", "training"), [("snip", "rigl"), ("grasp", "set"), ("synflow", "rigl"), ("erk", "gmp"), ("snip", "full")]
)
def test_columns_of_one_method_have_their_options_side_by_side(family, mask, training):
    given = {"losses": 2, "temperature": 200, "rounds": 3, "drop": 0.3, "start": 0.1, "end": 0.7, "cuts": 4}
    taken = {"snip": ["losses"], "grasp": ["losses", "temperature"], "synflow": ["rounds"], "erk": []}[mask]
    taken += {"full": [], "gmp": ["start", "end", "cuts"]}.get(training, ["drop", "end", "cuts"])
    method = define("both", mask, "initial", training, "", **{name: given[name] for name in taken})
    start = family.start(method)
    assert sum(masks.kept(start.mask, family.setting(method).entries).values()) == family.setting(method).count
    for name in taken:
        less = replace(method, options={other: given[other] for other in taken if other != name})
        with pytest.raises(SpecError, match=f"a column of the method needs the option '{name}'"):
            family.start(less)


@pytest.mark.parametrize("name", ["ticket", "random-ticket", "small-dense"])
def test_an_option_that_no_column_reads_is_refused(family, name):
    with pytest.raises(SpecError, match=f"method '{name}' has options that no column reads: los, ses"):
        family.start(replace(METHODS[name], options={"ses": 1, "los": 2}))


def test_a_parent_that_a_method_forgot_is_named(family):
    method = replace(METHODS["one-shot"], parents=())
    with pytest.raises(SpecError, match="method 'one-shot' looks at its 'dense' parent and does not name it"):
        family.start(method)


def replaced(name, change):
    def mask(inputs):
        chosen = masks.ones(inputs.entries)
        return {**chosen, name: change(chosen.get(name))}

    return mask


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (replaced("0.weight", lambda kept: kept.float()), "is torch.float32 in 0.weight: give a bool tensor"),
        (replaced("0.weight", lambda kept: kept.numpy()), "is ndarray in 0.weight: give a bool tensor"),
        (replaced("0.weight", lambda kept: kept.tolist()), "is list in 0.weight: give a bool tensor"),
        (replaced("0.weights", lambda _: torch.ones(1) > 0), "names '0.weights', which is no parameter: .* 0.weight,"),
        (replaced("0.weight", lambda kept: kept.T), r"has shape \(2, 16\) in 0.weight, the parameter \(16, 2\)"),
    ],
)
def test_a_mask_of_another_kind_is_refused_by_name(monkeypatch, family, mask, said):
    broken_column(monkeypatch, MASKS, "uniform", mask)
    with pytest.raises(SpecError, match=f"the mask of method 'random-ticket' {said}"):
        family.start("random-ticket")


@pytest.mark.parametrize(
    ("table", "name", "told"),
    [
        (MASKS, "uniform", "gives a NoneType for its mask: give parameter name -> bool tensor"),
        (WEIGHTS, "fresh", "gives a NoneType for its weights: give a bench.learner.State, or another Learner"),
        (TRAININGS, "full", "gives a NoneType for its training: give a bench.tickets.inputs.Start"),
    ],
)
def test_a_column_that_gives_nothing_is_named(monkeypatch, family, table, name, told):
    """Somebody forgot to return it."""
    broken_column(monkeypatch, table, name, lambda *_: None)
    with pytest.raises(SpecError, match=f"method 'random-ticket' {told}"):
        family.start("random-ticket")


@pytest.mark.parametrize(("step", "until"), [(8, 4), (0, 4.0), (0, None)])
def test_a_training_that_cannot_end_where_it_says_is_refused(monkeypatch, family, step, until):
    """It would train nothing without a word, or fail in the middle."""

    def training(_, mask, state):
        return Start(mask=mask, state=replace(state, step=step), until=until)

    broken_column(monkeypatch, TRAININGS, "full", training)
    with pytest.raises(
        SpecError, match=f"method 'random-ticket' trains from step {step} until {until}: give a whole number"
    ):
        family.start("random-ticket")


@pytest.mark.parametrize(
    "exempt", [Pruning(rate=0.2, exempt=("4.*",)), Pruning(rate=0.2)], ids=["of-the-task", "a-bias"]
)
def test_a_mask_prunes_nothing_that_the_task_exempts(monkeypatch, exempt):
    """Its prunable weights have the level's count, and what it prunes besides would stand in no density."""
    name = "4.weight" if exempt.exempt else "0.bias"

    def besides(inputs):
        shape = dict(inputs.learner.module.named_parameters())[name].shape
        chosen = masks.uniform(inputs.entries, inputs.count, inputs.generator(0))
        return {**chosen, name: torch.zeros(shape, dtype=torch.bool)}

    broken_column(monkeypatch, MASKS, "uniform", besides)
    unit = Unit(task=variant(pruning=exempt), method=METHODS["random-ticket"], level=1, seed=0)
    with pytest.raises(
        WrongCount, match=f"the mask of method 'random-ticket' prunes entries of {name} that the task exempts"
    ):
        run_unit(unit, DOMAIN, {})


@pytest.mark.parametrize("weights", ["permuted", "initial", "noisy"])
def test_a_layer_that_a_mask_leaves_out_is_kept_whole_to_the_end(monkeypatch, family, weights):
    def first_layer(inputs):
        alone = {"0.weight": inputs.entries["0.weight"]}
        return masks.uniform(alone, inputs.count - inputs.entries["4.weight"].numel(), inputs.generator(7))

    broken_column(monkeypatch, MASKS, "uniform", first_layer)
    options = {"deviations": 1.0} if weights == "noisy" else {}
    method = replace(
        METHODS["random-ticket"], weights=weights, parents=("ticket", "dense"), options=options, name="first-layer"
    )
    result = family.run(method, level=1)
    mask = result.trained.mask
    assert bool(mask["4.weight"].all())
    assert result.counts["kept"] == result.counts["level_asks"]
    ticket = family.run(METHODS["ticket"], level=1).trained.mask
    assert result.overlap == sum(masks.sizes({name: mask[name] & ticket[name] for name in ticket}).values()) / sum(
        masks.sizes(ticket).values()
    )


def test_an_empty_mask_stays_empty(family):
    assert family.start("dense", level=0).mask == {}


def test_another_network_is_trained_without_touching_the_inputs(family):
    inputs = family.setting("small-dense")
    before = inputs.learner
    start = choose(inputs)
    assert inputs.learner is before
    assert start.learner is not before
    assert equal(start.learner.snapshot().weights, start.state.weights)


def test_nothing_is_chosen_by_another_file_than_the_unit_was_planned_with(brings):
    folder = brings(mine="thing = 1\n")
    load("mine.py:thing", folder)
    told = {CODE: digests(folder / "mine.py")}
    unit = Unit(task=MOONS, method=replace(METHODS["random-ticket"], options=told), level=1, seed=0)
    assert choose(MethodInputs(unit, DOMAIN, "cpu", {})).until == MOONS.budget
    brings(mine="thing = 20\n")
    with pytest.raises(SpecError, match="mine.py is another file now than the one that was planned with"):
        choose(MethodInputs(unit, DOMAIN, "cpu", {}))


class KeepsBooks(Moons):
    def unaccounted(self, state):
        return replace(state, scalars={"account": 0})


@pytest.mark.parametrize("name", METHODS)
def test_only_weights_that_were_trained_come_without_the_account_of_their_training(family, name):
    method = METHODS[name]
    unit = Unit(task=MOONS, method=method, level=LEVEL if name != "dense" else 0, seed=0)
    inputs = MethodInputs(unit, ExampleDomain(KeepsBooks), "cpu", family.parents(method, unit.level))
    emptied = {"account": 0} if name in ("lr-rewind", "fine-tune") else {}
    assert choose(inputs).state.scalars == emptied
