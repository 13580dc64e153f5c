"""What stable-baselines3's algorithms are told, read off the objects that train."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from torch import nn

from bench.errors import SpecError, UnknownName
from bench.streams import Streams
from domains.rl import domain
from domains.rl.networks import MinAtarNetwork, NatureNetwork, YuNetwork

TASKS = domain.tasks()
RMSPROP = {"lr": 1e-4, "alpha": 0.99, "eps": 1e-8, "momentum": 0, "weight_decay": 0, "centered": False}
ADAM = {"betas": (0.9, 0.999), "weight_decay": 0, "amsgrad": False}

MODELS = {
    "rl/cartpole-a2c@smoke": (
        A2C,
        {"n_steps": 4, "gamma": 0.99, "gae_lambda": 0.0, "ent_coef": 0.01, "vf_coef": 1.0, "max_grad_norm": math.inf},
        {"normalize_advantage": False, "n_envs": 32, "device": torch.device("cpu")},
        (torch.optim.RMSprop, RMSPROP),
    ),
    "rl/cartpole-ppo@paper": (
        PPO,
        {"n_steps": 32, "gamma": 0.98, "gae_lambda": 0.8, "ent_coef": 0.0, "vf_coef": 0.5, "max_grad_norm": 0.5},
        {"batch_size": 256, "n_epochs": 20, "normalize_advantage": True, "target_kl": None, "clip_range_vf": None},
        (torch.optim.Adam, {"lr": 1e-3, "eps": 1e-5, **ADAM}),
    ),
    "rl/cartpole-dqn@paper": (
        DQN,
        {"batch_size": 64, "learning_starts": 1_000, "gamma": 0.99, "tau": 1.0, "target_update_interval": 10},
        {"gradient_steps": 128, "exploration_fraction": 0.16, "exploration_final_eps": 0.04, "max_grad_norm": 10.0},
        (torch.optim.Adam, {"lr": 2.3e-3, "eps": 1e-8, **ADAM}),
    ),
    "rl/minatar-breakout-a2c@paper": (
        A2C,
        {"n_steps": 8, "gamma": 0.99, "gae_lambda": 1.0, "ent_coef": 0.01, "vf_coef": 0.5, "max_grad_norm": 0.5},
        {"normalize_advantage": False, "n_envs": 32},
        (RMSpropTFLike, {"lr": 7e-4, "alpha": 0.99, "eps": 1e-5, "momentum": 0, "weight_decay": 0}),
    ),
}


def agent(key, **config):
    task = TASKS[key]
    return domain.learner(replace(task, config={**task.config, **config}), streams=Streams(0), device="cpu")


@pytest.mark.parametrize("key", MODELS)
def test_every_setting_reaches_the_algorithm(key):
    kind, settings, others, (optimizer, options) = MODELS[key]
    model = agent(key).model
    assert type(model) is kind
    assert {name: getattr(model, name) for name in settings | others} == settings | others
    assert type(model.policy.optimizer) is optimizer
    group = model.policy.optimizer.param_groups[0]
    assert {name: group[name] for name in options} == options
    trained = {id(parameter) for parameter in group["params"]}
    assert trained == {id(parameter) for parameter in (model.q_net if kind is DQN else model.policy).parameters()}


def test_dqn_collects_and_replays_as_told():
    model = agent("rl/cartpole-dqn@paper").model
    assert (model.train_freq.frequency, model.train_freq.unit.value) == (256, "step")
    assert model.replay_buffer.buffer_size == 100_000
    rates = [model.exploration_schedule(1 - part) for part in (0.0, 0.08, 0.16, 1.0)]
    assert rates == pytest.approx([1.0, 0.52, 0.04, 0.04])


def test_linear_schedules_fall_from_their_first_value_to_zero():
    model = agent("rl/cartpole-ppo@paper").model
    for schedule, first in ((model.lr_schedule, 1e-3), (model.clip_range, 0.2)):
        assert [schedule(left) for left in (1.0, 0.75, 0.5, 0.0)] == pytest.approx([first, 0.75 * first, first / 2, 0])
    constant = agent("rl/acrobot-ppo@smoke").model
    assert [constant.lr_schedule(left) for left in (1.0, 0.5, 0.0)] == [3e-4] * 3
    assert [constant.clip_range(left) for left in (1.0, 0.5, 0.0)] == [0.2] * 3


@pytest.mark.parametrize(
    ("key", "value"), [("gamma", {"linear": 0.9}), ("learning_rate", {"cosine": 0.1}), ("clip_range", {})]
)
def test_only_rates_and_clips_fall_and_only_in_a_line(key, value):
    parameters = {**TASKS["rl/cartpole-ppo@smoke"].config["hyperparameters"], key: value}
    with pytest.raises(SpecError, match=f"{key} is .*only learning_rate and clip_range may be"):
        agent("rl/cartpole-ppo@smoke", hyperparameters=parameters)


def test_no_limit_of_the_gradient_is_no_limit():
    assert agent("rl/cartpole-a2c@smoke").model.max_grad_norm == math.inf
    parameters = {**TASKS["rl/cartpole-a2c@smoke"].config["hyperparameters"], "max_grad_norm": 0.25}
    assert agent("rl/cartpole-a2c@smoke", hyperparameters=parameters).model.max_grad_norm == 0.25


def test_the_papers_trunk_starts_as_torch_does_and_the_zoos_towers_orthogonally():
    """Orthogonal rows of gain sqrt(2), 0.01 before the actions and 1 before the value; torch's are uniform."""
    trunk = dict(agent("rl/cartpole-a2c@smoke").module.named_parameters())
    assert all(bool(value.count_nonzero()) for name, value in trunk.items() if name.endswith("bias"))
    second = trunk["features_extractor.layers.3.weight"]
    assert float(second.detach().abs().max()) <= 1 / math.sqrt(128)
    towers = dict(agent("rl/cartpole-ppo@smoke").module.named_parameters())
    assert not any(bool(value.count_nonzero()) for name, value in towers.items() if name.endswith("bias"))
    for name, gain in (("mlp_extractor.policy_net.2", math.sqrt(2)), ("action_net", 0.01), ("value_net", 1.0)):
        weight = towers[f"{name}.weight"].detach()
        assert torch.allclose(weight @ weight.T, gain**2 * torch.eye(len(weight)), atol=1e-5), name


