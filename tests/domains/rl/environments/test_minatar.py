"""Our copies of MinAtar's games, against the games themselves played by hand."""

import minatar
import numpy as np
import pytest

from domains.rl import domain
from domains.rl.environments import envs
from domains.rl.environments.minatar import GAMES, MinAtars


@pytest.mark.parametrize("game", GAMES)
def test_equal_to_a_plain_loop_over_the_games(game):
    """Every observation, reward and end; episodes go on with the same draws, and are cut off at the limit."""
    ours, seeds, limit = MinAtars(game, 3, limit=60, sticky=0.1), [4, 5, 6], 60
    theirs = [minatar.Environment(game, sticky_action_prob=0.1) for _ in seeds]
    generator, ends = np.random.default_rng(0), {"terminated": 0, "truncated": 0}
    for _ in range(2):  # a later reset begins the same worlds again
        observations, ages = ours.reset(seeds), [0, 0, 0]
        for env, seed in zip(theirs, seeds, strict=True):
            env.seed(seed)
            env.last_action = 0
            env.reset()
        assert np.array_equal(observations, np.stack([env.state() for env in theirs]))
        for _ in range(150):
            actions = generator.integers(0, ours.action_space.n, 3)
            step = ours.step(actions)
            assert step.observations.dtype == step.last.dtype == bool
            for index, env in enumerate(theirs):
                reward, ended = env.act(env.minimal_action_set()[actions[index]])
                ages[index] += 1
                late = ages[index] >= limit and not ended
                assert (step.rewards[index], step.scores[index]) == (reward, reward)
                flags = (step.terminated[index], step.truncated[index], step.over[index])
                assert flags == (ended, late, ended or late)
                assert np.array_equal(step.last[index], env.state())
                if ended or late:
                    env.reset()
                    ages[index] = 0
                assert np.array_equal(step.observations[index], env.state())
                ends["terminated"] += ended
                ends["truncated"] += late
    assert ends["truncated" if game in ("freeway", "space_invaders") else "terminated"] >= 3


def test_an_end_by_itself_at_the_limit_is_no_cut(monkeypatch):
    env = MinAtars("freeway", 2, limit=2, sticky=0.0)
    env.reset([1, 2])
    env.step(np.zeros(2, dtype=np.int64))
    monkeypatch.setattr(env._games[1], "act", lambda _: (1.0, True))
    step = env.step(np.zeros(2, dtype=np.int64))
    assert (step.terminated.tolist(), step.truncated.tolist()) == ([False, True], [True, False])
    assert step.over.all()
    assert not env.step(np.zeros(2, dtype=np.int64)).over[0], "the next episode begins at age 0"


@pytest.mark.parametrize("game", GAMES)
def test_the_games_of_every_task_are_sticky_and_grow_harder(game):
    keys = [key for key in domain.tasks() if f"minatar-{game.replace('_', '-')}-" in key]
    assert len(keys) == 8
    for key in keys:
        games = envs.make(domain.tasks()[key].config["env"], n=3).simulations._games
        assert [one.sticky_action_prob for one in games] == [0.1] * 3
        assert all(getattr(one.env, "ramping", True) for one in games)


def test_a_last_action_does_not_stick_across_a_reset():
    ours = MinAtars("breakout", 1, limit=100, sticky=1.0)
    ours.reset([1])
    ours._games[0].last_action = 3
    ours.reset([1])
    assert ours._games[0].last_action == 0


@pytest.mark.parametrize("sticky", [0.0, 0.3])
def test_as_sticky_as_asked(sticky):
    assert [game.sticky_action_prob for game in MinAtars("breakout", 2, limit=9, sticky=sticky)._games] == [sticky] * 2


def test_copies_have_their_own_seeds_and_the_minimal_actions():
    env = MinAtars("asterix", 4, limit=100, sticky=0.1)
    env.reset([1, 2, 3, 4])
    assert env.action_space.n == len(minatar.Environment("asterix").minimal_action_set())
    assert (env.observation_space.shape, env.observation_space.dtype) == ((10, 10, 4), bool)
    seen = [env.step(np.zeros(4, dtype=np.int64)).observations for _ in range(30)][-1]
    assert not all(np.array_equal(seen[0], other) for other in seen)
    assert env.name == "MinAtar asterix"
