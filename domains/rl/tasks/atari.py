"""The nine Atari games of 1906.02768 under three protocols: full runs are for GPUs, smoke runs for the tests."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.spec import Scale, Task
from domains.rl.tasks.chance import CHANCE
from domains.rl.tasks.recipe import GROUPS, censoring, directions, pruning

GAMES = {
    "assault": 742.0,
    "berzerk": 2_630.4,
    "breakout": 30.5,
    "centipede": 12_017.0,
    "kangaroo": 3_035.0,
    "krull": 2_665.5,
    "qbert": 13_455.0,
    "seaquest": 42_054.7,
    "space_invaders": 1_668.7,
}
"""Game -> score of a human tester (Mnih et al. 2015): the threshold of having learned."""

A2C = {"breakout": 279.8, "qbert": 3_882.0, "seaquest": 1_721.0, "space_invaders": 627.0}
"""Game -> score of rl-baselines3-zoo's A2C (commit 22e3ff2) after 10 million steps, where it has one."""

EPISODE_LIMIT = 27_000
"""Agent steps of one game: 108,000 frames, four at a time."""


class Preset(NamedTuple):
    """How an agent sees a game and learns it.

    Args:
        suffix: of the task's name.
        n_envs: copies of the game.
        hyperparameters: of A2C.
        optimizer: its options.
        network: between observation and heads.
        deviations: from the paper.
    """

    suffix: str
    n_envs: int
    hyperparameters: dict[str, Any]
    optimizer: dict[str, Any]
    network: dict[str, Any]
    deviations: tuple[str, ...]


ZOO: dict[str, Any] = {
    "n_envs": 16,
    "hyperparameters": {
        "n_steps": 5,
        "gamma": 0.99,
        "gae_lambda": 1.0,
        "learning_rate": 7e-4,
        "ent_coef": 0.01,
        "vf_coef": 0.25,
        "max_grad_norm": 0.5,
    },
    "optimizer": {"name": "rmsprop-tf", "alpha": 0.99, "eps": 1e-5},
    "network": {"name": "nature", "hidden": [32, 64, 64, 512]},
}
NATURE = "Network, preprocessing and settings are those of Nature's DQN and rl-baselines3-zoo's A2C, not the paper's."

PRESETS = {
    "nature": Preset(suffix="", **ZOO, deviations=(NATURE,)),
    "machado": Preset(suffix="-machado", **ZOO, deviations=(NATURE, "Sticky actions and all 18 buttons.")),
    "yu": Preset(
        suffix="-yu",
        n_envs=32,
        hyperparameters={
            "n_steps": 4,
            "gamma": 0.99,
            "gae_lambda": 1.0,
            "learning_rate": 1e-3,
            "ent_coef": 0.01,
            "vf_coef": 0.5,
            "max_grad_norm": None,
        },
        optimizer={"name": "adam", "eps": 1e-3},
        network={"name": "yu-elf", "hidden": [64, 64, 64, 64, 512, 512]},
        deviations=(
            "32 synchronous games of 4 steps make the paper's batch of 128 steps.",
            "Its 1,024 asynchronous games, clamped importance ratio and clipped advantages are not in stable-baselines3.",
            "Three frames an action, the mean of the paper's random two to four.",
        ),
    ),
}
WINDOW = "Scored on the last 100 training games; the paper takes 1,024."


def _task(game: str, protocol: str, scale: Scale) -> Task:
    preset = PRESETS[protocol]
    n_envs = 4 if scale == "smoke" else preset.n_envs
    rollout = n_envs * preset.hyperparameters["n_steps"]
    budget = rollout * 8 if scale == "smoke" else 3_200_000
    smoke = (f"Trained for {budget:,} environment steps in {n_envs} games, not 3,200,000.",)
    return Task(
        name=f"rl/atari-{game.replace('_', '-')}-a2c{preset.suffix}",
        scale=scale,
        config={
            "algorithm": "a2c",
            "hyperparameters": preset.hyperparameters,
            "optimizer": preset.optimizer,
            "network": preset.network,
            "env": {"kind": "atari", "id": game, "protocol": protocol},
            "n_envs": n_envs,
            "reward_scale": 1.0,
            "normalise": False,
            "scope": "all",
            "threshold": GAMES[game],
            "episode_limit": EPISODE_LIMIT,
        },
        budget=budget,
        unit="env_steps",
        evaluate_every=budget // 4 if scale == "smoke" else budget // 25,
        rewind_step=budget // 4 if scale == "smoke" else budget // 25,
        pruning=pruning("all"),
        metric="return",
        directions=directions("max"),
        split="train",
        splits=("train",),
        at=("last-100",),
        evaluation={"episodes": 100, "actions": "sampled", "of": "the last training games"},
        tolerance=min(GAMES[game], A2C.get(game, GAMES[game])) / 20,
        chance=CHANCE[f"atari/{game}/{protocol}"],
        constant_rate=True,
        groups=GROUPS,
        source="Yu, Edunov, Tian & Morcos 2019 (1906.02768), Atari",
        deviations=(*(smoke if scale == "smoke" else ()), *preset.deviations, WINDOW, censoring("env_steps")),
    )


TASKS = [_task(game, protocol, scale) for game in GAMES for protocol in PRESETS for scale in ("smoke", "paper")]
