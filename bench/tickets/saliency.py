"""A score per weight: the higher, the longer the weight is kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrize import is_parametrized
from torch.overrides import TorchFunctionMode

from bench.doors import ForwardsOnes
from bench.errors import Unsupported
from bench.learner import Learner, Mask
from bench.tickets import masks

Scores = dict[str, Tensor]

NORMALISING = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
SOFTMAX = (nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax)
WITHOUT_FLOW: dict[tuple[type[nn.Module], ...], str] = {
    NORMALISING: "normalises by what it sees, and gives equal features no gradient",
    SOFTMAX: "takes a softmax, and gives equal scores no gradient",
    (nn.RNNBase, nn.RNNCellBase): "is recurrent: its gates make products of paths, and no sum over them",
}
"""Layers through which no flow of ones is defined, and why; `undefined` knows more that are told by no type."""
AVERAGES: dict[Any, Callable[..., Tensor]] = {
    F.max_pool1d: F.avg_pool1d,
    F.max_pool2d: F.avg_pool2d,
    F.max_pool3d: F.avg_pool3d,
    F.adaptive_max_pool1d: F.adaptive_avg_pool1d,
    F.adaptive_max_pool2d: F.adaptive_avg_pool2d,
    F.adaptive_max_pool3d: F.adaptive_avg_pool3d,
}
"""Pool that follows its largest input, the first of equal ones -> the pool of the same shape that follows all of them."""
ROUNDING = 1e-13
"""Part of a flow in double precision that is none: terms of it that cancel leave about 1e-16."""


def magnitude(weights: Mapping[str, Tensor], entries: Mask) -> Scores:
    """|w|: Frankle & Carbin (1803.03635), section 1."""
    return {name: weights[name].abs() for name in entries}


def snip(learner: Learner, entries: Mask, *, losses: int) -> Scores:
    """|g * w| of the losses' sum at the present weights, which ranks as their mean: Lee et al. (1810.02340), equation 6."""
    weights = _weights(learner, entries)
    total = [torch.zeros_like(weight) for weight in weights]
    for loss in learner.losses(losses):
        for part, gradient in zip(total, torch.autograd.grad(loss, weights, materialize_grads=True), strict=True):
            part.add_(gradient)
    return {name: (part * weight).detach().abs() for name, part, weight in zip(entries, total, weights, strict=True)}


def grasp(learner: Learner, entries: Mask, *, losses: int, temperature: float) -> Scores:
    """Weight times Hg: what removing a weight would take from the gradient's norm; Wang et al. (2002.07376), equation 8.

    Args:
        learner: at its initial weights.
        entries: what may be pruned.
        losses: number of batches.
        temperature: divides the logits; the authors' code takes 200. Measured on LeNet and MNIST with 17 % of the
            weights and 500 updates: 91 % accuracy with 200, 67 % with 1, where the mask maximises the loss itself.
    """
    weights = _weights(learner, entries)
    mean = [torch.zeros_like(weight) for weight in weights]
    for loss in learner.losses(losses, temperature=temperature):
        for part, gradient in zip(mean, torch.autograd.grad(loss, weights, materialize_grads=True), strict=True):
            part.add_(gradient, alpha=1 / losses)
    product = [torch.zeros_like(weight) for weight in weights]
    for loss in learner.losses(losses, temperature=temperature):
        gradients = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
        inner = sum((part * gradient).sum() for part, gradient in zip(mean, gradients, strict=True))
        assert isinstance(inner, Tensor)
        for part, gradient in zip(product, torch.autograd.grad(inner, weights, materialize_grads=True), strict=True):
            part.add_(gradient)
    return {name: (weight * part).detach() for name, weight, part in zip(entries, weights, product, strict=True)}


def synflow(learner: Learner, entries: Mask, *, keep: int, rounds: int) -> dict[str, Tensor]:
    """The mask after `rounds` rounds of synaptic flow on a geometric path of densities: Tanaka et al. (2006.05467).

    Args:
        learner: must forward ones.
        entries: what may be pruned.
        keep: how many weights are left in the end.
        rounds: one is the single pass that collapses layers; the paper takes 100.

    Raises:
        Unsupported: if the learner cannot forward ones, or no flow is defined through its network (see `check_flow`).
    """
    check_flow(learner, entries)
    total = sum(masks.sizes(entries).values())
    mask = masks.ones(entries)
    for turn in range(1, rounds + 1):
        with _replaced(learner.module, _positive):
            scores = flow(learner, mask, entries)
        left = round(total * (keep / total) ** (turn / rounds))
        mask = masks.highest(scores, mask, entries, {"": left})
    return mask


def connected(learner: Learner, mask: Mask, entries: Mask) -> dict[str, Tensor]:
    """Which kept weights lie on a path from input to output: Vysogorets & Kempe (2107.02306).

    Every kept weight is made positive and every bias zero, so a weight carries flow if and only if such a path exists;
    a unit without inputs counts as dead even if its bias is not, and a bias counts with its unit. Pools average here: a
    maximum passes on one of its inputs, and what leads to the others lies on a path as well.

    Raises:
        Unsupported: if the learner cannot forward ones, or no flow is defined through its network (see `check_flow`).
    """
    check_flow(learner, entries)
    with _replaced(learner.module, _unit_gain), _Averaging():
        gradients = _flow_gradients(learner, mask, entries)
    return {name: (gradients[name].cpu() != 0) & mask.get(name, layer) for name, layer in entries.items()}


def flow(learner: Learner, mask: Mask, entries: Mask) -> Scores:
    """|w * dR/dw| with R the sum of the outputs for one all-ones example, under `mask`."""
    gradients = _flow_gradients(learner, mask, entries)
    weights = dict(zip(entries, _weights(learner, entries), strict=True))
    return {name: (weights[name] * gradient).detach().abs() for name, gradient in gradients.items()}


