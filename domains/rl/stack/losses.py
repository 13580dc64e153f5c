"""What A2C and PPO minimise, for each of several agents: stable-baselines3's losses as means over an agent's own rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

TINY = 1e-8
"""Beside the standard deviation by which advantages are divided."""


class Batch(NamedTuple):
    """Transitions of several agents.

    Args:
        observations: (agents, n, ...).
        actions: (agents, n, 1), as numbers of any kind.
        log_probs: (agents, n), of the actions when they were taken.
        advantages: (agents, n).
        returns: (agents, n).
    """

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor


class Loss(ABC):
    """The loss of an algorithm.

    Args:
        model: of stable-baselines3; its coefficients are read at every call.

    Attributes:
        epochs: how often a rollout is gone through.
        batch_size: of a minibatch; None for the whole rollout.
    """

    epochs: int
    batch_size: int | None

    def __init__(self, model: Any) -> None:
        self._model = model
        self.epochs, self.batch_size = getattr(model, "n_epochs", 1), getattr(model, "batch_size", None)

    @property
    def is_of_rollout(self) -> bool:
        """Whether the only update is by the weights that acted, and of all that they gave."""
        return self.epochs == 1 and self.batch_size is None

    def reach(self, remaining: float) -> float | None:
        """How far the probability of an action may move from 1 times what it was; None where that is not clipped.

        Args:
            remaining: share of the schedules that is left.
        """
        del remaining
        return None

    def __call__(self, batch: Batch, logits: Tensor, values: Tensor, *, reach: float | None) -> Tensor:
        """Losses (agents,) of a batch.

        Args:
            batch: of transitions.
            logits: (agents, n, actions), as they are now.
            values: (agents, n), likewise.
            reach: of the clipping, the same for all agents.
        """
        log_probs = logits.log_softmax(2)
        chosen = log_probs.gather(2, batch.actions.long()).squeeze(2)
        advantages = batch.advantages
        if self._model.normalize_advantage and advantages.shape[1] > 1:
            mean, std = advantages.mean(1, keepdim=True), advantages.std(1, keepdim=True)
            advantages = (advantages - mean) / (std + TINY)
        policy_loss = -self.surrogate(batch, advantages, chosen, reach).mean(1)
        value_loss = (batch.returns - values).square().mean(1)
        entropy = -(log_probs.exp() * log_probs).sum(2).mean(1)
        loss: Tensor = policy_loss - self._model.ent_coef * entropy + self._model.vf_coef * value_loss
        return loss

    @abstractmethod
    def surrogate(self, batch: Batch, advantages: Tensor, chosen: Tensor, reach: float | None) -> Tensor:
        """What is maximised of each action (agents, n), from the log-probability `chosen` that it has now."""


class A2CLoss(Loss):
    """Advantage actor-critic (1602.01783)."""

    def surrogate(self, batch: Batch, advantages: Tensor, chosen: Tensor, reach: float | None) -> Tensor:
        """The policy gradient's."""
        del batch, reach
        return advantages * chosen


class PPOLoss(Loss):
    """Proximal policy optimization (1707.06347)."""

    def reach(self, remaining: float) -> float:
        """The algorithm's clipping range."""
        return float(self._model.clip_range(remaining))

    def surrogate(self, batch: Batch, advantages: Tensor, chosen: Tensor, reach: float | None) -> Tensor:
        """The smaller of the clipped and the plain one."""
        assert reach is not None
        ratio = torch.exp(chosen - batch.log_probs)
        return torch.min(advantages * ratio, advantages * ratio.clamp(1 - reach, 1 + reach))


LOSSES: dict[str, type[Loss]] = {"a2c": A2CLoss, "ppo": PPOLoss}
"""Algorithm -> its loss; others do not stack."""
