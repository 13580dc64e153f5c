"""Classic control with the tuned settings of rl-baselines3-zoo (commit 22e3ff2), judged on fresh episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.spec import Direction, Scale, Task
from domains.rl.tasks.chance import CHANCE
from domains.rl.tasks.recipe import (
    GROUPS,
    PARALLEL,
    REPLAY,
    censoring,
    directions,
    fresh,
    pruning,
    towers,
)

Linear = Mapping[str, float]


class Setting(NamedTuple):
    """One algorithm in one environment.

    Args:
        name: of the task.
        algorithm: `ppo` or `dqn`.
        env: gymnasium's id.
        n_envs: copies to train in.
        rollout: environment steps of one rollout over all copies.
        rollouts: scale -> number of rollouts; `paper` comes nearest to the zoo's budget.
        hyperparameters: of the algorithm.
        optimizer: its options.
        network: between observation and heads.
        normalise: observations and rewards.
        limit: steps after which an episode is cut off.
        threshold: running mean return that counts as learned.
        tolerance: how much worse than dense still counts as matching.
        reference: the zoo's score of one seed.
        length: whether longer episodes are better.
        smoke: hyperparameters that differ at smoke scale.
        deviations: from the zoo.
    """

    name: str
    algorithm: str
    env: str
    n_envs: int
    rollout: int
    rollouts: dict[Scale, int]
    hyperparameters: dict[str, Any]
    optimizer: dict[str, Any]
    network: dict[str, Any]
    normalise: bool
    limit: int
    threshold: float
    tolerance: float
    reference: float
    length: Direction
    smoke: dict[str, Any]
    deviations: tuple[str, ...] = ()


PPO = {"ent_coef": 0.0, "vf_coef": 0.5, "max_grad_norm": 0.5, "normalize_advantage": True}
ADAM = {"name": "adam", "eps": 1e-5}
V3 = "LunarLander-v3: the zoo's score is of v2, which is no longer distributed; dynamics are the same."

SETTINGS = [
    Setting(
        name="cartpole-ppo",
        algorithm="ppo",
        env="CartPole-v1",
        n_envs=8,
        rollout=256,
        rollouts={"smoke": 8, "quick": 80, "small": 390, "paper": 390},
        hyperparameters={
            **PPO,
            "n_steps": 32,
            "batch_size": 256,
            "gamma": 0.98,
            "gae_lambda": 0.8,
            "n_epochs": 20,
            "learning_rate": {"linear": 1e-3},
            "clip_range": {"linear": 0.2},
        },
        optimizer=ADAM,
        network=towers([64, 64], "tanh"),
        normalise=False,
        limit=500,
        threshold=475.0,
        tolerance=25.0,
        reference=500.0,
        length="max",
        smoke={"n_epochs": 2},
    ),
    Setting(
        name="acrobot-ppo",
        algorithm="ppo",
        env="Acrobot-v1",
        n_envs=16,
        rollout=4_096,
        rollouts={"smoke": 8, "quick": 12, "small": 61, "paper": 244},
        hyperparameters={
            **PPO,
            "n_steps": 256,
            "batch_size": 64,
            "gamma": 0.99,
            "gae_lambda": 0.94,
            "n_epochs": 4,
            "learning_rate": 3e-4,
            "clip_range": 0.2,
        },
        optimizer=ADAM,
        network=towers([64, 64], "tanh"),
        normalise=True,
        limit=500,
        threshold=-100.0,
        tolerance=10.0,
        reference=-73.5,
        length="min",
        smoke={"n_steps": 32, "n_epochs": 2},
    ),
    Setting(
        name="lunarlander-ppo",
        algorithm="ppo",
        env="LunarLander-v3",
        n_envs=16,
        rollout=16_384,
        rollouts={"smoke": 8, "quick": 3, "small": 20, "paper": 61},
        hyperparameters={
            **PPO,
            "n_steps": 1_024,
            "batch_size": 64,
            "gamma": 0.999,
            "gae_lambda": 0.98,
            "n_epochs": 4,
            "ent_coef": 0.01,
            "learning_rate": 3e-4,
            "clip_range": 0.2,
        },
        optimizer=ADAM,
        network=towers([64, 64], "tanh"),
        normalise=False,
        limit=1_000,
        threshold=200.0,
        tolerance=20.0,
        reference=242.1,
        length="min",
        smoke={"n_steps": 16, "n_epochs": 2},
        deviations=(V3,),
    ),
    Setting(
        name="cartpole-dqn",
        algorithm="dqn",
        env="CartPole-v1",
        n_envs=1,
        rollout=256,
        rollouts={"smoke": 8, "quick": 60, "small": 195, "paper": 195},
        hyperparameters={
            "learning_rate": 2.3e-3,
            "batch_size": 64,
            "buffer_size": 100_000,
            "learning_starts": 1_000,
            "gamma": 0.99,
            "tau": 1.0,
            "target_update_interval": 10,
            "train_freq": 256,
            "gradient_steps": 128,
            "exploration_fraction": 0.16,
            "exploration_final_eps": 0.04,
            "max_grad_norm": 10.0,
        },
        optimizer={"name": "adam"},
        network=towers([256, 256], "relu"),
        normalise=False,
        limit=500,
        threshold=475.0,
        tolerance=25.0,
        reference=500.0,
        length="max",
        smoke={"train_freq": 64, "gradient_steps": 8, "learning_starts": 100, "buffer_size": 10_000},
    ),
]


def _config(setting: Setting, scale: Scale) -> dict[str, Any]:
    other = setting.smoke if scale == "smoke" else {}
    return {
        "algorithm": setting.algorithm,
        "hyperparameters": {**setting.hyperparameters, **other},
        "optimizer": setting.optimizer,
        "network": setting.network,
        "env": {"kind": "gymnasium", "id": setting.env},
        "n_envs": setting.n_envs,
        "reward_scale": 1.0,
        "normalise": setting.normalise,
        "scope": "all",
        "threshold": setting.threshold,
        "episode_limit": setting.limit,
    }


def _deviations(setting: Setting, scale: Scale, budget: int) -> tuple[str, ...]:
    whole = setting.rollout * setting.rollouts["paper"]
    sentences = [] if budget == whole else [f"Trained for {budget:,} environment steps, not {whole:,}."]
    if scale == "smoke":
        sentences.append("Smaller rollouts and fewer updates than the zoo's: " + ", ".join(sorted(setting.smoke)) + ".")
    if setting.algorithm == "dqn":
        sentences.append(REPLAY)
    return (*sentences, *setting.deviations, censoring("env_steps"))


def _rollout(setting: Setting, scale: Scale) -> int:
    """Environment steps between two updates."""
    changed = {**setting.hyperparameters, **(setting.smoke if scale == "smoke" else {})}
    return int(changed.get("n_steps", changed.get("train_freq", 0)) * setting.n_envs)


def _task(setting: Setting, scale: Scale) -> Task:
    rollout, count = _rollout(setting, scale), setting.rollouts[scale]
    falls = isinstance(setting.hyperparameters["learning_rate"], Mapping)
    config = _config(setting, scale)
    warm = config["hyperparameters"].get("learning_starts", 0) // rollout + 1  # before, nothing is learned
    rewind = 3 if scale == "smoke" else max(warm, round(count / 20))
    return Task(
        name=f"rl/{setting.name}",
        scale=scale,
        config=config,
        budget=rollout * count,
        unit="env_steps",
        evaluate_every=rollout * max(1, count // 5),
        rewind_step=rollout * rewind,
        pruning=pruning("all"),
        metric="return",
        directions=directions(setting.length),
        split="test",
        splits=("train", "val", "test"),
        evaluation=fresh(5 if scale == "smoke" else 100, at_once=PARALLEL[setting.env]),
        tolerance=setting.tolerance,
        chance=CHANCE[setting.env],
        reference=setting.reference,
        fewest_seeds=10 if setting.algorithm == "dqn" else 3,
        constant_rate=not falls,
        groups=GROUPS,
        source="rl-baselines3-zoo 22e3ff2; protocol of 1906.02768",
        deviations=_deviations(setting, scale, rollout * count),
    )


TASKS = [_task(setting, scale) for setting in SETTINGS for scale in setting.rollouts]
