"""Small tasks of the real environments, and learners on them."""

from dataclasses import replace

import pytest
import torch

from bench.spec import Task
from bench.streams import Streams
from domains.rl import domain

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
