"""Exact zeros after every update, for every algorithm, optimizer and target update; the clip sees live gradients."""

import pytest
import torch

from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached

OPTIMIZERS = {
    "rmsprop": {"name": "rmsprop", "alpha": 0.99, "eps": 1e-8},
    "rmsprop-tf": {"name": "rmsprop-tf", "alpha": 0.99, "eps": 1e-5},
    "adam": {"name": "adam", "eps": 1e-5},
}


def pruned(agent, task, share):
    """A random mask that keeps a share, and the learner at its initial weights under it."""
    entries = masks.prunable(agent, task.pruning)
    keep = round(share * sum(masks.sizes(entries).values()))
    mask = masks.uniform(entries, keep, Streams(0).torch("mask"))
    agent.load(agent.snapshot().masked(mask))
    return mask


def leaks(module, mask):
    return sum(int(parameter.detach()[~mask[name]].count_nonzero()) for name, parameter in module.named_parameters())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pruned_weights_are_zero_after_every_update(task, build, optimizer):
    agent = build(task, optimizer=OPTIMIZERS[optimizer])
    mask = pruned(agent, task, 0.1)
    seen = []
    with Attached(agent, mask) as attached:
        attached.after_update(lambda: seen.append(leaks(agent.module, mask)))
        agent.train(task.budget // 2)
        attached.check()
    assert len(seen) == agent.updates >= 5
    assert sum(seen) == 0
    for name, parameter in agent.module.named_parameters():
        moments = [
            value for value in agent.optimizer.state[parameter].values() if torch.is_tensor(value) and value.ndim
        ]
        if optimizer != "rmsprop-tf":  # its second moment starts at one
            assert not any(moment[~mask[name]].count_nonzero() for moment in moments)


def test_weights_grown_late_under_rmsprop_tf_take_steps_of_the_size_of_a_fresh_one(a2c, build):
    """Its second moment starts at one: from zero, first steps were up to 300 times as long."""
    agent = build(a2c, optimizer=OPTIMIZERS["rmsprop-tf"])
    mask = pruned(agent, a2c, 0.5)
    name, parameter = next((name, value) for name, value in agent.module.named_parameters() if value.ndim > 1)
    with Attached(agent, mask) as attached:
        agent.train(a2c.budget // 2)
        attached.change(name, ~mask[name])
        grown = agent.optimizer.state[parameter]["square_avg"][~mask[name]]
    assert torch.equal(grown, torch.full_like(grown, 0.99))  # one, after one update without a gradient


@pytest.mark.parametrize("tau", [1.0, 0.05], ids=["hard", "soft"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_target_network_is_masked_too(dqn, build, optimizer, tau):
    parameters = {**dqn.config["hyperparameters"], "tau": tau}
    agent = build(dqn, optimizer=OPTIMIZERS[optimizer], hyperparameters=parameters)
    mask = pruned(agent, dqn, 0.1)
    with Attached(agent, mask):
        agent.train(dqn.budget)
        assert leaks(agent.model.q_net, mask) == leaks(agent.model.q_net_target, mask) == 0
    assert agent.updates > 20


@pytest.mark.parametrize("share", [0.1, 0.02])
def test_the_clip_sees_live_gradients_only(build, monkeypatch, share, task):
    parameters = {**task.config["hyperparameters"], "max_grad_norm": 1e-3}
    agent = build(task, hyperparameters=parameters)
    mask = pruned(agent, task, share)
    clip, norms, live = torch.nn.utils.clip_grad_norm_, [], []

    def noted(given, limit):
        given = [parameter for parameter in given if parameter.grad is not None]
        kept = [
            parameter.grad[mask[name]]
            for name, parameter in agent.module.named_parameters()
            if parameter.grad is not None
        ]
        live.append(torch.cat(kept).norm())
        norms.append(clip(given, limit))
        return norms[-1]

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", noted)
    with Attached(agent, mask):
        agent.train(task.budget // 2)
    assert len(norms) >= 5
    assert torch.allclose(torch.stack(norms), torch.stack(live), rtol=1e-5)


def test_optimizer_state_from_before_the_mask_would_be_caught(build, task):
    agent = build(task, optimizer=OPTIMIZERS["adam"])
    agent.train(task.rewind_step)
    state = agent.snapshot()
    entries = masks.prunable(agent, task.pruning)
    mask = masks.uniform(entries, sum(masks.sizes(entries).values()) // 10, Streams(0).torch("mask"))
    with torch.no_grad():  # masked in place, past `load`: the optimizer keeps its dense moments
        for name, parameter in agent.module.named_parameters():
            parameter.mul_(mask[name])
    with Attached(agent, mask):
        agent.train(state.step + task.rewind_step)
    assert leaks(agent.module, mask)
