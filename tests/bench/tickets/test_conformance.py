"""Each silent bug of published lottery-ticket code, written on purpose, is caught by the check that exists for it."""

import re
from dataclasses import replace

import pytest
import torch
from broken import broken_column
from example import MOONS, TURNED, ExampleDomain, Moons, moons, variant

from bench.chance import FALSE_ALARM
from bench.doors import HiddenLayer
from bench.learner import State
from bench.registry import methods, templates
from bench.spec import Method, Pruning
from bench.store.integrity import revived
from bench.streams import Streams
from bench.tickets import attach, choose, dynamic, masks, metrics, protocol, saliency, transfer
from bench.tickets.columns import MASKS, TRAININGS, WEIGHTS, MaskColumn, TrainingColumn, WeightsColumn, columns
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.conformance.learners import LEARNER_CHECKS
from bench.tickets.conformance.observe import Lineage
from bench.tickets.inputs import Start
from bench.tickets.methods import METHODS, TEMPLATES, define


def learner_checks(learner_class, task=MOONS):
    return {finding.check for finding in check_learner(ExampleDomain(learner_class), task)}


def method_checks(method, learner_class=Moons, task=MOONS, **options):
    if isinstance(method, str):
        method = METHODS[method]
    return {finding.check for finding in check_method(method, ExampleDomain(learner_class), task, **options)}


def test_the_example_domain_conforms():
    assert check_learner(ExampleDomain(), MOONS) == []


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "task",
    [
        MOONS,
        variant(pruning=replace(MOONS.pruning, scope="global", rates={}, biases=True)),
        variant(schedule="restart", at=("final",), select=None),
        variant(rewind_step=0, pruning=replace(MOONS.pruning, exempt=("4.*",))),
    ],
    ids=["late-rewind", "global-with-biases", "restart", "exempt-output"],
)
def test_every_method_conforms(name, task):
    assert check_method(METHODS[name], ExampleDomain(), task) == []


def test_every_registered_method_is_checked_here():
    """But for those that prune whole nodes, which no network here has: see the tests of the teacher-student tasks."""
    assert {name for name, method in methods().items() if not columns(method).mask.nodes} == set(METHODS)
    assert set(templates()) == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("target", [MOONS, TURNED, variant(rewind_step=0), variant(schedule="restart")])
def test_every_transfer_conforms(name, target):
    source = MOONS if target is TURNED else TURNED
    method = TEMPLATES[name].from_source(source.name.removeprefix("example/"))
    assert check_method(method, ExampleDomain(task=target, source=source), target) == []


# Broken learners.


class PrunesTheUnknown(Moons):
    def prunable(self):
        return {**super().prunable(), "tied.weight": torch.ones(4, 2, dtype=torch.bool)}


class PrunesIntegers(Moons):
    def prunable(self):
        return {name: each.long() for name, each in super().prunable().items()}


class ForgetsBuffers(Moons):
    def load(self, state):
        kept = {name: each.clone() for name, each in self.module.named_buffers()}
        super().load(replace(state, buffers=kept))


class KeepsMoments(Moons):
    def load(self, state):
        kept = {parameter: dict(value) for parameter, value in self.optimizer.state.items()}
        super().load(state)
        self.optimizer.state.update(kept)


class AliasesSnapshots(Moons):
    def snapshot(self):
        return State(
            weights={name: each.detach() for name, each in self.module.named_parameters()},
            buffers=dict(self.module.named_buffers()),
            step=self.step,
            updates=self.updates,
        )


class ReplacesParameters(Moons):
    """A mask that was attached before is lost with the parameter."""

    def load(self, state):
        for module in (self.module[0], self.module[4]):
            module.weight = torch.nn.Parameter(module.weight.detach().clone())
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=0.1, momentum=0.9)
        super().load(state)


class LosesTheMask(Moons):
    """Goes on with other parameters in the middle of training."""

    def train(self, until):
        super().train(self.step + 1)
        self.module[0].weight = torch.nn.Parameter(self.module[0].weight.detach().clone())
        super().train(until)


class DrawsGlobally(Moons):
    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        torch.nn.init.xavier_normal_(self.module[0].weight)


class SeedsAfterwards(Moons):
    """The recorded seed has no effect on the weights."""

    def __init__(self, task, streams, width):
        super().__init__(task, replace(streams, seed=0, init="init"), width)
        self.streams = streams


