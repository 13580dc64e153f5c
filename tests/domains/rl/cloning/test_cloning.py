"""A network that imitates a trained agent."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.errors import DataError
from bench.runs.planning.plan import refusal
from bench.streams import Streams
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.methods import METHODS
from domains.rl import domain
from domains.rl.cloning import expert as experts
from domains.rl.cloning.expert import demonstrations, expert
from domains.rl.environments.classic import classic
from domains.rl.tasks import cloning

SMOKE, SMALL = (domain.tasks()[f"rl/cartpole-cloning@{scale}"] for scale in ("smoke", "small"))


@pytest.fixture
def learner():
    return domain.learner(SMOKE, streams=Streams(0), device="cpu")


def test_the_expert_holds_the_pole_up_for_ever():
    world = classic("CartPole-v1", 10)
    seen, policy = world.reset(range(10)), expert()
    for step in range(500):
        with torch.no_grad():
            actions = policy(torch.from_numpy(seen)).argmax(1).numpy()
        done = world.step(actions)
        assert not done.terminated.any()
        assert done.over.all() == (step == 499)
        seen = done.observations


def test_another_expert_is_refused(monkeypatch, tmp_path):
    weights = load_file(experts.FILE)
    weights["4.bias"] += 0.01
    save_file(weights, tmp_path / "expert.safetensors")
    monkeypatch.setattr(experts, "FILE", tmp_path / "expert.safetensors")
    with pytest.raises(DataError, match="install ticketbench anew"):
        expert()


def test_the_expert_is_part_of_what_a_unit_is():
    assert SMALL.data == SMOKE.data == {"cartpole-expert": cloning.EXPERT}


def test_demonstrations_are_whole_episodes_and_the_experts_own_answers():
    shown = demonstrations("CartPole-v0", 50)
    assert shown.observations.shape == (50 * 200, 4), "it never fails, though its actions are drawn"
    with torch.no_grad():
        answers = expert()(shown.observations).softmax(1)
    assert torch.allclose(answers, shown.probabilities, atol=1e-6)
    assert len(torch.unique(shown.observations, dim=0)) > 9_900
    assert demonstrations("CartPole-v0", 50) is shown


def test_the_learner_and_every_method_conform():
    assert check_learner(domain, SMOKE) == []
    for name in ("ticket", "random-ticket", "snip", "synflow", "rigl"):
        assert check_method(METHODS[name], domain, SMOKE, level=2) == []


def test_the_loss_is_the_cross_entropy_with_the_experts_probabilities(learner):
    loss = next(learner.losses(1))
    rows = Streams(0).numpy("score").choice(10_000, 256, replace=False)
    shown = demonstrations("CartPole-v0", 50)
    with torch.no_grad():
        logits = learner.forward_ones()  # any forward: the critic's weights change nothing of the loss
        own = learner._model.policy.get_distribution(shown.observations[rows]).distribution.probs
    wanted = -(shown.probabilities[rows] * own.log()).sum(1).mean()
    assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-5)
    assert logits.shape == (1, 3)


def test_the_critic_is_there_and_neither_trained_nor_pruned(learner):
    before = learner.snapshot().weights
    learner.train(SMOKE.budget)
    after = learner.snapshot().weights
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if not name.startswith("value_net")}
    assert [SMOKE.pruning.is_exempt(name) for name in before] == [name.startswith("value_net") for name in before]


def test_an_epoch_shows_each_demonstration_at_most_once_and_its_order_is_the_seeds(learner):
    seen = []
    for learner.step in range(39):
        seen.append(learner._rows())
    first = torch.cat(seen)
    assert len(first) == len(first.unique()) == 39 * 256
    learner.step = 39
    assert not torch.equal(learner._rows(), seen[0]), "the next epoch has an order of its own"
    other = domain.learner(SMOKE, streams=Streams(1), device="cpu")
    assert not torch.equal(other._rows(), seen[0])


@pytest.mark.slow
def test_imitation_holds_the_pole_up():
    learner = domain.learner(SMALL, streams=Streams(0), device="cpu")
    chance = learner.evaluate("test")["return"]
    learner.train(SMALL.budget)
    found = learner.evaluate("test")
    assert chance < 40
    assert 195 < found["return"] <= 200
    assert found["return"] == found["episode_length"]


def test_it_is_trained_one_by_one_and_not_in_another_order():
    assert "demonstrations" in domain.seats(SMALL, "cpu")
    refused = {name for name, method in METHODS.items() if refusal(SMALL, method)}
    assert refused == {"ticket-reordered"}
    assert np.isclose(SMALL.chance, 22.72)


SHOWN = [0.04231, 0.01791, 0.00016, -0.00103, 0.03233, 0.14801, 0.0128, 0.20857]
"""Means and standard deviations of position, velocity, angle and angular velocity: no id tells what is shown."""


def test_what_is_shown_is_what_was_published():
    """Another draw of its actions or of its starts would be another task under the same id."""
    shown = demonstrations("CartPole-v0", 50).observations
    told = [*shown.double().mean(0).tolist(), *shown.double().std(0).tolist()]
    assert told == pytest.approx(SHOWN, rel=1e-3, abs=1e-4)


def test_the_temperature_divides_the_logits(learner):
    rows = torch.from_numpy(Streams(0).numpy("score").choice(10_000, 256, replace=False))
    shown = demonstrations("CartPole-v0", 50)
    [loss] = learner.losses(1, temperature=200.0)
    with torch.no_grad():
        logits = learner._model.policy.get_distribution(shown.observations[rows]).distribution.logits
        wanted = -(shown.probabilities[rows] * (logits / 200).log_softmax(1)).sum(1).mean()
    assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-6)


def test_validation_and_test_are_other_episodes(learner):
    assert learner.evaluate("val") != learner.evaluate("test")
