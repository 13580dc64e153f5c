"""Small tasks of the real environments, and learners on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from bench.spec import Task
from bench.streams import Streams
from domains.rl import algorithms, domain, learner
from domains.rl.environments import envs
from domains.rl.environments.episodes import Step
from domains.rl.normalisation import Normaliser
from domains.rl.randomness import WORD, Randomness

AGENTS = ("rl/cartpole-a2c@smoke", "rl/cartpole-ppo@smoke", "rl/cartpole-dqn@smoke")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=AGENTS, ids=("a2c", "ppo", "dqn"))
def task(request) -> Task:
    """CartPole with each of the algorithms."""
    return domain.tasks()[request.param]


@pytest.fixture
def a2c() -> Task:
    return domain.tasks()[AGENTS[0]]


@pytest.fixture
def dqn() -> Task:
    return domain.tasks()[AGENTS[2]]


@pytest.fixture
def build():
    """Builds the learner of a task, with changes to its config."""

    def make(task, streams=None, width=1.0, **config):
        changed = replace(task, config={**task.config, **config})
        return domain.learner(changed, streams=streams or Streams(0), device="cpu", width=width)

    return make


@pytest.fixture
def same():
    """Whether two states are equal to the bit."""

    def equal(one, other):
        tensors, others = ({**state.weights, **state.buffers} for state in (one, other))
        fields = ("step", "updates", "origin", "scalars")
        return (
            tensors.keys() == others.keys()
            and all(torch.equal(tensors[name], others[name]) for name in tensors)
            and all(getattr(one, field) == getattr(other, field) for field in fields)
        )

    return equal


class Walks:
    """Walks of known lengths, whatever one does: the reward is 1 a step, and the score 10 a step.

    Args:
        lengths: copy -> steps of each of its episodes.
        cut: copies whose episodes are cut off; the others end by themselves.
        lives: copies that lose a life, which ends nothing, at every second step.
    """

    name = "walks"
    action_space = spaces.Discrete(2)
    observation_space = spaces.Box(-1e6, 1e6, (2,), dtype=np.float32)

    def __init__(self, lengths, cut=(), lives=()):
        self.n, self.lengths = len(lengths), np.array(lengths)
        self.cut, self.lives = (np.isin(np.arange(self.n), copies) for copies in (cut, lives))
        self.age, self.seeds, self.acted, self.closed = np.zeros(self.n, dtype=int), None, [], False

    def seen(self):
        """Which copy it is, and how far it has walked."""
        return np.stack((np.arange(self.n), self.age), 1).astype(np.float32)

    def reset(self, seeds):
        self.seeds = list(seeds)
        self.age[:] = 0
        return self.seen()

    def step(self, actions):
        self.acted.append(np.array(actions))
        self.age += 1
        over, last = self.age >= self.lengths, self.seen()
        lost = self.lives & (self.age % 2 == 0)
        self.age[over] = 0
        one = np.ones(self.n)
        return Step(self.seen(), one, 10 * one, (over & ~self.cut) | lost, over & self.cut, over, last)

    def close(self):
        self.closed = True


@pytest.fixture
def walks():
    """The class of `Walks`."""
    return Walks


@pytest.fixture
def plain_learn():
    """The same training by nothing but stable-baselines3: the random states put where the streams say, then learn()."""

    def plain(task, streams):
        config = task.config
        env = envs.make(config["env"], n=config["n_envs"], scale=config["reward_scale"])
        with Randomness(0, torch.device("cpu")) as random:
            wrapped = Normaliser(env, wanted=config["normalise"], gamma=config["hyperparameters"]["gamma"]).env
            model = algorithms.build(task, wrapped, seed=streams.integer("init") % WORD, device="cpu", width=1.0)
            actions = streams.integer("env", 0, learner.ACTIONS)
        random.seed(actions)
        with random:
            model.action_space.seed(actions % WORD)
            env.seed_each(envs.seeds(streams.sequence("env", 0, learner.EPISODES), env.num_envs))
            model.learn(task.budget)
        return model

    return plain
