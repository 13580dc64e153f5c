"""Our step of LunarLander against gymnasium's, to the bit."""

import warnings

import gymnasium
import numpy as np
import pytest

from domains.rl.environments.gyms import Gyms

N = 6


@pytest.fixture
def theirs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Box2D's bindings are out of date
        return [gymnasium.make("LunarLander-v3") for _ in range(N)]


def piloted(seen):
    """Actions that set a lander down, most of the time: lean towards the pad, brake before the ground."""
    x, y, speed_x, speed_y, angle, turn, *legs = seen
    on_ground = any(legs)
    lean = 0.0 if on_ground else (np.clip(0.5 * x + speed_x, -0.4, 0.4) - angle) * 0.5 - turn
    climb = -0.5 * speed_y if on_ground else (0.55 * abs(x) - y) * 0.5 - 0.5 * speed_y
    if climb > abs(lean) and climb > 0.05:
        return 2
    return 3 if lean < -0.05 else 1 if lean > 0.05 else 0


@pytest.mark.parametrize(("wild", "end"), [(0.1, 100.0), (1.0, -100.0)], ids=["landing", "crashing"])
def test_equal_to_gymnasium_to_the_bit(theirs, wild, end):
    """Every number of every step, and the same ends at the same steps."""
    ours, generator = Gyms("LunarLander-v3", N), np.random.default_rng(0)
    seeds = [10 * index + 3 for index in range(N)]
    observations = ours.reset(seeds)
    expected = np.stack([env.reset(seed=seed)[0] for env, seed in zip(theirs, seeds, strict=True)])
    assert ours.observation_space == theirs[0].observation_space
    assert ours.action_space == theirs[0].action_space
    ends, taken = 0, np.zeros(4, dtype=np.int64)
    for _ in range(1_000):
        assert observations.dtype == expected.dtype
        assert np.array_equal(observations, expected)
        wise = np.array([piloted(seen) for seen in observations])
        actions = np.where(generator.random(N) < wild, generator.integers(0, 4, N), wise)
        taken += np.bincount(actions, minlength=4)
        step = ours.step(actions)
        for index, env in enumerate(theirs):
            last, reward, terminated, truncated, _ = env.step(int(actions[index]))
            assert np.array_equal(step.last[index], last)
            assert step.rewards[index] == reward
            assert (step.terminated[index], step.truncated[index]) == (terminated, truncated and not terminated)
            ends += terminated and reward == end
            expected[index] = env.reset()[0] if terminated or truncated else last
        observations = step.observations
    assert taken.min() > 100
    assert ends >= N, "a test without an end tests no end"


def test_it_is_simulated_without_pictures():
    assert Gyms("LunarLander-v3", 1)._envs[0].env.render_mode is None


def test_another_lander_is_left_to_gymnasium():
    """Wind, gravity or continuous thrust are not written out here."""
    windy = Gyms("LunarLander-v3", 1, enable_wind=True)
    assert type(windy._envs[0]) is type(gymnasium.make("LunarLander-v3").unwrapped)
    windy.reset([0])
    assert windy.step(np.array([2])).observations.shape == (1, 8)
