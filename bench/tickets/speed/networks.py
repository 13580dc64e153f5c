"""A unit's network in every way that it is executed, ready to be called and trained."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from bench.errors import Unsupported
from bench.learner import Learner, Mask
from bench.tickets.attach import Attached
from bench.tickets.speed.calls import Call, TrainingStep
from bench.tickets.speed.layers import SparseLinear

RESTS = ("transposed_rows", "transposed_columns", "order")
"""What a sparse layer holds for its backward pass only."""


@dataclass
class Network:
    """A network and its optimizer, apart from the learner that they were copied from.

    Args:
        module: called as the learner calls its own.
        optimizer: of all of its parameters.
        step: not counted.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0

    def __post_init__(self) -> None:
        """Remember the weights, and hold no mask."""
        self._start = {name: each.detach().clone() for name, each in self.module.named_parameters()}
        self._mask_bytes = 0

    def mask(self, mask: Mask) -> None:
        """Keep zero what `mask` leaves out, as the protocol does it; parameters that are not there any more are passed by."""
        own = {name: each for name, each in mask.items() if name in self._start}
        attached = Attached(cast("Learner", self), own).__enter__()
        self._mask_bytes = sum(_bytes((self.module.get_parameter(name), each)) for name, each in attached.mask.items())

    @torch.no_grad()
    def reset(self) -> None:
        """Put the first weights back, whatever the optimizer remembers."""
        for name, parameter in self.module.named_parameters():
            parameter.copy_(self._start[name])

    def train(self, calls: Iterable[Call]) -> None:
        """One training step: forward, backward from the gradients of the loss, update."""
        self.optimizer.zero_grad(set_to_none=True)
        outputs: list[Tensor] = []
        gradients: list[Tensor] = []
        for call in calls:
            call.forget()
            for output, gradient in zip(call.outputs(self.module), call.gradients, strict=True):
                if gradient is not None:
                    outputs.append(output)
                    gradients.append(gradient)
        torch.autograd.backward(outputs, gradients)
        self.optimizer.step()

    @torch.no_grad()
    def predict(self, calls: Iterable[Call]) -> list[Tensor]:
        """The outputs of a forward pass without gradients, in the present mode."""
        return [output.detach() for call in calls for output in call.outputs(self.module)]

    def as_dense(self, of: Callable[[nn.Parameter], Tensor | None]) -> dict[str, Tensor]:
        """Numbers of its parameters (None: zeros) by the names and in the shapes that the learner's have."""
        found = {}
        for name, parameter in self.module.named_parameters():
            layer, _, kind = name.rpartition(".")
            numbers, module = of(parameter), self.module.get_submodule(layer)
            numbers = torch.zeros_like(parameter) if numbers is None else numbers.detach().clone()
            if isinstance(module, SparseLinear) and kind == "values":
                found[f"{layer}.weight"] = module.scattered(numbers)
            else:
                found[name] = numbers
        return found

    @property
    def weights_bytes(self) -> int:
        """What inference holds."""
        return _bytes(self._stored().values())

    @property
    def training_bytes(self) -> int:
        """What training holds besides gradients and activations; to be asked after a step."""
        state = (each for kept in self.optimizer.state.values() for each in kept.values() if isinstance(each, Tensor))
        buffers = (each for name, each in self.module.named_buffers() if name.rpartition(".")[2] in RESTS)
        return self.weights_bytes + _bytes(state) + _bytes(buffers) + self._mask_bytes

    @property
    def disk_bytes(self) -> int:
        """The length of a safetensors file."""
        return len(save({name: each.detach().cpu().contiguous() for name, each in self._stored().items()}))

    def _stored(self) -> dict[str, Tensor]:
        buffers = {name: each for name, each in self.module.named_buffers() if name.rpartition(".")[2] not in RESTS}
        return {**dict(self.module.named_parameters()), **buffers}


