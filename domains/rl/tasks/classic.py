"""Classic control exactly as 1906.02768 trains it, and the twins with equal environment steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

from bench.spec import Direction, Scale, Task
from domains.rl.tasks.chance import CHANCE
from domains.rl.tasks.recipe import GROUPS, censoring, directions, pruning


class Game(NamedTuple):
    """One environment of the paper's section on classic control.

    Args:
        env: gymnasium's id.
        hidden: widths of the shared trunk.
        episodes: scale -> budget; the paper's is 20 epochs of so many games, `small` is what two CPU cores do in minutes.
        env_steps: scale -> the twin's budget: about what a dense agent spends on the episodes of that scale.
        limit: steps after which an episode is cut off.
        threshold: running mean return that counts as learned.
        tolerance: how much worse than dense still counts as matching.
        length: whether longer episodes are better.
        deviations: from the paper.
    """

    env: str
    hidden: list[int]
    episodes: dict[Scale, int]
    env_steps: dict[Scale, int]
    limit: int
    threshold: float
    tolerance: float
    length: Direction
    deviations: tuple[str, ...] = ()


GAMES = {
    "cartpole": Game(
        env="CartPole-v0",
        hidden=[128] * 3,
        episodes={"smoke": 60, "quick": 960, "small": 3_200, "paper": 3_200},
        env_steps={"smoke": 10_240, "quick": 143_360, "small": 481_280, "paper": 481_280},
        limit=200,
        threshold=150.0,
        tolerance=10.0,
        length="max",
    ),
    "acrobot": Game(
        env="Acrobot-v1",
        hidden=[256] * 3,
        episodes={"smoke": 40, "quick": 260, "small": 1_600, "paper": 6_400},
        env_steps={"smoke": 5_120, "quick": 38_400, "small": 266_240, "paper": 944_640},
        limit=500,
        threshold=-150.0,
        tolerance=10.0,
        length="min",
    ),
    "lunarlander": Game(
        env="LunarLander-v3",
        hidden=[256] * 3,
        episodes={"smoke": 80, "quick": 260, "small": 1_600, "paper": 12_800},
        env_steps={"smoke": 30_720, "quick": 102_400, "small": 657_920, "paper": 9_735_680},
        limit=1_000,
        threshold=100.0,
        tolerance=20.0,
        length="min",
        deviations=("LunarLander-v3: the paper's v2 is no longer distributed; its dynamics are the same.",),
    ),
}

UNSTATED = (
    "The paper states neither discount, entropy weight, value weight nor gradient clipping: here those of FLARE, the "
    "library it used (0.99, 0.01, 1, none), with losses averaged over the batch, which RMSprop absorbs."
)
EPISODE_BUDGET = (
    "The budget is counted in episodes, as in the paper: a better agent has longer or shorter episodes, and so another "
    "number of updates; the -steps twin has equal environment steps."
)
STEP_BUDGET = (
    "The paper counts episodes; here every agent takes about the environment steps that our dense agents needed for them: "
    "the mean of three seeds (CartPole, small Acrobot and LunarLander), one seed (paper Acrobot), or an estimate."
)


def config(game: Game) -> dict[str, Any]:
    """What the paper trains with, in the terms of stable-baselines3."""
    return {
        "algorithm": "a2c",
        "hyperparameters": {
            "n_steps": 4,
            "gamma": 0.99,
            "gae_lambda": 0.0,
            "learning_rate": 1e-4,
            "ent_coef": 0.01,
            "vf_coef": 1.0,
            "max_grad_norm": None,
        },
        "optimizer": {"name": "rmsprop", "alpha": 0.99, "eps": 1e-8},
        "network": {"name": "trunk", "hidden": game.hidden},
        "policy": {"ortho_init": False},
        "env": {"kind": "gymnasium", "id": game.env},
        "n_envs": 32,
        "reward_scale": 0.01,
        "normalise": False,
        "scope": "all",
        "threshold": game.threshold,
        "episode_limit": game.limit,
    }


def _task(name: str, game: Game, scale: Scale, *, by_steps: bool) -> Task:
    unit: Literal["env_steps", "episodes"] = "env_steps" if by_steps else "episodes"
    budgets = game.env_steps if by_steps else game.episodes
    budget, whole = budgets[scale], budgets["paper"]
    short = () if budget == whole else (f"Trained for {budget:,} {unit.replace('_', ' ')}, not {whole:,}.",)
    return Task(
        name=f"rl/{name}-a2c" + ("-steps" if by_steps else ""),
        scale=scale,
        config=config(game),
        budget=budget,
        unit=unit,
        evaluate_every=budget // 20,
        rewind_step=budget // 20,
        pruning=pruning("all"),
        metric="return",
        directions=directions(game.length),
        split="train",
        splits=("train",),
        at=("last-100",),
        evaluation={"episodes": 100, "actions": "sampled", "of": "the last training episodes"},
        tolerance=game.tolerance,
        chance=CHANCE[game.env],
        constant_rate=True,
        groups=GROUPS,
        source="Yu, Edunov, Tian & Morcos 2019 (1906.02768), classic control",
        deviations=(*short, *game.deviations, STEP_BUDGET if by_steps else EPISODE_BUDGET, UNSTATED, censoring(unit)),
    )


PADDED = (
    "Beside its four numbers, every observation has twelve of normal noise, of a standard deviation of 0.1: no paper trains "
    "this; 2105.01648 pads observations of other environments."
)


def _noisy(scale: Scale) -> Task:
    """CartPole among noise: which inputs does a ticket keep?"""
    whole = _task("cartpole", GAMES["cartpole"], scale, by_steps=False)
    return replace(
        whole,
        name="rl/cartpole-noise-a2c",
        config={**whole.config, "env": {"kind": "padded", "id": GAMES["cartpole"].env}},
        source="this suite, after 2105.01648; trained as Yu, Edunov, Tian & Morcos 2019 (1906.02768), classic control",
        deviations=(*whole.deviations, PADDED),
    )


TASKS = [
    *(
        _task(name, game, scale, by_steps=by_steps)
        for name, game in GAMES.items()
        for by_steps in (False, True)
        for scale in game.episodes
    ),
    _noisy("smoke"),
    _noisy("small"),
]
