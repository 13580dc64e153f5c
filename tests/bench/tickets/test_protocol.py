"""One unit of the protocol, from its start to its numbers, on a whole small domain."""

import math
from dataclasses import replace

import pytest
import torch
from broken import broken_column
from example import MOONS, ExampleDomain, Moons, variant
from torch import nn

from bench.errors import Diverged, LeakedMask, Unsupported, WrongCount
from bench.spec import Method, Unit
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.columns import MASKS, TRAININGS
from bench.tickets.inputs import Parent, Start
from bench.tickets.methods import METHODS
from bench.tickets.protocol import run_unit

DENSE, TICKET = METHODS["dense"], METHODS["ticket"]
ONES = Method(name="ones", mask="ones", weights="initial", training="full")
"""A mask of density 1, trained as the dense network is."""


class Observed(Moons):
    """Remembers the states it was given."""

    def __init__(self, *args):
        super().__init__(*args)
        self.given = []

    def load(self, state):
        super().load(state)
        self.given.append(self.snapshot())


class Lab:
    """Runs units and their parents on one kind of learner, each once."""

    def __init__(self, learner=Moons, task=MOONS, seed=0):
        self.learner, self.task, self.seed = learner, task, seed
        self.finished, self.starts, self.reports = {}, {}, {}

    def __call__(self, method, level=1):
        method = METHODS[method] if isinstance(method, str) else method
        key = (method.name, level)
        if key not in self.finished:
            parents = {}
            for role in method.parents:
                name, at = method.parent_of(role, level)
                parent = self(name, at).trained
                parents[role] = Parent(mask=parent.mask, state=parent.states.__getitem__, search_cost=0, result="")
            unit = Unit(task=self.task, method=method, level=level, seed=self.seed)
            domain, self.reports[key] = Built(self.learner), []
            report = lambda step, metrics: self.reports[key].append((step, metrics))  # noqa: E731
            self.finished[key] = run_unit(unit, domain, parents, report=report)
            given = [each.given for each in domain.built if getattr(each, "given", None)]
            self.starts[key] = given[0][0] if given else None
        return self.finished[key]


class Built(ExampleDomain):
    """Remembers the learners it built."""

    def __init__(self, learner_class):
        super().__init__(learner_class)
        self.built = []

    def learner(self, *args, **options):
        self.built.append(super().learner(*args, **options))
        return self.built[-1]


@pytest.fixture(scope="module")
def lab():
    return Lab(Observed)


def weights_equal(one, other):
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def steps(result):
    return [point["step"] for point in result.trained.curve]


# The dense network.


def test_the_dense_unit_is_one_plain_training(lab):
    learner = Moons(MOONS, Streams(0), 1.0)
    initial = learner.snapshot()
    learner.train(MOONS.rewind_step)
    rewind = learner.snapshot()
    learner.train(MOONS.budget)
    dense = lab(DENSE, 0)
    for name, state in (("initial", initial), ("rewind", rewind), ("final", learner.snapshot())):
        assert weights_equal(dense.trained.states[name], state)
        assert dense.trained.states[name].step == state.step
    assert dense.trained.curve[-1]["metrics"]["test"] == learner.evaluate("test")
    assert (dense.trained.steps, dense.trained.updates, dense.trained.mask) == (40, 40, {})
    assert (dense.density, dense.density_weights, dense.density_total, dense.effective_density) == (1, 1, 1, 1)
    assert dense.overlap is dense.trained.diverged is None


@pytest.mark.parametrize("rewind", [0, 1, 7, 10, 33, 39])
def test_taking_the_rewind_snapshot_changes_nothing_and_needs_no_evaluation_step(lab, rewind):
    dense = Lab(task=variant(rewind_step=rewind))(DENSE, 0)
    learner = Moons(MOONS, Streams(0), 1.0)
    learner.train(rewind)
    assert dense.trained.states["rewind"].step == rewind
    assert weights_equal(dense.trained.states["rewind"], learner.snapshot())
    assert dense.trained.curve == lab(DENSE, 0).trained.curve
    assert weights_equal(dense.trained.states["final"], lab(DENSE, 0).trained.states["final"])


