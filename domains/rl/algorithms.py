"""Builds the algorithm of a task: stable-baselines3's own A2C, PPO or DQN, untouched."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from bench.errors import SpecError, UnknownName
from bench.spec import Task
from domains.rl.networks import policy_kwargs

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {"a2c": A2C, "ppo": PPO, "dqn": DQN}
CONTINUOUS = ("a2c", "ppo")
"""Algorithms that act by numbers, too: drawn from a Gaussian, and clipped to the environment's bounds."""
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "rmsprop": torch.optim.RMSprop,
    "rmsprop-tf": RMSpropTFLike,
    "adam": torch.optim.Adam,
}
"""`rmsprop-tf` adds eps inside the root and starts its second moment at one, as TensorFlow did."""

SCHEDULED = ("learning_rate", "clip_range")
"""Hyper-parameters that may be `{"linear": first}`: a straight fall from `first` to zero."""


def build(task: Task, env: VecEnv, *, seed: int, device: str, width: float) -> Any:
    """The algorithm with its initial weights, a function of `seed` and of the policy alone.

    Args:
        task: `config` names algorithm, hyperparameters, optimizer and network.
        env: to train in.
        seed: below 2**32; stable-baselines3 seeds every global random state with it.
        device: where the policy lives.
        width: multiplies every hidden width.

    Raises:
        UnknownName: if there is no such algorithm, optimizer or network.
        SpecError: if the algorithm cannot act in the environment, or the task contradicts itself.
    """
    config = task.config
    check(task, env)
    parameters = {key: _value(key, value) for key, value in config["hyperparameters"].items()}
    policy = {
        **policy_kwargs(config["network"], algorithm=config["algorithm"], width=width),
        **deepcopy(dict(config.get("policy", {}))),
        **_optimizer(config["optimizer"]),
    }
    with warnings.catch_warnings():
        # It advises against CNN-less policies on a GPU; where to train is the user's choice.
        warnings.simplefilter("ignore", UserWarning)
        model = ALGORITHMS[config["algorithm"]](
            "MlpPolicy", env, policy_kwargs=policy, seed=seed, device=device, **parameters
        )
    model.set_logger(Logger(folder=None, output_formats=[]))  # its own leaves a folder in /tmp for each agent
    return model


def check(task: Task, env: VecEnv) -> None:
    """See that the algorithm can be trained as the task asks (see `build`)."""
    config = task.config
    name, parameters = config["algorithm"], config["hyperparameters"]
    if name not in ALGORITHMS:
        raise UnknownName("algorithm", name, ALGORITHMS)
    if reason := stranger(env.action_space, continuous=name in CONTINUOUS):
        raise SpecError(
            f"{task.name} acts in {config['env']['id']}, whose action space is {env.action_space}: "
            f"{reason}; choose another environment"
        )
    if not isinstance(env.observation_space, spaces.Box):
        raise SpecError(
            f"{task.name} sees {config['env']['id']}, whose observation space is {env.observation_space}: "
            "only arrays are supported; choose another environment"
        )
    scheduled = [key for key in SCHEDULED if isinstance(parameters.get(key), Mapping)]
    if "learning_rate" in scheduled and task.constant_rate:
        raise SpecError(f"task {task.name} has constant_rate and a linear learning rate: drop one")
    if name == "dqn" and (scheduled or task.unit != "env_steps"):
        raise SpecError(f"task {task.name}: DQN's exploration falls over environment steps; budget it in env_steps")
    if name == "dqn" and env.num_envs > parameters["target_update_interval"]:
        raise SpecError(
            f"task {task.name} has {env.num_envs} environments and a target update every "
            f"{parameters['target_update_interval']} steps: the interval must not be shorter than one step of all"
        )


def stranger(space: spaces.Space[Any], *, continuous: bool) -> str | None:
    """Why an algorithm cannot act in a space; None if it can."""
    if isinstance(space, spaces.Discrete):
        return None if space.start == 0 else "only discrete actions that begin at 0 are supported"
    if not isinstance(space, spaces.Box) or not continuous:
        return f"only discrete actions are supported, and continuous ones by {' and '.join(CONTINUOUS)}"
    if not np.issubdtype(space.dtype, np.floating) or not space.is_bounded():
        return "only continuous actions that are floats with bounds are supported"
    return None


def _optimizer(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(optimizer)
    name = options.pop("name")
    if name not in OPTIMIZERS:
        raise UnknownName("optimizer", name, OPTIMIZERS)
    if name == "rmsprop":
        options["foreach"] = True  # the same numbers to the bit, in less time
    return {"optimizer_class": OPTIMIZERS[name], "optimizer_kwargs": options}


def _value(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        if key not in SCHEDULED or set(value) != {"linear"}:
            raise SpecError(f'{key} is {dict(value)}: only {" and ".join(SCHEDULED)} may be {{"linear": first}}')
        return LinearSchedule(value["linear"], 0.0, 1.0)
    return math.inf if key == "max_grad_norm" and value is None else value
