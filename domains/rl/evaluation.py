"""Plays fresh episodes with a policy that is not trained meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.spec import Task
from bench.streams import Streams
from domains.rl.environments import envs
from domains.rl.environments.episodes import Array, Episodes, Finished
from domains.rl.normalisation import Normaliser
from domains.rl.randomness import Randomness

HELD_OUT = ("val", "test")


class Evaluator:
    """Fresh episodes in environments of their own, from a stream of their own: the same ones at each call.

    Args:
        task: its `evaluation` gives `episodes`, `n_envs` and whether the policy acts `deterministic`.
        streams: `eval` seeds episodes and sampled actions.
    """

    def __init__(self, task: Task, streams: Streams) -> None:
        self._task, self._streams = task, streams
        self._env: Episodes | None = None

    def evaluate(self, model: Any, split: str, normaliser: Normaliser) -> dict[str, float]:
        """Mean raw return and mean length, in agent steps, of the split's episodes."""
        env = self.environment
        deterministic = self._task.evaluation["deterministic"]

        def act(seen: Array) -> Array:
            actions, _ = model.policy.predict(normaliser.observe(seen), deterministic=deterministic)
            return np.asarray(actions)

        with Randomness(self.chance(split), model.device):
            played = play(act, env, self.seeds(split), [self._task.evaluation["episodes"]])
        return summary(played[0])

    @property
    def environment(self) -> Episodes:
        """Where the episodes are played."""
        if self._env is None:
            self._env = envs.make(self._task.config["env"], n=self._task.evaluation["n_envs"])
        return self._env

    def seeds(self, split: str) -> Sequence[int]:
        """Of the split's episodes, one for each copy of the environment."""
        return envs.seeds(self._streams.sequence("eval", HELD_OUT.index(split)), self.environment.num_envs)

    def chance(self, split: str) -> int:
        """The seed of the actions that are sampled in them."""
        return self._streams.integer("eval", HELD_OUT.index(split), 1)


def play(
    act: Callable[[Array], Array], env: Episodes, seeds: Sequence[int], episodes: Sequence[int]
) -> list[list[Finished]]:
    """Fresh episodes of one agent or of several.

    Short episodes end first, so taking whichever come first would favour them: each copy of the environment has its share.

    Args:
        act: observations (n, ...) -> actions (n,).
        env: copies of the environment, as many for each agent, those of the first agent first.
        seeds: of each copy.
        episodes: how many each agent plays.

    Returns:
        The episodes of each agent.
    """
    copies = env.num_envs // len(episodes)
    share = np.concatenate([np.arange(copies) < count % copies for count in episodes]).astype(int)
    share += np.repeat([count // copies for count in episodes], copies)
    found: list[list[Finished]] = [[] for _ in episodes]
    observations = env.reset_from(seeds)
    while share.any():
        step, ended = env.play(act(observations))
        observations = step.observations
        for index, episode in ended.items():
            if share[index]:
                share[index] -= 1
                found[index // copies].append(episode)
    return found


def summary(played: Sequence[Finished]) -> dict[str, float]:
    """Mean raw return and mean length, in agent steps, of episodes."""
    return {
        "return": float(np.mean([episode.score for episode in played])),
        "episode_length": float(np.mean([episode.length for episode in played])),
    }
