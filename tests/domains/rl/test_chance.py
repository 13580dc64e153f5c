"""What random play scores, which is the zero of every normalised return."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs import registration

from domains.rl import chance, domain
from domains.rl.environments import envs
from domains.rl.environments.episodes import Episodes


def test_random_play_scores_its_chance():
    task = domain.tasks()["rl/cartpole-a2c@smoke"]
    returns = chance.random_returns(task.config["env"], episodes=500, seed=1)
    assert len(returns) == 500
    assert abs(np.mean(returns) - task.chance) < 4 * np.std(returns) / np.sqrt(len(returns))


def test_each_copy_plays_its_share_at_random(walks, monkeypatch):
    """Half of the copies have episodes of one step, and half of seven: both count alike."""
    made = []

    def make(_, n):
        made.append(Episodes(walks([1, 7] * (n // 2))))
        return made[-1]

    monkeypatch.setattr(envs, "make", make)
    returns = chance.random_returns({}, episodes=200, seed=3)
    assert sorted(returns) == [10.0] * 100 + [70.0] * 100
    [env] = made
    assert env.simulations.seeds == envs.seeds(np.random.SeedSequence(3), 50)
    assert np.mean(env.simulations.acted) == pytest.approx(0.5, abs=0.05)
    assert not any(np.array_equal(env.simulations.acted[0], acted) for acted in env.simulations.acted[1:])


@pytest.mark.parametrize("episodes", [2, 20, 50, 120])
def test_as_many_episodes_are_played_as_were_asked_for(episodes):
    """Whether or not every copy has as many."""
    env = domain.tasks()["rl/cartpole-a2c@smoke"].config["env"]
    assert len(chance.random_returns(env, episodes=episodes)) == episodes


def call(monkeypatch, *words):
    """The exit code of the command."""
    monkeypatch.setattr("sys.argv", ["chance", *words])
    with pytest.raises(SystemExit) as left:
        chance.main()
    return left.value.code


def test_the_command_prints_mean_and_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(chance, "random_returns", lambda _, episodes: [1.0, 2.0, 3.0, 6.0][:episodes])
    assert call(monkeypatch, "rl/cartpole-a2c@paper", "4") == 0
    assert capsys.readouterr().out == "rl/cartpole-a2c@paper 3.00 +- 1.08 (4 episodes)\n"


def test_an_id_has_its_limit_and_its_options(capsys, monkeypatch):
    made = []
    monkeypatch.setattr(chance, "random_returns", lambda env, episodes: made.append(env) or [1.0] * episodes)
    assert call(monkeypatch, "Taxi-v3", "2", "7", "--options", '{"is_rainy": true}') == 0
    assert made == [{"is_rainy": True, "kind": "gymnasium", "id": "Taxi-v3", "max_episode_steps": 7, "code": {}}]
    assert capsys.readouterr().out == "Taxi-v3 1.00 +- 0.00 (2 episodes)\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["CartPole-v1", "1"],
            "1 episodes of CartPole-v1 were asked for, which have no standard error: take at least 2",
        ),
        (["CartPole-v1", "0"], "0 episodes of CartPole-v1"),
        (
            ["CartPole-v1", "2", "9", "--options", "rain"],
            "the options rain are no JSON object: write '{\"name\": value}'",
        ),
        (["CartPole-v1", "2", "9", "--options", "[1]"], "the options [1] are no JSON object"),
        (["CartPol-v1", "2", "9"], "unknown environment 'CartPol-v1': did you mean 'CartPole-v1'"),
    ],
)
def test_a_mistake_is_one_line(capsys, monkeypatch, words, said):
    assert call(monkeypatch, *words) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"ticketbench: {said}")
    assert err.count("\n") == 1


class Endless(gymnasium.Env):
    """Never ends by itself."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)
    reward = 1.0

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), self.reward, False, False, {}


class Several(Endless):
    action_space = spaces.MultiDiscrete([2, 3])


class Unbounded(Endless):
    action_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)


class Rewards(Endless):
    reward = np.ones(1)


class Dear(Endless):
    def __init__(self):
        raise RuntimeError("no\nlicence")


@pytest.mark.parametrize(
    ("kind", "limit", "said"),
    [
        (Endless, [], "Own-v0 is registered without a limit: write LIMIT"),
        (Endless, ["0"], "a limit of 0 steps"),
        (Several, ["9"], "Own-v0, whose action space is MultiDiscrete([2 3]): only discrete actions are supported"),
        (Unbounded, ["9"], "Own-v0, whose action space is Box(-inf, inf, (1,), float32): only continuous actions that"),
        (Rewards, ["9"], "environment Own-v0 crashed: ValueError: a reward is a number, and this one is an array of"),
        (Dear, ["9"], "environment Own-v0 cannot be made: RuntimeError: no licence"),
    ],
)
def test_what_cannot_be_played_is_one_line(capsys, monkeypatch, kind, limit, said):
    monkeypatch.setattr(gymnasium, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(registration, "registry", gymnasium.registry)
    gymnasium.register("Own-v0", entry_point=kind)
    test_a_mistake_is_one_line(capsys, monkeypatch, ["Own-v0", "4", *limit], said)
