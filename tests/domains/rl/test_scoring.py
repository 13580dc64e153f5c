"""Losses for saliency against stable-baselines3's own first update, and against sums written out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bench.errors import Unsupported
from bench.streams import Streams
from domains.rl import algorithms, domain
from domains.rl.environments import envs
from domains.rl.environments.episodes import Episodes
from domains.rl.normalisation import Normaliser

TASKS = domain.tasks()
SEED = 4


def changed(key, hyperparameters=(), **config):
    task = TASKS[key]
    parameters = {**task.config["hyperparameters"], **dict(hyperparameters)}
    return replace(task, config={**task.config, **config, "hyperparameters": parameters})


@pytest.fixture
def cut_off(walks, monkeypatch):
    """Every environment is a set of walks, some of which are cut off."""
    monkeypatch.setattr(envs, "make", lambda _, n, scale=1.0: Episodes(walks([3, 5, 2, 4][:n], [0, 3]), scale=scale))


def trained(task):
    agent = domain.learner(task, streams=Streams(SEED), device="cpu")
    agent.train(task.rewind_step)
    return agent


def score_env(task, agent):
    """Environments with the agent's statistics, to be seeded from the `score` stream."""
    env = envs.make(task.config["env"], n=task.config["n_envs"], scale=task.config["reward_scale"])
    normaliser = Normaliser(env, wanted=task.config["normalise"], gamma=task.config["hyperparameters"]["gamma"])
    normaliser.restore(agent.snapshot().buffers)
    return env, normaliser


def score_seeds(n):
    return [int(word) % 2**31 for word in Streams(SEED).sequence("score").generate_state(n)]


class Theirs:
    """stable-baselines3 alone, at the agent's weights, one rollout and one update of all of it at a time."""

    def __init__(self, task, agent):
        env, normaliser = score_env(task, agent)
        self.model = algorithms.build(task, normaliser.env, seed=0, device="cpu", width=1.0)
        self.model.policy.load_state_dict(agent.model.policy.state_dict())
        env.seed_each(score_seeds(env.num_envs))
        with normaliser.frozen():
            _, self.callback = self.model._setup_learn(10**6)
        if task.config["normalise"]:
            normaliser.env.training = False
        self.model.lr_schedule, self.model.max_grad_norm = (lambda _: 0.0), np.inf
        if task.config["algorithm"] == "ppo":
            self.model.n_epochs, self.model.batch_size = 1, self.model.n_steps * self.model.n_envs
        torch.manual_seed(Streams(SEED).integer("score", 1))

    def collect(self):
        model = self.model
        model.collect_rollouts(model.env, self.callback, model.rollout_buffer, n_rollout_steps=model.n_steps)
        return model.rollout_buffer

    def gradients(self):
        """Of the update after the next rollout; the weights stay."""
        self.collect()
        self.model.train()
        return {name: parameter.grad for name, parameter in self.model.policy.named_parameters()}


ON_POLICY = [
    changed("rl/cartpole-a2c@smoke"),
    changed("rl/cartpole-a2c@smoke", {"gae_lambda": 0.9, "normalize_advantage": True, "n_steps": 16}),
    changed("rl/cartpole-ppo@smoke"),
    changed("rl/acrobot-ppo@smoke", {"ent_coef": 0.3}),
]


def check(task):
    agent = trained(task)
    theirs = Theirs(task, agent)
    state = torch.get_rng_state()
    for loss in agent.losses(2):
        parameters = dict(agent.module.named_parameters())
        ours = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
        torch.set_rng_state(state)
        expected = theirs.gradients()
        state = torch.get_rng_state()
        for name, gradient in expected.items():
            scale = float(gradient.abs().max())
            assert torch.allclose(ours[name], gradient, rtol=1e-3, atol=1e-4 * scale), name


@pytest.mark.parametrize("task", ON_POLICY, ids=["a2c", "a2c-gae", "ppo", "normalised"])
def test_gradients_are_those_of_their_own_first_update(task):
    """Two rollouts in a row, of the same policy; PPO's minibatch is the whole rollout."""
    check(task)


def test_the_future_of_a_cut_off_episode_counts(cut_off):
    check(changed("rl/cartpole-a2c@smoke", {"gae_lambda": 0.9, "n_steps": 7}, n_envs=4, reward_scale=0.5))
    check(changed("rl/acrobot-ppo@smoke", {"n_steps": 16, "batch_size": 64}, n_envs=4))


