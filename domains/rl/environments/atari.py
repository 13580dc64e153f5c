"""Atari games in ale-py's native vector environment, with what it leaves to its user."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from bench.errors import DataError, UnknownName
from domains.rl.environments.episodes import Array, Step

FRAME_LIMIT = 108_000
"""Emulator frames of one game: half an hour, as everybody has it."""

PROTOCOLS: dict[str, dict[str, Any]] = {
    "nature": {"repeat_action_probability": 0.0, "life_loss_info": True, "noop_max": 30, "use_fire_reset": True},
    "machado": {
        "repeat_action_probability": 0.25,
        "life_loss_info": False,
        "noop_max": 1,
        "use_fire_reset": False,
        "full_action_space": True,
    },
    "yu": {
        "repeat_action_probability": 0.0,
        "life_loss_info": False,
        "noop_max": 30,
        "use_fire_reset": True,
        "frameskip": 3,
        "grayscale": False,
        "img_height": 105,
        "img_width": 80,
    },
}
"""Protocol -> options of the emulator, each written out because its doors have different defaults.

`nature`: Mnih et al. 2015, a lost life ends the agent's episode, never the game. `machado`: 1709.06009, sticky actions,
all 18 buttons, no sign of a lost life. `yu`: 1906.02768 by ELF, half-size colour frames, the mean of its random skip.
"""


class Ataris:
    """n copies of one game (see `domains.rl.environments.episodes.Simulations`): observations of uint8, channels first.

    Rewards are clipped to their sign here, because the emulator's own clipping loses the score. A lost life sets
    `terminated` where the protocol says so, and the game goes on: only the real end of a game is `over`.

    Args:
        name: of the ROM, in snake case.
        n: number of copies.
        protocol: one of `PROTOCOLS`.
        options: of the emulator, in place of the protocol's.

    Attributes:
        frames: (n,) emulator frames of the present games.
        lives: (n,) lives left in them.

    Raises:
        UnknownName: if there is no such protocol.
        DataError: if the ROM is missing.
    """

    def __init__(self, name: str, n: int, *, protocol: str, **options: Any) -> None:
        if protocol not in PROTOCOLS:
            raise UnknownName("Atari protocol", protocol, PROTOCOLS)
        self.name, self.n = f"Atari {name}", n
        self._env = _emulator(name, n, {**PROTOCOLS[protocol], **options})
        self.frames = self.lives = np.zeros(n, dtype=np.int64)
        frames = np.zeros(self._env.observation_space.shape or (), dtype=np.uint8)
        self.observation_space = spaces.Box(0, 255, self._channels_first(frames).shape[1:], dtype=np.uint8)
        self.action_space = self._env.single_action_space

    def reset(self, seeds: Sequence[int]) -> Array:
        """Observations (n, channels, height, width) of new games."""
        observations, info = self._env.reset(seed=np.array(seeds))
        self.frames, self.lives = info["episode_frame_number"], info["lives"]
        return self._channels_first(observations)

    def step(self, actions: Array) -> Step:
        """Act in each copy, and start the next game where one ended."""
        observations, scores, terminated, truncated, info = self._env.step(actions)
        frames = info["episode_frame_number"]
        over = (frames <= self.frames) | truncated  # frames fall at a reset, and never at a lost life
        self.frames, self.lives = frames, info["lives"]
        seen = last = self._channels_first(observations)
        if over.any():
            last = seen.copy()
            # Rows of games that go on are uninitialised memory.
            last[over] = self._channels_first(info["final_obs"][over])
        scores = scores.astype(np.float64)
        return Step(seen, np.sign(scores), scores, terminated & ~truncated, truncated, over, last)

    def close(self) -> None:
        """Stop the emulator's threads."""
        self._env.close()

    def _channels_first(self, frames: Array) -> Array:
        """Grey frames (n, stack, height, width) as they are; colours (n, stack, height, width, 3) as 3 x stack channels."""
        if frames.ndim == 4:
            return frames
        return np.ascontiguousarray(np.moveaxis(frames, 4, 2).reshape(len(frames), -1, *frames.shape[2:4]))


def _emulator(name: str, n: int, options: Mapping[str, Any]) -> AtariVectorEnv:
    fixed: dict[str, Any] = {
        "max_num_frames_per_episode": FRAME_LIMIT,
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "reward_clipping": False,
        "episodic_life": False,  # this one would reset the game
        "num_threads": 1,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return AtariVectorEnv(name, n, **{**fixed, **options})
    except (AssertionError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"no ROM of the Atari game {name!r}: {reason}; ale-py ships ROMs by snake-case names such as 'space_invaders': "
            "if it should be there, unset ALE_ROMS_DIR, or pip install --force-reinstall ale-py"
        ) from error
