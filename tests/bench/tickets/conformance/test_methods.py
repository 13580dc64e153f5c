"""Each silent bug of published lottery-ticket code, written on purpose, is caught by the check that exists for it."""

from dataclasses import replace

import pytest
import torch
from broken import broken_column, method_checks
from example import MOONS, ExampleDomain, variant

from bench.chance import FALSE_ALARM
from bench.registry import methods, templates
from bench.streams import Streams
from bench.tickets import choose, dynamic, masks, saliency
from bench.tickets.columns import MASKS, TRAININGS, columns
from bench.tickets.conformance import check_method
from bench.tickets.measurements import metrics
from bench.tickets.methods import METHODS, TEMPLATES


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


def test_a_shuffle_that_shuffles_nothing_is_caught(monkeypatch):
    broken_column(monkeypatch, MASKS, "shuffled", MASKS["ticket"].function)
    assert "C8" in method_checks("shuffled")


def test_a_shuffle_over_the_whole_network_is_caught(monkeypatch):
    broken_column(monkeypatch, MASKS, "shuffled", MASKS["uniform"].function)
    assert method_checks("shuffled") & {"C5", "C8"}


def test_a_random_mask_that_is_the_tickets_is_caught():
    method = replace(METHODS["random-ticket"], mask="bench.tickets.choose:ticket_mask", parents=("ticket",))
    assert "C8" in method_checks(method)


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
    monkeypatch.setattr(metrics, "_read", lambda task, curve, at, settled: curve[-1])
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


@pytest.mark.parametrize("fewer", [1, 99])
def test_synflow_in_fewer_passes_is_caught(monkeypatch, fewer):
    real = saliency.synflow
    monkeypatch.setattr(saliency, "synflow", lambda learner, entries, *, keep, rounds: real(
        learner, entries, keep=keep, rounds=rounds - fewer))  # fmt: skip
    assert "C9" in method_checks("synflow")


def test_synflow_that_promises_a_single_pass_is_caught():
    assert "C9" in method_checks(replace(METHODS["synflow"], options={"rounds": 1}))


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


def test_a_copy_in_the_tickets_own_order_is_caught(monkeypatch):
    monkeypatch.setattr("bench.tickets.inputs.streams_of", lambda unit: Streams(unit.seed, unit.level))
    assert "C9" in method_checks("ticket-reordered")


def test_chance_overlap_accepts_what_chance_gives():
    for seed in range(5):
        assert "C8" not in {each.check for each in check_method(
            METHODS["random-ticket"], ExampleDomain(), MOONS, seed=seed)}  # fmt: skip
    assert FALSE_ALARM < 1e-5


def test_what_is_trained_is_told_on_the_way():
    told = []
    check_method(METHODS["reinit"], ExampleDomain(), MOONS, level=2, tell=told.append)
    arms = ("dense L0", "ticket L1", "ticket L2", "reinit L2")
    assert told == [f"training {MOONS.key} {arm} s{seed}" for seed in (0, 0, 1) for arm in arms]