class OrdersDataAlike(Moons):
    """Every seed sees the same data in the same order: intervals over seeds are too narrow."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        self.streams = replace(streams, seed=0)


class OrdersFreshDataAnew(Moons):
    """Arms that start from fresh weights see other data: they are paired with nothing."""

    def __init__(self, task, streams, width):
        super().__init__(task, streams, width)
        self.streams = replace(streams, seed=streams.seed + 100 * (streams.init == "fresh"))


class EvaluatesInTrainingMode(Moons):
    def evaluate(self, split):
        self.module(torch.zeros(4, 2))
        return super().evaluate(split)


class TrainsOnScores(Moons):
    def losses(self, n, *, temperature=1.0):
        for loss in super().losses(n, temperature=temperature):
            self.step += 1
            yield loss


class StretchesTheSchedule(Moons):
    """Every call of `train` is taken for a whole training: what a second `learn()` does."""

    def train(self, until):
        self.origin = self.step
        super().train(until)


class FallsBeyondTheBudget(Moons):
    """As the inverse square root does that never learns the budget."""

    def rate(self):
        return super().rate() / max(1, self.step + 1 - self.task.budget)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (PrunesTheUnknown, "C2"),
        (PrunesIntegers, "C2"),
        (ForgetsBuffers, "C4"),
        (KeepsMoments, "C4"),
        (AliasesSnapshots, "C1"),
        (ReplacesParameters, "C4"),
        (LosesTheMask, "C2"),
        (DrawsGlobally, "C10"),
        (SeedsAfterwards, "C10"),
        (OrdersDataAlike, "C10"),
        (OrdersFreshDataAnew, "C10"),
        (EvaluatesInTrainingMode, "C13"),
        (TrainsOnScores, "C13"),
        (StretchesTheSchedule, "C9"),
        (FallsBeyondTheBudget, "C9"),
    ],
)
def test_a_broken_learner_is_caught(broken, check):
    task = variant(rewind_step=30) if broken is StretchesTheSchedule else MOONS
    assert check in learner_checks(broken, task)


# Broken methods: a column does something else than its name promises.


def test_no_rewinding_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "rewind", WEIGHTS["trained"].function)
    assert "C1" in method_checks("ticket")


def test_rewinding_to_the_wrong_step_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "rewind", lambda setting, _: setting.parents["dense"].state("initial"))
    assert "C1" in method_checks("ticket")


@pytest.mark.parametrize("step", [0, 10])
def test_rewinding_to_the_start_is_caught_on_a_task_that_itself_rewinds_to_the_start(monkeypatch, step):
    """The task is varied: at rewind step 0 both are the same weights."""
    broken_column(monkeypatch, WEIGHTS, "rewind", lambda setting, _: setting.parents["dense"].state("initial"))
    assert "C1" in method_checks("ticket", task=variant(rewind_step=step))


def test_training_from_the_start_that_promises_to_begin_at_the_rewind_step_is_caught_there_too(monkeypatch):
    broken_column(monkeypatch, TRAININGS, "rewound", lambda setting, mask, state: choose.full_training(
        setting, mask, replace(state, step=0, updates=0)))  # fmt: skip
    assert "C9" in method_checks("ticket", task=variant(rewind_step=0))


def test_rewinding_that_no_task_could_tell_is_noted():
    once = variant(rewind_step=0, budget=20, evaluate_every=20)
    (note,) = check_method(METHODS["ticket"], ExampleDomain(), once)
    assert str(note) == (
        "note: rewinding is promised and could not be told from starting at the first step: the weights of step 0 are the "
        "initial ones; check it on a task of a later rewind step too"
    )
    assert check_method(METHODS["reinit"], ExampleDomain(), once) == [], "which rewinds nothing"


def test_the_source_of_a_transfer_rewinds_later_too():
    family = Lineage(ExampleDomain(source=replace(TURNED, rewind_step=0)), MOONS, device="cpu", seed=0)
    assert family.home(TRANSFER, "source", MOONS).rewind_step == TURNED.evaluate_every


def test_rewinding_that_forgets_buffers_is_caught(monkeypatch):
    def forgetful(setting, _):
        dense = setting.parents["dense"]
        return replace(dense.state("rewind"), buffers=dense.state("final").buffers)

    broken_column(monkeypatch, WEIGHTS, "rewind", forgetful)
    assert "C1" in method_checks("ticket")


class NoHooks(attach.Attached):
    """The mask is applied once to the weights, and then lost."""

    def __enter__(self):
        return self

    def check(self):
        pass


class AfterTheStepOnly(attach.Attached):
    """Weights are masked after each step, gradients never: what most repositories do."""

    def __enter__(self):
        self._handles.append(self._learner.optimizer.register_step_post_hook(lambda *_: self.updated()))
        self.after_update(self._again)
        return self

    @torch.no_grad()
    def _again(self):
        for name, parameter in self._parameters.items():
            parameter.masked_fill_(~self.mask[name], 0.0)

    def check(self):
        pass


@pytest.mark.parametrize("broken", [NoHooks, AfterTheStepOnly])
def test_a_mask_without_gradient_masking_is_caught_under_momentum_and_decay(monkeypatch, broken):
    monkeypatch.setattr(protocol, "Attached", broken)
    assert "C2" in method_checks("ticket")


class LeaksOnce(attach.Attached):
    """Its third update has one more gradient of pruned entries, and all is as it should be before the fourth."""

    def __enter__(self):
        super().__enter__()
        self._handles.append(self._learner.optimizer.register_step_pre_hook(self._before))
        self._handles.append(self._learner.optimizer.register_step_post_hook(self._again))
        return self

    def _masked(self, tensors):
        for name, parameter in self._parameters.items():
            for tensor in tensors(parameter):
                tensor.detach().mul_(self.keep[name])


class LeaksOneGradient(LeaksOnce):
    """It is there to be seen, and gone when the optimizer looks."""

    def _masker(self, name):
        mask_gradient = super()._masker(name)

        def masked_but_once(parameter):
            mask_gradient(parameter)
            if self._updates == 2:
                parameter.grad.add_(1 - self.keep[name])

        return masked_but_once

    def _before(self, *_):
        self._masked(lambda parameter: [parameter.grad])

    def _again(self, *_):
        pass


class LeaksOneWeight(LeaksOnce):
    """The optimizer alone meets it; weight and moments are cleaned up after the update."""

    def _before(self, *_):
        if self._updates == 2:
            for name, parameter in self._parameters.items():
                parameter.grad.add_(1 - self.keep[name])

    def _again(self, *_):
        self._masked(lambda parameter: [parameter, *self._moments(parameter).values()])


@pytest.mark.parametrize(("broken", "what"), [(LeaksOneGradient, "gradient"), (LeaksOneWeight, "weight")])
def test_a_leak_at_a_single_update_is_caught(monkeypatch, broken, what):
    monkeypatch.setattr(protocol, "Attached", broken)
    found = check_method(METHODS["ticket"], ExampleDomain(Moons), MOONS)
    leaks = [str(finding) for finding in found if finding.check == "C2"]
    assert len(leaks) == 1
    assert f"had a non-zero {what} during training" in leaks[0]


def test_moments_kept_from_dense_training_are_caught():
    assert "C2" in method_checks("ticket", KeepsDenseMoments)


class KeepsDenseMoments(Moons):
    """Loads the weights of the rewind step with the optimizer state of that step."""

    def load(self, state):
        super().load(state)
        for parameter in self.module.parameters():
            self.optimizer.state[parameter]["momentum_buffer"] = torch.full_like(parameter, 0.01)


def test_a_shuffle_that_shuffles_nothing_is_caught(monkeypatch):
    broken_column(monkeypatch, MASKS, "shuffled", MASKS["ticket"].function)
    assert "C8" in method_checks("shuffled")


def test_a_shuffle_over_the_whole_network_is_caught(monkeypatch):
    broken_column(monkeypatch, MASKS, "shuffled", MASKS["uniform"].function)
    assert method_checks("shuffled") & {"C5", "C8"}


@pytest.mark.parametrize("name", ["reinit", "random-ticket", "shuffled"])
def test_a_control_that_equals_the_ticket_is_caught(monkeypatch, name):
    broken_column(monkeypatch, WEIGHTS, "fresh", lambda setting, _: setting.learner.snapshot())
    assert "C1" in method_checks(name, task=variant(rewind_step=0))


def test_a_random_mask_that_is_the_tickets_is_caught():
    method = replace(METHODS["random-ticket"], mask="bench.tickets.choose:ticket_mask", parents=("ticket",))
    assert "C8" in method_checks(method)


@pytest.mark.parametrize("name", ["permuted", "reinit-signed"])
def test_a_control_with_the_tickets_own_values_is_caught(monkeypatch, name):
    column = METHODS[name].weights
    broken_column(monkeypatch, WEIGHTS, column, lambda setting, _: setting.parents["dense"].state("rewind"))
    assert "C8" in method_checks(name)


# Broken transfers.


TRANSFER = TEMPLATES["transfer"].from_source("turned")


def test_a_transfer_that_takes_the_targets_own_mask_is_caught(monkeypatch):
    broken_column(monkeypatch, MASKS, "source", choose.one_shot_mask)
    assert "C8" in method_checks(TRANSFER)


def test_a_transfer_that_takes_another_seeds_ticket_is_caught(monkeypatch):
    strange = Lineage(ExampleDomain(), TURNED, device="cpu", seed=5).run(METHODS["ticket"], 3)[0].trained.mask
    broken_column(monkeypatch, MASKS, "source", lambda _: strange)
    assert {"C8", "C10"} <= method_checks(TRANSFER)


def test_a_transfer_that_takes_another_level_is_caught(monkeypatch):
    strange = Lineage(ExampleDomain(), TURNED, device="cpu", seed=0).run(METHODS["ticket"], 2)[0].trained.mask
    broken_column(monkeypatch, MASKS, "source", lambda _: strange)
    assert "C5" in method_checks(TRANSFER)


def test_a_transfer_that_takes_the_sources_step_is_caught(monkeypatch):
    def at_the_sources(setting, mask, state):
        step = setting.parents.get("source-dense", setting.parents["dense"]).state("rewind").step
        return Start(mask=mask, state=replace(state, step=step, updates=step), until=setting.task.budget)

    broken_column(monkeypatch, TRAININGS, "rewound", at_the_sources)
    assert "C9" in method_checks(TRANSFER)


@pytest.mark.parametrize("same", [True, False])
def test_a_transfer_with_the_wrong_head_is_caught(monkeypatch, same):
    """The head is initialised anew where outputs mean the same, or is kept where they mean something else."""
    domain, wrong = ExampleDomain(), frozenset() if not same else frozenset({"4.weight", "4.bias"})
    monkeypatch.setattr(domain, "outputs", lambda task: None if same else task.name)
    assert check_method(TRANSFER, domain, MOONS) == []

    def beheaded(setting, _):
        source, own = (setting.parents[role].state("rewind") for role in ("source-dense", "dense"))
        return transfer.state(source, own=own, head=wrong, learner=setting.learner)

    broken_column(monkeypatch, WEIGHTS, "source", beheaded)
    found = check_method(TRANSFER, domain, MOONS)
    assert {finding.check for finding in found} == {"C1"}
    assert "4.weight" in str(found[0])


def test_a_transfer_with_the_heads_rewind_weights_is_caught(monkeypatch):
    def late(setting, _):
        source, own = (setting.parents[role].state("rewind") for role in ("source-dense", "dense"))
        head = {name: own.weights[name] for name in setting.new_head}
        return replace(choose.source_weights(setting, _), weights={**source.weights, **head})

    broken_column(monkeypatch, WEIGHTS, "source", late)
    assert "C1" in method_checks(TRANSFER)


@pytest.mark.parametrize("role", ["dense", "source-dense"])
@pytest.mark.parametrize("what", ["weights", "buffers"])
def test_a_transfer_that_brings_other_weights_or_statistics_is_caught(monkeypatch, role, what):
    """Those of the target, or trained ones of the source."""

    def strange(setting, mask):
        state = setting.parents[role].state("rewind" if role == "dense" else "final")
        return replace(choose.source_weights(setting, mask), **{what: getattr(state, what)})

    broken_column(monkeypatch, WEIGHTS, "source", strange)
    assert "C1" in method_checks(TRANSFER)


def test_a_transfer_of_the_mask_alone_that_brings_weights_too_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "fresh", lambda setting, _: setting.learner.snapshot())
    assert "C1" in method_checks(TEMPLATES["transfer-reinit"].from_source("turned"))


def strictly_above(scores, allowed, keep):
    """`score > threshold`: one weight too many goes, and every tie with it."""
    ranked = scores.masked_fill(~allowed, -torch.inf)
    return ranked > ranked.kthvalue(ranked.numel() - keep + 1).values


def test_off_by_one_and_tie_over_pruning_are_caught(monkeypatch):
    monkeypatch.setattr(masks, "largest", strictly_above)
    assert "C5" in method_checks("ticket")
    assert "C5" in method_checks("random-ticket")


def test_ranking_pruned_weights_again_is_caught(monkeypatch):
    """Ties at zero: weights that are gone compete with survivors, so the mask is not nested."""

    def forgets_survivors(setting):
        previous = setting.parents["previous"]
        scores = {name: -saliency.magnitude(previous.state("final").weights, setting.entries)[name]
                  for name in setting.entries}  # fmt: skip
        return masks.highest(scores, setting.entries, setting.entries, setting.keep)

    broken_column(monkeypatch, MASKS, "iterative", forgets_survivors)
    assert "C3" in method_checks("ticket")


def test_a_chain_of_own_ranking_that_is_not_nested_is_caught_by_the_rule_of_verify(monkeypatch):
    """It promises no ranking by magnitude, so that nothing but its need of the level before makes it a chain."""
    monkeypatch.setitem(
        globals(), "REVIVING", MaskColumn(function=HERE + "reviving", needs=("previous",), layers="level")
    )
    method = define("mine", HERE + "REVIVING", "rewind", "rewound", "")
    (finding,) = check_method(method, ExampleDomain(), MOONS)
    family = Lineage(ExampleDomain(), MOONS, device="cpu", seed=0)
    mask, before = (
        {name: each.numpy() for name, each in family.run(method, level)[0].trained.mask.items()} for level in (3, 2)
    )
    counts = revived(mask, before)
    assert set(counts) == {"0.weight", "4.weight"}
    assert str(finding) == (
        f"C3: the mask of 2 parameters (0.weight, 4.weight) keeps {sum(counts.values())} weights that the level before had "
        "pruned: what needs `previous` prunes its survivors"
    )


def reviving(inputs):
    """A score that knows nothing of what is left."""
    learner = inputs.learner.snapshot().weights
    scores = {name: (learner[name] * 1000 * inputs.unit.level).sin() for name in inputs.entries}
    return masks.highest(scores, inputs.entries, inputs.entries, inputs.keep)


def test_a_chain_of_own_ranking_among_survivors_conforms(monkeypatch):
    monkeypatch.setitem(globals(), "NESTED", MaskColumn(function=HERE + "nested", needs=("previous",), layers="level"))
    assert check_method(define("mine", HERE + "NESTED", "rewind", "rewound", ""), ExampleDomain(), MOONS) == []


def nested(inputs):
    survivors = {**masks.ones(inputs.entries), **inputs.parents["previous"].mask}
    scores = inputs.learner.snapshot().weights
    return masks.highest(scores, survivors, inputs.entries, inputs.keep)


def test_ignored_layers_in_the_quota_are_caught(monkeypatch):
    """The exempt layer's weights count as prunable, so the others lose more than the level asks."""

    def counts_all(setting):
        everything = {name: torch.ones_like(each, dtype=torch.bool)
                      for name, each in setting.learner.module.named_parameters() if each.ndim > 1}  # fmt: skip
        total = round(sum(masks.sizes(everything).values()) * 0.8**setting.unit.level)
        exempt = sum(masks.sizes(everything).values()) - sum(masks.sizes(setting.entries).values())
        scores = saliency.magnitude(setting.parents["dense"].state("final").weights, setting.entries)
        return masks.highest(scores, setting.entries, setting.entries, {"": total - exempt})

    broken_column(monkeypatch, MASKS, "one-shot", counts_all)
    task = variant(pruning=replace(MOONS.pruning, rates={}, scope="global", exempt=("4.*",)))
    assert "C5" in method_checks("one-shot", task=task)


