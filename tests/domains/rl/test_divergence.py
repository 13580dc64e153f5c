"""What is no longer finite ends a training, and a crash does not pass for it."""

import pytest
import torch

from bench.errors import Diverged


def test_a_policy_of_nan_has_diverged(task, build):
    agent = build(task)
    agent.train(task.rewind_step)
    with torch.no_grad():
        next(agent.module.parameters()).fill_(torch.nan)
    with pytest.raises(Diverged, match="not finite"):
        agent.train(task.budget)


LOGGED = {"a2c": {"policy_loss", "value_loss"}, "ppo": {"loss", "policy_gradient_loss", "value_loss"}, "dqn": {"loss"}}
"""Algorithm -> the losses that stable-baselines3 says it has minimised."""


def test_a_loss_that_is_not_finite_has_diverged(task, build, monkeypatch):
    """Whichever of them, and before the update that follows counts as a step."""
    agent = build(task)
    agent.train(task.rewind_step)
    begun, train = agent.step, agent.model.train
    for name in sorted(LOGGED[task.config["algorithm"]]):
        assert f"train/{name}" in agent.model.logger.name_to_value

        def spoilt(*args, name=name, **kwargs):
            train(*args, **kwargs)
            agent.model.logger.record(f"train/{name}", float("inf"))

        monkeypatch.setattr(agent.model, "train", spoilt)
        with pytest.raises(Diverged, match=f"train/{name} is not finite at step {begun}"):
            agent.train(begun + 1)


def test_weights_are_looked_at_when_training_ends(task, build, monkeypatch):
    agent = build(task)
    train, parameter = agent.model.train, next(agent.module.parameters())

    def spoilt(*args, **kwargs):
        train(*args, **kwargs)
        with torch.no_grad():
            parameter.view(-1)[0] = torch.inf

    monkeypatch.setattr(agent.model, "train", spoilt)
    name = next(name for name, _ in agent.module.named_parameters())
    first = 128 if task.config["algorithm"] == "dqn" else 1  # steps or episodes with an update before their end
    with pytest.raises(Diverged, match=f"{name} is not finite"):
        agent.train(first)


def test_a_crash_of_an_environment_is_no_divergence(task, build):
    agent = build(task)

    def crash(_):
        raise ValueError("fell over")

    agent._env.simulations.step = crash
    with pytest.raises(RuntimeError, match="crashed: ValueError: fell over"):
        agent.train(task.rewind_step)
