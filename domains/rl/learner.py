"""One agent in training on stable-baselines3: what the protocol sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UnknownName
from bench.learner import State, check_finite, copy_state, every_entry, restore
from bench.spec import Task
from bench.streams import Streams
from domains.rl import algorithms
from domains.rl.environments import envs
from domains.rl.environments.padded import PaddedCartPoles
from domains.rl.evaluation import HELD_OUT, Evaluator
from domains.rl.normalisation import Normaliser
from domains.rl.randomness import WORD, Randomness
from domains.rl.returns import NOTHING, Returns
from domains.rl.rollouts import OffPolicy, OnPolicy, Rollouts
from domains.rl.scoring import Scorer

EPISODES, ACTIONS, AFTER_WARM_UP = range(3)
"""Substreams of `env`: starts of episodes; actions, shuffles and replay; starts after a repeated warm-up."""

SPREAD = "log_std"
"""The name of stable-baselines3's parameter of a Gaussian policy that is none of its network."""

LOSSES = ("train/loss", "train/policy_gradient_loss", "train/policy_loss", "train/value_loss")
"""Where the algorithms log what they have just minimised."""


def longest(task: Task) -> int:
    """The most environment steps that the task's budget can take."""
    per_step = task.config["episode_limit"] if task.unit == "episodes" else 1
    return int(task.budget * per_step)