def test_pruning_an_exempt_layer_is_caught(monkeypatch):
    def everywhere(setting):
        mask = choose.one_shot_mask(setting)
        shape = dict(setting.learner.module.named_parameters())["4.weight"].shape
        return {**mask, "4.weight": torch.zeros(shape, dtype=torch.bool)}

    broken_column(monkeypatch, MASKS, "one-shot", everywhere)
    task = variant(pruning=replace(MOONS.pruning, exempt=("4.*",)))
    assert method_checks("one-shot", task=task) & {"C5", "C6"}


def test_selection_on_test_is_caught(monkeypatch):
    def on_test(task, curve):
        return max(curve, key=lambda point: point["metrics"]["test"]["accuracy"])

    monkeypatch.setattr(metrics, "best", on_test)
    assert "C13" in {finding for seed in range(3) for finding in method_checks("dense", seed=seed)}


def test_an_early_score_from_the_end_is_caught(monkeypatch):
    task = variant(at=("final", "5%"), select=None)
    assert "C13" not in method_checks("dense", task=task)
    monkeypatch.setattr(metrics, "_read", lambda task, curve, at: curve[-1])
    assert "C13" in method_checks("dense", task=task)


def test_fine_tuning_with_the_first_rate_is_caught(monkeypatch):
    broken_column(monkeypatch, TRAININGS, "last-rate", TRAININGS["rewound"].function)
    assert "C9" in method_checks("fine-tune")


