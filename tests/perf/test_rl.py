"""How fast agents train, as ratios to plain stable-baselines3 within one run."""

import math
import statistics
import time
import warnings
from dataclasses import replace

import gymnasium
import pytest
import torch

from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached
from domains.rl import domain

ROUNDS, STEPS = 60, 640
"""Many short rounds, interleaved: a busy machine hits both sides alike. Medians of CPU seconds are compared."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Scaled(gymnasium.RewardWrapper):
    """Rewards as the paper has them."""

    def reward(self, reward):
        return 0.01 * reward


def plain(task):
    """What a user of stable-baselines3 writes for the same training."""
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_vec_env

    from domains.rl.networks import Trunk

    config = task.config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env = make_vec_env(config["env"]["id"], config["n_envs"], seed=0, wrapper_class=Scaled)
    policy = {"features_extractor_class": Trunk, "features_extractor_kwargs": {"hidden": config["network"]["hidden"]}}
    policy |= {"net_arch": [], "ortho_init": False}
    parameters = {**config["hyperparameters"], "max_grad_norm": math.inf, "rms_prop_eps": 1e-8}
    return A2C("MlpPolicy", env, policy_kwargs=policy, seed=0, device="cpu", **parameters)


def seconds(act):
    begin = time.process_time()
    act()
    return time.process_time() - begin


def ratio(ours, theirs):
    """How many times longer theirs takes than ours."""
    for each in (ours, theirs):
        each()
    times = [(seconds(theirs), seconds(ours)) for _ in range(ROUNDS)]
    return statistics.median(their for their, _ in times) / statistics.median(our for _, our in times)


@pytest.mark.parametrize(("name", "least"), [("cartpole", 1.3), ("acrobot", 1.3), ("lunarlander", 2.0)])
def test_training_against_plain_stable_baselines3(name, least):
    task = replace(domain.tasks()[f"rl/{name}-a2c-steps@small"], budget=10**9)
    agent = domain.learner(task, streams=Streams(0), device="cpu")
    model = plain(task)
    found = ratio(lambda: agent.train(agent.step + STEPS), lambda: model.learn(STEPS, reset_num_timesteps=False))
    assert found >= least, f"{name}: {found:.2f} x the environment steps per second of plain stable-baselines3"


def test_masking_costs_a_tenth_at_most():
    task = replace(domain.tasks()["rl/cartpole-a2c-steps@small"], budget=10**9)
    dense, ticket = (domain.learner(task, streams=Streams(0), device="cpu") for _ in range(2))
    # A mask of ones does all the work and changes no weight, so both sides play the same episodes.
    with Attached(ticket, masks.ones(masks.prunable(ticket, task.pruning))):
        found = ratio(lambda: dense.train(dense.step + STEPS), lambda: ticket.train(ticket.step + STEPS))
    assert found <= 1.10, f"masking: {found:.2f} x the time of dense training"
