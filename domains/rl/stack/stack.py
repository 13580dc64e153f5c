"""Agents that train together: joint rollouts and joint updates, in which nothing of one agent reaches another.

What stable-baselines3 does to one batch is done here to each agent's part of a larger one: losses are means over its own rows;
gradients are clipped, advantages normalised and minibatches shuffled by agent; actions are drawn from its own generator. An
agent in a stack and one alone draw the same, and differ by rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.preprocessing import preprocess_obs
from torch import Tensor, nn
from torch.optim import Optimizer

from bench.fused import Adam, RMSprop
from bench.spec import Task
from bench.stacks.layers import side_by_side, stacked
from bench.stacks.stack import Stack
from bench.streams import Streams
from domains.rl.environments.episodes import Array, Finished
from domains.rl.environments.joint import Joint
from domains.rl.evaluation import play, summary
from domains.rl.stack.losses import LOSSES, Batch
from domains.rl.stack.seat import AgentSeat

CLIP_TINY = 1e-6
"""Beside the norm by which gradients are clipped, as in torch."""


class ActorCritic(nn.Module):
    """An actor-critic policy of stable-baselines3 without its distribution; its parameters keep their names.

    Args:
        policy: whose layers these are.
    """

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.features_extractor = policy.features_extractor
        self.mlp_extractor = policy.mlp_extractor
        self.action_net, self.value_net = policy.action_net, policy.value_net

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Observations (n, ...) to logits (n, actions) and values (n,)."""
        actor, critic = self.mlp_extractor(self.features_extractor(seen))
        if actor is critic:
            logits, values = side_by_side(actor, self.action_net, self.value_net)
        else:
            logits, values = self.action_net(actor), self.value_net(critic)
        return logits, values.flatten()


