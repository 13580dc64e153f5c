"""What of another task's ticket fits: its mask and weights, and its output layer only where outputs mean the same."""

from dataclasses import replace

import pytest
import torch
from example import MOONS, TURNED, ExampleDomain, Moons, variant

from bench.errors import Unsupported
from bench.spec import Unit
from bench.tickets.choose import choose
from bench.tickets.conformance import check_method
from bench.tickets.inputs import MethodInputs, Parent
from bench.tickets.methods import METHODS, TEMPLATES
from bench.tickets.protocol import run_unit

LEVEL = 2
HEAD = {"4.weight", "4.bias"}


def handed(result, task, search_cost=0):
    trained = result.trained
    return Parent(mask=trained.mask, state=trained.states.__getitem__, search_cost=search_cost, result="", task=task)


class Family:
    """Parents of a transfer, trained once each."""

    def __init__(self, domain):
        self.domain, self._finished = domain, {}

    def parent(self, method, role, level, task):
        (name, at), home = method.parent_of(role, level), method.task_of(role, task)
        known = next(each for each in self.domain.tasks().values() if each.name == home)
        if (name, at, home) not in self._finished:
            self._finished[name, at, home] = handed(self.run(METHODS[name], at, known), known)
        return self._finished[name, at, home]

    def run(self, method, level, task):
        parents = {role: self.parent(method, role, level, task) for role in method.parents}
        return run_unit(Unit(task=task, method=method, level=level, seed=0), self.domain, parents)

    def setting(self, name="transfer", task=MOONS, source="turned"):
        method = TEMPLATES[name].from_source(source)
        parents = {role: self.parent(method, role, LEVEL, task) for role in method.parents}
        return MethodInputs(Unit(task=task, method=method, level=LEVEL, seed=0), self.domain, "cpu", parents)


@pytest.fixture(scope="module")
def family():
    return Family(ExampleDomain())


def test_a_transfer_has_the_mask_of_the_sources_ticket_and_its_rewind_weights(family):
    setting = family.setting()
    start = choose(setting)
    source = setting.parents["source-dense"].state("rewind").masked(setting.parents["source"].mask)
    assert start.mask is setting.parents["source"].mask
    assert start.mask.keys() == setting.entries.keys()
    for name in source.weights.keys() - HEAD:
        assert torch.equal(start.state.weights[name], source.weights[name])
    own = setting.parents["dense"].state("rewind").masked(start.mask)
    assert not torch.equal(start.state.weights["0.weight"], own.weights["0.weight"])


def test_a_head_of_other_outputs_starts_from_the_targets_own_initial_weights_under_the_sources_mask(family):
    setting = family.setting()
    assert setting.new_head == HEAD
    start, initial = choose(setting), setting.learner.snapshot().masked(setting.parents["source"].mask)
    for name in HEAD:
        assert torch.equal(start.state.weights[name], initial.weights[name])


def test_a_head_is_kept_where_outputs_mean_the_same(family, monkeypatch):
    monkeypatch.setattr(family.domain, "outputs", lambda task: "sides", raising=False)
    setting = family.setting()
    assert setting.new_head == frozenset()
    start, source = choose(setting), setting.parents["source-dense"].state("rewind")
    for name in HEAD:
        kept = start.mask.get(name, torch.tensor(True))
        assert torch.equal(start.state.weights[name], source.weights[name] * kept)


def test_a_learner_that_names_no_head_transfers_the_whole_network():
    left_out = (
        "head",
        "__dict__",
        "__weakref__",
    )  # of a new class: Python 3.12 remembers what a class was asked before
    headless = type("Headless", (), {name: each for name, each in vars(Moons).items() if name not in left_out})
    assert Family(ExampleDomain(headless)).setting().new_head == frozenset()


class Renamed(Moons):
    """A network of somebody's own, whose output layer is not called as the learner thinks."""

    head = ("output.*",)


def test_a_head_that_no_parameter_is_called_by_is_refused_where_outputs_differ(monkeypatch):
    domain = ExampleDomain(Renamed)
    setting = Family(domain).setting()
    with pytest.raises(
        Unsupported,
        match=r"example/turned@smoke and example/moons@smoke mean different things.* in output\.\*, the last is 4\.bias: "
        "call the output layer `output`",
    ) as told:
        choose(setting)
    assert "\n" not in str(told.value)
    monkeypatch.setattr(domain, "outputs", lambda task: "sides", raising=False)
    assert Family(domain).setting().new_head == frozenset()


def test_the_mask_alone_needs_no_head():
    """It starts from fresh weights in every layer."""
    setting = Family(ExampleDomain(Renamed)).setting("transfer-reinit")
    assert choose(setting).mask is setting.parents["source"].mask
    assert check_method(setting.unit.method, ExampleDomain(Renamed), MOONS, level=LEVEL) == []


