"""What a rewound agent goes on with: replay, exploration, target network and schedules; and one all-ones observation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from stable_baselines3.dqn import dqn as sb3_dqn
from torch.nn import functional as F

from bench.streams import Streams
from domains.rl import domain
from domains.rl.rollouts import passing_tanh

TASKS = domain.tasks()
EPISODES, ACTIONS, AFTER_WARM_UP = 0, 1, 2  # substreams of `env`


def with_parameters(task, n_envs=1, **parameters):
    """The task with other hyper-parameters."""
    hyperparameters = {**task.config["hyperparameters"], **parameters}
    return replace(task, config={**task.config, "n_envs": n_envs, "hyperparameters": hyperparameters})


def learner(task, seed=0):
    return domain.learner(task, streams=Streams(seed), device="cpu")


def rewound(task, step):
    """An agent that is loaded with its own state of an earlier step, and that state."""
    agent = learner(task)
    agent.train(step)
    rewind = agent.snapshot()
    agent.train(task.budget)
    agent.load(rewind)
    return agent, rewind


class Ear:
    """Listens to a learner's simulations: seeds and first observations of resets, and what `ask` says at each step."""

    def __init__(self, agent, ask=lambda: None):
        self.simulations, self.ask = agent._env.simulations, ask
        self.act, self.begin = self.simulations.step, self.simulations.reset
        self.seeds, self.first, self.said, self.actions = [], [], [], []
        self.simulations.step, self.simulations.reset = self.step, self.reset

    def reset(self, seeds):
        self.seeds.append(list(seeds))
        self.first.append(self.begin(seeds).copy())
        return self.first[-1]

    def step(self, actions):
        self.said.append(self.ask())
        self.actions += actions.tolist()
        return self.act(actions)


def seeds(step, episodes, n):
    return [int(word) % 2**31 for word in Streams(0).sequence("env", step, episodes).generate_state(n)]


@pytest.mark.parametrize("n_envs", [1, 2])
def test_target_updates_stay_on_their_beat_after_rewinding(dqn, monkeypatch, n_envs):
    """Every 30th environment step of the whole training, wherever it was taken up again, by tau."""
    task = with_parameters(dqn, n_envs, target_update_interval=30, tau=0.25, train_freq=32)
    updates = []

    def noted(source, target, tau, agent=None):
        source, target = list(source), list(target)
        if source and agent is not None:
            updates.append((agent.model.num_timesteps, tau))
        return real(source, target, tau)

    real = sb3_dqn.polyak_update
    whole = learner(task)
    monkeypatch.setattr(sb3_dqn, "polyak_update", lambda *given: noted(*given, agent=whole))
    whole.train(task.budget)
    assert updates == [(step, 0.25) for step in range(30, task.budget + 1, 30)]
    agent, _ = rewound(task, 192)
    updates.clear()
    monkeypatch.setattr(sb3_dqn, "polyak_update", lambda *given: noted(*given, agent=agent))
    agent.train(task.budget)
    warm_up = range(210, 192 + 100, 30)  # has beats of its own, and leaves no trace
    assert [step for step, _ in updates] == [*warm_up, *range(210, task.budget + 1, 30)]


def test_the_target_network_is_the_online_network_when_training_goes_on(dqn):
    """After loading, and again after the warm-up has passed some target updates by."""
    agent, _ = rewound(with_parameters(dqn, tau=0.5, target_update_interval=1_000), 192)

    def apart():
        pairs = zip(agent.model.q_net.parameters(), agent.model.q_net_target.parameters(), strict=True)
        return any(not torch.equal(*pair) for pair in pairs)

    assert not apart()
    ear = Ear(agent, lambda: (agent.model.num_timesteps, apart()))
    for parameter in agent.model.q_net_target.parameters():
        parameter.data.fill_(7.0)
    agent.train(193)
    assert len(ear.said) == 100 + 64
    assert not any(differs for _, differs in ear.said[100:])
    assert [step for step, _ in ear.said] == [*range(192, 292), *range(192, 256)]


def test_exploration_goes_on_where_it_was(dqn):
    """At each step the probability of a random action is that of a training which was never interrupted."""
    task = with_parameters(dqn, exploration_fraction=0.9, train_freq=32)
    whole = learner(task)
    ear = Ear(whole, lambda: whole.model.exploration_rate)
    whole.train(task.budget)
    assert ear.said[0] == 0.0
    assert ear.said[1] == pytest.approx(1 - 0.96 / (0.9 * task.budget))
    agent, _ = rewound(task, 192)
    assert agent.model.exploration_rate == ear.said[192]
    other = Ear(agent, lambda: agent.model.exploration_rate)
    agent.train(task.budget)
    assert other.said[100:] == ear.said[192:]


