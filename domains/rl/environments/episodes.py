"""One stable-baselines3 environment over any batch of simulations: scaled rewards, raw scores, real last observations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

Array = NDArray[Any]


class Step(NamedTuple):
    """What one action did in each of n simulations that reset themselves in the same step.

    Args:
        observations: (n, ...), of the next episode where one ended.
        rewards: (n,), what the agent learns from, before scaling.
        scores: (n,), what counts as return.
        terminated: (n,) bool: the agent sees an end without a future.
        truncated: (n,) bool: it was cut off, and has a future.
        over: (n,) bool: the episode ended; differs from the two above where a lost life ends no game.
        last: (n, ...), the observations before the reset; read only where terminated or truncated.
    """

    observations: Array
    rewards: Array
    scores: Array
    terminated: Array
    truncated: Array
    over: Array
    last: Array


class Simulations(Protocol):
    """n copies of one environment, stepped together."""

    name: str
    n: int

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Of one copy."""
        ...

    @property
    def action_space(self) -> spaces.Space[Any]:
        """Of one copy."""
        ...

    def reset(self, seeds: Sequence[int]) -> Array:
        """Observations (n, ...) of new episodes; later episodes follow from the same seeds, each below 2**31."""
        ...

    def step(self, actions: Array) -> Step:
        """Act in each copy."""
        ...

    def close(self) -> None:
        """Free what is not memory."""
        ...


class Finished(NamedTuple):
    """An episode that ended: its raw return and its length in agent steps."""

    score: float
    length: int


class Episodes(VecEnv):
    """Simulations as a stable-baselines3 environment that keeps its own account of episodes.

    Args:
        simulations: the copies.
        scale: multiplies what the agent learns from, never the scores.

    Attributes:
        finished: episodes that ended since somebody last cleared the list.
        scores: (n,), of the present episodes so far.
        lengths: (n,), likewise.
    """

    def __init__(self, simulations: Simulations, *, scale: float = 1.0) -> None:
        self.simulations = simulations
        super().__init__(simulations.n, simulations.observation_space, simulations.action_space)
        self.finished: list[Finished] = []
        self.scale = scale
        self._actions: Array = np.empty(0)
        self.scores = np.zeros(self.num_envs)
        self.lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._nothing: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]

    @classmethod
    def joined(cls, parts: Sequence[Episodes], simulations: Simulations) -> Episodes:
        """All copies of `parts`, in their order and where they are, on the simulations of all of them."""
        self = cls(simulations, scale=parts[0].scale)
        self.scores = np.concatenate([part.scores for part in parts])
        self.lengths = np.concatenate([part.lengths for part in parts])
        return self

    def give(self, parts: Sequence[Episodes]) -> None:
        """Let `parts`, which were joined here, go on from here."""
        begin = 0
        for part in parts:
            end = begin + part.num_envs
            part.scores, part.lengths = self.scores[begin:end].copy(), self.lengths[begin:end].copy()
            begin = end

    def seed_each(self, seeds: Sequence[int]) -> None:
        """Give every copy the seed of its next reset."""
        self._seeds = list(seeds)

    def reset_from(self, seeds: Sequence[int]) -> Array:
        """Start every copy anew from its own seed; the observations are (n, ...)."""
        self.seed_each(seeds)
        return self.reset()

    def reset(self) -> Array:
        """Start every copy anew from the seeds given last; unseeded copies draw theirs.

        Raises:
            RuntimeError: naming the environment, if it crashed.
        """
        entropy = np.random.SeedSequence().generate_state(self.num_envs)
        seeds = [int(drawn) >> 1 if seed is None else seed for seed, drawn in zip(self._seeds, entropy, strict=True)]
        self._reset_seeds()
        self.finished.clear()
        self.scores[:] = 0
        self.lengths[:] = 0
        try:
            return self.simulations.reset(seeds)
        except Exception as error:
            raise self.crash(error) from error

    def act(self, actions: Array) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        """`step`, of arrays for sure (see `step_wait`)."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Array) -> None:
        """Remember the actions (n,)."""
        self._actions = actions

    def step_wait(self) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        """Act; observations, scaled rewards, ends as the agent sees them, and infos where there is an end.

        Raises:
            RuntimeError: naming the environment, if it crashed.
        """
        step, ended = self.play(self._actions)
        self.finished.extend(ended.values())
        done = step.terminated | step.truncated
        infos = self._infos(step, done, ended) if done.any() or ended else self._nothing
        return step.observations, self.scaled(step.rewards), done, infos

    def play(self, actions: Array) -> tuple[Step, dict[int, Finished]]:
        """Act in each copy.

        Args:
            actions: (n,).

        Returns:
            What happened, and the episodes that ended: copy -> episode.

        Raises:
            RuntimeError: naming the environment, if it crashed.
        """
        try:
            step = self.simulations.step(actions)
        except Exception as error:
            raise self.crash(error) from error
        self.scores += step.scores
        self.lengths += 1
        ended = {}
        for index in np.flatnonzero(step.over).tolist():
            ended[index] = Finished(float(self.scores[index]), int(self.lengths[index]))
            self.scores[index] = self.lengths[index] = 0
        return step, ended

    def scaled(self, rewards: Array) -> Array:
        """Rewards (n,) as the agent learns from them."""
        return (rewards * self.scale).astype(np.float32)

    def crash(self, error: Exception) -> RuntimeError:
        """What is said of an error that a simulation raised."""
        return RuntimeError(f"environment {self.simulations.name} crashed: {type(error).__name__}: {error}")

    def _infos(self, step: Step, done: Array, ended: dict[int, Finished]) -> list[dict[str, Any]]:
        infos = list(self._nothing)
        for index in np.flatnonzero(done | step.over).tolist():
            info: dict[str, Any] = {}
            if done[index]:
                info["terminal_observation"] = step.last[index]
                info["TimeLimit.truncated"] = bool(step.truncated[index] and not step.terminated[index])
            if index in ended:
                info["episode"] = {"r": ended[index].score, "l": ended[index].length}
            infos[index] = info
        return infos

    def close(self) -> None:
        """Close the simulations."""
        self.simulations.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of the simulations, once per copy; `render_mode` is None."""
        value = None if attr_name == "render_mode" else getattr(self.simulations, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not offered: the copies are one object."""
        raise NotImplementedError(f"attributes of {self.simulations.name} are not set from outside")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Not offered: the copies are one object."""
        raise NotImplementedError(f"methods of {self.simulations.name} are not called from outside")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Episodes are counted here, so nobody needs to wrap a `Monitor` around."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]