def test_training_is_measured_at_every_interval_and_at_the_end():
    result = Lab(task=variant(budget=45, evaluate_every=20, rewind_step=3))(DENSE, 0)
    assert steps(result) == [20, 40, 45]
    assert [point["updates"] for point in result.trained.curve] == [20, 40, 45]
    assert all(set(point["metrics"]) == {"val", "test"} for point in result.trained.curve)


def test_density_one_is_dense_to_the_bit(lab):
    ones = lab(ONES, 0)
    assert all(bool(each.all()) for each in ones.trained.mask.values())
    assert ones.trained.curve == lab(DENSE, 0).trained.curve
    assert weights_equal(ones.trained.states["final"], lab(DENSE, 0).trained.states["final"])
    assert ones.density == 1.0


@pytest.mark.parametrize(("method", "states"), [
    (DENSE, {"initial", "rewind", "final"}), (TICKET, {"final"}), (METHODS["reinit"], {"final"}), (ONES, {"final"}),
])  # fmt: skip
def test_only_dense_keeps_its_first_and_its_rewind_state_for_its_children(lab, method, states):
    assert set(lab(method, int(bool(method.parents))).trained.states) == states


def test_environment_steps_are_those_of_this_unit_alone(lab):
    class Counts(Moons):
        @property
        def env_steps(self):
            return 1000 + 3 * self.updates

    counting = Lab(Counts)
    made = {name: counting(name, int(name != "dense")).trained.env_steps for name in ("dense", "ticket", "reinit")}
    assert made == {"dense": 120, "ticket": 90, "reinit": 120}
    assert lab(DENSE, 0).trained.env_steps is None


def test_items_of_the_last_score_are_kept_where_the_unit_did_not_diverge(lab):
    class Keeps(Moons):
        def scored_items(self):
            return {"step": self.step}

    class Fails(Explodes, Keeps):
        pass

    assert Lab(Keeps)(DENSE, 0).trained.items == {"step": 40}
    assert Lab(Fails)(DENSE, 0).trained.items is None
    assert lab(DENSE, 0).trained.items is None


def test_the_fit_is_that_of_the_end_where_the_unit_did_not_diverge_and_holds_no_infinity(lab):
    class Fits(Moons):
        def fit(self):
            return {"accuracy": 50.0 + self.step, "loss": float("inf")}

    class Fails(Fits):
        def train(self, until):
            raise Diverged(until, "the loss")

    assert Lab(Fits)(DENSE, 0).trained.fit == {"accuracy": 90.0}
    assert Lab(Fails)(DENSE, 0).trained.fit is None
    assert lab(DENSE, 0).trained.fit is None


def test_a_ticket_in_another_order_is_measured_from_its_twin_to_itself(lab):
    """From the same start to another end; both ends with statistics of batch norm estimated anew."""
    ticket, reordered = lab("ticket", 2), lab("ticket-reordered", 2)
    assert weights_equal(lab.starts["ticket", 2], lab.starts["ticket-reordered", 2])
    assert not weights_equal(ticket.trained.states["final"], reordered.trained.states["final"])
    learner, ends = Moons(MOONS, Streams(0), 1.0), []
    for result in (ticket, reordered):
        learner.load(result.trained.states["final"])
        learner.reestimate()
        ends.append(learner.evaluate("test"))
    line = reordered.trained.interpolation
    assert [{name: line[name][place] for name in line} for place in (0, -1)] == ends
    assert ticket.trained.interpolation is None


