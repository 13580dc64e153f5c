"""The environments of several agents as one: a larger batch where they are arrays, else one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from domains.rl.environments.classic import Physics
from domains.rl.environments.episodes import Array, Episodes, Simulations, Step


class Joint:
    """The episodes of several agents, which go on where they are.

    Args:
        parts: of each agent, equal in kind and number of copies.

    Attributes:
        episodes: of all copies, the first agent's first.
    """

    def __init__(self, parts: Sequence[Episodes]) -> None:
        self._parts = parts
        simulations = [part.simulations for part in parts]
        arrays = [each for each in simulations if isinstance(each, Physics)]
        whole: Physics | Parts = arrays[0].joined(arrays) if arrays else Parts(simulations)
        self._arrays, self._whole = arrays, whole
        self.episodes = Episodes.joined(parts, whole)

    @property
    def crashed(self) -> dict[int, Exception]:
        """Number of an agent -> what its environment raised."""
        return {} if isinstance(self._whole, Physics) else self._whole.crashed

    def part(self) -> None:
        """Let each go on by itself."""
        self.episodes.give(self._parts)
        if isinstance(self._whole, Physics):
            self._whole.give(self._arrays)


class Parts:
    """Simulations of several agents, one after the other (see `domains.rl.environments.episodes.Simulations`).

    One that crashes has episodes of no content from then on, so that nobody waits for their end, and the others go on.

    Args:
        parts: of each agent.

    Attributes:
        crashed: number of an agent -> what its environment raised.
    """

    def __init__(self, parts: Sequence[Simulations]) -> None:
        self._parts = parts
        self.name, self.n = parts[0].name, sum(part.n for part in parts)
        self.observation_space, self.action_space = parts[0].observation_space, parts[0].action_space
        self.crashed: dict[int, Exception] = {}
        self._bounds = list(pairwise(np.cumsum([0, *(part.n for part in parts)]).tolist()))
        self._still = _standing(parts[0])

    def reset(self, seeds: Sequence[int]) -> Array:
        """Observations (n, ...) of new episodes."""
        return np.concatenate(
            [part.reset(seeds[begin:end]) for part, (begin, end) in zip(self._parts, self._bounds, strict=True)]
        )

    def step(self, actions: Array) -> Step:
        """Act in each copy."""
        steps = [self._step(number, actions[begin:end]) for number, (begin, end) in enumerate(self._bounds)]
        return Step(*(np.concatenate(each) for each in zip(*steps, strict=True)))

    def _step(self, number: int, actions: Array) -> Step:
        if number not in self.crashed:
            try:
                return self._parts[number].step(actions)
            except Exception as error:  # noqa: BLE001  whatever an environment raises is its own agent's
                self.crashed[number] = error
        return self._still

    def close(self) -> None:
        """Close each."""
        for part in self._parts:
            part.close()


def _standing(part: Simulations) -> Step:
    """A step in which nothing happens, and every episode ends."""
    shape, kind = part.observation_space.shape or (), part.observation_space.dtype
    seen, zero, no = np.zeros((part.n, *shape), kind), np.zeros(part.n), np.zeros(part.n, dtype=bool)
    return Step(seen, zero, zero, no, no, ~no, seen)
