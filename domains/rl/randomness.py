"""The global random states that stable-baselines3 draws from, held by one learner and swapped in only at work."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch.distributions import Distribution

from bench.streams import seed_torch

WORD = 2**32
"""numpy's legacy state and environments take seeds below this."""


class Randomness:
    """A context in which Python's, numpy's and torch's global random states are the learner's own.

    Nothing outside influences a draw inside, and no draw inside is seen outside. Argument checks of torch's
    distributions, which cost a tenth of a rollout, are off inside.

    Args:
        seed: of all three states.
        device: its states are held too if it is a CUDA device.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._cuda = device if device.type == "cuda" else None
        self._own: Any = None
        self._outside: Any = None
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Put the held states at the start of `seed`."""
        outside = self._present()
        try:
            random.seed(seed)
            np.random.seed(seed % WORD)  # noqa: NPY002  stable-baselines3 draws from this legacy state
            seed_torch(seed, self._cuda or "cpu")
            self._own = (*self._present()[:-1], False)
        finally:
            self._put(outside)

    def __enter__(self) -> Self:
        """Swap the learner's states in."""
        assert self._outside is None, "one context at a time: the states inside would be lost"
        self._outside = self._present()
        self._put(self._own)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Swap them out again."""
        self._own = self._present()
        self._put(self._outside)
        self._outside = None

    def _present(self) -> tuple[Any, ...]:
        cuda = torch.cuda.get_rng_state(self._cuda) if self._cuda else None
        legacy = np.random.get_state()  # noqa: NPY002  see `seed`
        return random.getstate(), legacy, torch.get_rng_state(), cuda, Distribution._validate_args  # noqa: SLF001  torch offers a setter only

    def _put(self, states: tuple[Any, ...]) -> None:
        plain, legacy, cpu, cuda, validate = states
        random.setstate(plain)
        np.random.set_state(legacy)  # noqa: NPY002  see `seed`
        torch.set_rng_state(cpu)
        if self._cuda:
            torch.cuda.set_rng_state(cuda, self._cuda)
        Distribution.set_default_validate_args(validate)