def test_nothing_lies_between_a_twin_and_what_diverged(lab):
    class Fails(Moons):
        def train(self, until):
            if self.streams.order:
                raise Diverged(until, "the loss")
            super().train(until)

    assert Lab(Fails)("ticket-reordered").trained.interpolation is None
    assert lab("ticket-reordered").trained.interpolation is not None


def test_nodes_are_those_of_the_end_under_the_final_mask_where_the_unit_did_not_diverge(lab):
    class Keeps(Moons):
        def node_layers(self, mask):
            return [{"step": self.step, "pruned": sum(int((~kept).sum()) for kept in mask.values())}]

    class Fails(Explodes, Keeps):
        pass

    keeps = Lab(Keeps)
    assert keeps(DENSE, 0).trained.nodes == [{"step": 40, "pruned": 0}]
    pruned = sum(int((~kept).sum()) for kept in keeps("ticket", 1).trained.mask.values())
    assert pruned
    assert keeps("ticket", 1).trained.nodes == [{"step": 40, "pruned": pruned}]
    assert Lab(Fails)(DENSE, 0).trained.nodes is None
    assert lab(DENSE, 0).trained.nodes is None


def test_a_metric_that_does_not_exist_is_null_with_its_reason(lab):
    class Explains(Moons):
        forward_ones = None

        def absent(self):
            return {"luck": f"no node was dead at step {self.step}"}

    nulls = Lab(Explains)(DENSE, 0).nulls
    assert nulls["luck"] == "no node was dead at step 40"
    assert lab(DENSE, 0).nulls == {}


def test_a_unit_is_trained_on_the_cpu_unless_another_device_is_asked():
    class Devices(ExampleDomain):
        def learner(self, task, *, streams, device, width=1.0):
            devices.add(device)
            return super().learner(task, streams=streams, device=device, width=width)

    devices, unit = set(), Unit(task=MOONS, method=METHODS["random-ticket"], level=1, seed=0)
    run_unit(unit, Devices(), {})
    assert devices == {"cpu"}
    run_unit(unit, Devices(), {}, device="elsewhere")
    assert devices == {"cpu", "elsewhere"}


# Tickets.


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_rewound_survivor_equals_its_rewind_weight_to_the_bit_and_a_pruned_one_is_zero(lab, level):
    ticket, rewind = lab(TICKET, level), lab(DENSE, 0).trained.states["rewind"]
    start = lab.starts["ticket", level]
    for name, weight in rewind.weights.items():
        mask = ticket.trained.mask.get(name, torch.ones_like(weight, dtype=torch.bool))
        assert torch.equal(start.weights[name][mask], weight[mask])
        for state in (start, ticket.trained.states["final"]):
            assert int(state.weights[name][~mask].count_nonzero()) == 0
    assert all(torch.equal(start.buffers[name], each) for name, each in rewind.buffers.items())


def test_every_round_prunes_survivors_of_the_round_before(lab):
    for level in (2, 3, 4):
        before, after = lab(TICKET, level - 1).trained.mask, lab(TICKET, level).trained.mask
        assert all(not bool((after[name] & ~before[name]).any()) for name in before)
        assert sum(masks.sizes(after).values()) < sum(masks.sizes(before).values())


def test_a_rewound_run_takes_the_rest_of_the_budget_and_a_control_all_of_it(lab):
    assert steps(lab("ticket")) == steps(lab("one-shot")) == [20, 30, 40]
    assert steps(lab("reinit")) == steps(lab("snip")) == [10, 20, 30, 40]
    assert steps(lab("fine-tune")) == [50, 60, 70]
    assert [lab(name).trained.steps for name in ("ticket", "reinit", "fine-tune")] == [30, 40, 30]
    assert [lab(name).trained.updates for name in ("ticket", "reinit", "fine-tune")] == [30, 40, 30]


def test_a_rewind_step_between_two_evaluations_keeps_the_grid():
    lab = Lab(Observed, task=variant(rewind_step=7))
    assert steps(lab("ticket")) == [10, 20, 30, 40]
    assert lab("ticket").trained.steps == 33
    assert lab.starts["ticket", 1].step == 7


