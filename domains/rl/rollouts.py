"""The steps of stable-baselines3's `learn`, one at a time: collect a rollout, then update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from torch import Tensor, nn


class Rollouts(ABC):
    """An algorithm whose `learn` was set up once, and is then carried out piece by piece.

    Args:
        model: of stable-baselines3, with its environment.

    Attributes:
        module: what is trained: its parameters are those of the optimizer.
    """

    module: nn.Module

    def __init__(self, model: Any) -> None:
        self._model = model
        self._callback: Any = None

    def set_up(self, total: int) -> None:
        """Begin: reset the environments.

        Args:
            total: the most environment steps that the budget can take.
        """
        _, self._callback = self._model._setup_learn(total)  # noqa: SLF001  the first line of `learn`

    def restart(self, *, num_timesteps: int) -> None:
        """Go on after `num_timesteps` with new episodes, whatever came before."""
        model = self._model
        model.num_timesteps = num_timesteps
        model._last_obs = model.env.reset()  # noqa: SLF001  as `_setup_learn` does it
        model._last_episode_starts = np.ones(model.n_envs, dtype=bool)  # noqa: SLF001
        if model._vec_normalize_env is not None:  # noqa: SLF001
            model._last_original_obs = model._vec_normalize_env.get_original_obs()  # noqa: SLF001
        model.ep_info_buffer.clear()

    @abstractmethod
    def collect(self) -> int:
        """One rollout; the number of environment steps it took."""

    @abstractmethod
    def update(self, steps: int, *, done: int, total: int) -> None:
        """The updates that follow a rollout.

        Args:
            steps: of the rollout.
            done: position in the schedules, the rollout included.
            total: their length, in the same unit.
        """

    @abstractmethod
    def forward_ones(self) -> Tensor:
        """Outputs (1, n) for an all-ones observation of the parameters' dtype, with graph."""

    def _ones(self) -> Tensor:
        like = next(self.module.parameters())
        return torch.ones((1, *self._model.observation_space.shape), dtype=like.dtype, device=like.device)


class OnPolicy(Rollouts):
    """A2C and PPO: the whole policy is trained."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.module = model.policy

    def collect(self) -> int:
        """`n_steps` in every environment."""
        model = self._model
        model.collect_rollouts(model.env, self._callback, model.rollout_buffer, n_rollout_steps=model.n_steps)
        return int(model.n_steps * model.n_envs)

    def update(self, steps: int, *, done: int, total: int) -> None:
        """All epochs over the rollout."""
        del steps
        self._model._update_current_progress_remaining(done, total)  # noqa: SLF001  as `learn` does it
        self._model.train()

    def forward_ones(self) -> Tensor:
        """Logits, or means of continuous actions, and value."""
        policy = self._model.policy
        with passing_tanh(policy):
            actor, critic = policy.mlp_extractor(policy.features_extractor(self._ones()))
            return torch.cat((policy.action_net(actor), policy.value_net(critic)), 1)


class OffPolicy(Rollouts):
    """DQN: only the online network is trained, the target network follows from it.

    A replay buffer is no state: after a restart beyond step 0, `warm_up` fills it with as many steps of random play
    as the first time. They count as environment steps, but move no schedule.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.module = model.q_net
        self.warm_up_steps = 0

    def restart(self, *, num_timesteps: int) -> None:
        """New episodes, an empty replay buffer, and the target network equal to the online network."""
        super().restart(num_timesteps=num_timesteps)
        model = self._model
        model.replay_buffer.reset()
        model._episode_num = 0  # noqa: SLF001
        self._follow(num_timesteps)
        self.warm_up_steps = min(num_timesteps, model.learning_starts)

    def warm_up(self) -> int:
        """Fill the replay buffer with random play; the environment steps it took. New episodes must follow."""
        model, begin = self._model, self._model.num_timesteps
        frequency = TrainFreq(-(-self.warm_up_steps // model.n_envs), TrainFrequencyUnit.STEP)
        model.collect_rollouts(
            model.env, self._callback, frequency, model.replay_buffer, learning_starts=begin + 2 * self.warm_up_steps
        )
        taken: int = model.num_timesteps - begin
        super().restart(num_timesteps=begin)
        self._follow(begin)
        self.warm_up_steps = 0
        return taken

    def collect(self) -> int:
        """`train_freq` steps or episodes."""
        model = self._model
        rollout = model.collect_rollouts(
            model.env,
            self._callback,
            model.train_freq,
            model.replay_buffer,
            learning_starts=model.learning_starts,
        )
        return int(rollout.episode_timesteps)

    def update(self, steps: int, *, done: int, total: int) -> None:
        """Gradient steps on replayed transitions; none before the first warm-up is over."""
        del done, total  # the algorithm reads the position from its own counter of environment steps
        model = self._model
        if model.num_timesteps > model.learning_starts:
            gradient_steps = model.gradient_steps if model.gradient_steps >= 0 else steps
            model.train(batch_size=model.batch_size, gradient_steps=gradient_steps)

    def forward_ones(self) -> Tensor:
        """Action values."""
        network = self._model.q_net
        with passing_tanh(network):
            values: Tensor = network.q_net(network.features_extractor(self._ones()))
        return values

    def _follow(self, num_timesteps: int) -> None:
        """Put everything that derives from the weights and the position where it belongs."""
        model = self._model
        model.q_net_target.load_state_dict(model.q_net.state_dict())
        model._n_calls = num_timesteps // model.n_envs  # noqa: SLF001  counts towards the next target update
        model._update_current_progress_remaining(num_timesteps, model._total_timesteps)  # noqa: SLF001
        # The very first action of a training is greedy: the schedule is read after it.
        remaining = model._current_progress_remaining  # noqa: SLF001
        model.exploration_rate = model.exploration_schedule(remaining) if num_timesteps else 0.0


@contextmanager
def passing_tanh(module: nn.Module) -> Iterator[None]:
    """A context in which tanh layers pass their input on: synaptic flow must not saturate."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Tanh)]
    handles = [layer.register_forward_hook(lambda _, inputs, __: inputs[0]) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