class AgentLearner:
    """An agent of stable-baselines3 (see `bench.learner.Learner`).

    The algorithm's own rollout and update functions run in the order of its own `learn`, set up once for the whole
    budget: one training here equals one plain `learn` to the bit. Global random states are held by the learner.

    Args:
        task: its `config` names algorithm, hyperparameters, optimizer, network and environment.
        streams: `init` gives the weights; `env` episodes, actions, shuffles and replay; `score` those of `losses`.
        device: where the policy lives.
        width: multiplies every hidden width.

    Attributes:
        env_steps: so far, over all environments; a repeated warm-up counts too.

    Raises:
        UnknownName: if there is no such environment, algorithm, optimizer or network.
        SpecError: if the task contradicts itself, or the algorithm cannot act in the environment.
        DataError: if a package or a ROM is missing.
    """

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> None:
        config = task.config
        self._task, self._streams = task, streams
        self._env = envs.make(config["env"], n=config["n_envs"], scale=config["reward_scale"])
        gamma = config["hyperparameters"]["gamma"]
        self._normaliser = Normaliser(self._env, wanted=config["normalise"], gamma=gamma)
        self._returns = Returns(threshold=config["threshold"], censored=longest(task), nothing=task.chance)
        self._evaluator = Evaluator(task, streams)
        self._random = Randomness(0, torch.device(device))
        with self._random:
            seed = streams.integer("init") % WORD
            self.model = algorithms.build(task, self._normaliser.env, seed=seed, device=device, width=width)
        kind: type[Rollouts] = OffPolicy if config["algorithm"] == "dqn" else OnPolicy
        self._rollouts = kind(self.model)
        self.module: nn.Module = self._rollouts.module
        self.optimizer: torch.optim.Optimizer = self.model.policy.optimizer
        self._counting = self.optimizer.register_step_post_hook(self._count)
        self.step = self.updates = self.origin = self.env_steps = 0
        self._reseed(EPISODES)
        with self._random:
            self._rollouts.set_up(longest(task))

    def prunable(self) -> dict[str, Tensor]:
        """Parameter name -> bool tensor of its shape, all True: every entry but how widely continuous actions are spread.

        That is no weight of the network but the logarithm of a standard deviation, which begins at zero: by magnitude it
        would be the first to be pruned, and the agent could not become surer of its actions.

        The scope of a task's pruning is written as exempt patterns, which the harness applies on top of this.
        """
        return {name: entries for name, entries in every_entry(self.module).items() if name != SPREAD}

    def train(self, until: int) -> None:
        """Train to the first update boundary at or after `until`, in episodes or environment steps.

        Raises:
            Diverged: if the loss or a weight is no longer finite.
            RuntimeError: if the environment crashed.
        """
        if self.step >= until:
            return
        with self._random:
            if isinstance(self._rollouts, OffPolicy) and self._rollouts.warm_up_steps:
                self._warm_up(self._rollouts)
            while self.step < until:
                self._advance()
        self._check_weights()

    def evaluate(self, split: str) -> dict[str, float]:
        """Every metric of the split; changes nothing.

        Args:
            split: `train` for the last training episodes and the learning curve; `val` or `test` for fresh episodes.
        """
        if split == "train":
            return self._returns.metrics()
        if split not in HELD_OUT:
            raise UnknownName("split", split, ("train", *HELD_OUT))
        return self._evaluator.evaluate(self.model, split, self._normaliser)

    def losses(self, n: int, *, temperature: float = 1.0) -> Iterator[Tensor]:
        """`n` training losses with their graphs, each on a new rollout of the present policy; the same at each call."""
        return Scorer(self.model, self._task, self._streams, self._normaliser).losses(n, temperature=temperature)

    def forward_ones(self) -> Tensor:
        """Logits and value, or action values: (1, outputs) for one all-ones observation, with graph."""
        return self._rollouts.forward_ones()

    def relevant_inputs(self) -> dict[str, Tensor]:
        """What the environment's noise is of: nothing, where it has none."""
        simulations = self._env.simulations
        if not isinstance(simulations, PaddedCartPoles):
            return {}
        matrices = (name for name, weight in self.module.named_parameters() if weight.ndim == 2)
        return {next(matrices): torch.from_numpy(simulations.relevant)}

    def snapshot(self) -> State:
        """A copy of weights, statistics and counters that later training does not change."""
        return copy_state(
            self,
            buffers={**self._returns.tensors(), **self._normaliser.tensors()},
            scalars={**self._returns.scalars(), "env_steps": self.env_steps},
        )

    def unaccounted(self, state: State) -> State:
        """The state without the episodes and environment steps that led to it (see `bench.doors.KeepsAccount`)."""
        return replace(state, scalars={**state.scalars, **NOTHING, "env_steps": 0})

    def load(self, state: State) -> None:
        """Go on from `state` with a fresh optimizer, new episodes and an empty replay buffer."""
        restore(self, state)
        self._returns.restore(state.buffers, state.scalars)
        self._normaliser.restore(state.buffers)
        self.env_steps = state.scalars["env_steps"]
        self._reseed(EPISODES)
        taken = self.step if self._task.unit == "env_steps" else self.env_steps
        with self._random, self._normaliser.frozen():
            self._rollouts.restart(num_timesteps=taken)

    def _reseed(self, episodes: int) -> None:
        """Put episodes, actions, shuffles and replay at the start that (seed, step) gives."""
        actions = self._chance()
        self._random.seed(actions)
        self.model.action_space.seed(actions % WORD)
        self._seed_episodes(episodes)

    def _chance(self) -> int:
        """The seed of actions, shuffles and replay from this step on."""
        return self._streams.integer("env", self.step, ACTIONS)

    def _seed_episodes(self, episodes: int) -> None:
        sequence = self._streams.sequence("env", self.step, episodes)
        self._env.seed_each(envs.seeds(sequence, self._env.num_envs))

    def _warm_up(self, rollouts: OffPolicy) -> None:
        self._seed_episodes(AFTER_WARM_UP)  # read by the reset that ends the warm-up
        with self._normaliser.frozen():
            self.env_steps += rollouts.warm_up()

    def _advance(self) -> None:
        """One rollout and the updates that follow it."""
        try:
            taken = self._rollouts.collect()
        except RuntimeError:
            self._check_weights()  # a policy of NaN cannot be sampled from
            raise
        done = self._account(taken)
        self._rollouts.update(taken, done=done - self.origin, total=self._task.budget - self.origin)
        self._check_losses()
        self.step = done

    def _account(self, taken: int) -> int:
        """Take in the episodes that ended in a rollout of so many environment steps; the step it leads to."""
        finished = self._env.finished
        self.env_steps += taken
        self._returns.add(finished, env_steps=self.env_steps, new_steps=taken)
        done = self.step + (taken if self._task.unit == "env_steps" else len(finished))
        finished.clear()
        return done

    def _count(self, *_: Any) -> None:
        self.updates += 1

    def _check_losses(self) -> None:
        logged = self.model.logger.name_to_value
        check_finite(self.step, [(name, logged.get(name, 0.0)) for name in LOSSES])

    def _check_weights(self) -> None:
        check_finite(self.step, self.module.named_parameters())
