from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.doors import CountsEnvSteps, ForwardsOnes, KeepsAccount
from bench.errors import UnknownName
from bench.learner import Learner
from bench.streams import Streams
from domains.rl import domain


def test_it_offers_all_that_a_learner_may_offer(task, build):
    agent = build(task)
    assert isinstance(agent, Learner)
    assert isinstance(agent, ForwardsOnes)
    assert isinstance(agent, CountsEnvSteps)
    assert isinstance(agent, KeepsAccount)


def test_the_inputs_that_are_noise_are_told_where_there_are_some(task, build):
    assert build(task).relevant_inputs() == {}
    agent = build(domain.tasks()["rl/cartpole-noise-a2c@smoke"])
    ((name, relevant),) = agent.relevant_inputs().items()
    weight = dict(agent.module.named_parameters())[name]
    assert weight.shape == (128, len(relevant)) == (128, 16)
    assert relevant.tolist() == [True] * 4 + [False] * 12
    agent.module.zero_grad()
    agent.forward_ones().sum().backward()
    assert weight.grad is not None, "it reads the observation"


VARIANTS = {
    "a2c": ("rl/cartpole-a2c@smoke", 32, {}, {}),
    "ppo": ("rl/cartpole-ppo@smoke", 8, {}, {}),
    "dqn": ("rl/cartpole-dqn@smoke", 1, {}, {}),
    "dqn-starts-late": ("rl/cartpole-dqn@smoke", 1, {"learning_starts": 128}, {}),
    "dqn-in-step": (
        "rl/cartpole-dqn@smoke",
        2,
        {"train_freq": 4, "gradient_steps": -1, "exploration_fraction": 0.8, "learning_starts": 400},
        {},
    ),
    "dqn-normalised": ("rl/cartpole-dqn@smoke", 2, {}, {"normalise": True}),
}
"""Task, copies of the environment, and what differs in hyper-parameters and config."""


@pytest.mark.parametrize("variant", VARIANTS)
def test_our_run_equals_one_plain_learn(variant, build, plain_learn):
    key, n_envs, parameters, others = VARIANTS[variant]
    task = domain.tasks()[key]
    config = {**task.config, **others, "n_envs": n_envs}
    config["hyperparameters"] = {**config["hyperparameters"], **parameters}
    task = replace(task, unit="env_steps", budget=512, rewind_step=256, config=config)
    ours = build(task, Streams(3))
    for part in (0.1, 0.5, 0.8, 1.0):
        ours.train(round(part * task.budget))
        ours.evaluate(task.split)
    theirs = plain_learn(task, Streams(3))
    assert ours.step == ours.env_steps == theirs.num_timesteps == task.budget
    assert ours.updates > 0
    for name, weight in theirs.policy.state_dict().items():
        assert torch.equal(ours.model.policy.state_dict()[name], weight), name


def test_normalised_runs_equal_one_plain_learn(build, plain_learn):
    task = domain.tasks()["rl/acrobot-ppo@smoke"]
    ours = build(task)
    ours.train(task.budget)
    theirs = plain_learn(task, Streams(0))
    assert all(
        torch.equal(one, two) for one, two in zip(ours.module.parameters(), theirs.policy.parameters(), strict=True)
    )


def test_theta_0_is_a_function_of_the_stream_and_nothing_else(task, build, same):
    first = build(task).snapshot()
    np.random.seed(7)  # noqa: NPY002  the state that must not matter
    torch.manual_seed(7)
    assert same(first, build(task).snapshot())
    other = build(task, Streams(0, 1).refreshed()).snapshot()
    assert not torch.equal(*(next(iter(state.weights.values())) for state in (first, other)))


def test_training_leaves_no_trace_in_the_global_states(task, build):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002  see above
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002  see above
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002  see above
    agent = build(task)
    agent.train(task.rewind_step)
    agent.evaluate(task.split)
    list(agent.losses(1))
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002  see above
    assert torch.distributions.Distribution._validate_args


def test_theta_k_comes_back_to_the_bit(task, build, same):
    agent = build(task)
    agent.train(task.rewind_step)
    rewind = agent.snapshot()
    assert agent.step >= task.rewind_step
    agent.train(agent.step + task.rewind_step)
    assert not same(agent.snapshot(), rewind)
    agent.load(rewind)
    assert same(agent.snapshot(), rewind)
    assert not agent.optimizer.state


def test_two_learners_go_on_alike_from_theta_k(task, build, same):
    used = build(task)
    used.train(task.rewind_step)
    rewind = used.snapshot()
    new = build(task)
    for agent in (used, new):
        agent.load(rewind)
        agent.train(rewind.step + task.rewind_step)
    assert same(used.snapshot(), new.snapshot())