def test_batch_norm_statistics_travel_with_the_weights(family):
    setting = family.setting()
    start, source = choose(setting).state, setting.parents["source-dense"].state("rewind")
    own = setting.parents["dense"].state("rewind")
    assert set(start.buffers) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    for name, value in source.buffers.items():
        assert torch.equal(start.buffers[name], value)
        assert not torch.equal(value, own.buffers[name])


@pytest.mark.parametrize(("target", "source"), [(MOONS, TURNED), (TURNED, MOONS)])
@pytest.mark.parametrize("schedule", ["resume", "restart"])
def test_step_schedule_and_length_are_the_targets(target, source, schedule):
    task = replace(target, schedule=schedule)
    setting = Family(ExampleDomain(task=task, source=source)).setting(task=task, source=source.name.partition("/")[2])
    start = choose(setting)
    at = target.rewind_step
    assert setting.parents["source-dense"].state("rewind").step == source.rewind_step != at
    assert (start.state.step, start.state.updates, start.until) == (at, at, target.budget)
    assert start.state.origin == (at if schedule == "restart" else 0)


class Remembers(Moons):
    """A learner whose state holds more than its network: a window of its scores, and how often it was scored."""

    def snapshot(self):
        state = super().snapshot()
        window = torch.full((2,), float(self.task.budget))
        return replace(state, buffers={**state.buffers, "window": window}, scalars={"scored": self.task.budget})


def test_what_is_not_of_the_network_stays_the_targets_own():
    start = choose(Family(ExampleDomain(Remembers)).setting()).state
    assert start.scalars == {"scored": MOONS.budget}
    assert start.buffers["window"].tolist() == [MOONS.budget] * 2


def test_the_mask_alone_meets_the_fresh_weights_of_every_control(family):
    setting = family.setting("transfer-reinit")
    start = choose(setting)
    assert set(setting.parents) == {"source"}
    assert start.mask is setting.parents["source"].mask
    fresh = setting.fresh.masked(start.mask)
    assert all(torch.equal(start.state.weights[name], each) for name, each in fresh.weights.items())
    assert (start.state.step, start.until) == (0, MOONS.budget)


def test_source_and_target_of_a_seed_share_initial_weights_so_only_the_mask_differs_from_the_ticket_at_step_0():
    target, source = variant(rewind_step=0), replace(TURNED, rewind_step=0)
    family = Family(ExampleDomain(task=target, source=source))
    start, ticket = choose(family.setting(task=target)), family.run(METHODS["ticket"], LEVEL, target).trained
    initial = family.parent(METHODS["ticket"], "dense", LEVEL, target).state("initial")
    assert any(not torch.equal(start.mask[name], ticket.mask[name]) for name in ticket.mask)
    assert all(torch.equal(start.state.weights[n], each) for n, each in initial.masked(start.mask).weights.items())


def test_it_writes_to_no_state_that_it_was_lent(family):
    setting = family.setting()
    states = [setting.parents[role].state("rewind") for role in ("source-dense", "dense")]
    before = [{name: each.clone() for name, each in {**state.weights, **state.buffers}.items()} for state in states]
    run_unit(setting.unit, family.domain, setting.parents)
    for state, kept in zip(states, before, strict=True):
        assert all(torch.equal(kept[name], each) for name, each in {**state.weights, **state.buffers}.items())


class Wider(Moons):
    """Twice as many hidden units on the source task than on the target."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width * (2 if task.name == TURNED.name else 1))


def test_a_ticket_of_another_network_is_refused_naming_the_layers():
    setting = Family(ExampleDomain(Wider)).setting("transfer-reinit")
    with pytest.raises(
        Unsupported, match=r"example/turned@smoke does not fit .*0\.weight \(\(32, 2\) there, \(16, 2\) here\)"
    ):
        choose(setting)


class Deeper(Moons):
    """The target prunes a layer that the source does not have."""

    def prunable(self):
        found = super().prunable()
        return {name: each for name, each in found.items() if name != "4.weight" or self.task.name == MOONS.name}


def test_a_ticket_that_lacks_a_layer_is_refused():
    setting = Family(ExampleDomain(Deeper)).setting("transfer-reinit")
    with pytest.raises(Unsupported, match=r"4\.weight \(absent there, \(2, 16\) here\)"):
        choose(setting)


def test_a_ticket_with_a_layer_too_many_is_refused():
    class Shallower(Deeper):
        def prunable(self):
            found = Moons.prunable(self)
            return {name: each for name, each in found.items() if name != "4.weight" or self.task.name == TURNED.name}

    setting = Family(ExampleDomain(Shallower)).setting("transfer-reinit")
    with pytest.raises(
        Unsupported, match=r"it differs in 4\.weight \(\(2, 16\) there, absent here\); take a source of the same"
    ):
        choose(setting)
