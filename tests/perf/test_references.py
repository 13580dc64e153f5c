"""Dense agents score what those of rl-baselines3-zoo do: minutes each, so they stand with the benchmarks."""

import statistics

import pytest

from bench.streams import Streams
from domains.rl import domain

SEEDS = 3
"""One seed of an agent may fall apart; the median of three does not."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "least"), [("cartpole-ppo", 475.0), ("acrobot-ppo", -100.0)])
def test_dense_agents_reach_the_reference_on_a_hundred_fresh_episodes(name, least):
    task = domain.tasks()[f"rl/{name}@paper"]
    assert task.evaluation["episodes"] == 100
    returns = []
    for seed in range(SEEDS):
        agent = domain.learner(task, streams=Streams(seed), device="cpu")
        agent.train(task.budget)
        returns.append(agent.evaluate("test")["return"])
    assert statistics.median(returns) >= least, returns
