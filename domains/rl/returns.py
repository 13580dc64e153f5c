"""The learning curve of one training: its last episodes, the area under it, and when it first was good enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from domains.rl.episodes import Finished

WINDOW = 100
"""Episodes in the running mean (1906.02768, appendix A: L)."""


class Returns:
    """What is known of the training episodes so far.

    Args:
        threshold: a running mean of a full window that counts as learned.
        censored: what stands for the steps to the threshold as long as it was not reached: the most environment
            steps that the budget can take.
        nothing: what stands for a score before the first episode has ended: that of a random policy.
    """

    def __init__(self, *, threshold: float, censored: int, nothing: float) -> None:
        self._threshold, self._censored, self._nothing = threshold, censored, nothing
        self._window: deque[Finished] = deque(maxlen=WINDOW)
        self._mean = nothing
        self._area = 0.0
        self._weight = 0
        self._reached: int | None = None

    def add(self, episodes: Iterable[Finished], *, env_steps: int, new_steps: int) -> None:
        """Take in what ended in one rollout.

        Args:
            episodes: in the order in which they ended.
            env_steps: so far, the rollout included.
            new_steps: of the rollout.
        """
        ended = list(episodes)
        if ended:
            self._window.extend(ended)
            self._mean = sum(episode.score for episode in self._window) / len(self._window)
        if not self._window:
            return
        mean = self._mean
        self._area += mean * new_steps
        self._weight += new_steps
        if self._reached is None and len(self._window) == WINDOW and mean >= self._threshold:
            self._reached = env_steps

    def metrics(self) -> dict[str, float]:
        """`return`, `episode_length`, `area` (mean of the running mean over steps), `steps_to_threshold`, `reached`."""
        length = sum(episode.length for episode in self._window) / max(1, len(self._window))
        return {
            "return": self._mean,
            "episode_length": length,
            "area": self._area / self._weight if self._weight else self._nothing,
            "steps_to_threshold": float(self._censored if self._reached is None else self._reached),
            "reached": float(self._reached is not None),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The window as (2, 100) of float64, and how much of it is filled."""
        window = torch.zeros(2, WINDOW, dtype=torch.float64)
        for index, episode in enumerate(self._window):
            window[:, index] = torch.tensor(episode, dtype=torch.float64)
        return {"returns.window": window, "returns.filled": torch.tensor(len(self._window))}

    def scalars(self) -> dict[str, Any]:
        """Everything else, as JSON."""
        return {"area": self._area, "weight": self._weight, "reached": self._reached}

    def restore(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        """Go on from what `tensors` and `scalars` gave."""
        scores, lengths = tensors["returns.window"].tolist()
        filled = int(tensors["returns.filled"])
        self._window.clear()
        self._window.extend(Finished(scores[index], int(lengths[index])) for index in range(filled))
        self._mean = sum(scores[:filled]) / filled if filled else self._nothing
        self._area, self._weight, self._reached = scalars["area"], scalars["weight"], scalars["reached"]