def copied(of: Learner | Network) -> Network:
    """Both at once, so that the copied optimizer has the copied parameters; its hooks, which are the learner's, stay behind.

    Args:
        of: whose; a learner before it computes a loss, whose graph its module may hold.
    """
    return Network(*copy.deepcopy((of.module, of.optimizer)))


def dense(network: Network, weights: Mapping[str, Tensor]) -> Network:
    """The network with other weights, whole."""
    made = copied(network)
    with torch.no_grad():
        for name, parameter in made.module.named_parameters():
            parameter.copy_(weights[name])
    return Network(made.module, made.optimizer)


def masked(network: Network, mask: Mask) -> Network:
    """The network, trained under its mask."""
    made = copied(network)
    made.mask(mask)
    return made


def sparse(network: Network, mask: Mask, layers: Iterable[str]) -> Network:
    """The same where of `layers` only the kept weights exist."""
    made = _replaced(copied(network), {name: mask[f"{name}.weight"] for name in layers}, blocks=1)
    made.mask(mask)
    return made


def several(network: Network, mask: Mask, step: TrainingStep, nets: int) -> Network:
    """`nets` such networks side by side, each layer one block-diagonal sparse matrix.

    Raises:
        Unsupported: if it has other layers than linear ones.
    """
    linear = {name: each for name, each in network.module.named_modules() if name and type(each) is nn.Linear}
    own = {parameter for name, each in linear.items() if name in step.called for parameter in each.parameters()}
    if own != set(network.module.parameters()):
        raise Unsupported("not all of its layers are linear")
    keep = {name: mask.get(f"{name}.weight", torch.ones_like(each.weight).bool()) for name, each in linear.items()}
    made = _replaced(copied(network), keep, blocks=nets)
    made.mask({name: each.repeat(nets) for name, each in mask.items() if each.ndim == 1})
    return made


def sparse_layers(network: Network, mask: Mask, step: TrainingStep) -> tuple[list[str], dict[str, str]]:
    """Names of the layers that a sparse kernel takes; of every other masked parameter, why none does.

    Args:
        network: whose layers.
        mask: which weights are kept.
        step: how the network is called.
    """
    taken, refused = [], {}
    often = Counter(each for module in network.module.modules() for each in module.parameters(recurse=False))
    for name, parameter in network.module.named_parameters():
        if name not in mask or bool(mask[name].all()):
            continue
        layer, _, kind = name.rpartition(".")
        module = network.module.get_submodule(layer)
        if type(module) is not nn.Linear or kind != "weight":
            refused[name] = f"{kind} of {type(module).__name__}: no sparse kernel"
        elif not layer:
            refused[name] = "the layer is the whole network"
        elif layer not in step.called:
            refused[name] = "its weight is multiplied elsewhere than in its layer"
        elif often[parameter] > 1:
            refused[name] = "several layers share it"
        else:
            taken.append(layer)
    return taken, refused


def _replaced(network: Network, keep: Mapping[str, Tensor], *, blocks: int) -> Network:
    """With sparse layers in the place of linear ones, and their values in that of the weights in the optimizer."""
    instead: dict[Tensor, nn.Parameter] = {}
    layers: dict[nn.Module, SparseLinear] = {}
    for name, kept in keep.items():
        layer = network.module.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        bias = layer.bias
        if bias is not None and blocks > 1:
            bias = instead[layer.bias] = nn.Parameter(layer.bias.detach().repeat(blocks))
        layers[layer] = SparseLinear(layer.weight, kept, bias, blocks=blocks)
        instead[layer.weight] = layers[layer].values
    for name, layer in list(network.module.named_modules(remove_duplicate=False)):  # one layer may have several names
        if layer in layers:
            above, _, own = name.rpartition(".")
            setattr(network.module.get_submodule(above), own, layers[layer])
    for group in network.optimizer.param_groups:
        group["params"] = [instead.get(each, each) for each in group["params"]]
    return Network(network.module, network.optimizer)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(each.numel() * each.element_size() for each in tensors)
