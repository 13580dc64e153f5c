"""Running statistics against a plain computation over everything an agent has seen, and nobody but training moves them."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.streams import Streams
from domains.rl import domain
from domains.rl.environments.episodes import Episodes
from domains.rl.normalisation import Normaliser

ACROBOT = domain.tasks()["rl/acrobot-ppo@smoke"]
BUFFERS = {f"normaliser.{kind}.{field}" for kind in ("observations", "returns") for field in ("mean", "var", "count")}


class Moments:
    """Mean and variance of batches, which begin with 1e-4 of an observation of mean 0 and variance 1."""

    def __init__(self, shape):
        self.count, self.sum, self.square = 1e-4, np.zeros(shape), np.full(shape, 1e-4)

    def add(self, batch):
        batch = np.asarray(batch, dtype=np.float64)
        self.count += len(batch)
        self.sum = self.sum + batch.sum(0)
        self.square = self.square + (batch**2).sum(0)

    def told(self):
        mean = self.sum / self.count
        return {"mean": mean, "var": self.square / self.count - mean**2, "count": self.count}


def held(agent):
    """The buffers of a learner's normaliser."""
    return {name: value for name, value in agent.snapshot().buffers.items() if name.startswith("normaliser.")}


def test_statistics_are_those_of_all_that_training_has_seen():
    """Observations of every reset and step; returns discounted by the task's gamma, which no end leaks across."""
    gamma = 0.9
    task = replace(ACROBOT, config={**ACROBOT.config, "n_envs": 4})
    task.config["hyperparameters"] = {**task.config["hyperparameters"], "gamma": gamma, "n_epochs": 1}
    observations, returns, running = Moments(6), Moments(()), np.zeros(4)
    agent = domain.learner(task, streams=Streams(0), device="cpu")
    simulations = agent._env.simulations
    observations.add(simulations.seen(simulations.state.astype(np.float32)))
    act = simulations.step

    def step(actions):
        nonlocal running
        result = act(actions)
        observations.add(result.observations)
        running = running * gamma + result.rewards
        returns.add(running)
        running[result.over] = 0
        return result

    simulations.step = step
    agent.train(64 * 40)
    for kind, moments in (("observations", observations), ("returns", returns)):
        for field, value in moments.told().items():
            assert np.allclose(held(agent)[f"normaliser.{kind}.{field}"], value, rtol=1e-5, atol=1e-6), (kind, field)


def test_evaluation_and_scoring_leave_every_statistic_as_it_is(build):
    agent = build(ACROBOT)
    agent.train(ACROBOT.rewind_step)
    before = held(agent)
    assert before.keys() == BUFFERS
    for look in (
        lambda: agent.evaluate("val"),
        lambda: agent.evaluate("test"),
        lambda: list(agent.losses(1)),
        lambda: agent.evaluate("train"),
        agent.forward_ones,
    ):
        look()
        assert all(torch.equal(before[name], value) for name, value in held(agent).items())
    agent.train(agent.step + 1)
    assert all(not torch.equal(before[name], value) for name, value in held(agent).items())


def test_loading_brings_the_statistics_back_and_its_reset_does_not_count(build):
    agent = build(ACROBOT)
    agent.train(ACROBOT.rewind_step)
    rewind = agent.snapshot()
    kept = {name: value.clone() for name, value in rewind.buffers.items()}
    agent.train(ACROBOT.budget)
    assert all(torch.equal(kept[name], value) for name, value in rewind.buffers.items()), "a snapshot is a copy"
    for other in (agent, build(ACROBOT)):
        other.load(rewind)
        assert all(torch.equal(kept[name], value) for name, value in held(other).items())
        other.train(other.step + 1)
        assert held(other)["normaliser.observations.count"] == kept["normaliser.observations.count"] + 32 * 16
        assert all(torch.equal(kept[name], value) for name, value in rewind.buffers.items()), "loading copies"


def test_random_play_that_fills_a_replay_buffer_again_moves_no_statistic(build):
    """The rewound agent's are those of the rewind step until it plays by its own policy."""
    dqn = domain.tasks()["rl/cartpole-dqn@smoke"]
    dqn = replace(dqn, config={**dqn.config, "normalise": True})
    agent = build(dqn)
    agent.train(dqn.rewind_step)
    rewind = agent.snapshot()
    agent.load(rewind)
    agent.train(agent.step + 1)
    played = agent.env_steps - rewind.scalars["env_steps"] - dqn.config["hyperparameters"]["learning_starts"]
    counts = [round(float(each["normaliser.observations.count"])) for each in (rewind.buffers, held(agent))]
    assert counts[1] - counts[0] == played > 0


def test_what_the_policy_and_the_algorithm_see(walks):
    normaliser = Normaliser(Episodes(walks([3, 5])), wanted=True, gamma=0.5)
    normaliser.env.seed(0)
    normaliser.env.reset()
    for _ in range(20):
        normaliser.env.step(np.zeros(2, dtype=np.int64))
    statistics = {name: value.numpy() for name, value in normaliser.tensors().items()}
    seen = np.array([[0.0, 3.0], [1.0, 1e9]], dtype=np.float32)
    mean, var = statistics["normaliser.observations.mean"], statistics["normaliser.observations.var"]
    expected = np.clip((seen - mean) / np.sqrt(var + 1e-8), -10, 10)
    assert np.allclose(normaliser.observe(seen), expected)
    assert expected[1, 1] == 10
    rewards = np.array([1.0, 100.0])
    expected = np.clip(rewards / np.sqrt(statistics["normaliser.returns.var"] + 1e-8), -10, 10)
    assert np.allclose(normaliser.reward(rewards), expected)
    assert normaliser.env is not normaliser._wrapper.venv


def test_frozen_statistics_thaw_again_even_after_an_error(walks):
    normaliser = Normaliser(Episodes(walks([3, 5])), wanted=True, gamma=0.5)

    def count():
        return float(normaliser.tensors()["normaliser.observations.count"])

    begin = count()
    with contextlib.suppress(ZeroDivisionError), normaliser.frozen():
        normaliser.env.reset()
        raise ZeroDivisionError
    assert count() == begin
    normaliser.env.reset()
    assert count() == begin + 2


def test_without_a_wish_nothing_is_normalised(walks):
    env = Episodes(walks([3, 5]))
    normaliser = Normaliser(env, wanted=False, gamma=0.5)
    seen, rewards = np.ones((2, 2), dtype=np.float32), np.ones(2)
    assert normaliser.env is env
    assert normaliser.observe(seen) is seen
    assert normaliser.reward(rewards) is rewards
    assert normaliser.tensors() == {}
    normaliser.restore({})
    with normaliser.frozen():
        env.reset()


@pytest.mark.parametrize(
    "name", ["cartpole-a2c", "cartpole-ppo", "cartpole-dqn", "acrobot-ppo", "minatar-breakout-a2c"]
)
def test_only_the_zoos_acrobot_is_normalised(name, build):
    assert bool(held(build(domain.tasks()[f"rl/{name}@smoke"]))) == (name == "acrobot-ppo")
