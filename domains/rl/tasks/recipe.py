"""What every task of an agent has in common: its pruning scope, its metrics and their directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import UnknownName
from bench.spec import Direction, Pruning

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


def unsupported(algorithm: str, hyperparameters: Mapping[str, Any]) -> dict[str, str]:
    """Method -> why no task of these can run it.

    A constant learning rate makes `fine-tune` the same as `lr-rewind`, but only where nothing else is on a schedule.

    Args:
        algorithm: `a2c`, `ppo` or `dqn`.
        hyperparameters: of it; what is `{"linear": first}` falls to zero.
    """
    for name, told in (("learning_rate", "learning rate"), ("clip_range", "clipping range")):
        if isinstance(hyperparameters.get(name), Mapping):
            return {"fine-tune": f"The {told} falls to zero, so training at its last value would train nothing."}
    if algorithm == "dqn":
        return {"fine-tune": FEWER_RANDOM}
    return {}


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