@pytest.mark.parametrize(
    ("n_envs", "starts", "step", "warm_up"),
    [(1, 100, 192, 100), (3, 100, 192, 102), (1, 100, 64, 64), (1, 100, 0, 0), (1, 0, 192, 0)],
)
def test_the_warm_up_is_as_long_as_the_first_one_was(dqn, n_envs, starts, step, warm_up):
    task = with_parameters(dqn, n_envs, learning_starts=starts)
    agent, rewind = rewound(task, step)
    assert agent.model.replay_buffer.size() == 0
    ear = Ear(agent)
    agent.train(rewind.step + 1)
    collected = 64 * n_envs
    assert agent.env_steps == rewind.scalars["env_steps"] + warm_up + collected
    assert len(ear.actions) == warm_up + collected
    assert agent.model.replay_buffer.size() * n_envs == warm_up + collected
    assert ear.seeds == ([seeds(rewind.step, AFTER_WARM_UP, n_envs)] if warm_up else [])
    env_steps = agent.env_steps
    agent.train(agent.step + 1)
    assert agent.env_steps == env_steps + collected, "once is enough"


def test_the_warm_up_is_random_play(dqn, monkeypatch):
    """Whatever the network would rather do."""
    agent, rewind = rewound(with_parameters(dqn, exploration_final_eps=0.0, exploration_fraction=1e-6), 192)
    with torch.no_grad():
        list(agent.model.q_net.parameters())[-1].copy_(torch.tensor([-1e6, 1e6]))
    ear = Ear(agent)
    agent.train(rewind.step + 1)
    assert 20 < sum(ear.actions[:100]) < 80
    assert all(ear.actions[100:])


def test_episodes_begin_from_the_stream_and_the_step(dqn, a2c):
    for task in (dqn, a2c):
        agent = learner(task)
        agent.train(task.rewind_step)
        rewind = agent.snapshot()
        ear = Ear(agent)
        agent.load(rewind)
        assert ear.seeds == [seeds(rewind.step, EPISODES, task.config["n_envs"])]
        drawn = Streams(0).integer("env", rewind.step, ACTIONS)
        agent.load(rewind)
        mine = [int(agent.model.action_space.sample()) for _ in range(20)]
        space = agent.model.action_space
        space.seed(drawn % 2**32)
        assert mine == [int(space.sample()) for _ in range(20)]


def test_a_normalised_agent_replays_what_it_really_saw(dqn):
    """The buffer holds raw observations; the first of an episode is the one that its reset gave."""
    task = with_parameters(dqn)
    task = replace(task, config={**task.config, "normalise": True})
    agent, rewind = rewound(task, 192)
    ear = Ear(agent)
    agent.load(rewind)
    agent.train(193)
    stored = agent.model.replay_buffer.observations[:, 0]
    assert np.array_equal(stored[0], ear.first[0][0])
    assert np.array_equal(stored[100], ear.first[1][0])


def test_a_loaded_agent_reports_no_episodes_of_before(task):
    agent = learner(task)
    agent.train(task.budget // 2)
    agent.load(agent.snapshot())
    assert not agent.model.ep_info_buffer
    assert agent._env.finished == []


@pytest.mark.parametrize("name", ["cartpole-a2c", "cartpole-ppo", "cartpole-dqn"])
def test_ones_flow_through_layers_as_if_tanh_were_not_there(name):
    agent = learner(TASKS[f"rl/{name}@smoke"])
    weights = {key: value.detach() for key, value in agent.module.named_parameters()}

    def through(*layers, between=lambda value: value):
        value = torch.ones(1, 4)
        for layer in layers[:-1]:
            value = between(F.linear(value, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
        return F.linear(value, weights[f"{layers[-1]}.weight"], weights[f"{layers[-1]}.bias"])

    if name.endswith("dqn"):
        expected = through("q_net.0", "q_net.2", "q_net.4", between=torch.relu)
    elif name.endswith("ppo"):
        actor = through("mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net")
        critic = through("mlp_extractor.value_net.0", "mlp_extractor.value_net.2", "value_net")
        expected = torch.cat((actor, critic), 1)
    else:
        trunk = [f"features_extractor.layers.{index}" for index in (1, 3, 5)]
        expected = torch.cat([through(*trunk, head, between=torch.relu) for head in ("action_net", "value_net")], 1)
    assert torch.allclose(agent.forward_ones(), expected, atol=1e-6)
    agent.module.double()
    assert agent.forward_ones().dtype == torch.float64, "synaptic flow is computed in double precision"


def test_tanh_bends_again_afterwards():
    module = torch.nn.Sequential(torch.nn.Tanh())
    wide = torch.tensor([3.0])
    for _ in range(2):
        with passing_tanh(module):
            assert module(wide) == 3.0
        assert module(wide) == torch.tanh(wide)
