"""An agent's place in a stack."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from bench.learner import State
from bench.spec import Task
from bench.stacks.stack import Seat
from bench.streams import Streams
from domains.rl.environments.episodes import Array, Episodes
from domains.rl.evaluation import HELD_OUT, Evaluator
from domains.rl.learner import AgentLearner
from domains.rl.normalisation import Normaliser
from domains.rl.randomness import WORD


class AgentSeat(Seat, AgentLearner):
    """An agent that trains with others (see `domains.rl.stack.stack.AgentStack`), and otherwise is as if it were alone.

    Args:
        task: see `domains.rl.learner.AgentLearner`, as for the next two.
        streams: its own.
        device: where its policy lives.
        evaluated: (seat, split) -> every metric of its fresh episodes, which its whole company plays at once.

    Attributes:
        actions: where its actions are drawn from.
        shuffles: what orders its minibatches.
        evaluations: (split, step, updates) -> metrics, of what its company has evaluated since it was loaded.
    """

    actions: torch.Generator
    shuffles: np.random.RandomState

    def __init__(
        self, task: Task, *, streams: Streams, device: str, evaluated: Callable[[AgentSeat, str], dict[str, float]]
    ) -> None:
        super().__init__(task, streams=streams, device=device)
        self._evaluated = evaluated
        self._counting.remove()  # its stack counts
        self.evaluations: dict[tuple[str, int, int], dict[str, float]] = {}

    @property
    def episodes(self) -> Episodes:
        """Where it acts."""
        return self._env

    @property
    def evaluator(self) -> Evaluator:
        """What seeds its fresh episodes."""
        return self._evaluator

    @property
    def normaliser(self) -> Normaliser:
        """What it sees the environment through."""
        return self._normaliser

    @property
    def seen(self) -> Array:
        """The last observations (n, ...), as the policy sees them."""
        seen: Array = self.model._last_obs  # noqa: SLF001  where stable-baselines3 keeps them
        return seen

    @seen.setter
    def seen(self, seen: Array) -> None:
        self.model._last_obs = seen  # noqa: SLF001  see above

    @property
    def starts(self) -> Array:
        """(n,) bool: where an episode begins with them."""
        starts: Array = self.model._last_episode_starts  # noqa: SLF001  see above
        return starts

    @starts.setter
    def starts(self, starts: Array) -> None:
        self.model._last_episode_starts = starts  # noqa: SLF001  see above

    def evaluate(self, split: str) -> dict[str, float]:
        """Every metric of the split; fresh episodes are played by the whole company at once, and kept for the others."""
        if split not in HELD_OUT:
            return super().evaluate(split)
        metrics = self._evaluated(self, split)
        if self.trouble is not None:  # somebody else may have asked before, and played for this one, too
            raise self.trouble
        return dict(metrics)

    def load(self, state: State) -> None:
        """Go on from `state` with a fresh optimizer, new episodes and no evaluation."""
        super().load(state)
        self.evaluations = {}

    def account(self, taken: int) -> int:
        """Take in the episodes that ended in a rollout of so many environment steps; the step it leads to."""
        return self._account(taken)

    def remaining(self, done: int) -> float:
        """Share of the schedules that is left after `done` steps."""
        self.model._update_current_progress_remaining(done - self.origin, self._task.budget - self.origin)  # noqa: SLF001  as `learn` does it
        return float(self.model._current_progress_remaining)  # noqa: SLF001  as its `train` reads it

    def _reseed(self, episodes: int) -> None:
        super()._reseed(episodes)
        chance = self._chance()
        self.actions = torch.Generator(self.model.device).manual_seed(chance)
        self.shuffles = np.random.RandomState(chance % WORD)
