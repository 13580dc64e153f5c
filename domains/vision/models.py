"""The networks of 1803.03635 (figure 2): LeNet-300-100, Conv-2, Conv-4, Conv-6, ResNet-20 and VGG-19."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import UnknownName

CLASSES = 10


class LeNet(nn.Module):
    """Two hidden fully connected layers, for images of 1x28x28."""

    def __init__(self, width: float) -> None:
        super().__init__()
        first, second = _scaled(300, width), _scaled(100, width)
        self.hidden = nn.ModuleList([nn.Linear(28 * 28, first), nn.Linear(first, second)])
        self.output = nn.Linear(second, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1, 28, 28) -> (n, 10) logits."""
        features = images.flatten(1)
        for layer in self.hidden:
            features = F.relu(layer(features))
        logits: Tensor = self.output(features)
        return logits


class Conv(nn.Module):
    """Pairs of 3x3 convolutions, each pair pooled, and two hidden fully connected layers; for 3x32x32.

    Args:
        pairs: the channels of each pair.
        width: multiplies every hidden width.
    """

    def __init__(self, pairs: tuple[int, ...], width: float) -> None:
        super().__init__()
        widths = [3, *(_scaled(channels, width) for channels in pairs for _ in range(2))]
        self.conv = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))
        side = 32 // 2 ** len(pairs)
        hidden = _scaled(256, width)
        self.hidden = nn.ModuleList([nn.Linear(widths[-1] * side * side, hidden), nn.Linear(hidden, hidden)])
        self.output = nn.Linear(hidden, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, 32, 32) -> (n, 10) logits."""
        features = images
        for index, layer in enumerate(self.conv):
            features = F.relu(layer(features))
            if index % 2:
                features = F.max_pool2d(features, 2)
        features = features.flatten(1)
        for layer in self.hidden:
            features = F.relu(layer(features))
        logits: Tensor = self.output(features)
        return logits


class Block(nn.Module):
    """Two normalised 3x3 convolutions beside a shortcut: the identity, or a 1x1 convolution where the shape changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, features: Tensor) -> Tensor:
        """(n, before, side, side) -> (n, after, side / stride, side / stride)."""
        residual = F.relu(self.norm1(self.conv1(features)))
        total: Tensor = self.norm2(self.conv2(residual)) + self.shortcut(features)
        return F.relu(total)


class ResNet20(nn.Module):
    """The network that the paper calls ResNet-18: three stages of three blocks, of 16, 32 and 64 channels; for 3x32x32."""

    def __init__(self, width: float) -> None:
        super().__init__()
        stages = [_scaled(channels, width) for channels in (16, 32, 64)]
        widths = [stages[0], *(channels for channels in stages for _ in range(3))]
        self.conv = nn.Conv2d(3, stages[0], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(stages[0])
        self.blocks = nn.Sequential(
            *(
                Block(before, after, stride=2 if index in {3, 6} else 1)
                for index, (before, after) in enumerate(pairwise(widths))
            )
        )
        self.output = nn.Linear(stages[-1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, 32, 32) -> (n, 10) logits."""
        features = self.blocks(F.relu(self.norm(self.conv(images))))
        logits: Tensor = self.output(features.mean((2, 3)))
        return logits


class VGG19(nn.Module):
    """Sixteen normalised 3x3 convolutions in five groups and one fully connected layer; for 3x32x32."""

    GROUPS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))

    def __init__(self, width: float) -> None:
        super().__init__()
        widths = [3, *(_scaled(channels, width) for channels, depth in self.GROUPS for _ in range(depth))]
        self.conv = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in pairwise(widths)
        )
        self.norm = nn.ModuleList(nn.BatchNorm2d(channels) for channels in widths[1:])
        self.output = nn.Linear(widths[-1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, 32, 32) -> (n, 10) logits."""
        features = images
        for index, (conv, norm) in enumerate(zip(self.conv, self.norm, strict=True)):
            if index in {2, 4, 8, 12}:
                features = F.max_pool2d(features, 2)
            features = F.relu(norm(conv(features)))
        logits: Tensor = self.output(features.mean((2, 3)))
        return logits


MODELS: dict[str, Callable[[float], nn.Module]] = {
    "lenet-300-100": LeNet,
    "conv-2": lambda width: Conv((64,), width),
    "conv-4": lambda width: Conv((64, 128), width),
    "conv-6": lambda width: Conv((64, 128, 256), width),
    "resnet-20": ResNet20,
    "vgg-19": VGG19,
}
"""Model name -> architecture at a width; `build` gives it its weights."""


def build(name: str, *, width: float, generator: torch.Generator) -> nn.Module:
    """A network with Gaussian Glorot weights and zero biases, on the CPU.

    Args:
        name: one of `MODELS`.
        width: multiplies every hidden width.
        generator: where the weights are drawn from; no other random number is used.

    Raises:
        UnknownName: if there is no such model.
    """
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    with torch.device("meta"):  # torch's own initialisation would cost time and draw from the global generator
        model = MODELS[name](width)
    model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
    return model


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))