def test_a_rewound_run_of_full_length_is_caught(monkeypatch):
    def all_over(setting, mask, state):
        return choose.full_training(setting, mask, replace(state, step=0, updates=0))

    broken_column(monkeypatch, TRAININGS, "rewound", all_over)
    assert "C9" in method_checks("ticket")


def test_a_schedule_that_restarts_unasked_is_caught(monkeypatch):
    def restarted(setting, mask, state):
        start = choose.rewound_training(setting, mask, state)
        return replace(start, state=replace(start.state, origin=start.state.step))

    broken_column(monkeypatch, TRAININGS, "rewound", restarted)
    assert "C9" in method_checks("lr-rewind")


def test_synflow_in_a_single_pass_is_caught(monkeypatch):
    real = saliency.synflow
    monkeypatch.setattr(saliency, "synflow", lambda learner, entries, *, keep, rounds: real(
        learner, entries, keep=keep, rounds=1))  # fmt: skip
    assert "C9" in method_checks("synflow")
    monkeypatch.undo()
    assert "C9" in method_checks(replace(METHODS["synflow"], options={"rounds": 1}))


class KeepsOldMoments(attach.Attached):
    """Grown weights go on with the moments of the weight that was dropped; the guard looks away."""

    @torch.no_grad()
    def change(self, name, mask):
        state = self._learner.optimizer.state[self._parameters[name]]
        kept = state["momentum_buffer"].clone()
        super().change(name, mask)
        state["momentum_buffer"].copy_(torch.where(mask, kept + 1e-3, 0.0))

    def check(self):
        pass


