"""The networks of 1803.03635 (figure 2): LeNet-300-100, Conv-2, Conv-4, Conv-6, ResNet-20 and VGG-19; and a slim VGG.

VGG-19 is that of 1906.02773, too. The output layer comes last: what a seed draws for all else is the same for any number of
classes.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import accumulate, pairwise
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import SpecError, UnknownName
from domains.vision.networks import factories, zoo
from domains.vision.networks.kinds import KIND, is_own, obstacle

Image = tuple[int, ...]
"""(channels, height, width); what is no image has any shape."""


class LeNet(nn.Module):
    """Two hidden fully connected layers."""

    def __init__(self, width: float, classes: int, image: Image) -> None:
        super().__init__()
        first, second = _scaled(300, width), _scaled(100, width)
        self.hidden = nn.ModuleList([nn.Linear(math.prod(image), first), nn.Linear(first, second)])
        self.output = nn.Linear(second, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, *image) -> (n, classes) logits."""
        features = images.flatten(1)
        for layer in self.hidden:
            features = F.relu(layer(features))
        logits: Tensor = self.output(features)
        return logits


class Conv(nn.Module):
    """Pairs of 3x3 convolutions, each pair pooled, and two hidden fully connected layers.

    Args:
        width: multiplies every hidden width.
        classes: how many.
        image: what is seen.
        pairs: the channels of each pair.
    """

    def __init__(self, width: float, classes: int, image: Image, *, pairs: tuple[int, ...]) -> None:
        super().__init__()
        widths = [image[0], *(_scaled(channels, width) for channels in pairs for _ in range(2))]
        self.conv = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))
        pooled = math.prod(side // 2 ** len(pairs) for side in image[1:])
        hidden = _scaled(256, width)
        self.hidden = nn.ModuleList([nn.Linear(widths[-1] * pooled, hidden), nn.Linear(hidden, hidden)])
        self.output = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, *image) -> (n, classes) logits."""
        features = images
        for index, layer in enumerate(self.conv):
            features = layer(features)
            if index % 2:  # before the ReLU: the same bits in less time
                features = F.max_pool2d(features, 2)
            features = F.relu(features)
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
    """The network that the paper calls ResNet-18: three stages of three blocks, of 16, 32 and 64 channels."""

    def __init__(self, width: float, classes: int, image: Image) -> None:
        super().__init__()
        stages = [_scaled(channels, width) for channels in (16, 32, 64)]
        widths = [stages[0], *(channels for channels in stages for _ in range(3))]
        self.conv = nn.Conv2d(image[0], stages[0], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(stages[0])
        self.blocks = nn.Sequential(
            *(
                Block(before, after, stride=2 if index in {3, 6} else 1)
                for index, (before, after) in enumerate(pairwise(widths))
            )
        )
        self.output = nn.Linear(stages[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, *image) -> (n, classes) logits."""
        features = self.blocks(F.relu(self.norm(self.conv(images))))
        logits: Tensor = self.output(features.mean((2, 3)))
        return logits


class VGG(nn.Module):
    """Groups of normalised 3x3 convolutions, each pooled but the last, which is averaged, and one fully connected layer.

    Args:
        width: multiplies every hidden width.
        classes: how many.
        image: what is seen.
        groups: channels and depth of each.
    """

    def __init__(self, width: float, classes: int, image: Image, *, groups: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        widths = [image[0], *(_scaled(channels, width) for channels, depth in groups for _ in range(depth))]
        self.conv = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in pairwise(widths)
        )
        self.norm = nn.ModuleList(nn.BatchNorm2d(channels) for channels in widths[1:])
        self.output = nn.Linear(widths[-1], classes)
        self._first = set(accumulate(depth for _, depth in groups[:-1]))

    def forward(self, images: Tensor) -> Tensor:
        """(n, *image) -> (n, classes) logits."""
        features = images
        for index, (conv, norm) in enumerate(zip(self.conv, self.norm, strict=True)):
            if index in self._first:
                features = F.max_pool2d(features, 2)
            features = F.relu(norm(conv(features)))
        logits: Tensor = self.output(features.mean((2, 3)))
        return logits


VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
SLIM = ((16, 2), (32, 2), (64, 2))
"""A stand-in for VGG-19 that a CPU trains in a minute."""

MODELS: dict[str, Callable[[float, int, Image], nn.Module]] = {
    "lenet-300-100": LeNet,
    "conv-2": partial(Conv, pairs=(64,)),
    "conv-4": partial(Conv, pairs=(64, 128)),
    "conv-6": partial(Conv, pairs=(64, 128, 256)),
    "resnet-20": ResNet20,
    "vgg-19": partial(VGG, groups=VGG19),
    "slim-vgg": partial(VGG, groups=SLIM),
}
"""Model name -> architecture at a width, for so many classes and such images; `build` gives it its weights."""


def build(
    name: str,
    *,
    width: float,
    classes: int,
    image: Image,
    generator: torch.Generator,
    modules: Mapping[str, str] = MappingProxyType({}),
    seen: torch.dtype = torch.float32,
) -> nn.Module:
    """A network with Gaussian Glorot weights and zero biases, on the CPU.

    Args:
        name: one of `MODELS`, `torchvision:NAME` for one of `domains.vision.networks.zoo`, or `module:function` for one of the
            user's own (`domains.vision.networks.factories`), whose layers draw as they do.
        width: multiplies every hidden width.
        classes: how many.
        image: what is seen.
        generator: where the weights are drawn from; no other random number is used.
        modules: the task's digests of code, if the network is the user's own.
        seen: type of the numbers in the examples, if the network is the user's own; others see floats.

    Raises:
        UnknownName: if there is no such model.
        SpecError: if it cannot see such images.
    """
    if reason := obstacle(name, image):
        raise SpecError(reason)
    if is_own(name):
        example = torch.zeros(image, dtype=seen)
        return factories.build(
            name, modules=modules, width=width, classes=classes, example=example, generator=generator
        )
    kind, _, other = name.partition(":")
    if other and kind == KIND:
        return zoo.build(other, width=width, classes=classes, image=image, generator=generator)
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    with torch.device("meta"):  # torch's own initialisation would cost time and draw from the global generator
        model = MODELS[name](width, classes, image)
    # `to_empty` does this, too, and imports sympy for it.
    empty = {name: torch.empty(value.shape, dtype=value.dtype) for name, value in model.state_dict().items()}
    model.load_state_dict(empty, assign=True)
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