class AgentStack(Stack[AgentSeat]):
    """Agents of A2C or PPO on one task.

    Args:
        task: see `domains.rl.learner.AgentLearner`.
        streams: of each agent.
        device: where the policies live.
    """

    def __init__(self, task: Task, *, streams: Sequence[Streams], device: str) -> None:
        seats = [AgentSeat(task, streams=each, device=device, evaluated=self.evaluated) for each in streams]
        self._task = task
        self._model = seats[0].model  # its settings are those of all
        self._losses = LOSSES[task.config["algorithm"]](self._model)
        super().__init__(seats, stacked(ActorCritic(self._model.policy)))

    def make_optimizer(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        """The policies' own, which clips each agent's gradients before it steps."""
        policy = self._model.policy
        options = {"lr": self._model.lr_schedule(1), **policy.optimizer_kwargs}
        optimizer = optimizer_by_row(policy.optimizer_class, parameters, options)
        if np.isfinite(self._model.max_grad_norm):
            optimizer.register_step_pre_hook(lambda *_: clip(parameters, self._model.max_grad_norm))
        return optimizer

    def gathered(self) -> None:
        """Environments, and what was seen of them last."""
        model, company = self._model, self.company
        self._joint = Joint([seat.episodes for seat in company])
        self._seen = np.concatenate([seat.seen for seat in company])
        self._starts = np.concatenate([seat.starts for seat in company])
        self._buffer = RolloutBuffer(
            model.n_steps,
            model.observation_space,
            model.action_space,
            device=model.device,
            gamma=model.gamma,
            gae_lambda=model.gae_lambda,
            n_envs=len(company) * model.n_envs,
        )

    def scattered(self) -> None:
        """Give them back."""
        self._joint.part()
        for seat, seen, starts in zip(self.company, self._each(self._seen), self._each(self._starts), strict=True):
            seat.seen, seat.starts = seen, starts

    def advance(self) -> None:
        """One rollout and the updates that follow it."""
        given = self._collect()
        taken = self._model.n_steps * self._model.n_envs
        done = [seat.account(taken) for seat in self.company]
        remaining = [seat.remaining(step) for seat, step in zip(self.company, done, strict=True)]
        self.set_rate(
            self.common("their learning rate", (float(self._model.lr_schedule(share)) for share in remaining))
        )
        reach = self.common("their clipping range", map(self._losses.reach, remaining))
        self.module.train()
        for batch in self._batches():
            logits, values = given or self._of(batch.observations.flatten(0, 1))
            losses = self._losses(batch, self._each(logits), self._each(values), reach=reach)
            self.update(losses)
        self.check_losses(losses, "train/loss")
        for seat, step in zip(self.company, done, strict=True):
            seat.step = step
        self._take_crashes(self._joint)

    def evaluated(self, seat: AgentSeat, split: str) -> dict[str, float]:
        """Every metric of a seat on fresh episodes, which its whole company plays at once."""
        key = (split, seat.step, seat.updates)
        if key not in seat.evaluations:
            if seat not in self.company:
                self.gather((seat,))
            for each, played in zip(self.company, self._play(split), strict=True):
                each.evaluations[split, each.step, each.updates] = summary(played)
        return seat.evaluations[key]

    @torch.no_grad()
    def _play(self, split: str) -> list[list[Finished]]:
        """The split's episodes of each agent of the company."""
        self.module.eval()
        how, evaluators = self._task.evaluation, [seat.evaluator for seat in self.company]
        joint = Joint([evaluator.environment for evaluator in evaluators])
        generators = [torch.Generator(self._model.device).manual_seed(each.chance(split)) for each in evaluators]

        def act(seen: Array) -> Array:
            logits, _ = self._of(self._tensor(self._observed(seen)))
            if how["deterministic"]:
                return logits.argmax(1).cpu().numpy()
            return self._drawn(logits.softmax(1), generators).cpu().numpy()

        seeds = [seed for evaluator in evaluators for seed in evaluator.seeds(split)]
        played = play(act, joint.episodes, seeds, [how["episodes"]] * len(self.company))
        self._take_crashes(joint)
        return played

    def _take_crashes(self, joint: Joint) -> None:
        """Whoever's environment crashed cannot be trained any further."""
        for number, error in joint.crashed.items():
            self.company[number].trouble = joint.episodes.crash(error)

    def _each(self, values: Any) -> Any:
        """(company * n, ...) as (company, n, ...)."""
        return values.reshape(len(self.company), -1, *values.shape[1:])

    def _of(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (company * n, actions) and values (company * n,) of observations (company * n, ...)."""
        logits, values = self.module(preprocess_obs(self.filled(seen), self._model.observation_space))
        return logits[: len(seen)], values[: len(seen)]

    @torch.no_grad()
    def _collect(self) -> tuple[Tensor, Tensor] | None:
        """`n_steps` in every environment of every agent, into the buffer.

        Returns:
            Logits (company * n, actions) and values (company * n,) with their graphs, if they are those of the update.
        """
        self.module.eval()
        self._buffer.reset()
        given = []
        late = Bootstraps(self._buffer, self._values)
        for time in range(self._model.n_steps):
            with torch.set_grad_enabled(self._losses.is_of_rollout):
                now = self._of(self._tensor(self._seen))
            if self._losses.is_of_rollout:
                given.append(now)
            logits, values = (each.detach() for each in now)
            log_probs = logits.log_softmax(1)
            actions = self._drawn(log_probs.exp(), [seat.actions for seat in self.company])
            step, ended = self._joint.episodes.play(actions.cpu().numpy())
            for index, episode in ended.items():
                self.company[index // self._model.n_envs].episodes.finished.append(episode)
            done = step.terminated | step.truncated
            seen, rewards = self._taken(step.observations, self._joint.episodes.scaled(step.rewards), done)
            self._buffer.add(
                *(self._seen, actions.cpu().numpy().reshape(-1, 1), rewards, self._starts),
                *(values, log_probs.gather(1, actions.unsqueeze(1)).squeeze(1)),
            )
            if (cut := step.truncated & ~step.terminated).any():
                late.add(time, cut, self._observed(step.last))
            self._seen, self._starts = seen, done
        late.settle()
        self._buffer.compute_returns_and_advantage(self._values(self._seen), self._starts)
        if not given:
            return None
        with torch.enable_grad():
            logits, values = (torch.stack(each, dim=1).flatten(0, 1) for each in zip(*given, strict=True))
        return logits, values

    def _tensor(self, seen: Array) -> Tensor:
        return torch.as_tensor(seen, device=self._model.device)

    def _values(self, seen: Array) -> Tensor:
        return self._of(self._tensor(seen))[1]

    def _drawn(self, probabilities: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Actions (company * n,) as `Categorical.sample` draws them: the first of as many exponential clocks to ring."""
        clocks = torch.empty_like(probabilities)
        for generator, own in zip(generators, self._each(clocks), strict=True):
            own.exponential_(1, generator=generator)
        return (probabilities / clocks).argmax(1)

    def _taken(self, seen: Array, rewards: Array, done: Array) -> tuple[Array, Array]:
        """A step as each agent's normaliser hands it on."""
        if not self.company[0].normaliser.is_wanted:
            return seen, rewards
        parts = zip(self.company, *map(self._each, (seen, rewards, done)), strict=True)
        pairs = [seat.normaliser.take(*own) for seat, *own in parts]
        return np.concatenate([own for own, _ in pairs]), np.concatenate([own for _, own in pairs])

    def _observed(self, seen: Array) -> Array:
        """Observations as each agent's normaliser shows them."""
        return np.concatenate(
            [seat.normaliser.observe(own) for seat, own in zip(self.company, self._each(seen), strict=True)]
        )

    def _batches(self) -> Iterator[Batch]:
        """All minibatches of all epochs over the rollout, each agent's in an order of its own."""
        buffer = self._buffer
        arrays = (buffer.observations, buffer.actions, buffer.log_probs, buffer.advantages, buffer.returns)
        whole = Batch(
            *(
                self._tensor(self._each(np.ascontiguousarray(each.swapaxes(0, 1)).reshape(-1, *each.shape[2:])))
                for each in arrays
            )
        )
        rows = torch.arange(len(self.company), device=self._model.device).unsqueeze(1)
        for _ in range(self._losses.epochs):
            yield from self._epoch(whole, rows)

    def _epoch(self, whole: Batch, rows: Tensor) -> Iterator[Batch]:
        size, count = self._losses.batch_size, whole.returns.shape[1]
        if size is None:
            yield whole
            return
        orders = self._tensor(np.stack([seat.shuffles.permutation(count) for seat in self.company]))
        for order in orders.split(size, dim=1):
            yield Batch(*(each[rows, order] for each in whole))


class Bootstraps:
    """Adds the value of the future to rewards where episodes were cut off, in one batch for many of them.

    Weights stay the same within a rollout, so it does not matter when that is done. The batch always has a row for each
    environment, so that no agent's values depend on how many others were cut off.

    Args:
        buffer: with the rewards.
        values: observations (n, ...) -> values (n,).
    """

    def __init__(self, buffer: RolloutBuffer, values: Any) -> None:
        self._buffer, self._values = buffer, values
        self._last = np.zeros((buffer.n_envs, *buffer.obs_shape), dtype=buffer.observations.dtype)
        self._times = np.full(buffer.n_envs, -1)

    def add(self, time: int, cut: Array, last: Array) -> None:
        """Note the last observations of episodes that were cut off.

        Args:
            time: of the rollout.
            cut: (n,) bool: where.
            last: (n, ...).
        """
        if (self._times[cut] >= 0).any():
            self.settle()
        self._last[cut], self._times[cut] = last[cut], time

    def settle(self) -> None:
        """Add the values of all that was noted."""
        where = np.flatnonzero(self._times >= 0)
        if len(where):
            values = self._values(self._last).cpu().numpy()
            self._buffer.rewards[self._times[where], where] += self._buffer.gamma * values[where]
            self._times[:] = -1


def optimizer_by_row(kind: type[Optimizer], parameters: Sequence[nn.Parameter], options: dict[str, Any]) -> Optimizer:
    """An optimizer of parameters (agents, ...), as one pass over memory where there is one of its options.

    Args:
        kind: torch's or another.
        parameters: of the stack.
        options: of `kind`.
    """
    own = {key: value for key, value in options.items() if key != "foreach"}
    if kind is torch.optim.RMSprop and own.keys() <= {"lr", "alpha", "eps"}:
        return RMSprop(parameters, by_row=True, **own)
    if kind is torch.optim.Adam and own.keys() <= {"lr", "betas", "eps", "weight_decay"}:
        return Adam(parameters, by_row=True, **own)
    return kind(parameters, **options)


@torch.no_grad()
def clip(parameters: Sequence[nn.Parameter], limit: float) -> None:
    """Shorten each agent's gradient to a norm of `limit`: parameters and gradients are (agents, ...)."""
    gradients = [each.grad for each in parameters if each.grad is not None]
    norms = torch.stack([each.flatten(1).square().sum(1) for each in gradients], dim=1).sum(1).sqrt()
    factors = (limit / (norms + CLIP_TINY)).clamp(max=1.0)
    for each in gradients:
        each.mul_(factors.view(-1, *[1] * (each.ndim - 1)))
