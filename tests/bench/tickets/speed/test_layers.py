"""A layer of kept weights computes what a masked dense layer does, and can hold nothing else."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.errors import Unsupported
from bench.tickets.speed import layers
from bench.tickets.speed.layers import SparseLinear, check_support


def drawn(outputs=7, inputs=11, density=0.4, *, bias=True, dtype=torch.float64):
    """A linear layer and a mask of it."""
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(inputs, outputs, bias=bias, dtype=dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator, dtype=dtype) - 0.5)
    return layer, torch.rand(outputs, inputs, generator=generator) < density


def masked(layer, keep, inputs):
    return F.linear(inputs, layer.weight * keep, layer.bias)


@pytest.mark.parametrize("shape", [(1, 11), (5, 11), (2, 3, 11), (11,)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("density", [0.4, 1.0, 0.0])
def test_outputs_and_gradients_are_those_of_the_masked_layer(shape, bias, density):
    layer, keep = drawn(density=density, bias=bias)
    sparse = SparseLinear(layer.weight, keep, layer.bias)
    ours, theirs = (torch.rand(shape, dtype=torch.float64).requires_grad_() for _ in range(2))
    theirs.data.copy_(ours.data)
    outputs, expected = sparse(ours), masked(layer, keep, theirs)
    weighed = torch.rand(expected.shape, dtype=torch.float64)
    (outputs * weighed).sum().backward()
    bias_gradient = layer.bias.grad if bias else None
    layer.zero_grad(set_to_none=True)
    (expected * weighed).sum().backward()
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(sparse.scattered(sparse.values.grad), layer.weight.grad)
    if bias:
        torch.testing.assert_close(bias_gradient, layer.bias.grad)
    with torch.no_grad():
        torch.testing.assert_close(sparse(ours), expected, msg="without gradients")


def test_what_is_pruned_does_not_exist_and_stays_so_by_construction():
    layer, keep = drawn()
    sparse = SparseLinear(layer.weight, keep, layer.bias)
    optimizer = torch.optim.Adam(sparse.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        sparse(torch.rand(4, 11, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    now = sparse.scattered(sparse.values)
    assert sparse.values.numel() == int(keep.sum())
    assert int(now[~keep].count_nonzero()) == 0
    assert int((now != layer.weight)[keep].sum()) == int(keep.sum()), "every weight that is kept was trained"
    torch.testing.assert_close(sparse.matrix.to_dense(), now.detach(), msg="what is multiplied is what is trained")


def test_blocks_on_the_diagonal_are_layers_side_by_side():
    layer, keep = drawn()
    wide = SparseLinear(layer.weight, keep, nn.Parameter(layer.bias.detach().repeat(3)), blocks=3)
    parts = [torch.rand(5, 11, dtype=torch.float64) for _ in range(3)]
    expected = torch.cat([masked(layer, keep, part) for part in parts], 1)
    torch.testing.assert_close(wide(torch.cat(parts, 1)), expected)
    torch.testing.assert_close(wide.scattered(wide.values), torch.block_diag(*[(layer.weight * keep).detach()] * 3))


def test_an_output_may_be_changed_in_place_as_attention_does():
    layer, keep = drawn()
    outputs = SparseLinear(layer.weight, keep, layer.bias)(torch.rand(2, 3, 11, dtype=torch.float64))
    outputs *= 2
    outputs.sum().backward()


def test_a_torch_that_multiplies_no_sparse_matrices_is_refused_in_a_line(monkeypatch):
    def lacks(*_, **__):
        raise RuntimeError("Calling addmm on a sparse CPU tensor requires compiling PyTorch with MKL.\nSee there.")

    check_support(torch.device("cpu"))
    monkeypatch.setattr(layers, "_sampled", lacks)
    with pytest.raises(Unsupported, match=r"on cpu: Calling addmm .* with MKL\.; take a build with MKL or CUDA$"):
        check_support(torch.device("cpu"))
