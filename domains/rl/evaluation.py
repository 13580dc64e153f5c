"""Plays fresh episodes with a policy that is not trained meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.spec import Task
from bench.streams import Streams
from domains.rl import envs
from domains.rl.episodes import Episodes
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
        how = self._task.evaluation
        if self._env is None:
            self._env = envs.make(self._task.config["env"], n=how["n_envs"])
        env, index = self._env, HELD_OUT.index(split)
        seeds = envs.seeds(self._streams.sequence("eval", index), env.num_envs)
        with Randomness(self._streams.integer("eval", index, 1), model.device):
            scores, lengths = play(model, env, normaliser, seeds, how["episodes"], deterministic=how["deterministic"])
        return {"return": float(np.mean(scores)), "episode_length": float(np.mean(lengths))}


def play(
    model: Any, env: Episodes, normaliser: Normaliser, seeds: Sequence[int], episodes: int, *, deterministic: bool
) -> tuple[list[float], list[int]]:
    """Returns and lengths of as many episodes, spread evenly over the environments.

    Short episodes end first, so taking whichever come first would favour them: each environment has its share.
    """
    share = np.full(env.num_envs, episodes // env.num_envs)
    share[: episodes % env.num_envs] += 1
    scores: list[float] = []
    lengths: list[int] = []
    observations = env.reset_from(seeds)
    while share.any():
        actions, _ = model.policy.predict(normaliser.observe(observations), deterministic=deterministic)
        observations, _, _, infos = env.act(actions)
        for index, info in enumerate(infos):
            if "episode" in info and share[index]:
                share[index] -= 1
                scores.append(info["episode"]["r"])
                lengths.append(info["episode"]["l"])
    env.finished.clear()
    return scores, lengths
