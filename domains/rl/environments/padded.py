"""CartPole whose state is seen among numbers that mean nothing, to find out which inputs a ticket keeps (2105.01648)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces

from domains.rl.environments.classic import FLOAT32, CartPoles
from domains.rl.environments.episodes import Array, Step

NOISE = 12
"""Numbers behind the state's four, drawn anew for each copy at every step."""
SPREAD = 0.1
"""Their standard deviation: about that of the angle, half of which ends an episode."""


class PaddedCartPoles(CartPoles):
    """See `CartPoles`; each copy draws its noise from its own generator.

    Attributes:
        relevant: (inputs,): which numbers of an observation are the state's.
    """

    relevant = np.arange(4 + NOISE) < 4

    def spaces(self) -> tuple[spaces.Box, spaces.Discrete]:
        """The state's four numbers, and noise without bounds."""
        seen, actions = super().spaces()
        high = np.concatenate([seen.high, np.full(NOISE, np.inf, dtype=FLOAT32)])
        return spaces.Box(-high, high, dtype=FLOAT32), actions

    def reset(self, seeds: Sequence[int]) -> Array:
        """Observations (n, 4 + noise) of new episodes."""
        return self._padded(super().reset(seeds))

    def step(self, actions: Array) -> Step:
        """Act in each copy; where an episode ends, its last and the next one's first observation share their noise."""
        step = super().step(actions)
        noise = self._noise()
        return step._replace(**{name: np.hstack([getattr(step, name), noise]) for name in ("observations", "last")})

    def _padded(self, seen: Array) -> Array:
        return np.hstack([seen, self._noise()])

    def _noise(self) -> Array:
        return np.stack([generator.normal(0, SPREAD, NOISE) for generator in self.generators]).astype(FLOAT32)


PADDED: dict[str, tuple[type[PaddedCartPoles], int]] = {"CartPole-v0": (PaddedCartPoles, 200)}
"""gymnasium's id -> who simulates it with noise beside its state, and its time limit."""
