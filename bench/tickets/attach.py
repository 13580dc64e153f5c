"""Keeps pruned weights exactly zero inside anybody's optimizer.

Each gradient is masked as it is accumulated, before anybody clips; with zero gradients and fresh state no torch
optimizer moves a zero weight but Muon, which turns whole matrices. So nothing is masked after the step: it is checked, and a
leak voids the unit.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bench.errors import Diverged, LeakedMask
from bench.learner import Learner, Mask
from bench.stacks.stack import Seat

CHECK_EVERY = 256
"""Updates between two looks for a non-zero under the mask."""


class Attached:
    """A mask at work in a learner's optimizer; a context manager that takes its hooks away again.

    Args:
        learner: its module's weights are masked already (`State.masked`, then `load`).
        mask: parameter name -> kept entries; a copy is held, which `change` alters.

    Attributes:
        mask: the present mask, on the parameters' device.
        keep: parameter name -> what its gradients are multiplied by: ones and zeros.
        dense_gradients: whether the next update also keeps its gradients as they were before masking.
        gradients: parameter name -> that unmasked gradient.
    """

    def __init__(self, learner: Learner, mask: Mask) -> None:
        """Hook into the gradients of every masked parameter, and into the optimizer's step."""
        parameters = dict(learner.module.named_parameters())
        self._learner = learner
        self._parameters: dict[str, nn.Parameter] = {name: parameters[name] for name in mask}
        self.mask = {name: kept.to(parameters[name].device, copy=True) for name, kept in mask.items()}
        # In the memory format of the gradients, which is the weights': else a convolution's are multiplied out of order.
        self.keep = {name: torch.empty_like(parameters[name].detach()).copy_(kept) for name, kept in mask.items()}
        self.dense_gradients = False
        self.gradients: dict[str, Tensor] = {}
        self._updates = 0
        self._unmoved: dict[tuple[str, str], Tensor] = {}
        self._after: list[Callable[[], None]] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        """Start masking."""
        if isinstance(self._learner, Seat):
            self._learner.attach(self)
            return self
        for name, parameter in self._parameters.items():
            is_trained = parameter.requires_grad
            parameter.requires_grad = True  # a frozen one takes no hook, and may be thawed later
            self._handles.append(parameter.register_post_accumulate_grad_hook(self._masker(name)))
            parameter.requires_grad = is_trained
        self._handles.append(self._learner.optimizer.register_step_post_hook(lambda *_: self.updated()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take every hook away."""
        if isinstance(self._learner, Seat):
            self._learner.attach(None)
        for handle in self._handles:
            handle.remove()

    def after_update(self, act: Callable[[], None]) -> None:
        """Call `act` after every optimizer update."""
        self._after.append(act)

    def _masker(self, name: str) -> Callable[[Tensor], None]:
        keep = self.keep[name]

        def mask_gradient(parameter: Tensor) -> None:
            assert parameter.grad is not None
            if self.dense_gradients:
                self.see(name, parameter.grad)
            parameter.grad.mul_(keep)

        return mask_gradient

    def see(self, name: str, gradient: Tensor) -> None:
        """Keep the gradient of a parameter as it is before masking."""
        keep = self.keep[name]
        before = self.gradients.get(name, torch.zeros_like(keep)) * (1 - keep)  # of earlier backward passes
        self.gradients[name] = gradient.detach() + before

    @property
    def is_due(self) -> bool:
        """Whether `updated` will look at more than the number of updates next time."""
        return not self._updates or bool(self._after) or (self._updates + 1) % CHECK_EVERY == 0

    def updated(self) -> None:
        """Look after an update: remember fresh moments, let the mask change, and check it now and then."""
        self._updates += 1
        if self._updates == 1:
            self._remember()
        for act in self._after:
            act()
        if self._updates % CHECK_EVERY == 0:
            self.check()

    @torch.no_grad()
    def _remember(self) -> None:
        """What fresh moments are: those of a pruned weight after the first update. Not every optimizer starts at zero."""
        for name, parameter in self._parameters.items():
            pruned = ~self.mask[name]
            for key, value in self._moments(parameter).items():
                if bool(pruned.any()):
                    self._unmoved[name, key] = value[pruned][0]

    def _moments(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """What the optimizer remembers of each weight: key -> tensor of the parameter's shape."""
        state = self._learner.optimizer.state.get(parameter, {}).items()
        return {key: value for key, value in state if isinstance(value, Tensor) and value.shape == parameter.shape}

    @torch.no_grad()
    def change(self, name: str, mask: Tensor) -> None:
        """Put another mask in the place of a parameter's: dropped and grown weights start at zero, with fresh moments."""
        parameter = self._parameters[name]
        changed = self.mask[name] ^ mask
        self.mask[name].copy_(mask)
        self.keep[name].copy_(mask)
        parameter.masked_fill_(changed, 0.0)
        if parameter.grad is not None:
            parameter.grad.masked_fill_(changed, 0.0)  # it was accumulated under the mask before
        for key, value in self._moments(parameter).items():
            value.masked_fill_(changed, self._unmoved.get((name, key), 0.0))

    @torch.no_grad()
    def check(self) -> None:
        """Look for a number where there must be none.

        Raises:
            LeakedMask: if a pruned weight or its gradient is not exactly zero, or a parameter was replaced.
            Diverged: if it is not finite.
        """
        present = dict(self._learner.module.named_parameters())
        for name, parameter in self._parameters.items():
            if present.get(name) is not parameter:
                raise LeakedMask(f"parameter {name} was replaced while its mask was attached")
            pruned = ~self.mask[name]
            for what, tensor in (("weight", parameter.detach()), ("gradient", parameter.grad)):
                if tensor is None:
                    continue
                leaked = tensor[pruned]
                if not bool(leaked.isfinite().all()):
                    raise Diverged(self._learner.step, f"a {what} of {name}")
                if int(leaked.count_nonzero()):
                    raise LeakedMask(
                        f"{int(leaked.count_nonzero())} pruned {what}s of {name} are not zero "
                        f"after {self._updates} updates (largest {float(leaked.abs().max()):.2e})"
                    )