def undefined(network: nn.Module) -> str | None:
    """Why no flow of ones is defined through a network, by the first layer that is in its way; None if it is.

    It is a sum over paths as long as layers are homogeneous and their gradients are not negative: linear and convolutional ones,
    batch norm by statistics that it was given, rectifiers, pools, and products of these. What a network calls as a function, and
    not as a module, is not seen here, but by `check_flow`.
    """
    for name, layer in network.named_modules():
        if why := _obstacle(layer):
            return f"no flow of ones is defined through {name or 'the network'} ({type(layer).__name__}): it {why}"
    return None


def _obstacle(layer: nn.Module) -> str | None:
    held = (*layer.parameters(recurse=False), *layer.buffers(recurse=False))
    if is_parametrized(layer) or not _is_held(
        getattr(layer, "weight", None), held
    ):  # in this order: asking computes it
        return "computes its weights from other numbers"
    if isinstance(layer, _NormBase) and layer.running_mean is None:
        return WITHOUT_FLOW[NORMALISING]
    return next((why for kinds, why in WITHOUT_FLOW.items() if isinstance(layer, kinds)), None)


def _is_held(weight: Any, tensors: Iterable[Tensor]) -> bool:
    return not isinstance(weight, Tensor) or any(weight is each for each in tensors)


def check_flow(learner: Learner, entries: Mask) -> None:
    """A flow of ones is defined through the network, whatever its forward calls.

    Where it is a sum over paths, weights that are all positive have gradients that are not negative, and of each layer that the
    outputs are computed from some are above zero. Normalisations by what is seen and softmax give signs of both kinds, or
    nothing where all that they see is equal; so does what is subtracted, and a gate that is as open as can be. Weights are drawn, that equal features be rare.

    Raises:
        Unsupported: if the learner cannot forward ones, or no flow is defined, naming the layer or the weights where it fails.
    """
    if not isinstance(learner, ForwardsOnes):
        raise Unsupported("this task's learner has no forward_ones: synaptic flow is not defined for it")
    if reason := undefined(learner.module):
        raise Unsupported(reason)
    generator = torch.Generator().manual_seed(0)

    def drawn(name: str, tensor: Tensor) -> Tensor:
        return _unit_gain(name, tensor) * (0.5 + torch.rand(tensor.shape, generator=generator)).to(tensor.device)

    with _replaced(learner.module, drawn), _Averaging():
        weights, total = _weights(learner, entries), learner.forward_ones().sum()
        gradients = torch.autograd.grad(total, weights, allow_unused=True)
        flows = {
            name: weight.detach() * gradient
            for name, weight, gradient in zip(entries, weights, gradients, strict=True)
            if gradient is not None and not _is_offset(name, weight)
        }
    for name, each in flows.items():
        grows = bool(each.min() >= -ROUNDING * each.max())
        if not (grows and each.sum() > ROUNDING * total.abs()):
            raise Unsupported(
                f"no flow of ones is defined through the network: all weights positive, more of {name} gives "
                f"{'nothing' if grows else 'less'}; its forward normalises by what it sees, takes a softmax, subtracts or saturates"
            )


def _flow_gradients(learner: Learner, mask: Mask, entries: Mask) -> dict[str, Tensor]:
    assert isinstance(learner, ForwardsOnes)  # `check_flow` says so before
    parameters = dict(learner.module.named_parameters())
    with torch.no_grad():
        for name, kept in mask.items():
            parameters[name].mul_(kept.to(parameters[name].device))
    gradients = torch.autograd.grad(learner.forward_ones().sum(), _weights(learner, entries), materialize_grads=True)
    return dict(zip(entries, gradients, strict=True))


def _weights(learner: Learner, entries: Mask) -> list[nn.Parameter]:
    parameters = dict(learner.module.named_parameters())
    return [parameters[name] for name in entries]


def _positive(name: str, tensor: Tensor) -> Tensor:
    """Sizes in double precision; offsets are zero, or they would feed a flow that needs no input."""
    return torch.zeros_like(tensor, dtype=torch.float64) if _is_offset(name, tensor) else tensor.abs().double()


def _unit_gain(name: str, tensor: Tensor) -> Tensor:
    """Ones over the fan-in, so that deep networks stay in range."""
    if _is_offset(name, tensor):
        return torch.zeros_like(tensor, dtype=torch.float64)
    return torch.full_like(tensor, 1 / (tensor[0].numel() if tensor.ndim > 1 else 1), dtype=torch.float64)


def _is_offset(name: str, tensor: Tensor) -> bool:
    return tensor.ndim <= 1 and name.endswith(("bias", "running_mean"))


class _Averaging(TorchFunctionMode):
    """Puts the average in the place of every maximum that a pool takes."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call what was called, or its average; of a dilated pool there is none."""
        given = dict(kwargs or {})
        if func in AVERAGES and given.get("dilation", 1) == 1:
            told = {name: value for name, value in given.items() if name not in {"dilation", "return_indices"}}
            return AVERAGES[func](*args, **told)
        return func(*args, **given)


@contextmanager
def _replaced(module: nn.Module, values: Callable[[str, Tensor], Tensor]) -> Iterator[None]:
    """Put other values behind the module's floating tensors, and give the old storage back afterwards."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    held = {name: tensor.data for name, tensor in tensors.items() if tensor.is_floating_point()}
    try:
        for name, data in held.items():
            tensors[name].data = values(name, data)
        yield
    finally:
        for name, data in held.items():
            tensors[name].data = data