class Rollouts(Observed):
    """Updates come in batches of eight, as after a rollout: training ends at the first boundary after the asked step."""

    def train(self, until):
        super().train(math.ceil(until / 8) * 8)


def test_a_learner_that_passes_the_asked_step_is_rewound_to_where_it_really_was():
    lab = Lab(Rollouts)
    assert lab(DENSE, 0).trained.states["rewind"].step == 16
    assert lab.starts["dense", 0].step == 0
    assert lab(TICKET, 1).trained.steps == 24
    assert lab.starts["ticket", 1].step == 16
    assert steps(lab(TICKET, 1)) == [24, 32, 40]
    assert steps(lab(DENSE, 0)) == [16, 24, 32, 40]
    assert [step for step, _ in lab.reports["dense", 0]] == [0, 16, 24, 32, 40]


def test_no_step_is_measured_twice():
    class LongRollouts(Moons):
        def train(self, until):
            super().train(math.ceil(until / 16) * 16)

    assert steps(Lab(LongRollouts)(DENSE, 0)) == [16, 32, 48]


def test_seed_and_level_decide_every_bit_and_another_seed_gives_others():
    names = ("ticket", "random-ticket", "permuted", "set", "synflow")
    first, again, other = Lab(), Lab(), Lab(seed=1)
    for name in names:
        torch.manual_seed(len(name))
        one, two, three = (each(name, 2) for each in (first, again, other))
        assert one.trained.curve == two.trained.curve != three.trained.curve
        assert weights_equal(one.trained.states["final"], two.trained.states["final"])
        assert not weights_equal(one.trained.states["final"], three.trained.states["final"])
        assert all(torch.equal(one.trained.mask[layer], two.trained.mask[layer]) for layer in one.trained.mask)


def test_every_evaluation_is_reported_as_it_comes_on_the_split_of_the_task(lab):
    for method in (DENSE, TICKET):
        curve = lab(method, int(method is TICKET)).trained.curve
        expected = [(point["step"], point["metrics"]["test"]) for point in curve]
        begin = 0 if method is DENSE else lab.task.rewind_step
        assert lab.reports[method.name, int(method is TICKET)] == [(begin, {}), *expected]


def test_parents_are_not_changed_by_their_children(lab):
    dense, ticket = lab(DENSE, 0).trained, lab(TICKET, 1).trained
    before = [*dense.states.values(), *ticket.states.values()]
    kept = [{name: each.clone() for name, each in state.weights.items()} for state in before]
    mask = {name: each.clone() for name, each in ticket.mask.items()}
    for name in ("permuted", "reinit-signed", "shuffled", "one-shot", "lr-rewind"):
        lab(name, 1)
    lab(TICKET, 2)
    assert all(torch.equal(state.weights[n], old[n]) for state, old in zip(before, kept, strict=True) for n in old)
    assert all(torch.equal(ticket.mask[name], mask[name]) for name in mask)


# What can go wrong.


class Explodes(Moons):
    """Leaves the finite numbers at step 25."""

    def train(self, until):
        super().train(min(until, 25))
        if until > 25:
            raise Diverged(self.step, "the loss")


@pytest.mark.parametrize("method", ["dense", "random-ticket", "gmp", "rigl"])
def test_divergence_is_a_result_with_the_curve_so_far(method):
    result = Lab(Explodes)(method, int(method != "dense"))
    assert result.trained.diverged == "the loss is not finite at step 25"
    assert steps(result) == [10, 20]
    assert (result.trained.steps, result.trained.updates) == (25, 25)
    assert "final" in result.trained.states
    assert result.counts["kept"] >= round(32 * 0.8)


class Poisons(Moons):
    """Writes a number under the mask, without a word."""

    poison = torch.nan

    def train(self, until):
        super().train(until)
        if until == 40:
            with torch.no_grad():
                self.module[0].weight.view(-1)[self.module[0].weight.view(-1) == 0] = self.poison


