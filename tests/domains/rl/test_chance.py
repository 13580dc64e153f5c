"""What random play scores, which is the zero of every normalised return."""

import numpy as np
import pytest

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


def test_the_command_prints_mean_and_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(chance, "random_returns", lambda _, episodes: [1.0, 2.0, 3.0, 6.0][:episodes])
    chance.main("rl/cartpole-a2c@paper", "4")
    assert capsys.readouterr().out == "rl/cartpole-a2c@paper 3.00 +- 1.08 (4 episodes)\n"
