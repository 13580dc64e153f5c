"""The agent that is imitated: bundled, trained by this package, and what it does in its own episodes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import PCG64, Generator, SeedSequence
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.digests import tensors_digest
from bench.errors import DataError
from domains.rl.environments import envs
from domains.rl.environments.classic import classic
from domains.rl.tasks.cloning import EXPERT

FILE = Path(__file__).parents[1] / "data" / "cartpole-expert.safetensors"
"""The actor of `rl/cartpole-ppo` at paper scale, dense, seed 0, at the end of its training: it holds the pole up for ever."""


class Demonstrations(NamedTuple):
    """What the expert saw, and how it would have acted.

    Args:
        observations: (n, inputs), float32.
        probabilities: (n, actions), float32: of each action.
    """

    observations: Tensor
    probabilities: Tensor


def expert() -> nn.Sequential:
    """Observations (n, 4) to the logits (n, 2) of its actions.

    Raises:
        DataError: if the bundled file is not the one that was published.
    """
    weights = load_file(FILE)
    if (found := tensors_digest({name: weight.numpy() for name, weight in weights.items()})) != EXPERT:
        raise DataError(f"{FILE} has sha256 {found}, not {EXPERT}: install ticketbench anew")
    layers = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    layers.load_state_dict(weights)
    return layers


@cache
def demonstrations(env: str, episodes: int) -> Demonstrations:
    """Whole episodes of the expert, which draws its actions; the same for every seed.

    Args:
        env: gymnasium's id, of `domains.rl.environments.classic.CLASSIC`.
        episodes: how many.

    Raises:
        DataError: if the bundled file is not the one that was published.
    """
    policy, generator = expert(), Generator(PCG64(SeedSequence(episodes)))
    world = classic(env, episodes)
    seen = world.reset(envs.seeds(SeedSequence(0), episodes))
    playing = np.ones(episodes, dtype=bool)
    observations, probabilities = [], []
    while playing.any():
        with torch.no_grad():
            chances = policy(torch.from_numpy(seen)).softmax(1)
        observations.append(torch.from_numpy(seen[playing]))
        probabilities.append(chances[torch.from_numpy(playing)])
        step = world.step((generator.random(episodes) < chances[:, 1].numpy()).astype(np.int64))
        playing &= ~step.over
        seen = step.observations
    return Demonstrations(torch.cat(observations), torch.cat(probabilities))