@pytest.mark.parametrize(("value", "diverged"), [(1e59, False), (1e61, True), (-1e61, True), (float("nan"), True)])
def test_a_metric_that_no_record_may_hold_is_divergence(value, diverged):
    class Explodes(Moons):
        def evaluate(self, split):
            return {**super().evaluate(split), "loss": value if split == "test" else 1.0}

    said = Lab(Explodes)("dense", level=0).trained.diverged
    assert said == ("loss on test is not finite at step 10" if diverged else None)


def test_a_pruned_weight_that_is_not_finite_in_the_end_is_divergence():
    assert Lab(Poisons)("random-ticket").trained.diverged.endswith("is not finite at step 40")


def test_a_pruned_weight_that_moved_voids_the_unit():
    class Leaks(Poisons):
        poison = 1e-20

    with pytest.raises(LeakedMask, match=r"pruned weights of 0.weight are not zero .*1\.00e-20"):
        Lab(Leaks)("random-ticket")


def test_a_metric_that_is_not_finite_is_divergence():
    class Overflows(Moons):
        def evaluate(self, split):
            return {**super().evaluate(split), "loss": math.inf if self.step > 20 else 1.0}

    assert Lab(Overflows)("dense", 0).trained.diverged is not None


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_method_that_keeps_another_number_of_weights_than_its_level_is_void(monkeypatch, extra):
    def wrong(setting):
        return masks.uniform(setting.entries, setting.count + extra, setting.generator(0))

    broken_column(monkeypatch, MASKS, "uniform", wrong)
    count = round(32 * 0.8) + round(32 * 0.9)
    with pytest.raises(LeakedMask, match=f"random-ticket L1 s0 kept {count + extra} weights, level 1 leaves {count}"):
        Lab()("random-ticket")


def test_a_wrong_count_is_found_before_training(monkeypatch):
    class Untrainable(Moons):
        def train(self, until):
            raise AssertionError("trained in vain")

    broken_column(monkeypatch, MASKS, "uniform", lambda setting: masks.ones(setting.entries))
    with pytest.raises(LeakedMask):
        Lab(Untrainable)("random-ticket")


def test_a_mask_that_changes_must_end_at_the_levels_count(monkeypatch):
    class Rests:
        def bind(self, attached, learner):
            pass

    def rests(inputs, mask, state):
        return Start(mask=mask, state=state, until=40, dynamics=Rests())

    broken_column(monkeypatch, TRAININGS, "gmp", rests)
    method = replace(METHODS["gmp"], options={})
    with pytest.raises(WrongCount, match="gmp L3 s0 kept 64 weights, level 3 leaves 39"):
        Lab()(method, 3)


def test_a_mask_that_was_still_changing_at_divergence_may_have_another_count():
    class Early(Moons):
        def train(self, until):
            super().train(until)
            if until > 10:
                raise Diverged(self.step, "the loss")

    result = Lab(Early)("gmp", 3)
    assert result.trained.diverged is not None
    assert result.counts["kept"] > result.counts["level_asks"] == 39


# What is measured.


def test_overlap_is_the_share_of_the_tickets_weights_that_a_control_keeps(lab):
    ticket, shuffled = lab(TICKET, 3).trained.mask, lab("shuffled", 3).trained.mask
    common = sum(int((ticket[name] & shuffled[name]).sum()) for name in ticket)
    assert lab("shuffled", 3).overlap == common / sum(masks.sizes(ticket).values())
    assert 0 < lab("shuffled", 3).overlap < 1
    assert lab("reinit", 3).overlap == lab("permuted", 3).overlap == 1.0
    assert lab("random-ticket", 3).overlap is lab(TICKET, 3).overlap is None


