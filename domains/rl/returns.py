"""The learning curve of one training: its last episodes, the area under it, and when it first was good enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from domains.rl.config import WINDOW
from domains.rl.environments.episodes import Finished

NOTHING: dict[str, Any] = {"area": 0.0, "weight": 0, "reached": None}
"""The scalars of a training before its first episode has ended."""


class Returns:
    """What is known of the training episodes so far.

    Args:
        threshold: a running mean of a full window that counts as learned.
        censored: what stands for the steps to the threshold as long as it was not reached, or was later: the most environment
            steps that the budget can take. A repeated warm-up and the end of the last rollout may come on top of them.
        nothing: what stands for a score before the first episode has ended: that of a random policy.
    """

    def __init__(self, *, threshold: float, censored: int, nothing: float) -> None:
        self._threshold, self._censored, self._nothing = threshold, censored, nothing
        self._scores: deque[float] = deque(maxlen=WINDOW)
        self._lengths: deque[int] = deque(maxlen=WINDOW)
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
            self._scores.extend(episode.score for episode in ended)
            self._lengths.extend(episode.length for episode in ended)
            self._mean = sum(self._scores) / len(self._scores)
        if not self._scores:
            return
        mean = self._mean
        self._area += mean * new_steps
        self._weight += new_steps
        if self._reached is None and len(self._scores) == WINDOW and mean >= self._threshold:
            self._reached = env_steps

    def metrics(self) -> dict[str, float]:
        """`return`, `episode_length`, `area` (mean of the running mean over steps), `steps_to_threshold`, `reached`."""
        length = sum(self._lengths) / max(1, len(self._lengths))
        steps = self._censored if self._reached is None else min(self._reached, self._censored)
        return {
            "return": self._mean,
            "episode_length": length,
            "area": self._area / self._weight if self._weight else self._nothing,
            "steps_to_threshold": float(steps),
            "reached": float(self._reached is not None),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The window as (2, 100) of float64, and how much of it is filled."""
        window = torch.zeros(2, WINDOW, dtype=torch.float64)
        filled = len(self._scores)
        window[:, :filled] = torch.tensor([[*self._scores], [*self._lengths]], dtype=torch.float64)
        return {"returns.window": window, "returns.filled": torch.tensor(filled)}

    def scalars(self) -> dict[str, Any]:
        """Everything else, as JSON."""
        return {"area": self._area, "weight": self._weight, "reached": self._reached}

    def restore(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        """Go on from what `tensors` and `scalars` gave; a window beside the scalars of `NOTHING` is another training's."""
        scores, lengths = tensors["returns.window"].tolist()
        filled = int(tensors["returns.filled"]) if scalars["weight"] else 0
        self._scores.clear()
        self._scores.extend(scores[:filled])
        self._lengths.clear()
        self._lengths.extend(map(int, lengths[:filled]))
        self._mean = sum(scores[:filled]) / filled if filled else self._nothing
        self._area, self._weight, self._reached = scalars["area"], scalars["weight"], scalars["reached"]
