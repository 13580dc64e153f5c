"""Linear layers of which only the kept weights exist: compressed sparse rows, multiplied by torch.

Measured on one thread with MKL (784 to 300 nodes, batch 60, float32, 20 to 2 % of the weights). In the backward pass the
gradient of the kept weights takes 1.3 to 4.6 times as long where it is gathered from a dense product as by `sampled_addmm`,
and that of the inputs 5 to 8 times as long by the layer's own rows as by those of a transposed copy, whose values are
gathered anew each time. Forward, a product takes 1.2 to 2 times as long with examples that lie row by row as with features
that do.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import Unsupported

INDEX = torch.int32


class SparseLinear(nn.Module):
    """A linear layer of its kept weights.

    Args:
        weight: (out, in) of a dense layer; what `keep` leaves out is not looked at.
        keep: (out, in) bool.
        bias: (out,) parameter that goes on being trained, or None.
        blocks: how many times the layer stands on the diagonal of this one, side by side: (blocks * out, blocks * in).

    Attributes:
        values: (blocks * kept,) the kept weights, row by row: what is trained.
        matrix: the same as compressed sparse rows (blocks * out, blocks * in).
    """

    rows: Tensor
    columns: Tensor
    transposed_rows: Tensor
    transposed_columns: Tensor
    order: Tensor
    matrix: Tensor

    def __init__(self, weight: Tensor, keep: Tensor, bias: nn.Parameter | None, *, blocks: int = 1) -> None:
        """Copy the kept weights, and find their places."""
        super().__init__()
        outputs, inputs = weight.shape
        self.shape = (blocks * outputs, blocks * inputs)
        block = torch.arange(blocks, device=weight.device)[:, None]
        row, column = keep.to(weight.device).nonzero(as_tuple=True)
        at_row, at_column = (block * outputs + row).flatten(), (block * inputs + column).flatten()
        self.values = nn.Parameter(weight.detach()[row, column].repeat(blocks))
        self.bias = bias
        order = torch.argsort(at_column, stable=True)
        places = {
            "rows": _starts(at_row, self.shape[0]),
            "columns": at_column,
            "transposed_rows": _starts(at_column, self.shape[1]),
            "transposed_columns": at_row[order],
        }
        for name, place in places.items():
            self.register_buffer(name, place.to(INDEX))
        self.register_buffer("order", order)
        with warnings.catch_warnings():  # torch says once that it may change
            warnings.filterwarnings("ignore", "Sparse", UserWarning)
            # of the very values: what an update writes to them is in it
            self.matrix = _rows(self.rows, self.columns, self.values.detach(), self.shape, check=True)

    def transposed(self) -> Tensor:
        """(in, out) as compressed sparse rows, with a copy of the values."""
        values = self.values.detach()[self.order]
        return _rows(self.transposed_rows, self.transposed_columns, values, self.shape[::-1])

    def scattered(self, values: Tensor) -> Tensor:
        """(out, in) with a number per kept weight, and exact zeros for all that does not exist."""
        return _rows(self.rows, self.columns, values.detach(), self.shape).to_dense()

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        if inputs.numel() == self.shape[1] and not torch.is_grad_enabled():
            return self._vector(inputs.flatten()).reshape(*inputs.shape[:-1], self.shape[0])
        features = inputs.reshape(-1, self.shape[1]).t().contiguous()
        outputs: Tensor = _Product.apply(features, self.values, self.bias, self)
        return outputs.t().reshape(*inputs.shape[:-1], self.shape[0])

    def _vector(self, inputs: Tensor) -> Tensor:
        """(in,) -> (out,): a matrix of one column takes up to three times as long."""
        return torch.mv(self.matrix, inputs) if self.bias is None else torch.addmv(self.bias, self.matrix, inputs)


class _Product(torch.autograd.Function):
    """A layer's weights times features (in, n), with gradients of its kept weights alone: (out, n), which is no view."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, _: Tensor, bias: Tensor | None, layer: SparseLinear) -> Tensor:
        ctx.save_for_backward(features)
        ctx.layer = layer
        return layer.matrix @ features if bias is None else torch.addmm(bias[:, None], layer.matrix, features)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        layer, (features,) = ctx.layer, ctx.saved_tensors
        rows = gradient.contiguous()
        at_features, at_values, at_bias, _ = ctx.needs_input_grad
        below = layer.transposed() @ rows if at_features else None
        values = _sampled(layer.matrix, rows, features.t()) if at_values else None
        return below, values, rows.sum(1) if at_bias else None, None


def check_support(device: torch.device) -> None:
    """Find out whether torch multiplies compressed sparse rows here.

    Raises:
        Unsupported: with torch's own words.
    """
    try:
        layer = SparseLinear(torch.eye(2, device=device), torch.eye(2, dtype=torch.bool), None)
        layer(torch.ones(2, 2, device=device, requires_grad=True)).sum().backward()
    except (RuntimeError, NotImplementedError) as error:
        told = str(error).partition("\n")[0]
        raise Unsupported(
            f"torch {torch.__version__} multiplies no sparse matrices on {device}: {told}; take a build with MKL or CUDA"
        ) from error


def _sampled(matrix: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The product (out, n) x (n, in) where the matrix has entries, and nowhere else, in their order."""
    product: Tensor = torch.sparse.sampled_addmm(matrix, left, right, beta=0.0)
    return product.values()


def _starts(of: Tensor, count: int) -> Tensor:
    """(count + 1,) where the entries of each row begin, of the rows that they are in."""
    return torch.cat((of.new_zeros(1), torch.bincount(of, minlength=count).cumsum(0)))


def _rows(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...], *, check: bool = False) -> Tensor:
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=check)
