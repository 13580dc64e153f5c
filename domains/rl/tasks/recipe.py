"""What every task of an agent has in common: its pruning scope, its metrics and their directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.errors import UnknownName
from bench.spec import Direction, Pruning, Task
from bench.tickets.methods import METHODS

GROUPS = {
    "features_extractor.*": "trunk",
    "mlp_extractor.policy_net.*": "actor",
    "action_net.*": "actor",
    "mlp_extractor.value_net.*": "critic",
    "value_net.*": "critic",
    "q_net.*": "critic",
}
"""Pattern of parameter names -> tower."""

EXEMPT = {
    "all": (),
    "actor+trunk": ("mlp_extractor.value_net.*", "value_net.*"),
    "actor": ("mlp_extractor.value_net.*", "value_net.*", "features_extractor.*"),
}
"""Scope of pruning -> what it leaves alone."""


def pruning(scope: str) -> Pruning:
    """A fifth of the remaining weights a round, biases pooled with them (1906.02768).

    Args:
        scope: one of `EXEMPT`.
    """
    if scope not in EXEMPT:
        raise UnknownName("pruning scope", scope, EXEMPT)
    return Pruning(rate=0.2, scope="global", biases=True, exempt=EXEMPT[scope])


CURVE: Mapping[str, Direction] = {"area": "max", "steps_to_threshold": "min", "reached": "max"}
"""What is read off the training episodes: see `domains.rl.returns`."""


def directions(length: Direction) -> dict[str, Direction]:
    """Metric -> whether more is better.

    Args:
        length: the same of an episode's length, which depends on the game.
    """
    return {"return": "max", "episode_length": length, **CURVE}


def censoring(unit: str) -> str:
    """The sentence that says what stands for the steps to the threshold where it was not reached."""
    end = "the budget" if unit == "env_steps" else "the most environment steps that the episode budget can take"
    return f"Where the threshold was not reached, steps_to_threshold is censored at {end}, and `reached` is 0."


REPLAY = (
    "A replay buffer is no state: a rewound agent first fills it again with as many steps of random play as at the "
    "start; they count as environment steps, but not towards the budget."
)
FEWER_RANDOM = (
    "DQN's random actions become fewer while its learning rate is constant, so fine-tuning is not `lr-rewind` there; it is "
    "not offered."
)


UNPLAYED = "It is scored by the episodes of its training, of which there are none without."
TOO_LATE = "Its last rollout begins before the last cut, so that the network would end with too many weights."
NO_LOGITS = "GraSP divides logits by its temperature, and action values are none."


def declining(task: Task) -> Task:
    """The task with what it cannot run under its `unsupported`."""
    return replace(task, unsupported=unsupported(task))


def unsupported(task: Task) -> dict[str, str]:
    """Method -> why the task cannot run it.

    A constant learning rate makes `fine-tune` the same as `lr-rewind`, but only where nothing else is on a schedule: what is
    `{"linear": first}` falls to zero.
    """
    hyperparameters, told = task.config["hyperparameters"], {}
    if task.config["algorithm"] == "dqn":
        told = {"fine-tune": FEWER_RANDOM, "grasp": NO_LOGITS}
    for name, words in (("clip_range", "clipping range"), ("learning_rate", "learning rate")):
        if isinstance(hyperparameters.get(name), Mapping):
            told["fine-tune"] = f"The {words} falls to zero, so training at its last value would train nothing."
    if task.split == "train":
        told["one-shot-untrained"] = UNPLAYED
    length = rollout(task)
    if task.unit == "env_steps" and length > 0:  # an update sees the step at which its rollout began
        last = (task.budget - 1) // length * length
        if last < METHODS["gmp"].options["end"] * task.budget:
            told["gmp"] = TOO_LATE
    return told


def rollout(task: Task) -> int:
    """Environment steps between two updates; 0 of an agent that learns from demonstrations."""
    hyperparameters = task.config["hyperparameters"]
    length: int = hyperparameters.get("n_steps", hyperparameters.get("train_freq", 0)) * task.config["n_envs"]
    return length


def towers(hidden: list[int], activation: str) -> dict[str, Any]:
    """An actor and a critic that share no layer."""
    return {"name": "towers", "hidden": hidden, "activation": activation}


PARALLEL = {"CartPole-v1": 100, "Acrobot-v1": 100, "LunarLander-v3": 25}
"""Environment -> copies to evaluate in at most: numpy's cost the same however many they are, the others' do not."""


def fresh(episodes: int, *, at_once: int, deterministic: bool = True) -> dict[str, Any]:
    """An evaluation on fresh episodes.

    Args:
        episodes: of each split.
        at_once: copies of the environment.
        deterministic: the best action, or a sampled one.
    """
    return {"episodes": episodes, "n_envs": min(episodes, at_once), "deterministic": deterministic}