def test_rigl_with_stale_moments_is_caught(monkeypatch):
    monkeypatch.setattr(protocol, "Attached", KeepsOldMoments)
    assert "C14" in method_checks("rigl")


@pytest.mark.parametrize("name", ["gmp", "set", "rigl"])
def test_dynamics_that_do_nothing_are_caught(monkeypatch, name):
    for rule in (dynamic.GradualPruning, dynamic.Regrowth):
        monkeypatch.setattr(rule, "bind", lambda *_: None)
    assert method_checks(name) & {"C5", "C14"}


def test_a_seed_applied_after_masks_are_drawn_is_caught(monkeypatch):
    def unseeded(setting):
        return masks.uniform(setting.entries, setting.count, torch.Generator().manual_seed(torch.initial_seed()))

    broken_column(monkeypatch, MASKS, "uniform", unseeded)
    assert "C10" in method_checks("random-ticket")


def test_a_mask_that_ignores_the_seed_is_caught(monkeypatch):
    broken_column(monkeypatch, MASKS, "uniform", lambda setting: masks.uniform(
        setting.entries, setting.count, torch.Generator().manual_seed(0)))  # fmt: skip
    assert "C10" in method_checks("random-ticket")


def test_a_dead_signed_reinit_is_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "fresh-signed", WEIGHTS["fresh"].function)
    assert "C8" in method_checks("reinit-signed")


def test_findings_read_as_one_line():
    finding = check_learner(ExampleDomain(ForgetsBuffers), MOONS)[0]
    assert str(finding).startswith("C4: ")
    assert "\n" not in str(finding)


def test_chance_overlap_accepts_what_chance_gives():
    for seed in range(5):
        assert "C8" not in {each.check for each in check_method(
            METHODS["random-ticket"], ExampleDomain(), MOONS, seed=seed)}  # fmt: skip
    assert FALSE_ALARM < 1e-5


# The door for methods and domains from outside: nothing is raised, everything is named.


def breaks(inputs):
    return masks.ones(inputs.entries)["no such layer"]


def floating(inputs):
    return {name: entries.float() for name, entries in inputs.entries.items()}


def misspelt(inputs):
    return {f"{name}s": entries for name, entries in inputs.entries.items()}


def too_few(inputs):
    return masks.uniform(inputs.entries, inputs.count - 1, inputs.generator(0))


def of_dense(inputs):
    return masks.highest(inputs.parents["dense"].state("final").weights, inputs.entries, inputs.entries, inputs.keep)


def writes_to_its_parent(inputs, _):
    state = inputs.parents["dense"].state("rewind")
    state.weights["0.weight"].mul_(2)
    return state


HERE = f"{__name__}:"
LENT = WeightsColumn(function=HERE + "writes_to_its_parent", needs=("dense",))


def outside(**changes):
    columns = {"mask": "uniform", "weights": "fresh", "training": "full", **changes}
    return Method(name="outside", **columns)


@pytest.mark.parametrize(
    ("method", "check", "said"),
    [
        (outside(mask=HERE + "breaks"), "C14", rf"^KeyError: 'no such layer' \(.*test_conformance\.py:{breaks.__code__.co_firstlineno + 1}\)$"),
        (outside(mask=HERE + "floating"), "C14", r"is torch.float32 in 0.weight: give a bool tensor"),
        (outside(mask=HERE + "misspelt"), "C14", r"names '0.weights', which is no parameter: the network has 0.weight"),
        (outside(mask=HERE + "too_few"), "C5", r"kept \d+ weights, level 3 leaves \d+"),
        (outside(mask=HERE + "of_dense"), "C14", r"looks at its 'dense' parent and does not name it: add it to `needs`"),
        (outside(mask="no_such:mask"), "C14", r"method column 'no_such:mask' cannot be imported"),
        (outside(mask="uniformly"), "C14", r"method column 'uniformly': write one of none, ones, iterative"),
        (outside(options={"los": 1}), "C14", r"has options that no column reads: los"),
        (outside(mask="snip", options={"loses": 1}), "C14", r"TypeError: .*'loses'"),
        (outside(training=HERE + "breaks"), "C14", r"TypeError: .*breaks\(\)"),
    ],
)  # fmt: skip
def test_what_a_method_from_outside_does_wrong_is_a_finding_that_names_the_cause(method, check, said):
    (finding,) = check_method(method, ExampleDomain(), MOONS)
    assert finding.check == check
    assert re.search(said, finding.what), finding.what
    assert "\n" not in finding.what


def test_a_column_that_writes_to_what_its_parent_lent_is_caught():
    findings = check_method(define("mine", "one-shot", HERE + "LENT", "full", ""), ExampleDomain(), MOONS)
    assert "it writes to its parents' states, which are shared: 0.weight; clone what you change" in [
        each.what for each in findings
    ]


