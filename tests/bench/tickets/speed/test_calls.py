"""The calls of a training step, recorded: their gradients are those of the loss, and the learner is as before."""

import pytest
import torch
from example import MOONS, Moons
from torch import nn

from bench.errors import Unsupported
from bench.streams import Streams
from bench.tickets.speed import networks
from bench.tickets.speed.calls import training_step


class Policy(nn.Module):
    """Called part by part, as actors and critics are, with something between the parts that no module does."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 8), nn.Tanh())
        self.actor, self.critic = nn.Linear(8, 2), nn.Linear(8, 1)
        self.unused, self.behaviour = nn.Linear(8, 1), nn.Linear(8, 1)


class Agent:
    """The least that has a training step."""

    def __init__(self, losses=None):
        torch.manual_seed(0)
        self.module = Policy()
        self.optimizer = torch.optim.RMSprop(self.module.parameters(), lr=0.01)
        self.seen = torch.rand(6, 3)
        self.given = losses

    def losses(self, n, *, temperature=1.0):
        if self.given:
            yield from self.given(self)
            return
        with torch.no_grad():
            self.module.behaviour(self.module.trunk(self.seen))  # a rollout
        hidden = self.module.trunk(self.seen) * 3 + 1
        self.module.unused(hidden)
        yield self.module.actor(hidden).softmax(1).square().sum() + (self.module.critic(hidden) * hidden.sum()).sum()


def moons():
    return Moons(MOONS, Streams(0), 1.0)


@pytest.mark.parametrize("make", [Agent, moons])
def test_the_gradients_of_the_calls_are_those_of_the_loss(make):
    learner = make()
    network = networks.copied(learner)
    step = training_step(learner)
    network.train(step.calls)
    next(learner.losses(1)).backward()
    for name, parameter in learner.module.named_parameters():
        ours = network.module.get_parameter(name).grad
        if parameter.grad is None or not parameter.grad.count_nonzero():
            assert ours is None or not ours.count_nonzero(), name
        else:
            torch.testing.assert_close(ours, parameter.grad, msg=name)


def test_a_step_costs_the_same_each_time():
    """Gradients of the inputs are made anew: adding them up would be work that no training does."""
    agent = Agent()
    network, step = networks.copied(agent), training_step(agent)
    network.train(step.calls)
    inputs = step.calls[1].inputs[0][0]
    first = inputs.grad.clone()
    network.reset()
    network.train(step.calls)
    assert torch.equal(inputs.grad, first)


def test_what_is_called_is_told_and_a_rollout_is_no_part_of_a_step():
    step = training_step(Agent())
    assert [(call.name, call.batch) for call in step.calls] == [("trunk", 6), ("actor", 6), ("critic", 6)]
    assert step.called == {"trunk", "trunk.0", "trunk.1", "actor", "critic", "unused"}
    assert [call.inputs[0][0].requires_grad for call in step.calls] == [False, True, True], "as they were in the loss"


def test_the_learner_is_as_before():
    learner = moons()
    before = learner.snapshot()
    training_step(learner)
    after = learner.snapshot()
    for kind in ("weights", "buffers"):
        for name, each in getattr(before, kind).items():
            assert torch.equal(each, getattr(after, kind)[name]), name
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in learner.module.modules())
    assert all(parameter.grad is None for parameter in learner.module.parameters())


def test_other_batches_are_made_of_the_same_examples():
    (call,) = training_step(moons()).calls
    seen = call.inputs[0][0]
    for n in (1, 64, 100):
        resized = call.resized(n)
        assert torch.equal(resized.inputs[0][0], seen.repeat(2, 1)[:n])
        assert (resized.batch, resized.gradients) == (n, ())


def test_networks_side_by_side_see_the_same_and_are_told_the_same():
    (call,) = training_step(moons()).calls
    wide = call.beside_itself(3)
    assert torch.equal(wide.inputs[0][0], call.inputs[0][0].repeat(1, 3))
    assert torch.equal(wide.gradients[0], call.gradients[0].repeat(1, 3))


def nothing(agent):
    return iter(())


def by_hand(agent):
    yield (agent.seen @ agent.module.trunk[0].weight.t()).sum()


def missing(agent):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (nothing, "its learner gives no training loss"),
        (missing, "its learner gives no training loss"),
        (by_hand, "its training loss calls no module of the network"),
    ],
)
def test_a_learner_without_what_is_needed_is_refused_with_the_reason(losses, message):
    with pytest.raises(Unsupported, match=message):
        training_step(Agent(losses))
