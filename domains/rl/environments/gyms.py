"""n environments of gymnasium, one after the other, without pictures."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium import error
from gymnasium.wrappers import OrderEnforcing, TimeLimit

from bench.errors import DataError, MissingPackage, UnknownName
from domains.rl.environments.episodes import Array, Step
from domains.rl.environments.lander import Lander

LANDER = "LunarLander-v3"


class Gyms:
    """n copies of a gymnasium environment (see `domains.rl.environments.episodes.Simulations`).

    They are made without a `render_mode`: with pictures, LunarLander simulates sparks that no agent sees, and takes
    three times as long.

    Args:
        name: gymnasium's id.
        n: number of copies.
        options: keyword arguments of the environment.

    Attributes:
        limit: steps after which an episode is cut off; infinite where nothing says so.

    Raises:
        UnknownName: if gymnasium does not know the id.
        DataError: if a package that the environment needs, or the module it comes from, is missing.
    """

    def __init__(self, name: str, n: int, **options: Any) -> None:
        self.name, self.n = name, n
        made = [_make(name, **options) for _ in range(n)]
        limit = made[0].spec.max_episode_steps if made[0].spec else None
        self.limit = math.inf if limit is None else limit
        self._envs: list[Any] = [_bare(env) for env in made]
        self._age = np.zeros(n, dtype=np.int64)
        self.observation_space = made[0].observation_space
        self.action_space = deepcopy(made[0].action_space)  # an environment's class may share one, and we seed ours
        if name == LANDER and not options:
            self._envs = [Lander(env) for env in self._envs]

    def reset(self, seeds: Sequence[int]) -> Array:
        """Observations (n, ...) of new episodes."""
        self._age[:] = 0
        return np.stack([env.reset(seed=seed)[0] for env, seed in zip(self._envs, seeds, strict=True)])

    def step(self, actions: Array) -> Step:
        """Act in each copy, and start the next episode where one ended."""
        # Plain integers: the environments compare and check them several times a step.
        each = actions.tolist() if actions.ndim == 1 else actions
        results = [env.step(action) for env, action in zip(self._envs, each, strict=True)]
        last = np.array([result[0] for result in results], dtype=self.observation_space.dtype)
        rewards = np.array([result[1] for result in results], dtype=np.float64)
        if rewards.ndim != 1:
            raise ValueError(f"a reward is a number, and this one is an array of shape {rewards.shape[1:]}")
        terminated = np.array([result[2] for result in results], dtype=bool)
        self._age += 1
        truncated = np.array([result[3] for result in results], dtype=bool) | (self._age >= self.limit)
        truncated &= ~terminated
        over = terminated | truncated
        observations = last
        if over.any():
            observations = last.copy()
            for index in np.flatnonzero(over).tolist():
                observations[index] = self._envs[index].reset()[0]
            self._age[over] = 0
        return Step(observations, rewards, rewards, terminated, truncated, over, last)

    def close(self) -> None:
        """Close each copy."""
        for env in self._envs:
            env.close()


def _bare(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """The environment without the wrappers that only count steps and check their order, which is done here."""
    while isinstance(env, (TimeLimit, OrderEnforcing)):
        env = env.env
    return env


def _make(name: str, **options: Any) -> gymnasium.Env[Any, Any]:
    try:
        with warnings.catch_warnings():
            # Box2D's bindings and gymnasium's old ids warn on every import and every make.
            warnings.simplefilter("ignore")
            return gymnasium.make(name, disable_env_checker=True, **options)
    except error.DependencyNotInstalled as problem:
        package = "a package of its own (LunarLander: box2d and pygame-ce)"
        raise MissingPackage(f"environment {name}", package, install="ticketbench[rl]") from problem
    except ModuleNotFoundError as problem:
        raise DataError(f"environment {name} cannot be imported: {problem}") from problem
    except error.Error as problem:
        raise UnknownName("environment", name, gymnasium.registry) from problem
