"""Training losses for saliency: on rollouts of the present policy that train nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.preprocessing import maybe_transpose
from torch import Tensor
from torch.nn import functional as F

from bench.errors import Unsupported
from bench.spec import Task
from bench.streams import Streams
from domains.rl.environments import envs
from domains.rl.environments.episodes import Array, Episodes
from domains.rl.normalisation import Normaliser
from domains.rl.randomness import Randomness


class Scorer:
    """Rollouts in environments of their own, from the `score` stream.

    Args:
        model: of stable-baselines3; nothing of it changes.
        task: gives environment and hyper-parameters.
        streams: `score` seeds episodes and actions.
        normaliser: its statistics are used, and not updated.
    """

    def __init__(self, model: Any, task: Task, streams: Streams, normaliser: Normaliser) -> None:
        self._model, self._normaliser = model, normaliser
        config = task.config
        self._env: Episodes = envs.make(config["env"], n=config["n_envs"], scale=config["reward_scale"])
        self._random = Randomness(streams.integer("score", 1), model.device)
        self._env.action_space.seed(streams.integer("score", 2) % 2**32)
        self._seen = self._env.reset_from(envs.seeds(streams.sequence("score"), self._env.num_envs))

    def losses(self, n: int, *, temperature: float) -> Iterator[Tensor]:
        """`n` losses with their graphs, each on the rollout that follows the last one.

        Args:
            n: number of rollouts.
            temperature: divides the action logits.

        Raises:
            Unsupported: if there are none to be divided, as of action values and of continuous actions.
        """
        off_policy = hasattr(self._model, "q_net")
        if temperature != 1 and (off_policy or self._is_continuous):
            raise Unsupported("this agent has no action logits, which a temperature could divide")
        for _ in range(n):
            with self._random:  # no context is open while the caller has the loss
                loss = self._temporal_difference() if off_policy else self._actor_critic(temperature)
            yield loss

    def _actor_critic(self, temperature: float) -> Tensor:
        """The loss of A2C, and of PPO's first minibatch, over one whole rollout."""
        model, policy = self._model, self._model.policy
        data = next(self._rollout().get(None))
        features = policy.extract_features(data.observations)
        actor, critic = policy.mlp_extractor(features)
        if self._is_continuous:
            choices = policy.action_dist.proba_distribution(policy.action_net(actor), policy.log_std)
            chosen = choices.log_prob(data.actions)
        else:
            choices = policy.action_dist.proba_distribution(policy.action_net(actor) / temperature)
            chosen = choices.log_prob(data.actions.long().flatten())
        advantages = data.advantages
        if model.normalize_advantage:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        value_loss = F.mse_loss(policy.value_net(critic).flatten(), data.returns)
        # PPO's ratio is one where the policy has not moved yet; it has this gradient there.
        ratio = torch.exp(chosen - chosen.detach()) if hasattr(model, "clip_range") else chosen
        entropy = choices.entropy().mean()
        loss: Tensor = -(advantages * ratio).mean() - model.ent_coef * entropy + model.vf_coef * value_loss
        return loss

    def _rollout(self) -> RolloutBuffer:
        model, env = self._model, self._env
        buffer = RolloutBuffer(
            model.n_steps,
            model.observation_space,
            model.action_space,
            device=model.device,
            gamma=model.gamma,
            gae_lambda=model.gae_lambda,
            n_envs=env.num_envs,
        )
        starts = np.ones(env.num_envs, dtype=bool)
        for _ in range(model.n_steps):
            seen = self._observe(self._seen)
            with torch.no_grad():
                drawn, values, chosen = model.policy(torch.as_tensor(seen, device=model.device))
            actions = drawn.cpu().numpy()
            self._seen, rewards, done, infos = env.act(self._possible(actions))
            rewards = self._normaliser.reward(rewards)
            self._bootstrap(rewards, infos)
            buffer.add(seen, actions.reshape(env.num_envs, -1), rewards, starts, values, chosen)
            starts = done
        buffer.compute_returns_and_advantage(self._value(self._observe(self._seen)), starts)
        return buffer

    def _observe(self, observations: Array) -> Array:
        """Observations (n, ...) as the algorithm trains on them: images come with their channels first."""
        seen = maybe_transpose(self._normaliser.observe(observations), self._model.observation_space)
        return np.asarray(seen)

    @property
    def _is_continuous(self) -> bool:
        return isinstance(self._env.action_space, spaces.Box)

    def _possible(self, actions: Array) -> Array:
        """Actions (n, ...) as the environment takes them: continuous ones are clipped to its bounds."""
        space = self._env.action_space
        return np.clip(actions, space.low, space.high) if isinstance(space, spaces.Box) else actions

    def _bootstrap(self, rewards: Array, infos: list[dict[str, Any]]) -> None:
        """Add the value of the future to rewards (n,) where an episode was cut off."""
        for index, info in enumerate(infos):
            if info.get("TimeLimit.truncated"):
                last = self._observe(info["terminal_observation"][None])
                rewards[index] += self._model.gamma * float(self._value(last))

    def _value(self, seen: Array) -> Tensor:
        with torch.no_grad():
            values: Tensor = self._model.policy.predict_values(torch.as_tensor(seen, device=self._model.device))
        return values

    def _temporal_difference(self) -> Tensor:
        """DQN's loss over a batch of random play, which is what it is first trained on."""
        model, env = self._model, self._env
        parts: list[tuple[Array, ...]] = []
        for _ in range(-(-model.batch_size // env.num_envs)):
            actions = np.array([env.action_space.sample() for _ in range(env.num_envs)])
            before = self._seen
            self._seen, rewards, done, infos = env.act(actions)
            after = self._seen.copy()
            ended = done.copy()
            for index in np.flatnonzero(done).tolist():
                after[index] = infos[index]["terminal_observation"]
                ended[index] = not infos[index]["TimeLimit.truncated"]
            seen, future = self._observe(before), self._observe(after)
            parts.append((seen, actions, self._normaliser.reward(rewards), ended.astype(np.float32), future))
        batch = [np.concatenate(part)[: model.batch_size] for part in zip(*parts, strict=True)]
        return _huber(model, *(torch.as_tensor(part, device=model.device) for part in batch))


def _huber(model: Any, seen: Tensor, actions: Tensor, rewards: Tensor, ended: Tensor, after: Tensor) -> Tensor:
    with torch.no_grad():
        target = rewards + (1 - ended) * model.gamma * model.q_net_target(after).max(dim=1).values
    values = model.q_net(seen).gather(1, actions.long().unsqueeze(1)).squeeze(1)
    return F.smooth_l1_loss(values, target)
