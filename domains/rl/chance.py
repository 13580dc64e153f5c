"""Measures what a policy that acts uniformly at random scores: python -m domains.rl.chance TASK [EPISODES]."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from domains.rl import envs
from domains.rl.tasks import TASKS

COPIES = 50
"""Each copy plays its share of the episodes, so that short ones are not favoured."""


def random_returns(env: Mapping[str, Any], *, episodes: int, seed: int = 0) -> list[float]:
    """Raw returns of so many episodes of random play.

    Args:
        env: as in a task's `config`.
        episodes: a multiple of `COPIES`.
        seed: of episodes and actions.
    """
    played = envs.make(env, n=COPIES)
    generator = np.random.default_rng(seed)
    played.reset_from(envs.seeds(np.random.SeedSequence(seed), COPIES))
    assert isinstance(played.action_space, spaces.Discrete)
    actions = int(played.action_space.n)
    share = np.full(COPIES, episodes // COPIES)
    returns: list[float] = []
    while share.any():
        *_, infos = played.act(generator.integers(0, actions, COPIES))
        for index, info in enumerate(infos):
            if "episode" in info and share[index]:
                share[index] -= 1
                returns.append(info["episode"]["r"])
    return returns


def main(key: str, episodes: str = "1000") -> None:
    """Print mean and standard error of the random returns of the environment of task `key`."""
    returns = random_returns(TASKS[key].config["env"], episodes=int(episodes))
    error = np.std(returns, ddof=1) / np.sqrt(len(returns))
    print(f"{key} {np.mean(returns):.2f} +- {error:.2f} ({len(returns)} episodes)")  # noqa: T201  a command's answer


if __name__ == "__main__":
    main(*sys.argv[1:])
