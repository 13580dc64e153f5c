"""Number formats of the forward pass: full, or automatic mixed precision in bfloat16 or float16."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.errors import UnknownName

FORMATS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Casts a forward pass, and keeps small float16 gradients from vanishing.

    Weights, gradients and optimizer state stay in float32, so masks mean the same in every format.

    Args:
        name: one of `FORMATS`.
        device: where the network is.

    Raises:
        UnknownName: if there is no such format.
    """

    def __init__(self, name: str, device: str) -> None:
        if name not in FORMATS:
            raise UnknownName("precision", name, FORMATS)
        self._kind = torch.device(device).type
        self._format = FORMATS[name]
        self.reset()

    def reset(self) -> None:
        """Forget the scale of past gradients."""
        self._scaler = torch.amp.GradScaler(self._kind, enabled=self._format is torch.float16)

    def autocast(self) -> Any:
        """The context of a forward pass."""
        return torch.autocast(self._kind, dtype=self._format, enabled=self._format is not None)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`; float16 scales them up."""
        self._scaler.scale(loss).backward()

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Gradients in their true size, once all of an update are there; zeros if one of them overflowed in float16.

        `step` moves nothing then, and nobody who looks at the gradients afterwards takes it for a divergence.
        """
        self._scaler.unscale_(optimizer)
        if self._format is torch.float16:
            gradients = [
                each.grad for group in optimizer.param_groups for each in group["params"] if each.grad is not None
            ]
            if not bool(torch.stack([each.isfinite().all() for each in gradients]).all()):
                torch._foreach_zero_(gradients)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """The optimizer's step; float16 skips one whose gradients overflowed, and takes a smaller scale."""
        self._scaler.step(optimizer)
        self._scaler.update()