@pytest.mark.parametrize("how", ["trains", "loads", "writes"])
def test_a_column_that_changes_the_learner_that_all_columns_share_is_told_that_and_nothing_else(monkeypatch, how):
    """What it did there is no training of the unit: no start and no learning rate is held against it."""
    monkeypatch.setitem(globals(), "CHANGING", MaskColumn(function=HERE + how, needs=("dense",), layers="level"))
    (finding,) = check_method(define("mine", HERE + "CHANGING", "rewind", "rewound", ""), ExampleDomain(), MOONS)
    assert finding.check == "C1"
    assert re.fullmatch(
        r"it changes `inputs.learner`, which all columns share, in (0.weight|\d+ parts of its state \(0.weight, .*\)): leave it "
        r"as you found it, and change one of your own, `inputs.build\(1.0\)`",
        finding.what,
    )


def trains(inputs):
    inputs.learner.load(inputs.parents["dense"].state("initial"))
    inputs.learner.train(5)
    return of_dense(inputs)


def loads(inputs):
    inputs.learner.load(inputs.parents["dense"].state("final"))
    return of_dense(inputs)


def writes(inputs):
    with torch.no_grad():
        inputs.learner.module[0].weight.mul_(2)
    return of_dense(inputs)


@pytest.mark.parametrize("how", ["borrows", "builds"])
def test_a_column_that_leaves_the_learner_as_it_was_found_conforms(monkeypatch, how):
    monkeypatch.setitem(globals(), "CAREFUL", MaskColumn(function=HERE + how, needs=("dense",), layers="level"))
    assert check_method(define("mine", HERE + "CAREFUL", "rewind", "rewound", ""), ExampleDomain(), MOONS) == []


def borrows(inputs):
    found = inputs.learner.snapshot()
    mask = trains(inputs)
    inputs.learner.load(found)
    return mask


def builds(inputs):
    own = inputs.build(1.0)
    own.load(inputs.parents["dense"].state("final"))
    own.train(own.step + 5)
    return of_dense(inputs)


def test_one_cause_is_one_finding_however_many_layers_it_shows_in():
    found = check_method(define("mine", "ticket", HERE + "DOUBLED", "rewound", ""), ExampleDomain(), MOONS)
    starts = [each.what for each in found if "rewind weights" in each.what]
    assert starts == [
        "survivors of 6 parameters (0.weight, 0.bias, 1.weight, ...) do not start from the rewind weights"
    ]


def test_a_ranking_upside_down_is_one_finding_for_all_layers():
    found = check_method(define("mine", HERE + "RANKED", "rewind", "rewound", ""), ExampleDomain(), MOONS)
    (finding,) = (each.what for each in found if each.check == "C5")
    assert re.fullmatch(
        r"the mask of 2 parameters \(0.weight, 4.weight\) cuts larger weights than it keeps: one of [\d.]+, while it keeps one "
        r"of [\d.e-]+",
        finding,
    )


def test_a_learner_that_shares_its_whole_state_is_told_once():
    (finding,) = (each.what for each in check_learner(ExampleDomain(AliasesSnapshots), MOONS) if each.check == "C1")
    assert re.match(r"snapshot shares \d parts of the state \(0.weight, 0.bias, 1.weight, ...\) with the live", finding)


def doubled(inputs, _):
    state = inputs.parents["dense"].state("rewind")
    return replace(state, weights={name: 2 * weight + 1 for name, weight in state.weights.items()})


DOUBLED = WeightsColumn(function=HERE + "doubled", needs=("dense",), state="rewind", exact=True)


# Signs: the state decides whose sizes they come with, if any.


def signs_of_ticket(inputs, size):
    """The ticket's signs on other sizes, rewound."""
    state = inputs.parents["dense"].state("rewind")
    weights = {name: size(name, weight).abs().copysign(weight) for name, weight in state.weights.items()}
    return replace(state, weights={name: weights[name] if name in inputs.entries else each
                                   for name, each in state.weights.items()})  # fmt: skip


def signs_alone(inputs, _):
    return signs_of_ticket(inputs, lambda _, weight: torch.full_like(weight, float(weight.std())))


def signs_turned(inputs, _):
    state = signs_alone(inputs, _)
    return replace(state, weights={**state.weights, "0.weight": -state.weights["0.weight"]})


@pytest.mark.parametrize(("function", "told", "found"), [
    ("signs_alone", {"state": "rewind"}, []),
    ("signs_turned", {"state": "rewind"}, ["C8: training does not start with the ticket's signs in 0.weight"]),
    ("signs_alone", {"state": "rewind", "exact": True},
     ["C1: survivors of 2 parameters (0.weight, 4.weight) do not start from the sizes of the rewind weights"]),
])  # fmt: skip
def test_a_column_that_keeps_signs_is_held_to_the_signs_and_to_the_sizes_of_a_state_only_if_exact(
    monkeypatch, function, told, found
):
    column = WeightsColumn(function=HERE + function, needs=("dense",), keeps="signs", **told)
    monkeypatch.setitem(globals(), "SIGNS", column)
    method = define("mine", "ticket", HERE + "SIGNS", "rewound", "")
    assert [str(each) for each in check_method(method, ExampleDomain(), MOONS)] == found


def test_fresh_signs_without_fresh_sizes_are_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "fresh-signed", lambda inputs, mask: replace(
        signs_alone(inputs, mask), buffers=inputs.fresh.buffers))  # fmt: skip
    assert "sizes of the fresh weights" in " ".join(
        map(str, check_method(METHODS["reinit-signed"], ExampleDomain(), MOONS))
    )


def test_a_saliency_of_other_weights_than_the_start_is_noted():
    findings = check_method(define("mine", "magnitude", "fresh", "full", ""), ExampleDomain(), MOONS)
    assert [str(finding) for finding in findings] == [
        "note: the mask is scored at the initial weights, training starts from fresh: the scores are of another network"
    ]


