"""The networks between observation and heads, every hidden width times `width`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, FlattenExtractor
from torch import Tensor, nn

from bench.errors import SpecError, UnknownName


def widened(hidden: Sequence[int], width: float) -> list[int]:
    """Hidden widths times `width`, at least 1 each."""
    return [max(1, round(units * width)) for units in hidden]


class Extractor(BaseFeaturesExtractor):
    """Layers that are shared by every head.

    Args:
        space: of one observation.
        layers: from observation to features; the size of their output is found by running them once.
    """

    def __init__(self, space: spaces.Box, layers: nn.Sequential) -> None:
        super().__init__(space, features_dim=1)
        self.layers = layers
        with torch.no_grad():
            self._features_dim = layers(torch.zeros(1, *space.shape)).shape[1]

    def forward(self, observations: Tensor) -> Tensor:
        """Observations (n, ...) to features (n, features_dim)."""
        features: Tensor = self.layers(observations)
        return features


def linear(sizes: Sequence[int]) -> list[nn.Module]:
    """Fully connected layers with a ReLU after each."""
    return [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]


class Trunk(Extractor):
    """Fully connected ReLU layers: the shared trunk of 1906.02768, appendix A."""

    def __init__(self, space: spaces.Box, *, hidden: Sequence[int]) -> None:
        size = int(torch.tensor(space.shape).prod())
        super().__init__(space, nn.Sequential(nn.Flatten(), *linear([size, *hidden])))


class ChannelsFirst(nn.Module):
    """MinAtar's (n, height, width, channels) as (n, channels, height, width)."""

    def forward(self, observations: Tensor) -> Tensor:
        """The same numbers in torch's order."""
        return observations.permute(0, 3, 1, 2)


class MinAtarNetwork(Extractor):
    """One 3 x 3 convolution and one hidden layer, of the MinAtar paper (1903.03176), section 3."""

    def __init__(self, space: spaces.Box, *, hidden: Sequence[int]) -> None:
        channels, units = hidden
        layers = [ChannelsFirst(), nn.Conv2d(space.shape[2], channels, 3), nn.ReLU(), nn.Flatten()]
        size = channels * (space.shape[0] - 2) * (space.shape[1] - 2)
        super().__init__(space, nn.Sequential(*layers, *linear([size, units])))


class NatureNetwork(Extractor):
    """The DQN network of Nature 518, 529 (2015): `hidden` is 32, 64, 64 channels and 512 units."""

    def __init__(self, space: spaces.Box, *, hidden: Sequence[int]) -> None:
        first, second, third, units = hidden
        convolutions = nn.Sequential(
            nn.Conv2d(space.shape[0], first, 8, 4),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, 2),
            nn.ReLU(),
            nn.Conv2d(second, third, 3, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        super().__init__(space, nn.Sequential(*convolutions, *linear([_size(convolutions, space), units])))


class YuNetwork(Extractor):
    """The Atari network of 1906.02768, appendix A: four pooled convolutions (5, 5, 3, 3 wide) and two hidden layers."""

    def __init__(self, space: spaces.Box, *, hidden: Sequence[int]) -> None:
        *channels, one, two = hidden
        layers: list[nn.Module] = []
        for (before, after), side in zip(pairwise([space.shape[0], *channels]), (5, 5, 3, 3), strict=True):
            layers += [nn.Conv2d(before, after, side, padding=side // 2), nn.ReLU(), nn.MaxPool2d(2)]
        convolutions = nn.Sequential(*layers, nn.Flatten())
        super().__init__(space, nn.Sequential(*convolutions, *linear([_size(convolutions, space), one, two])))


def _size(layers: nn.Module, space: spaces.Box) -> int:
    with torch.no_grad():
        return int(layers(torch.zeros(1, *space.shape)).shape[1])


EXTRACTORS: dict[str, type[Extractor]] = {
    "trunk": Trunk,
    "minatar": MinAtarNetwork,
    "nature": NatureNetwork,
    "yu-elf": YuNetwork,
}
ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


def policy_kwargs(network: Mapping[str, Any], *, algorithm: str, width: float) -> dict[str, Any]:
    """stable-baselines3's `policy_kwargs` for a network of `EXTRACTORS`, or `towers`: no shared layer at all.

    Args:
        network: `name`, `hidden` widths, and for towers their `activation`.
        algorithm: `a2c`, `ppo` or `dqn`; the last has one tower.
        width: multiplies every hidden width.
    """
    name = network["name"]
    hidden = widened(network["hidden"], width)
    if name == "towers":
        activation = ACTIVATIONS.get(network["activation"])
        if activation is None:
            raise UnknownName("activation", network["activation"], ACTIVATIONS)
        shape: Any = hidden if algorithm == "dqn" else {"pi": hidden, "vf": hidden}
        return {"net_arch": shape, "activation_fn": activation, "features_extractor_class": FlattenExtractor}
    if name not in EXTRACTORS:
        raise UnknownName("network", name, [*EXTRACTORS, "towers"])
    if len(network["hidden"]) != WIDTHS.get(name, len(network["hidden"])):
        raise SpecError(f"network {name} has {len(network['hidden'])} hidden widths: it takes {WIDTHS[name]}")
    kwargs: dict[str, Any] = {"hidden": hidden}
    extractor: Callable[..., Extractor] = EXTRACTORS[name]
    return {"net_arch": [], "features_extractor_class": extractor, "features_extractor_kwargs": kwargs}


WIDTHS = {"minatar": 2, "nature": 4, "yu-elf": 6}
"""Network -> how many hidden widths it takes; a trunk takes any number."""