@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("task", ON_POLICY[:3], ids=["a2c", "a2c-gae", "ppo"])
def test_the_temperature_divides_the_logits(task, temperature):
    """Of actions that were drawn without it."""
    agent = trained(task)
    theirs = Theirs(task, agent)
    parameters, policy = task.config["hyperparameters"], agent.model.policy
    data = next(theirs.collect().get(None))
    [loss] = agent.losses(1, temperature=temperature)
    actor, critic = policy.mlp_extractor(policy.features_extractor(data.observations))
    surprise = F.log_softmax(policy.action_net(actor) / temperature, 1)
    entropy = -(surprise.exp() * surprise).sum(1).mean()
    advantages = data.advantages
    if parameters.get("normalize_advantage"):
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    own = surprise[torch.arange(len(advantages)), data.actions.long().flatten()]
    if task.config["algorithm"] == "ppo":
        own = torch.exp(own - own.detach())  # the ratio of a policy to itself
    value = ((policy.value_net(critic).flatten() - data.returns) ** 2).mean()
    expected = -(advantages * own).mean() - parameters["ent_coef"] * entropy + parameters["vf_coef"] * value
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-4, abs=1e-6)
    for ours, theirs in zip(
        *(torch.autograd.grad(value, policy.action_net.parameters()) for value in (loss, expected)), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


@torch.no_grad()
def by_hand(task, agent, batches):
    """DQN's losses over random play: Huber's of r + gamma max Q'(s', a') where an end does not forbid it."""
    env, normaliser = score_env(task, agent)
    env.action_space.seed(Streams(SEED).integer("score", 2) % 2**32)
    parameters, n = task.config["hyperparameters"], env.num_envs
    seen = env.reset_from(score_seeds(n))
    for _ in range(batches):
        losses = []
        while len(losses) < parameters["batch_size"]:
            actions = [env.action_space.sample() for _ in range(n)]
            after, rewards, done, infos = env.act(np.array(actions))
            for index in range(n):
                last = infos[index]["terminal_observation"] if done[index] else after[index]
                before, last = (torch.as_tensor(normaliser.observe(one[None])) for one in (seen[index], last))
                future = float(agent.model.q_net_target(last).max())
                if done[index] and not infos[index]["TimeLimit.truncated"]:
                    future = 0.0
                target = float(normaliser.reward(rewards[index : index + 1])[0]) + parameters["gamma"] * future
                error = abs(float(agent.model.q_net(before)[0, actions[index]]) - target)
                losses.append(0.5 * error**2 if error < 1 else error - 0.5)
            seen = after
        yield np.mean(losses[: parameters["batch_size"]])


DQN = {
    "plain": changed("rl/cartpole-dqn@smoke"),
    "three": changed("rl/cartpole-dqn@smoke", n_envs=3),
    "normalised": changed("rl/cartpole-dqn@smoke", n_envs=2, normalise=True),
}


def agrees(task):
    agent = trained(task)
    with torch.no_grad():  # as in the middle of training, where the two are apart
        for parameter in agent.model.q_net_target.parameters():
            parameter.mul_(1.5)
        list(agent.model.q_net_target.parameters())[-1].add_(0.7)
    losses = [float(loss.detach()) for loss in agent.losses(2)]
    assert losses == pytest.approx(list(by_hand(task, agent, 2)), rel=1e-4)


@pytest.mark.parametrize("task", DQN.values(), ids=DQN.keys())
def test_temporal_differences_are_those_of_random_play(task):
    agrees(task)


def test_a_temperature_is_refused_where_it_divides_nothing():
    """Ignored, it would be another method under the name of GraSP."""
    with pytest.raises(Unsupported, match="no action logits"):
        next(trained(DQN["plain"]).losses(1, temperature=200.0))


def test_the_future_of_a_cut_off_episode_is_valued(cut_off):
    agrees(changed("rl/cartpole-dqn@smoke", n_envs=4))


def test_the_caller_keeps_its_own_random_states_between_losses(task, build):
    agent = build(task)
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    drawn = [torch.rand(1) for _ in agent.losses(3)]
    assert torch.equal(torch.cat(drawn), expected)
