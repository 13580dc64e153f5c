"""CartPole and Acrobot, n at a time in numpy: equal to gymnasium's to the bit, at a fraction of the time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from gymnasium import spaces
from numpy.random import PCG64, Generator, SeedSequence

from domains.rl.environments.episodes import Array, Step

FLOAT32 = np.float32


class Physics(ABC):
    """n pendulum-like systems with float64 states and a time limit; each draws its starts from its own generator.

    Args:
        name: gymnasium's id.
        n: number of copies.
        limit: steps after which an episode is cut off.

    Attributes:
        state: (4, n).
        age: (n,), steps of the present episodes.
        generators: of each copy.
    """

    spread: float
    """New states are uniform between minus and plus this."""

    def __init__(self, name: str, n: int, limit: int) -> None:
        self.name, self.n, self.limit = name, n, limit
        self.observation_space, self.action_space = self.spaces()
        self.state = np.zeros((4, n))
        self.age = np.zeros(n, dtype=np.int64)
        self.generators: list[Generator] = []
        self._none = np.zeros(n, dtype=bool)

    @abstractmethod
    def spaces(self) -> tuple[spaces.Box, spaces.Discrete]:
        """Observations and actions."""

    @abstractmethod
    def move(self, state: Array, actions: Array) -> Array:
        """The state (4, n) one step later."""

    @abstractmethod
    def fallen(self, state: Array) -> Array:
        """Which of n have reached their end."""

    @abstractmethod
    def seen(self, state: Array) -> Array:
        """What is observed of states (4, n): (n, ...) of float32."""

    @abstractmethod
    def rewards(self, ended: Array) -> Array:
        """(n,) rewards of a step."""

    def reset(self, seeds: Sequence[int]) -> Array:
        """Observations (n, ...) of new episodes."""
        self.generators = [Generator(PCG64(SeedSequence(seed))) for seed in seeds]
        self.age[:] = 0
        for index in range(self.n):
            self.state[:, index] = self._start(index)
        return self.first(self.state)

    def first(self, state: Array) -> Array:
        """What is observed of fresh states (4, n)."""
        return self.seen(state)

    def step(self, actions: Array) -> Step:
        """Act in each copy, and start the next episode where one ended."""
        state = self.state = self.move(self.state, actions)
        self.age += 1
        ended = self.fallen(state)
        late = self.age >= self.limit
        rewards = self.rewards(ended)
        observations = last = self.seen(state)
        over = ended | late
        if over.any():
            observations = last.copy()
            indices = np.flatnonzero(over)
            for index in indices.tolist():
                state[:, index] = self._start(index)
            observations[indices] = self.first(state[:, indices])
            self.age[indices] = 0
        return Step(observations, rewards, rewards, ended, late & ~ended, over, last)

    @classmethod
    def joined(cls, parts: Sequence[Physics]) -> Physics:
        """All copies of `parts`, which are of one kind, in their order and where they are."""
        self = cls(parts[0].name, sum(part.n for part in parts), parts[0].limit)
        self.state = np.concatenate([part.state for part in parts], axis=1)
        self.age = np.concatenate([part.age for part in parts])
        self.generators = [generator for part in parts for generator in part.generators]
        return self

    def give(self, parts: Sequence[Physics]) -> None:
        """Let `parts`, which were joined here, go on from here."""
        begin = 0
        for part in parts:
            end = begin + part.n
            part.state = self.state[:, begin:end].copy()
            part.age = self.age[begin:end].copy()
            part.generators = self.generators[begin:end]
            begin = end

    def close(self) -> None:
        """Forget the generators; there is nothing else to free."""
        self.generators.clear()

    def _start(self, index: int) -> Array:
        return self.generators[index].uniform(-self.spread, self.spread, 4)


class CartPoles(Physics):
    """A pole on a cart, Barto, Sutton & Anderson 1983: +1 a step until it falls or the cart leaves."""

    spread = 0.05

    def spaces(self) -> tuple[spaces.Box, spaces.Discrete]:
        """Position, velocity, angle, angular velocity; left or right."""
        high = np.array([4.8, np.inf, 24 * 2 * np.pi / 360, np.inf], dtype=FLOAT32)
        return spaces.Box(-high, high, dtype=FLOAT32), spaces.Discrete(2)

    def move(self, state: Array, actions: Array) -> Array:
        """One Euler step of 0.02 s, in gymnasium's order of operations."""
        x, x_dot, theta, theta_dot = state
        cosine, sine = np.cos(theta), np.sin(theta)
        force = np.where(actions == 1, 10.0, -10.0)
        push = (force + (0.1 * 0.5) * np.square(theta_dot) * sine) / 1.1
        turn = (9.8 * sine - cosine * push) / (0.5 * (4.0 / 3.0 - 0.1 * np.square(cosine) / 1.1))
        slide = push - (0.1 * 0.5) * turn * cosine / 1.1
        return np.stack((x + 0.02 * x_dot, x_dot + 0.02 * slide, theta + 0.02 * theta_dot, theta_dot + 0.02 * turn))

    def fallen(self, state: Array) -> Array:
        """Beyond 2.4 or 12 degrees."""
        return np.asarray((np.abs(state[0]) > 2.4) | (np.abs(state[2]) > 12 * 2 * np.pi / 360))

    def seen(self, state: Array) -> Array:
        """The state itself."""
        return np.ascontiguousarray(state.T, dtype=FLOAT32)

    def rewards(self, ended: Array) -> Array:
        """One, the last step included."""
        return np.ones(len(ended))


