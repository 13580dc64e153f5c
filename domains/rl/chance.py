"""Measures what a policy that acts uniformly at random scores.

python -m domains.rl.chance TASK [EPISODES], or, of an environment of your own, ID EPISODES LIMIT.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from bench.code.pinned import digests
from domains.rl.environments import envs
from domains.rl.environments.episodes import Array
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
    space = played.action_space
    share = np.full(COPIES, episodes // COPIES)
    returns: list[float] = []
    while share.any():
        *_, infos = played.act(_drawn(space, generator))
        for index, info in enumerate(infos):
            if "episode" in info and share[index]:
                share[index] -= 1
                returns.append(info["episode"]["r"])
    return returns


def _drawn(space: spaces.Space[Any], generator: np.random.Generator) -> Array:
    """An action for every copy, each as likely."""
    if isinstance(space, spaces.Box):
        return generator.uniform(space.low, space.high, (COPIES, *space.shape)).astype(space.dtype)
    assert isinstance(space, spaces.Discrete)
    return generator.integers(0, int(space.n), COPIES)


def main(key: str, episodes: str = "1000", limit: str | None = None) -> None:
    """Print mean and standard error of the random returns of the environment of task `key`, or of gymnasium's id `key`."""
    own = {"kind": "gymnasium", "id": key, "max_episode_steps": limit and int(limit), "code": digests(key)}
    returns = random_returns(TASKS[key].config["env"] if key in TASKS else own, episodes=int(episodes))
    error = np.std(returns, ddof=1) / np.sqrt(len(returns))
    print(f"{key} {np.mean(returns):.2f} +- {error:.2f} ({len(returns)} episodes)")  # noqa: T201  a command's answer


if __name__ == "__main__":
    main(*sys.argv[1:])
