"""A ticket in a module of somebody's own: its weights, and zeros that hold whatever trains it."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.nn.functional import mse_loss

from bench.errors import LeakedMask, SpecError
from bench.tickets.apply import apply
from bench.tickets.attach import CHECK_EVERY

OPTIMIZERS = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda parameters: optim.Adam(parameters, weight_decay=0.1),
    "adamw-fused": lambda parameters: optim.AdamW(parameters, weight_decay=0.1, fused=True),
    "rmsprop": lambda parameters: optim.RMSprop(parameters, momentum=0.9, centered=True, weight_decay=0.1),
    "adagrad": lambda parameters: optim.Adagrad(parameters, weight_decay=0.1, initial_accumulator_value=0.1),
}
"""`test_attach` has every one that torch has."""


def network():
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


@pytest.fixture
def ticket():
    """Mask and state of a ticket of `network`, and the network that it came from."""
    torch.manual_seed(3)
    module = network()
    generator = np.random.default_rng(5)
    mask = {f"{index}.weight": generator.random(tuple(module[index].weight.shape)) < 0.4 for index in (0, 3)}
    state = {f"weights/{name}": each.detach().numpy().copy() for name, each in module.named_parameters()}
    for name, kept in mask.items():
        state[f"weights/{name}"][~kept] = 0
    state |= {f"buffers/{name}": each.numpy() + 1 for name, each in module.named_buffers()}
    return mask, {**state, "buffers/returns": np.zeros(4)}


def train(module, optimizer, updates=30, *, clip=None):
    generator = torch.Generator().manual_seed(1)
    for _ in range(updates):
        x, y = torch.randn(16, 6, generator=generator), torch.randn(16, 3, generator=generator)
        optimizer.zero_grad()
        mse_loss(module(x), y).backward()
        if clip:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()


def test_weights_buffers_and_mask_are_the_tickets(ticket):
    mask, state = ticket
    module = network()
    with apply(mask, state, module) as applied:
        for name, parameter in module.named_parameters():
            assert np.array_equal(parameter.detach(), state[f"weights/{name}"])
        for name, buffer in module.named_buffers():
            assert np.array_equal(buffer, state[f"buffers/{name}"])
        assert {name: each.numpy().tolist() for name, each in applied.mask.items()} == {
            name: each.tolist() for name, each in mask.items()
        }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pruned_weights_stay_zero_under_every_optimizer_made_afterwards(ticket, name):
    mask, state = ticket
    module = network()
    applied = apply(mask, state, module)
    before = module[0].weight.detach().clone()
    train(module, OPTIMIZERS[name](module.parameters()), clip=0.5)
    applied.check()
    applied.remove()
    for index in (0, 3):
        pruned = torch.from_numpy(~mask[f"{index}.weight"])
        assert not module[index].weight[pruned].any()
    assert not torch.equal(module[0].weight, before), "the others learn"


def test_two_optimizers_on_parts_of_the_module_are_watched_and_others_are_not(ticket):
    mask, state = ticket
    module, other = network(), network()
    applied = apply(mask, state, module)
    stale = torch.optim.Adam(other.parameters())
    train(other, stale)
    assert applied._optimizers.steps == 0
    train(module, torch.optim.Adam(module[0].parameters()), 2)
    train(module, torch.optim.SGD(module[3].parameters(), lr=0.1), 3)
    assert applied._optimizers.steps == 5
    applied.remove()


def test_moments_from_before_are_refused(ticket):
    mask, state = ticket
    module = network()
    optimizers = [torch.optim.Adam(module.parameters()), torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)]
    unused = torch.optim.Adagrad(module.parameters())
    for each in optimizers:
        train(module, each, 1)
    with apply(mask, state, module):
        for each in optimizers:
            with pytest.raises(SpecError, match=f"this {type(each).__name__} has taken steps before .*make a new one"):
                train(module, each, 1)
        train(module, unused, 3)
        assert not module[0].weight[torch.from_numpy(~mask["0.weight"])].any()


def test_a_gradient_from_before_moves_nothing(ticket):
    mask, state = ticket
    module = network()
    mse_loss(module(torch.randn(4, 6)), torch.randn(4, 3)).backward()
    with apply(mask, state, module) as applied:
        torch.optim.SGD(module.parameters(), lr=0.1).step()
        applied.check()


def test_a_layer_may_be_frozen_and_thawed_later(ticket):
    module = network()
    module[0].requires_grad_(requires_grad=False)
    with apply(*ticket, module) as applied:
        optimizer = optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
        before = module[0].weight.clone()
        train(module, optimizer)
        assert torch.equal(module[0].weight, before)
        module[0].requires_grad_(requires_grad=True)
        train(module, optimizer)
        applied.check()
        assert not torch.equal(module[0].weight, before)


def test_a_leak_is_found(ticket):
    mask, state = ticket
    module = network()
    with apply(mask, state, module) as applied:
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        train(module, optimizer, CHECK_EVERY - 1)
        with torch.no_grad():
            module[0].weight += 1
        with pytest.raises(LeakedMask, match="pruned weights of 0.weight are not zero"):
            applied.check()
        with pytest.raises(LeakedMask, match="0.weight"):
            train(module, optimizer, 1)


def test_nothing_is_left_after_it_is_removed(ticket):
    mask, state = ticket
    module, plain = network(), network()
    stale = torch.optim.Adam(module.parameters())
    train(module, stale, 1)
    with apply(mask, state, module) as applied:
        pass
    train(module, stale, 1)
    assert applied._optimizers.steps == 0, "nothing is counted, or refused"
    plain.load_state_dict(module.state_dict())
    for each in (module, plain):
        train(each, torch.optim.Adam(each.parameters()))
    assert torch.equal(module[0].weight, plain[0].weight), "it is dense again"
    assert module[0].weight.detach().count_nonzero() == module[0].weight.numel()


def test_names_that_differ_are_mapped_and_a_head_is_left(ticket):
    mask, state = ticket

    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.head = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 7)

    module = Mine()
    head = deepcopy(module.head.weight)
    renamed = {"0.weight": "first.weight", "0.bias": "first.bias"}
    renamed |= {
        f"1.{each}": f"norm.{each}" for each in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    with apply(mask, state, module, names=renamed, leave=["head.*", "3.*"]) as applied:
        assert list(applied.mask) == ["first.weight"]
        assert np.array_equal(module.first.weight.detach(), state["weights/0.weight"])
        assert np.array_equal(module.norm.running_mean, state["buffers/1.running_mean"])
        assert torch.equal(module.head.weight, head)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: nn.Sequential(nn.Linear(6, 8)), "1.bias 1.weight 3.bias 3.weight only in the ticket"),
        (lambda: nn.Sequential(*network(), nn.Linear(3, 3)), "4.bias 4.weight only in the module"),
        (
            lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)),
            r"3.weight is \(3, 8\), the module's \(4, 8\)",
        ),
    ],
)
def test_another_network_is_refused_in_one_line_and_left_as_it_is(ticket, build, told):
    mask, state = ticket
    module = build()
    before = deepcopy(module.state_dict())
    with pytest.raises(SpecError, match=told) as error:
        apply(mask, state, module)
    assert "\n" not in str(error.value)
    assert "`leave`" in str(error.value)
    assert all(torch.equal(each, before[name]) for name, each in module.state_dict().items())


def test_a_pattern_that_fits_nothing_is_refused_before_anything_changes(ticket):
    module = network()
    before = deepcopy(module.state_dict())
    with pytest.raises(
        SpecError, match=r"leave names '4\.\*', which fits no name of the module or the ticket: 0\.weight, "
    ):
        apply(*ticket, module, leave=["0.*", "4.*"])
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