class Acrobots(Physics):
    """A two-link swing, Sutton 1996: -1 a step until the tip is one link above the joint."""

    spread = 0.1

    def spaces(self) -> tuple[spaces.Box, spaces.Discrete]:
        """Cosines and sines of two angles, two velocities; torque -1, 0 or 1."""
        high = np.array([1, 1, 1, 1, 4 * np.pi, 9 * np.pi], dtype=FLOAT32)
        return spaces.Box(-high, high, dtype=FLOAT32), spaces.Discrete(3)

    def move(self, state: Array, actions: Array) -> Array:
        """One Runge-Kutta step of 0.2 s, in gymnasium's order of operations."""
        torque = actions - 1.0
        half = 0.2 / 2.0
        one = _slopes(state, torque)
        two = _slopes(state + half * one, torque)
        three = _slopes(state + half * two, torque)
        four = _slopes(state + 0.2 * three, torque)
        moved: Array = state + 0.2 / 6.0 * (one + 2 * two + 2 * three + four)
        moved[:2] = _wrapped(moved[:2])
        np.clip(moved[2], -4 * np.pi, 4 * np.pi, out=moved[2])
        np.clip(moved[3], -9 * np.pi, 9 * np.pi, out=moved[3])
        return moved

    def fallen(self, state: Array) -> Array:
        """The tip is high enough."""
        return np.asarray(-np.cos(state[0]) - np.cos(state[1] + state[0]) > 1.0)

    def seen(self, state: Array) -> Array:
        """Angles as points on the circle, computed in the state's precision."""
        angles = state[:2]
        cosines, sines = np.cos(angles), np.sin(angles)
        points = (cosines[0], sines[0], cosines[1], sines[1], state[2], state[3])
        seen: Array = np.stack(points, 1).astype(FLOAT32)
        return seen

    def first(self, state: Array) -> Array:
        """A fresh state of gymnasium's is in float32, and its cosines with it."""
        return self.seen(state.astype(FLOAT32))

    def rewards(self, ended: Array) -> Array:
        """Minus one, but zero in the end."""
        return np.where(ended, 0.0, -1.0)

    def _start(self, index: int) -> Array:
        return super()._start(index).astype(FLOAT32).astype(np.float64)


def _slopes(state: Array, torque: Array) -> Array:
    """Time derivatives (4, n) by the book's equations; links of length and mass 1, centres at 0.5, inertia 1."""
    theta1, theta2, speed1, speed2 = state
    cosine, sine = np.cos(theta2), np.sin(theta2)
    d1 = 1.0 * 0.5**2 + 1.0 * (1.0**2 + 0.5**2 + 2 * 1.0 * 0.5 * cosine) + 1.0 + 1.0
    d2 = 1.0 * (0.5**2 + 1.0 * 0.5 * cosine) + 1.0
    phi2 = 1.0 * 0.5 * 9.8 * np.cos(theta1 + theta2 - np.pi / 2.0)
    phi1 = (
        -1.0 * 1.0 * 0.5 * speed2**2 * sine
        - 2 * 1.0 * 1.0 * 0.5 * speed2 * speed1 * sine
        + (1.0 * 0.5 + 1.0 * 1.0) * 9.8 * np.cos(theta1 - np.pi / 2)
        + phi2
    )
    turn2 = (torque + d2 / d1 * phi1 - 1.0 * 1.0 * 0.5 * speed1**2 * sine - phi2) / (1.0 * 0.5**2 + 1.0 - d2**2 / d1)
    turn1 = -(d2 * turn2 + phi1) / d1
    return np.stack((speed1, speed2, turn1, turn2))


def _wrapped(angles: Array) -> Array:
    """Angles between minus and plus pi, by repeated subtraction as gymnasium does it."""
    while (high := angles > np.pi).any():
        angles = np.where(high, angles - 2 * np.pi, angles)
    while (low := angles < -np.pi).any():
        angles = np.where(low, angles + 2 * np.pi, angles)
    return angles


CLASSIC: dict[str, tuple[type[Physics], int]] = {
    "CartPole-v0": (CartPoles, 200),
    "CartPole-v1": (CartPoles, 500),
    "Acrobot-v1": (Acrobots, 500),
}
"""gymnasium's id -> who simulates it, and its time limit."""


def classic(name: str, n: int) -> Physics:
    """The simulations of `CLASSIC`."""
    physics, limit = CLASSIC[name]
    return physics(name, n, limit)
