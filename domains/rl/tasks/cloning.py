"""Behavioural cloning on classic control: the network of 1906.02768 taught by a trained agent instead of rewards."""

from __future__ import annotations

from bench.spec import Scale, Task
from domains.rl.tasks.chance import CHANCE
from domains.rl.tasks.classic import GAMES
from domains.rl.tasks.recipe import GROUPS, fresh, pruning

BUDGETS: dict[Scale, int] = {"smoke": 40, "small": 1_000}
"""Scale -> updates."""
EXPERT = "497f0aac5a81daf2f54150232c6288a37cfb44234bd05b6d5a978216993b8304"
"""`bench.digests.tensors_digest` of the arrays of `domains.rl.cloning.expert`: part of what a unit is."""
OURS = (
    "No paper has this task: 2105.01648 distils its own experts, here it is a PPO agent of this suite, in 50 whole episodes.",
    "The critic takes no part, and is exempt from pruning.",
)


def _task(scale: Scale) -> Task:
    game, budget = GAMES["cartpole"], BUDGETS[scale]
    short = () if scale == "small" else (f"Trained for {budget:,} updates, not {BUDGETS['small']:,}.",)
    return Task(
        name="rl/cartpole-cloning",
        scale=scale,
        config={
            "algorithm": "a2c",
            "hyperparameters": {"learning_rate": 1e-3},
            "optimizer": {"name": "adam"},
            "network": {"name": "trunk", "hidden": game.hidden},
            "policy": {"ortho_init": False},
            "env": {"kind": "gymnasium", "id": game.env},
            "n_envs": 1,
            "normalise": False,
            "batch": 256,
            "demonstrations": 50,
        },
        data={"cartpole-expert": EXPERT},
        budget=budget,
        evaluate_every=budget // 5,
        rewind_step=budget // 20,
        pruning=pruning("actor+trunk"),
        metric="return",
        directions={"return": "max", "episode_length": game.length},
        splits=("val", "test"),
        evaluation=fresh(5 if scale == "smoke" else 100, at_once=100, deterministic=False),
        tolerance=game.tolerance,
        chance=CHANCE[game.env],
        constant_rate=True,
        groups=GROUPS,
        source="this suite, after 2105.01648; the network of Yu, Edunov, Tian & Morcos 2019 (1906.02768), classic control",
        deviations=(*short, *OURS),
    )


TASKS = [_task(scale) for scale in BUDGETS]
