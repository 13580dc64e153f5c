"""The account of episodes, on walks whose lengths, scores and ends are known."""

import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor

from domains.rl.environments import envs
from domains.rl.environments.episodes import Episodes, Finished

STILL = np.zeros(3, dtype=np.int64)


@pytest.fixture
def env(walks):
    """Three copies: one ends by itself, one is cut off, one loses lives on its way."""
    env = Episodes(walks([3, 4, 5], cut=[1], lives=[2]), scale=0.01)
    env.reset_from([7, 8, 9])
    return env


def test_rewards_are_scaled_and_scores_are_raw(env):
    for _ in range(5):
        _, rewards, _, _ = env.act(STILL)
        assert rewards.dtype == np.float32
        assert np.array_equal(rewards, np.full(3, 0.01, dtype=np.float32))
    assert env.finished == [Finished(30.0, 3), Finished(40.0, 4), Finished(50.0, 5)]
    env.act(STILL)
    assert env.finished[3:] == [Finished(30.0, 3)], "the account of the next episode begins at nothing"


def test_what_the_agent_sees_of_an_end(env):
    """The end of an episode, a cut with a future, and a lost life that ends nothing but the agent's hopes."""
    told = []
    for number in range(1, 6):
        seen, _, done, infos = env.act(STILL)
        for index, info in enumerate(infos):
            assert bool(info) == bool(done[index])
            if info:
                assert info["terminal_observation"].tolist() == [index, number]
                assert seen[index].tolist() == [index, number if "episode" not in info else 0]
                told.append((number, index, info["TimeLimit.truncated"], info.get("episode")))
    assert told == [
        (2, 2, False, None),
        (3, 0, False, {"r": 30.0, "l": 3}),
        (4, 1, True, {"r": 40.0, "l": 4}),
        (4, 2, False, None),
        (5, 2, False, {"r": 50.0, "l": 5}),
    ]


def test_a_game_that_ends_unseen_by_the_agent_is_still_accounted_for(env):
    """An end that is neither terminated nor truncated leaves no terminal observation."""
    act = env.simulations.step
    env.simulations.step = lambda actions: act(actions)._replace(terminated=STILL > 0, truncated=STILL > 0)
    for _ in range(3):
        _, _, done, infos = env.act(STILL)
    assert not done.any()
    assert infos == [{"episode": {"r": 30.0, "l": 3}}, {}, {}]


def test_an_end_by_itself_at_the_time_limit_is_no_cut(env):
    act = env.simulations.step
    env.simulations.step = lambda actions: act(actions)._replace(terminated=STILL == 0, truncated=STILL == 0)
    assert [info["TimeLimit.truncated"] for info in env.act(STILL)[3]] == [False] * 3


def test_a_reset_forgets_the_running_episodes(env):
    for _ in range(2):
        env.act(STILL)
    env.finished.append(Finished(0.0, 1))
    assert env.reset_from([1, 2, 3])[:, 1].tolist() == [0, 0, 0]
    assert env.finished == []
    assert env.simulations.seeds == [1, 2, 3]
    for _ in range(3):
        env.act(STILL)
    assert env.finished == [Finished(30.0, 3)]


def test_seeds_are_used_once_and_drawn_afterwards(env):
    drawn = []
    for _ in range(2):
        env.reset()
        drawn += env.simulations.seeds
    assert len(set(drawn)) == 6
    assert all(0 <= seed < 2**31 for seed in drawn)
    env.seed_each([5, None, 6])
    env.reset()
    assert env.simulations.seeds[::2] == [5, 6]


def test_actions_reach_every_copy(env):
    for action in ([0, 1, 1], [1, 0, 0]):
        env.act(np.array(action))
    assert [acted.tolist() for acted in env.simulations.acted] == [[0, 1, 1], [1, 0, 0]]


def test_a_crash_names_the_environment(env):
    def crash(_):
        raise ValueError("fell over")

    env.simulations.step = env.simulations.reset = crash
    for call in (env.reset, lambda: env.act(STILL)):
        with pytest.raises(RuntimeError, match="environment walks crashed: ValueError: fell over"):
            call()


def test_what_stable_baselines3_asks_of_an_environment(env):
    assert env.num_envs == 3
    assert env.get_attr("render_mode") == [None] * 3
    assert env.get_attr("name", indices=[0, 2]) == ["walks"] * 2
    assert env.env_is_wrapped(Monitor) == [True] * 3, "else it would wrap one around, and count scaled rewards"
    assert env.env_is_wrapped(VecMonitor, indices=[1]) == [False]
    with pytest.raises(NotImplementedError, match="walks are not set"):
        env.set_attr("name", "runs")
    with pytest.raises(NotImplementedError, match="walks are not called"):
        env.env_method("reset")
    env.close()
    assert env.simulations.closed


def test_rewards_are_scaled_as_the_task_says():
    """1906.02768 divides by 100 what its agents learn from; the score of CartPole remains its length."""
    for scale in (1.0, 0.01):
        env = envs.make({"kind": "gymnasium", "id": "CartPole-v0"}, n=4, scale=scale)
        env.reset_from(range(4))
        for _ in range(60):
            _, rewards, done, infos = env.act(np.zeros(4, dtype=np.int64))
            assert np.array_equal(rewards, np.full(4, scale, dtype=np.float32))
            assert [bool(info) for info in infos] == done.tolist()
        assert len(env.finished) > 10
        assert all(episode.score == episode.length for episode in env.finished)
    env = envs.make({"kind": "gymnasium", "id": "MountainCar-v0"}, n=2, scale=0.5)
    env.reset_from([0, 1])
    assert env.act(np.zeros(2, dtype=np.int64))[1].tolist() == [-0.5, -0.5]