def test_densities_of_a_narrow_network_refer_to_the_whole_one(lab):
    narrow = lab("small-dense", 6)
    units = narrow.counts["prunable"] // 4
    asked = round(32 * 0.8**6) + round(32 * 0.9**6)
    assert abs(4 * units - asked) <= 2
    assert narrow.density == narrow.density_weights == narrow.effective_density == 4 * units / 64
    assert narrow.density_total == (4 * units + 3 * units + 2) / (64 + 3 * 16 + 2)
    assert (narrow.flops, narrow.flops_dense) == (4 * units, 64)
    assert narrow.counts["kept"] == narrow.counts["all"] - 3 * units - 2


def test_the_three_densities_have_their_own_denominators():
    task = variant(pruning=replace(MOONS.pruning, exempt=("4.weight",)))
    result = Lab(task=task)("random-ticket", 4)
    kept = round(32 * 0.8**4)
    assert result.density == kept / 32
    assert result.density_weights == (kept + 32) / 64
    assert result.density_total == (kept + 32 + 50) / 114


def test_a_learner_without_ones_has_nulls_with_a_reason():
    blind = type("Blind", (), {name: each for name, each in vars(Moons).items() if name != "forward_ones"})
    result = Lab(blind)("random-ticket")
    assert result.effective_density is result.flops is result.flops_dense is None
    assert set(result.nulls) == {"effective_density", "flops", "flops_ratio"}
    assert all("ones" in reason for reason in result.nulls.values())


def with_middle(layer):
    """A learner with another layer in the place of its third."""

    class Changed(Moons):
        def __init__(self, *args):
            super().__init__(*args)
            self.module[2] = layer()
            self.optimizer = torch.optim.SGD(self.module.parameters(), lr=0.1)

    return Changed


@pytest.mark.parametrize(
    ("layer", "nulls", "flops"),
    [
        (lambda: nn.LayerNorm(16), {"effective_density": "LayerNorm"}, 64),
        (
            lambda: nn.utils.parametrizations.weight_norm(nn.Linear(16, 16)),
            {"effective_density": "Parametrized", "flops": "original1", "flops_ratio": "original1"},
            None,
        ),
    ],
)
def test_what_is_not_defined_for_a_network_is_null_with_the_layer_as_its_reason(layer, nulls, flops):
    task = variant(pruning=replace(MOONS.pruning, exempt=("2.*",)))
    result = Lab(with_middle(layer), task)("dense", 0)
    assert result.trained.steps == MOONS.budget
    assert (result.effective_density, result.flops, result.flops_dense) == (None, flops, flops)
    assert result.nulls.keys() == nulls.keys()
    assert all(nulls[name] in reason for name, reason in result.nulls.items())


def test_synflow_is_refused_before_any_training_where_no_flow_is_defined():
    lab = Lab(with_middle(lambda: nn.LayerNorm(16)))
    with pytest.raises(Unsupported, match=r"no flow of ones is defined through 2 \(LayerNorm\)"):
        lab("synflow")
    assert list(lab.reports.values()) == [[]], "it is told before training begins"


def test_what_is_left_is_measured_of_the_mask_in_the_end(lab):
    gmp = lab("gmp", 3)
    assert gmp.counts["kept"] == round(32 * 0.8**3) + round(32 * 0.9**3)
    assert gmp.flops == sum(masks.sizes(gmp.trained.mask).values())
    assert 0 < gmp.effective_density <= gmp.density < 1


def test_what_is_not_trained_is_measured_once_where_it_starts():
    lab = Lab(Observed)
    result = lab("one-shot-untrained", 2).trained
    assert (result.steps, result.updates) == (0, 0)
    assert [point["step"] for point in result.curve] == [0]
    start = lab.starts["one-shot-untrained", 2]
    assert all(torch.equal(weight, start.weights[name]) for name, weight in result.states["final"].weights.items())
    assert result.curve[0]["metrics"] != lab("dense", 0).trained.curve[0]["metrics"]
