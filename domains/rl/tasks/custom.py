"""A task of the user's own: an agent in any environment of gymnasium."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from bench.code import pinned
from bench.errors import SpecError, UnknownName
from bench.spec import Direction, Scale, Task, sentences
from domains.rl.config import misfit
from domains.rl.tasks.recipe import GROUPS, REPLAY, censoring, declining, directions, fresh, pruning, towers

DEFAULTS: dict[str, dict[str, Any]] = {
    "ppo": {
        "n_steps": 2_048,
        "batch_size": 64,
        "n_epochs": 10,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "learning_rate": 3e-4,
        "clip_range": 0.2,
        "ent_coef": 0.0,
        "vf_coef": 0.5,
        "max_grad_norm": 0.5,
        "normalize_advantage": True,
    },
    "a2c": {
        "n_steps": 5,
        "gamma": 0.99,
        "gae_lambda": 1.0,
        "learning_rate": 7e-4,
        "ent_coef": 0.0,
        "vf_coef": 0.5,
        "max_grad_norm": 0.5,
        "normalize_advantage": False,
    },
    "dqn": {
        "learning_rate": 1e-4,
        "batch_size": 32,
        "buffer_size": 1_000_000,
        "learning_starts": 100,
        "gamma": 0.99,
        "tau": 1.0,
        "target_update_interval": 10_000,
        "train_freq": 4,
        "gradient_steps": 1,
        "exploration_fraction": 0.1,
        "exploration_final_eps": 0.05,
        "max_grad_norm": 10.0,
    },
}
"""Algorithm -> hyperparameters that stable-baselines3 has where nothing else is said."""
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "ppo": {"name": "adam", "eps": 1e-5},
    "a2c": {"name": "rmsprop", "alpha": 0.99, "eps": 1e-5},
    "dqn": {"name": "adam"},
}
"""Algorithm -> optimizer, likewise."""

UNPUBLISHED = "An agent of your own: nothing is published to compare with."
UNSPREAD = "Where actions are continuous, their standard deviations are trained, and never pruned."


def own(
    name: str,
    *,
    env: str,
    algorithm: Literal["ppo", "a2c", "dqn"] = "ppo",
    budget: int,
    limit: int,
    chance: float,
    threshold: float,
    tolerance: float,
    n_envs: int = 1,
    hyperparameters: Mapping[str, Any] = MappingProxyType({}),
    optimizer: Mapping[str, Any] | None = None,
    network: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
    normalise: bool = False,
    rewind_step: int = 0,
    evaluate_every: int | None = None,
    episodes: int = 100,
    deterministic: bool = True,
    length: Direction = "max",
    scope: str = "all",
    scale: Scale = "small",
    version: int = 1,
    deviations: str | tuple[str, ...] = (),
) -> Task:
    """An agent of your own, as a task `rl/NAME`, judged by fresh episodes. The environment is not made now.

    Args:
        name: of the task, without `rl/`.
        env: gymnasium's id, `CartPole-v1` or `package:Env-v0`, where importing `package` registers `Env-v0`. It shows
            arrays (`Box`), and takes discrete actions, or, with PPO and A2C, bounded continuous ones (`Box`).
        algorithm: `ppo`, `a2c` or `dqn`, of stable-baselines3.
        budget: environment steps; rounded up to whole rollouts.
        limit: steps after which an episode is cut off.
        chance: mean return of random play: `python -m domains.rl.chance ENV 1000 LIMIT` measures it, with your `options` as
            `--options JSON`.
        threshold: mean return of a hundred training episodes that counts as learned.
        tolerance: how much less return counts as no worse.
        n_envs: copies to train in.
        hyperparameters: of the algorithm, where they are not stable-baselines3's own; `{"linear": first}` falls to zero.
        optimizer: `name` (`adam`, `rmsprop`, `rmsprop-tf`) and its options, likewise.
        network: as in a task's `config`: `name` (`towers`, `trunk`), `hidden` widths, and the `activation` of towers; two
            towers of 64 and 64 tanh units where nothing is said.
        options: keyword arguments of the environment.
        normalise: observations and rewards, by running statistics.
        rewind_step: environment steps; tickets return to the first update boundary at or after it.
        evaluate_every: environment steps; a tenth of the budget.
        episodes: of each evaluation.
        deterministic: whether the best action is taken in them, or a drawn one.
        length: whether longer episodes are better (`max`) or worse (`min`).
        scope: of pruning: `all`, `actor+trunk` or `actor`.
        scale: `smoke`, `quick`, `small` or `paper`.
        version: raise it when you change what the digests do not see.
        deviations: sentences of yours, or one, to be printed under every table.

    Raises:
        UnknownName: if there is no such algorithm, or no such hyperparameter of it.
        SpecError: if the task contradicts itself, or the package of the environment is not there.
    """
    if algorithm not in DEFAULTS:
        raise UnknownName("algorithm", algorithm, DEFAULTS)
    if unknown := UnknownName.among(f"hyperparameter of {algorithm}", hyperparameters, DEFAULTS[algorithm]):
        raise unknown
    parameters = {**DEFAULTS[algorithm], **hyperparameters}
    modules = pinned.digests(env)
    steps = parameters["train_freq" if algorithm == "dqn" else "n_steps"]
    if not all(type(number) is int and number > 0 for number in (steps, n_envs, budget, limit, episodes)):
        raise SpecError(
            f"rl/{name}: budget, limit, n_envs, episodes and the steps of a rollout are whole numbers above 0"
        )
    rollout = steps * n_envs
    whole = -(-budget // rollout) * rollout
    falls = isinstance(parameters["learning_rate"], Mapping)
    rounded = f"Trained for {whole:,} environment steps, whole rollouts of {rollout:,}, not {budget:,}."
    task = Task(
        name=f"rl/{name}",
        scale=scale,
        version=version,
        config={
            "algorithm": algorithm,
            "hyperparameters": parameters,
            "optimizer": dict(optimizer or OPTIMIZERS[algorithm]),
            "network": dict(network or towers([64, 64], "tanh")),
            "env": {
                **options,
                "kind": "gymnasium",
                "id": env,
                "max_episode_steps": limit,
                **({"code": modules} if modules else {}),
            },
            "n_envs": n_envs,
            "reward_scale": 1.0,
            "normalise": normalise,
            "scope": scope,
            "threshold": threshold,
            "episode_limit": limit,
        },
        budget=whole,
        unit="env_steps",
        evaluate_every=evaluate_every or max(1, whole // 10),
        rewind_step=rewind_step,
        pruning=pruning(scope),
        metric="return",
        directions=directions(length),
        splits=("train", "val", "test"),
        evaluation=fresh(episodes, at_once=min(episodes, 10), deterministic=deterministic),
        tolerance=tolerance,
        chance=chance,
        fewest_seeds=10 if algorithm == "dqn" else 3,
        constant_rate=not falls,
        groups=GROUPS,
        source=f"own task of {env}",
        deviations=(
            UNPUBLISHED,
            *([rounded] if whole != budget else []),
            REPLAY if algorithm == "dqn" else UNSPREAD,
            censoring("env_steps"),
            *sentences(deviations),
        ),
    )
    if reason := misfit(task.config):
        raise SpecError(f"rl/{name}: {reason}")
    return declining(task)