def test_networks_have_the_layers_of_their_papers():
    def layers(key):
        policy = agent(key).model.policy
        return [type(module) for module in policy.modules() if not [*module.children()]]

    assert layers("rl/cartpole-a2c@smoke").count(nn.ReLU) == 3
    assert layers("rl/cartpole-ppo@smoke").count(nn.Tanh) == 4
    assert layers("rl/cartpole-dqn@smoke").count(nn.ReLU) == 4  # of the target network, too
    shapes = {key: [tuple(value.shape) for value in agent(key).module.parameters()] for key in MODELS}
    assert shapes["rl/minatar-breakout-a2c@paper"][:4] == [(16, 4, 3, 3), (16,), (128, 1024), (128,)]
    assert shapes["rl/cartpole-ppo@paper"][:4] == [(64, 4), (64,), (64, 64), (64,)]
    assert shapes["rl/cartpole-dqn@paper"] == [(256, 4), (256,), (256, 256), (256,), (2, 256), (2,)]


def test_settings_of_a_task_are_copied_before_stable_baselines3_writes_into_them():
    task = TASKS["rl/cartpole-a2c@smoke"]
    policy = {"ortho_init": False, "optimizer_kwargs": {}}
    changed = replace(task, config={**task.config, "policy": policy})
    domain.learner(changed, streams=Streams(0), device="cpu")
    assert policy == {"ortho_init": False, "optimizer_kwargs": {}}
    assert task.config["optimizer"] == {"name": "rmsprop", "alpha": 0.99, "eps": 1e-8}


def test_fused_and_plain_rmsprop_are_equal_to_the_bit():
    learner = agent("rl/cartpole-a2c@smoke")
    plain = agent("rl/cartpole-a2c@smoke")
    assert learner.optimizer.param_groups[0]["foreach"]
    plain.optimizer.param_groups[0]["foreach"] = False
    for either in (learner, plain):
        either.train(10)
    assert all(torch.equal(*pair) for pair in zip(learner.module.parameters(), plain.module.parameters(), strict=True))


def test_weights_follow_the_seed_of_the_init_stream():
    ours = agent("rl/cartpole-ppo@smoke").module.state_dict()
    task = TASKS["rl/cartpole-ppo@smoke"]
    theirs = PPO(
        "MlpPolicy",
        "CartPole-v1",
        seed=Streams(0).integer("init") % 2**32,
        policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "activation_fn": nn.Tanh},
        device="cpu",
    ).policy.state_dict()
    assert task.config["network"]["activation"] == "tanh"
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_unknown_names_are_refused():
    with pytest.raises(UnknownName, match="unknown algorithm 'a3c'.*did you mean 'a2c'"):
        agent("rl/cartpole-a2c@smoke", algorithm="a3c")
    network = {"name": "towers", "hidden": [4], "activation": "tan"}
    with pytest.raises(UnknownName, match="unknown activation 'tan'"):
        agent("rl/cartpole-ppo@smoke", network=network)
    with pytest.raises(SpecError, match="network nature has 2 hidden widths: it takes 4"):
        agent("rl/cartpole-a2c@smoke", network={"name": "nature", "hidden": [4, 4]})


def test_as_many_environments_as_steps_between_target_updates_are_allowed(dqn):
    agent("rl/cartpole-dqn@smoke", n_envs=10)
    parameters = {**dqn.config["hyperparameters"], "learning_rate": {"linear": 1e-3}}
    falling = replace(dqn, constant_rate=False, config={**dqn.config, "hyperparameters": parameters})
    with pytest.raises(SpecError, match="DQN's exploration falls over environment steps"):
        domain.learner(falling, streams=Streams(0), device="cpu")


CONVOLUTION, DENSE = ["Conv2d", "ReLU"], ["Linear", "ReLU"]
POOLED = [*CONVOLUTION, "MaxPool2d"]


@pytest.mark.parametrize(
    ("network", "shape", "hidden", "layers"),
    [
        (MinAtarNetwork, (10, 10, 4), [16, 128], ["ChannelsFirst", *CONVOLUTION, "Flatten", *DENSE]),
        (NatureNetwork, (4, 84, 84), [32, 64, 64, 512], [*3 * CONVOLUTION, "Flatten", *DENSE]),
        (YuNetwork, (12, 105, 80), [64, 64, 64, 64, 512, 512], [*4 * POOLED, "Flatten", *2 * DENSE]),
    ],
)
def test_every_layer_of_a_convolutional_network_is_there_in_its_order(network, shape, hidden, layers):
    built = network(spaces.Box(0, 1, shape, dtype=np.float32), hidden=hidden)
    found = [type(module).__name__ for module in built.modules() if not [*module.children()]]
    assert found == layers
    assert all(pool.kernel_size == 2 for pool in built.modules() if isinstance(pool, nn.MaxPool2d))