GIVE = "give it as a record of bench.tickets.columns"


def test_a_column_without_facts_is_noted(monkeypatch):
    findings = check_method(outside(mask="bench.tickets.choose:uniform_mask"), ExampleDomain(), MOONS)
    assert [str(finding) for finding in findings] == [
        f"note: the mask column promises nothing, so that which weights it keeps, but for their number, was not checked: {GIVE}"
    ]


@pytest.mark.parametrize(
    ("column", "unchecked"),
    [
        ("weights", "which weights training starts from, be they rewound or not"),
        ("training", "where training starts and ends, and at which learning rates"),
    ],
)
def test_a_note_says_what_was_not_checked(column, unchecked):
    bare = {"weights": "fresh_weights", "training": "full_training"}[column]
    (note,) = check_method(outside(**{column: f"bench.tickets.choose:{bare}"}), ExampleDomain(), MOONS)
    assert note.check == "note"
    assert f"the {column} column promises nothing, so that {unchecked}, was not checked" in note.what


def test_a_drawn_mask_that_is_not_is_told_with_its_promise_and_its_column():
    found = check_method(define("mine", HERE + "DRAWN", "fresh", "full", ""), ExampleDomain(), MOONS)
    (finding,) = (each for each in found if each.check == "C8")
    assert re.search(
        rf"^the mask column {HERE}DRAWN promises drawn='layers', and its mask shares \d+ weights with the ticket where chance",
        finding.what,
    )


def test_what_is_trained_and_checked_is_told_on_the_way():
    told = []
    check_method(METHODS["reinit"], ExampleDomain(), MOONS, level=2, tell=told.append)
    arms = ("dense L0", "ticket L1", "ticket L2", "reinit L2")
    assert told == [f"training {MOONS.key} {arm} s{seed}" for seed in (0, 0, 1) for arm in arms]
    told.clear()
    check_learner(ExampleDomain(), MOONS, tell=told.append)
    assert told == [f"{name} ({n} of {len(LEARNER_CHECKS)})" for n, (name, _) in enumerate(LEARNER_CHECKS, start=1)]


PROMISES = {
    "RANKED": MaskColumn(function=HERE + "of_smallest", needs=("dense",), ranked="dense", layers="level"),
    "QUOTA": MaskColumn(function="bench.tickets.choose:uniform_mask", layers="level"),
    "SHAPE": MaskColumn(function="bench.tickets.choose:uniform_mask", layers="shape"),
    "TAKEN": MaskColumn(function="bench.tickets.choose:shuffled_mask", needs=("ticket",), taken="ticket"),
    "DRAWN": MaskColumn(function="bench.tickets.choose:ticket_mask", needs=("ticket",), drawn="layers"),
    "EXACT": WeightsColumn(function="bench.tickets.choose:fresh_weights", state="initial", exact=True),
    "FRESH": WeightsColumn(function="bench.tickets.choose:initial_weights", state="fresh", exact=True),
    "SIGNED": WeightsColumn(function="bench.tickets.choose:fresh_weights", state="fresh", keeps="signs"),
    "VALUES": WeightsColumn(
        function="bench.tickets.choose:rewind_weights", needs=("dense",), state="rewind", keeps="values"
    ),
    "LATE": TrainingColumn(function="bench.tickets.choose:full_training", begins="rewind", length="rewound"),
    "SHORT": TrainingColumn(function=HERE + "short", begins="start", length="budget"),
    "STILL": TrainingColumn(
        function="bench.tickets.choose:full_training", begins="start", length="budget", dynamic=True
    ),
}
globals().update(PROMISES)


def of_smallest(inputs):
    weights = inputs.parents["dense"].state("final").weights
    scores = {name: -weights[name].abs() for name in inputs.entries}
    return masks.highest(scores, inputs.entries, inputs.entries, inputs.keep)


def short(inputs, mask, state):
    return Start(mask=mask, state=state, until=inputs.task.budget - 10)


@pytest.mark.parametrize(
    ("column", "name", "check"),
    [
        ("mask", "RANKED", "C5"), ("mask", "QUOTA", "C5"), ("mask", "SHAPE", "C5"), ("mask", "TAKEN", "C8"),
        ("mask", "DRAWN", "C8"), ("weights", "EXACT", "C1"), ("weights", "FRESH", "C1"), ("weights", "SIGNED", "C8"),
        ("weights", "VALUES", "C8"), ("training", "LATE", "C9"), ("training", "SHORT", "C9"), ("training", "STILL", "C14"),
    ],
)  # fmt: skip
def test_a_column_from_outside_is_held_to_what_it_promises(column, name, check):
    choice = {"mask": "ticket" if column == "weights" else "uniform", "weights": "fresh", "training": "full"}
    method = define("mine", *{**choice, column: HERE + name}.values(), "")
    assert check in method_checks(method)


class Raises(Moons):
    def evaluate(self, split):
        raise RuntimeError(f"no {split}\nand more")


class CannotBeBuilt(Moons):
    def __init__(self, *_):
        raise OSError("no data here")


@pytest.mark.parametrize(("broken", "said"), [(Raises, "RuntimeError: no "), (CannotBeBuilt, "OSError: no data here")])
def test_what_a_learner_raises_is_a_finding_with_file_and_line(broken, said):
    findings = [finding for finding in check_learner(ExampleDomain(broken), MOONS) if finding.check == "C14"]
    assert findings
    assert all(re.fullmatch(rf"{said}.* \(.*test_conformance\.py:\d+\)", finding.what) for finding in findings)


Opaque = type("Opaque", (), {name: value for name, value in vars(Moons).items() if name != "forward_ones"})
"""Offers no all-ones examples, although its domain says so."""


class Secretive(ExampleDomain):
    forwards_ones = False


