"""Any classification model of torchvision, untrained, with an output layer of our own."""

from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import SpecError, UnknownName, Unsupported
from bench.streams import drawing_from

ANY = 1_000
"""Classes of the model whose output layer is taken off: the same for all tasks, so that a seed draws the same body."""


class Body(nn.Module):
    """A model of torchvision whose output layer is the last of its parameters.

    Args:
        body: what comes before; (n, features) for images.
        features: how many.
        classes: how many.
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.output = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, height, width) -> (n, classes) logits."""
        logits: Tensor = self.output(self.body(images))
        return logits


def build(name: str, *, width: float, classes: int, image: tuple[int, ...], generator: torch.Generator) -> nn.Module:
    """A model with torchvision's initial weights, and Gaussian Glorot ones in the output layer.

    The last convolution of SqueezeNet, which has no other output layer, becomes a linear layer behind its pool.

    Args:
        name: of `torchvision.models`.
        width: 1; these models have no other.
        classes: how many.
        image: what is seen.
        generator: where the weights are drawn from; the global generators are left as they were.

    Raises:
        UnknownName: if there is no such model.
        Unsupported: if another width is asked for.
        SpecError: if the model cannot see such images.
    """
    from torchvision import models  # noqa: PLC0415  slow to import

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownName("model of torchvision", name, known)
    if width != 1.0:
        raise Unsupported(f"torchvision's {name} has one width: leave out the methods that narrow it")
    with drawing_from(int(torch.randint(2**62, (), generator=generator))):
        body = models.get_model(name, weights=None, num_classes=ANY, **_options(name))
        model = Body(body, _take_off(body), classes)
    nn.init.xavier_normal_(model.output.weight, generator=generator)
    nn.init.zeros_(model.output.bias)
    model.eval()
    try:
        with torch.no_grad():
            model(torch.zeros(1, *image))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise SpecError(
            f"torchvision's {name} cannot see images of {image}: {reason}; set other `channels` or another `side`"
        ) from error
    return model.train()


def _options(name: str) -> dict[str, Any]:
    """What keeps the models with side outputs to one, and quick."""
    return {"aux_logits": False, "init_weights": True} if name in {"googlenet", "inception_v3"} else {}


def _take_off(body: nn.Module) -> int:
    """Put nothing in the place of the output layer; how many features it saw."""
    path, layer = [
        (path, module)
        for path, module in body.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and module.weight.shape[0] == ANY
    ][-1]
    parent, _, last = path.rpartition(".")
    setattr(body.get_submodule(parent), last, nn.Identity())
    return int(layer.weight.shape[1])
