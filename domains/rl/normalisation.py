"""Running statistics of observations and rewards, as part of a learner's state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from torch import Tensor

from domains.rl.environments.episodes import Array, Episodes


class Normaliser:
    """stable-baselines3's `VecNormalize` around the training environment, or nothing.

    Args:
        episodes: the environment.
        wanted: whether observations and rewards are normalised.
        gamma: the discount of the returns whose spread divides the rewards.

    Attributes:
        env: what the algorithm trains in.
    """

    def __init__(self, episodes: Episodes, *, wanted: bool, gamma: float) -> None:
        self._wrapper = VecNormalize(episodes, gamma=gamma) if wanted else None
        self.env: VecEnv = self._wrapper or episodes

    @property
    def is_wanted(self) -> bool:
        """Whether it changes anything."""
        return self._wrapper is not None

    def observe(self, observations: Array) -> Array:
        """Observations (n, ...) as the policy sees them; statistics stay as they are."""
        return observations if self._wrapper is None else np.asarray(self._wrapper.normalize_obs(observations))

    def reward(self, rewards: Array) -> Array:
        """Rewards (n,) as the algorithm sees them; statistics stay as they are."""
        return rewards if self._wrapper is None else self._wrapper.normalize_reward(rewards)

    def take(self, observations: Array, rewards: Array, done: Array) -> tuple[Array, Array]:
        """What the wrapper makes of a step of all copies that it did not take itself, its statistics included.

        Args:
            observations: (n, ...), after the step.
            rewards: (n,), as the environment gives them.
            done: (n,) bool: where an episode ended.

        Returns:
            Observations and rewards as the policy and the algorithm see them.
        """
        wrapper = self._wrapper
        if wrapper is None:
            return observations, rewards
        wrapper.obs_rms.update(observations)
        wrapper._update_reward(rewards)  # noqa: SLF001  the middle of its `step_wait`
        wrapper.returns[done] = 0
        return self.observe(observations), self.reward(rewards)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """A context in which nothing enters the statistics."""
        if self._wrapper is None:
            yield
            return
        self._wrapper.training = False
        try:
            yield
        finally:
            self._wrapper.training = True

    def tensors(self) -> dict[str, Tensor]:
        """Mean, variance and count of observations and of discounted returns, in float64."""
        return {
            f"normaliser.{kind}.{field}": torch.as_tensor(getattr(statistics, field), dtype=torch.float64).clone()
            for kind, statistics in self._statistics().items()
            for field in FIELDS
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put the statistics that `tensors` gave back."""
        for kind, statistics in self._statistics().items():
            for field in FIELDS:
                value = tensors[f"normaliser.{kind}.{field}"].cpu().numpy().copy()
                setattr(statistics, field, float(value) if field == "count" else value)

    def _statistics(self) -> dict[str, object]:
        if self._wrapper is None:
            return {}
        return {"observations": self._wrapper.obs_rms, "returns": self._wrapper.ret_rms}


FIELDS = ("mean", "var", "count")