def test_normaliser_statistics_are_state(build, same):
    task = domain.tasks()["rl/acrobot-ppo@smoke"]
    agent = build(task)
    agent.train(task.rewind_step)
    rewind = agent.snapshot()
    assert rewind.buffers["normaliser.observations.count"] > task.rewind_step
    agent.train(task.rewind_step + 512)
    assert not same(agent.snapshot(), rewind)
    new = build(task)
    for either in (agent, new):
        either.load(rewind)
        assert same(either.snapshot(), rewind)
        either.train(rewind.step + 512)
    assert same(agent.snapshot(), new.snapshot())


def test_learning_rates_and_clipping_do_not_break_at_the_rewind_step(build):
    task = domain.tasks()["rl/cartpole-ppo@smoke"]
    rates = {}

    def run(agent, until):
        seen = []
        handle = agent.optimizer.register_step_pre_hook(lambda *_: seen.append(agent.optimizer.param_groups[0]["lr"]))
        agent.train(until)
        handle.remove()
        return seen

    whole = build(task)
    rates["whole"] = run(whole, task.budget)
    assert rates["whole"][-1] == 0.0
    assert rates["whole"] == sorted(rates["whole"], reverse=True)
    dense = build(task)
    dense.train(task.rewind_step)
    ticket = build(task)
    ticket.load(dense.snapshot())
    rates["ticket"] = run(ticket, task.budget)
    assert rates["ticket"] == rates["whole"][-len(rates["ticket"]) :]
    ticket.load(replace(dense.snapshot(), origin=dense.step))
    restarted = run(ticket, task.budget)
    assert restarted[0] > rates["ticket"][0]
    assert restarted[-1] == 0.0
    assert run(ticket, task.budget + task.rewind_step)[-1] == 0.0


def test_a_rewound_agent_fills_its_replay_buffer_again(dqn, build):
    agent = build(dqn)
    agent.train(dqn.rewind_step)
    rewind, updates = agent.snapshot(), agent.updates
    assert agent.env_steps == agent.step
    agent.load(rewind)
    assert agent.model.replay_buffer.size() == 0
    assert all(
        torch.equal(one, two)
        for one, two in zip(agent.model.q_net.parameters(), agent.model.q_net_target.parameters(), strict=True)
    )
    agent.train(agent.step + 64)
    warm_up = dqn.config["hyperparameters"]["learning_starts"]
    assert agent.env_steps == agent.step + warm_up
    assert agent.model.replay_buffer.size() == warm_up + 64
    assert agent.model.num_timesteps == agent.step
    assert agent.updates > updates


def test_evaluation_reports_every_metric(task, build):
    agent = build(task)
    before = agent.evaluate("train")
    assert before["return"] == before["area"] == task.chance
    agent.train(task.budget)
    reported = {name for split in task.splits for name in agent.evaluate(split)}
    assert reported == set(task.directions)
    with pytest.raises(UnknownName, match="split 'tset'"):
        agent.evaluate("tset")


def test_splits_are_other_episodes(build):
    agent = build(domain.tasks()["rl/cartpole-ppo@smoke"])
    assert agent.evaluate("val") != agent.evaluate("test")


def test_width_multiplies_every_hidden_layer(task, build):
    sizes = [
        sum(parameter.numel() for parameter in build(task, width=width).module.parameters())
        for width in (0.0, 0.5, 1.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 50


def test_the_trunk_has_the_papers_size(a2c, build):
    assert sum(parameter.numel() for parameter in build(a2c).module.parameters()) == 34_051


def test_ones_flow_forward_with_a_graph(task, build):
    outputs = build(task).forward_ones()
    assert outputs.shape == (1, 2 if task.config["algorithm"] == "dqn" else 3)
    outputs.sum().backward()


def test_losses_have_gradients_everywhere(task, build):
    agent = build(task)
    for loss in agent.losses(2):
        gradients = torch.autograd.grad(loss, list(agent.module.parameters()))
        assert all(bool(gradient.count_nonzero()) for gradient in gradients)


def test_an_agent_that_is_there_already_does_nothing(task, build, same):
    agent = build(task)
    agent.train(task.rewind_step)
    before = agent.snapshot()
    agent.train(agent.step)
    agent.train(0)
    assert same(agent.snapshot(), before)


def test_rewinding_further_back_than_the_last_rollout_brings_the_position_back(task, build):
    agent = build(task)
    begin = agent.snapshot()
    agent.train(task.rewind_step)
    first = agent.snapshot()
    agent.load(begin)
    assert (agent.step, agent.updates, agent.env_steps, agent.model.num_timesteps) == (0, 0, 0, 0)
    agent.load(first)
    taken = first.scalars["env_steps"]
    assert (agent.step, agent.updates, agent.env_steps) == (first.step, first.updates, taken)
    assert agent.model.num_timesteps == taken
    agent.train(agent.step + 1)
    assert agent.env_steps > taken