def test_what_planning_knows_of_synflow_is_checked():
    assert "has no forward_ones" in " ".join(map(str, check_learner(ExampleDomain(Opaque), MOONS)))
    assert "never planned" in " ".join(map(str, check_learner(Secretive(), MOONS)))


# Two orders of the data.


class Unready(Moons):
    reestimate = None


class Averages(Moons):
    def reestimate(self):
        self.module.train()
        self.module(moons(self.streams.numpy("score"))[0])


class Resets(Moons):
    def reestimate(self):
        super().reestimate()
        with torch.no_grad():
            self.module[0].weight.zero_()


class EvaluatesOrdered(Moons):
    def evaluate(self, split):
        self.streams, kept = replace(self.streams, seed=self.streams.seed + self.streams.order), self.streams
        found = super().evaluate(split)
        self.streams = kept
        return found


class StartsOrdered(Moons):
    def __init__(self, task, streams, width):
        super().__init__(task, replace(streams, seed=streams.seed + streams.order), width)


class Deaf(Moons):
    def __init__(self, task, streams, width):
        super().__init__(task, replace(streams, order=0), width)


@pytest.mark.parametrize(("broken", "said"), [
    (Averages, "leaves partly as it was: 3 parts of the state (1.running_mean, 1.running_var, 1.num_batches_tracked)"), (Resets, "reestimate changes 0.weight"),
    (EvaluatesOrdered, "is evaluated on other examples"), (StartsOrdered, "before training: other are 2 parts of the state (0.weight, 4.weight)"),
    (Deaf, "trains to the same end"),
])  # fmt: skip
def test_what_a_learner_does_wrong_with_another_order_of_its_data_is_caught(broken, said):
    assert said in " ".join(map(str, check_learner(ExampleDomain(broken), MOONS)))


def test_what_planning_knows_of_another_order_is_checked(monkeypatch):
    monkeypatch.setattr(ExampleDomain, "interpolates", False)
    assert "is never asked for it" in " ".join(map(str, check_learner(ExampleDomain(), MOONS)))
    monkeypatch.undo()
    assert "has no reestimate" in " ".join(map(str, check_learner(ExampleDomain(Unready), MOONS)))


def test_a_copy_in_the_tickets_own_order_is_caught(monkeypatch):
    monkeypatch.setattr("bench.tickets.inputs.streams_of", lambda unit: Streams(unit.seed, unit.level))
    assert "C9" in method_checks("ticket-reordered")


# Whole nodes.


class Named(Moons):
    hidden = (HiddenLayer("0.weight", "4.weight"),)


class Naming(ExampleDomain):
    names_nodes = True


def test_what_planning_knows_of_whole_nodes_is_checked():
    assert check_learner(Naming(Named), MOONS) == []
    assert "this learner has no `hidden`" in " ".join(map(str, check_learner(Naming(), MOONS)))
    assert "whole nodes are never pruned" in " ".join(map(str, check_learner(ExampleDomain(Named), MOONS)))


@pytest.mark.parametrize("names", [("4.bias", "4.weight"), ("0.weight", "1.weight"), ("0.weight", "none")])
def test_layers_that_do_not_fit_are_told(names):
    wrong = type("Wrong", (Named,), {"hidden": (HiddenLayer(*names),)})
    (finding,) = check_learner(Naming(wrong), MOONS)
    assert f"`hidden` names {names[0]!r} and {names[1]!r}" in finding.what


def nodewise(below, above, inputs):
    """A mask by a score of each node, for what comes in and for what goes out."""
    incoming, outgoing = inputs.entries["0.weight"].shape, inputs.entries["4.weight"].shape
    scores = {"0.weight": below[:, None].expand(incoming), "4.weight": above.expand(outgoing)}
    return masks.highest(scores, inputs.entries, inputs.entries, inputs.keep)


def norms(inputs):
    norm = inputs.parents["dense"].state("final").weights["4.weight"].norm(dim=0)
    return norm.argsort().argsort().double()


def of_fanout(inputs):
    return nodewise(norms(inputs), norms(inputs), inputs)


def of_small_fanout(inputs):
    return nodewise(-norms(inputs), -norms(inputs), inputs)


def of_different_nodes(inputs):
    return nodewise(norms(inputs), -norms(inputs), inputs)


@pytest.mark.parametrize(("function", "said"), [
    (HERE + "of_fanout", []),
    (HERE + "of_small_fanout", ["cuts a node of a larger fan-out than one that it keeps"]),
    (HERE + "of_different_nodes", ["keep different nodes"]),
    ("bench.tickets.choose:one_shot_mask", ["nodes in part: it prunes weights, not nodes"] * 2 + ["keep different nodes"]),
])  # fmt: skip
def test_a_mask_of_nodes_is_held_to_whole_nodes_of_the_largest_fanout(monkeypatch, function, said):
    column = MaskColumn(function=function, needs=("dense",), ranked="dense", layers="level", nodes=True)
    monkeypatch.setitem(globals(), "NODES", column)
    task = variant(pruning=Pruning(rate=0.2))
    found = check_method(define("mine", HERE + "NODES", "rewind", "rewound", ""), Naming(Named, task=task), task)
    assert {finding.check for finding in found} <= {"C5"}
    for sentence in said:
        assert any(sentence in finding.what for finding in found), found
    assert bool(found) is bool(said)


def test_nodes_that_chance_draws_may_meet_the_ticket_as_they_like(monkeypatch):
    """Their weights come in bundles: what weights drawn one by one would share is no measure."""
    column = MaskColumn(function="bench.tickets.choose:ticket_mask", needs=("ticket",), drawn="network", nodes=True)
    monkeypatch.setitem(globals(), "NODES", column)
    found = check_method(define("mine", HERE + "NODES", "fresh", "full", ""), ExampleDomain(), MOONS)
    assert found == []
