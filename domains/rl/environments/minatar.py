"""MinAtar's five games on a 10 x 10 grid (1903.03176), one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces
from minatar import Environment  # type: ignore[import-untyped]

from bench.errors import UnknownName
from domains.rl.environments.episodes import Array, Step

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")


class MinAtars:
    """n copies of one game (see `domains.rl.environments.episodes.Simulations`): observations (10, 10, channels) of bool.

    Args:
        name: one of `GAMES`.
        n: number of copies.
        limit: agent steps after which an episode is cut off; MinAtar has no such limit.
        sticky: probability that the last action is repeated.

    Raises:
        UnknownName: if there is no such game.
    """

    def __init__(self, name: str, n: int, *, limit: int, sticky: float) -> None:
        if name not in GAMES:
            raise UnknownName("MinAtar game", name, GAMES)
        self.name, self.n, self._limit = f"MinAtar {name}", n, limit
        self._games = [Environment(name, sticky_action_prob=sticky) for _ in range(n)]
        self._actions = self._games[0].minimal_action_set()
        self._age = np.zeros(n, dtype=np.int64)
        shape = self._games[0].state_shape()
        self.observation_space = spaces.Box(0, 1, shape, dtype=np.bool_)  # type: ignore[arg-type]
        self.action_space = spaces.Discrete(len(self._actions))

    def reset(self, seeds: Sequence[int]) -> Array:
        """Observations (n, 10, 10, channels) of new episodes."""
        for game, seed in zip(self._games, seeds, strict=True):
            game.seed(seed)
            game.last_action = 0  # else it would stick across a reset
            game.reset()
        self._age[:] = 0
        return self._seen()

    def step(self, actions: Array) -> Step:
        """Act in each copy, and start the next episode where one ended."""
        results = [game.act(self._actions[action]) for game, action in zip(self._games, actions, strict=True)]
        last = observations = self._seen()
        rewards = np.array([reward for reward, _ in results], dtype=np.float64)
        terminated = np.array([ended for _, ended in results], dtype=bool)
        self._age += 1
        truncated = (self._age >= self._limit) & ~terminated
        over = terminated | truncated
        if over.any():
            observations = last.copy()
            for index in np.flatnonzero(over).tolist():
                self._games[index].reset()
                observations[index] = self._games[index].state()
            self._age[over] = 0
        return Step(observations, rewards, rewards, terminated, truncated, over, last)

    def close(self) -> None:
        """Nothing to free: no picture was ever opened."""

    def _seen(self) -> Array:
        return np.stack([game.state() for game in self._games]).astype(np.bool_)
