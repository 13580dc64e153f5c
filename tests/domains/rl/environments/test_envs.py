"""Bad input ends in one clear error; the other environments keep the same account."""

import subprocess
import sys
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from bench.errors import SpecError, UnknownName
from bench.streams import Streams
from domains.rl import domain
from domains.rl.environments import envs
from domains.rl.environments.episodes import Episodes
from domains.rl.environments.gyms import Gyms


def changed(task, **config):
    return replace(task, config={**task.config, **config})


def learner(task):
    return domain.learner(task, streams=Streams(0), device="cpu")


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"kind": "gymnasium", "id": "CartPole-v7"}, "unknown environment 'CartPole-v7'"),
        ({"kind": "gymnasium", "id": "CartPool-v1"}, "did you mean 'CartPole-v1'"),
        ({"kind": "gym", "id": "CartPole-v1"}, "unknown kind of environment 'gym'"),
        ({"kind": "minatar", "id": "pong", "limit": 10, "sticky": 0.1}, "unknown MinAtar game 'pong'"),
    ],
)
def test_unknown_environments(a2c, env, message):
    with pytest.raises(UnknownName, match=message):
        learner(changed(a2c, env=env))


def test_continuous_actions_are_refused_where_values_are_learned(dqn):
    with pytest.raises(SpecError, match=r"Pendulum-v1, whose action space is Box.*continuous ones by a2c and ppo"):
        learner(changed(dqn, env={"kind": "gymnasium", "id": "Pendulum-v1"}))


def test_observations_that_are_no_arrays_are_refused(a2c, dqn):
    for task in (a2c, dqn):
        with pytest.raises(SpecError, match=r"FrozenLake-v1, whose observation space is Discrete\(16\): only arrays"):
            learner(changed(task, env={"kind": "gymnasium", "id": "FrozenLake-v1"}))


def test_contradictions_are_refused(a2c, dqn):
    with pytest.raises(SpecError, match="constant_rate and a linear learning rate"):
        learner(changed(a2c, hyperparameters={**a2c.config["hyperparameters"], "learning_rate": {"linear": 1e-3}}))
    with pytest.raises(SpecError, match="budget it in env_steps"):
        learner(replace(dqn, unit="episodes"))
    with pytest.raises(SpecError, match="16 environments and a target update every 10 steps"):
        learner(changed(dqn, n_envs=16))
    with pytest.raises(UnknownName, match="unknown optimizer 'adamw'"):
        learner(changed(a2c, optimizer={"name": "adamw"}))
    with pytest.raises(UnknownName, match="unknown network 'trunc'.*did you mean 'trunk'"):
        learner(changed(a2c, network={"name": "trunc", "hidden": [8]}))


class Crashing(gymnasium.Env):
    """Breaks down at the hundredth step."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == 100:
            raise ZeroDivisionError("no ground left")
        return np.zeros(3, np.float32), 1.0, False, False, {}


def test_a_crash_inside_the_environment_names_it(a2c):
    gymnasium.register("Crashing-v0", entry_point=Crashing)
    try:
        agent = learner(changed(a2c, env={"kind": "gymnasium", "id": "Crashing-v0"}))
        with pytest.raises(RuntimeError, match="environment Crashing-v0 crashed: ZeroDivisionError: no ground left"):
            agent.train(1)
    finally:
        del gymnasium.registry["Crashing-v0"]


def test_a_missing_package_names_the_extra():
    code = """
import sys
from bench.errors import MissingPackage
from bench.streams import Streams
from domains.rl import domain
for package, task in (("stable_baselines3", "cartpole"), ("minatar", "minatar-breakout"), ("Box2D", "lunarlander")):
    sys.modules[package] = None
    try:
        domain.learner(domain.tasks()[f"rl/{task}-a2c@smoke"], streams=Streams(0), device="cpu")
    except MissingPackage as error:
        print(error)
    del sys.modules[package]
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    for line, named in zip(said, ("needs stable_baselines3", "needs minatar", "box2d and pygame-ce"), strict=True):
        assert named in line
        assert line.endswith("pip install 'ticketbench[rl]'")


def test_options_reach_the_environment():
    """Those that our own simulations do not have, too."""
    env = envs.make({"kind": "gymnasium", "id": "CartPole-v1", "sutton_barto_reward": True}, n=2)
    env.reset_from([0, 1])
    assert not env.act(np.zeros(2, dtype=np.int64))[1].any(), "one a step is the default"


def test_gymnasium_environments_are_seeded_and_cut_off():
    env = Episodes(Gyms("MountainCar-v0", 3))
    first = env.reset_from([1, 2, 3])
    for _ in range(200):
        observations, _, done, infos = env.act(np.ones(3, dtype=np.int64))
    assert done.all()
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert [episode.length for episode in env.finished] == [200] * 3
    assert not np.array_equal(infos[0]["terminal_observation"], observations[0])
    assert np.array_equal(env.reset_from([1, 2, 3]), first)


def test_old_environments_are_made_in_silence():
    """gymnasium calls CartPole-v0 out of date at every make, and a warning fails a test."""
    assert Gyms("CartPole-v0", 1).observation_space.shape == (4,)


def test_seeds_fit_every_environment():
    seeds = envs.seeds(np.random.SeedSequence(0), 1_000)
    assert len(set(seeds)) == 1_000
    assert 0 <= min(seeds) <= max(seeds) < 2**31


class CutsItself(gymnasium.Env):
    """Cut off by itself at every third step, long before any limit."""

    observation_space = gymnasium.spaces.Box(-1, 9, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.full(1, self.steps, np.float32), 1.0, False, self.steps == 3, {}


def test_an_episode_that_the_environment_cuts_off_itself_ends_and_has_a_future():
    gymnasium.register("CutsItself-v0", entry_point=CutsItself, max_episode_steps=100)
    try:
        env = Episodes(Gyms("CutsItself-v0", 2))
    finally:
        del gymnasium.registry["CutsItself-v0"]
    env.reset_from([0, 1])
    for _ in range(3):
        observations, _, done, infos = env.act(np.zeros(2, dtype=np.int64))
    assert done.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [True, True]
    assert [info["terminal_observation"].tolist() for info in infos] == [[3.0], [3.0]]
    assert observations.tolist() == [[0.0], [0.0]]
    assert [episode.length for episode in env.finished] == [3, 3]
