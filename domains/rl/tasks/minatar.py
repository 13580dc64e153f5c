"""The five games of MinAtar (1903.03176): pixels that a CPU can afford."""

from __future__ import annotations

from typing import Any

from bench.spec import Scale, Task
from domains.rl.tasks.chance import CHANCE
from domains.rl.tasks.recipe import GROUPS, censoring, directions, fresh, pruning

GAMES = {"asterix": 2.0, "breakout": 5.0, "freeway": 20.0, "seaquest": 2.0, "space_invaders": 30.0}
"""Game -> running mean return that counts as learned."""

LIMIT = 5_000
"""Agent steps of one episode."""

BUDGETS: dict[Scale, int] = {"smoke": 2_048, "quick": 122_880, "small": 983_040, "paper": 4_915_200}
"""Scale -> environment steps."""

A2C = {
    "n_steps": 8,
    "gamma": 0.99,
    "gae_lambda": 1.0,
    "learning_rate": 7e-4,
    "ent_coef": 0.01,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}
PPO = {
    "n_steps": 32,
    "batch_size": 256,
    "n_epochs": 3,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "learning_rate": 1e-3,
    "clip_range": 0.2,
    "ent_coef": 0.01,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}
AGENTS: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
    "a2c": (32, A2C, {"name": "rmsprop-tf", "alpha": 0.99, "eps": 1e-5}),
    "ppo": (64, PPO, {"name": "adam", "eps": 1e-5}),
}
"""Algorithm -> copies of the game, hyper-parameters and optimizer."""

OURS = (
    "MinAtar's authors train DQN and an actor-critic with traces; network and environment are theirs, the settings of "
    f"A2C and PPO are ours, and an episode is cut off after {LIMIT:,} agent steps."
)


def _task(game: str, algorithm: str, scale: Scale) -> Task:
    n_envs, hyperparameters, optimizer = AGENTS[algorithm]
    n_envs = 8 if scale == "smoke" else n_envs
    rollout = n_envs * hyperparameters["n_steps"]
    budget, whole = BUDGETS[scale], BUDGETS["paper"]
    short = () if budget == whole else (f"Trained for {budget:,} environment steps, not {whole:,}.",)
    return Task(
        name=f"rl/minatar-{game.replace('_', '-')}-{algorithm}",
        scale=scale,
        config={
            "algorithm": algorithm,
            "hyperparameters": hyperparameters,
            "optimizer": optimizer,
            "network": {"name": "minatar", "hidden": [16, 128]},
            "env": {"kind": "minatar", "id": game, "limit": LIMIT, "sticky": 0.1},
            "n_envs": n_envs,
            "reward_scale": 1.0,
            "normalise": False,
            "scope": "all",
            "threshold": GAMES[game],
            "episode_limit": LIMIT,
        },
        budget=budget,
        unit="env_steps",
        evaluate_every=budget // 4,
        rewind_step=max(2 * rollout, budget // 20 // rollout * rollout),
        pruning=pruning("all"),
        metric="return",
        directions=directions("max"),
        split="test",
        splits=("train", "val", "test"),
        evaluation=fresh(5 if scale == "smoke" else 100, at_once=25, deterministic=False),
        tolerance=GAMES[game] / 10,
        chance=CHANCE[f"minatar/{game}"],
        constant_rate=True,
        groups=GROUPS,
        source="Young & Tian 2019 (1903.03176); protocol of 1906.02768",
        deviations=(*short, OURS, censoring("env_steps")),
    )


TASKS = [_task(game, algorithm, scale) for game in GAMES for algorithm in AGENTS for scale in BUDGETS]
