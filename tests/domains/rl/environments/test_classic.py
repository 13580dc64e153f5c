"""Our numpy environments against gymnasium's, to the bit."""

import warnings

import gymnasium
import numpy as np
import pytest

from domains.rl.environments import envs
from domains.rl.environments.classic import CLASSIC, classic
from domains.rl.environments.episodes import Episodes
from domains.rl.environments.gyms import Gyms

N = 6


def theirs(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CartPole-v0 is called out of date
        return gymnasium.make(name)


def balancing(observations, generator):
    """Actions that hold a pole up for long, most of the time."""
    wise = (observations[:, 2] + 0.5 * observations[:, 3] > 0).astype(np.int64)
    return np.where(generator.random(len(wise)) < 0.9, wise, generator.integers(0, 2, len(wise)))


@pytest.mark.parametrize("name", CLASSIC)
def test_equal_to_gymnasium_to_the_bit(name):
    ours, games = classic(name, N), [theirs(name) for _ in range(N)]
    seeds = [10 * index + 3 for index in range(N)]
    observations = ours.reset(seeds)
    generator = np.random.default_rng(0)
    expected = np.stack([env.reset(seed=seed)[0] for env, seed in zip(games, seeds, strict=True)])
    assert ours.observation_space == games[0].observation_space
    assert ours.action_space == games[0].action_space
    seen = {"terminated": 0, "truncated": 0}
    for _ in range(650):
        assert observations.dtype == expected.dtype
        assert np.array_equal(observations, expected)
        pole = name.startswith("CartPole")
        actions = balancing(observations, generator) if pole else generator.integers(0, 3, N)
        step = ours.step(actions)
        for index, env in enumerate(games):
            last, reward, terminated, truncated, _ = env.step(int(actions[index]))
            assert np.array_equal(step.last[index], last)
            assert step.rewards[index] == reward
            assert (step.terminated[index], step.truncated[index]) == (terminated, truncated and not terminated)
            seen["terminated"] += terminated
            seen["truncated"] += truncated
            expected[index] = env.reset()[0] if terminated or truncated else last
        observations = step.observations
    assert sum(seen.values()) >= N
    assert seen["truncated"]


@pytest.mark.parametrize("name", CLASSIC)
def test_ours_are_used_where_they_are_the_same(name):
    made = envs.make({"kind": "gymnasium", "id": name}, n=2).simulations
    assert type(made) is CLASSIC[name][0]
    assert type(envs.make({"kind": "gymnasium", "id": name, "render_mode": None}, n=2).simulations) is Gyms


def test_acrobot_swings_up_as_gymnasium_does():
    ours, env = classic("Acrobot-v1", 1), theirs("Acrobot-v1")
    observations, ended = ours.reset([5]), 0
    env.reset(seed=5)
    for _ in range(1_500):
        action = 2 if observations[0, 5] >= 0 else 0  # push along
        step, (last, _, terminated, truncated, _) = ours.step(np.array([action])), env.step(action)
        assert np.array_equal(step.last[0], last)
        assert step.rewards[0] == (0.0 if terminated else -1.0)
        if terminated or truncated:
            ended += terminated
            env.reset()
        observations = step.observations
    assert ended > 2


def test_the_same_seeds_give_the_same_episodes():
    env = Episodes(classic("Acrobot-v1", 3))
    first = env.reset_from([1, 2, 3])
    later = [env.act(np.ones(3, dtype=np.int64))[0] for _ in range(5)]
    assert np.array_equal(env.reset_from([1, 2, 3]), first)
    assert np.array_equal(env.act(np.ones(3, dtype=np.int64))[0], later[0])
    assert not np.array_equal(env.reset(), first)
