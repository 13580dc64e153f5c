"""Pruned weights stay exactly zero inside every optimizer, and nothing else is touched."""

from copy import deepcopy

import pytest
import torch
from example import MOONS, Moons
from torch import nn, optim
from torch.nn.functional import mse_loss

from bench.errors import Diverged, LeakedMask
from bench.streams import Streams
from bench.tickets import attach, masks
from bench.tickets.attach import CHECK_EVERY, Attached

OPTIMIZERS = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.1),
    "sgd-momentum-decay": lambda parameters: optim.SGD(
        parameters, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.1
    ),
    "sgd-nesterov": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "sgd-maximize": lambda parameters: optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=0.1, maximize=True),
    "sgd-foreach": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1, foreach=True),
    "sgd-fused": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1, fused=True),
    "adam": lambda parameters: optim.Adam(parameters, weight_decay=0.1),
    "adam-amsgrad": lambda parameters: optim.Adam(parameters, weight_decay=0.1, amsgrad=True),
    "adam-foreach": lambda parameters: optim.Adam(parameters, weight_decay=0.1, foreach=True),
    "adam-fused": lambda parameters: optim.Adam(parameters, weight_decay=0.1, fused=True),
    "adamw": lambda parameters: optim.AdamW(parameters, weight_decay=0.1),
    "adamw-foreach": lambda parameters: optim.AdamW(parameters, weight_decay=0.1, foreach=True),
    "adamw-fused": lambda parameters: optim.AdamW(parameters, weight_decay=0.1, fused=True),
    "rmsprop": lambda parameters: optim.RMSprop(parameters, weight_decay=0.1),
    "rmsprop-momentum-centered": lambda parameters: optim.RMSprop(
        parameters, momentum=0.9, centered=True, weight_decay=0.1
    ),
    "rmsprop-foreach": lambda parameters: optim.RMSprop(parameters, momentum=0.9, weight_decay=0.1, foreach=True),
    "adagrad": lambda parameters: optim.Adagrad(parameters, weight_decay=0.1, initial_accumulator_value=0.1),
    "adagrad-fused": lambda parameters: optim.Adagrad(parameters, weight_decay=0.1, fused=True),
    "adadelta": lambda parameters: optim.Adadelta(parameters, weight_decay=0.1),
    "nadam": lambda parameters: optim.NAdam(parameters, weight_decay=0.1),
    "nadam-decoupled": lambda parameters: optim.NAdam(parameters, weight_decay=0.1, decoupled_weight_decay=True),
    "radam": lambda parameters: optim.RAdam(parameters, weight_decay=0.1),
    "adamax": lambda parameters: optim.Adamax(parameters, weight_decay=0.1),
    "adafactor": lambda parameters: optim.Adafactor(parameters, weight_decay=0.1),
    "asgd": lambda parameters: optim.ASGD(parameters, weight_decay=0.1),
    "rprop": lambda parameters: optim.Rprop(parameters, lr=0.01),
}

RESTS_AT = {"adagrad": 0.1, "adamax": 1e-8, "rprop": 0.01}
"""What an optimizer remembers of a weight that never had a gradient, where that is not zero."""


class Net:
    """What `Attached` sees of a learner."""

    def __init__(self, module, optimizer=OPTIMIZERS["sgd-momentum-decay"]):
        self.module, self.optimizer = module, optimizer(module.parameters())
        self.step = self.updates = 0


def mlp():
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 4))
    for each in module.parameters():
        nn.init.normal_(each, std=0.5, generator=generator)
    return module


def half_of(module, seed=0):
    entries = {name: torch.ones_like(each, dtype=torch.bool) for name, each in module.named_parameters()}
    return masks.uniform(entries, sum(masks.sizes(entries).values()) // 2, torch.Generator().manual_seed(seed))


def zero_pruned(module, mask):
    with torch.no_grad():
        for name, each in module.named_parameters():
            if name in mask:
                each.masked_fill_(~mask[name], 0.0)


def batch(index, features=6):
    return torch.randn(8, features, generator=torch.Generator().manual_seed(index))


def update(net, index, *, passes=1, clip=None):
    """One optimizer update over `passes` backward passes; the norm that clipping saw, if asked."""
    net.optimizer.zero_grad()
    for turn in range(passes):
        x = batch(1000 * index + turn)
        mse_loss(net.module(x), x[:, :4].sin()).backward()
    norm = nn.utils.clip_grad_norm_(net.module.parameters(), clip) if clip else None
    net.optimizer.step()
    net.step += 1
    net.updates += 1
    return norm


def pruned_parts(net, mask):
    """Every number that stands at a pruned entry: weights, gradients, and moments of the weight's shape."""
    for name, parameter in net.module.named_parameters():
        for value in (parameter.detach(), parameter.grad, *net.optimizer.state[parameter].values()):
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                yield value[~mask[name]]


def moved(before, module):
    return {name: each.detach() != before[name] for name, each in module.named_parameters()}


def weights_of(module):
    return {name: each.detach().clone() for name, each in module.named_parameters()}


# Every optimizer.


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("passes", [1, 2])
def test_pruned_weights_are_exactly_zero_after_every_update_and_the_others_move(name, passes):
    net = Net(mlp(), OPTIMIZERS[name])
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    before = weights_of(net.module)
    with Attached(net, mask) as attached:
        for index in range(12):
            update(net, index, passes=passes)
            for parameter, kept in mask.items():
                assert int(dict(net.module.named_parameters())[parameter].detach()[~kept].count_nonzero()) == 0
        attached.check()
        constant = RESTS_AT.get(name, 0.0)
        assert all(bool(((part == 0) | (part == constant)).all()) for part in pruned_parts(net, mask))
    movers = moved(before, net.module)
    assert all(float(movers[parameter][kept].float().mean()) > 0.5 for parameter, kept in mask.items())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_mask_of_ones_changes_no_bit(name):
    plain, masked = Net(mlp(), OPTIMIZERS[name]), Net(mlp(), OPTIMIZERS[name])
    with Attached(masked, {parameter: torch.ones_like(each) for parameter, each in half_of(masked.module).items()}):
        for index in range(6):
            norms = [update(net, index, passes=2, clip=0.1) for net in (plain, masked)]
            assert norms[0] == norms[1]
    for one, other in zip(plain.module.parameters(), masked.module.parameters(), strict=True):
        assert torch.equal(one, other)
        for value, double in zip(
            plain.optimizer.state[one].values(), masked.optimizer.state[other].values(), strict=True
        ):
            assert value is double is None or bool((torch.as_tensor(value) == torch.as_tensor(double)).all())


def test_lbfgs_which_calls_backward_many_times_a_step_stays_inside_the_mask():
    net = Net(mlp(), lambda parameters: optim.LBFGS(parameters, lr=0.1, max_iter=6, line_search_fn="strong_wolfe"))
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    before = weights_of(net.module)

    def closure():
        net.optimizer.zero_grad()
        loss = mse_loss(net.module(batch(0)), batch(0)[:, :4])
        loss.backward()
        return loss

    with Attached(net, mask) as attached:
        for _ in range(4):
            net.optimizer.step(closure)
            attached.check()
    assert all(bool(moved(before, net.module)[name].any()) for name in mask)


@pytest.mark.skipif(not hasattr(optim, "Muon"), reason="this torch has no Muon")
def test_an_optimizer_that_mixes_weights_is_caught_rather_than_trusted():
    """Orthogonalised updates move every weight of a matrix: no gradient mask can hold them."""
    net = Net(nn.Sequential(nn.Linear(6, 9, bias=False), nn.Tanh(), nn.Linear(9, 4, bias=False)), optim.Muon)
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    with Attached(net, mask) as attached:
        update(net, 0)
        with pytest.raises(LeakedMask, match="weights of 0.weight are not zero"):
            attached.check()


def test_clipping_sees_the_norm_of_the_live_gradients_only():
    net = Net(mlp())
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    dense = deepcopy(net.module)
    mse_loss(dense(batch(0)), batch(0)[:, :4].sin()).backward()
    live = torch.cat([each.grad[mask[name]] for name, each in dense.named_parameters()]).norm()
    whole = torch.cat([each.grad.flatten() for each in dense.parameters()]).norm()
    with Attached(net, mask):
        norm = update(net, 0, clip=0.01)
    assert float(norm) == pytest.approx(float(live))
    assert float(norm) < 0.95 * float(whole)


@pytest.mark.parametrize("name", ["sgd-nesterov", "adamw", "rmsprop-momentum-centered"])
def test_a_network_with_units_pruned_trains_as_the_narrower_network(name):
    wide = Net(mlp(), OPTIMIZERS[name])
    narrow = Net(nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)), OPTIMIZERS[name])
    mask = {parameter: torch.ones_like(each) for parameter, each in half_of(wide.module).items()}
    mask["0.weight"][5:] = mask["0.bias"][5:] = mask["2.weight"][:, 5:] = False
    zero_pruned(wide.module, mask)
    parts = [(slice(5),), (slice(5),), (slice(None), slice(5)), (slice(None),)]
    pairs = list(zip(narrow.module.parameters(), wide.module.parameters(), parts, strict=True))
    with torch.no_grad():
        for small, large, part in pairs:
            small.copy_(large[part])
    with Attached(wide, mask):
        for index in range(20):
            update(narrow, index, passes=2, clip=0.5)
            update(wide, index, passes=2, clip=0.5)
    for small, large, part in pairs:
        torch.testing.assert_close(small, large[part], rtol=1e-3, atol=1e-5)


# Every kind of parameter.


def test_tied_parameters_are_masked_once_for_all_their_uses():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.output = nn.Embedding(12, 5), nn.Linear(5, 12, bias=False)
            self.output.weight = self.embedding.weight

        def forward(self, tokens):
            return self.output(self.embedding(tokens))

    net = Net(Tied(), OPTIMIZERS["adamw"])
    mask = half_of(net.module)
    assert list(mask) == ["embedding.weight"]
    zero_pruned(net.module, mask)
    with Attached(net, mask) as attached:
        for _ in range(5):
            net.optimizer.zero_grad()
            net.module(torch.arange(12)).logsumexp(1).sum().backward()
            net.optimizer.step()
            attached.check()
    assert torch.equal(net.module.output.weight != 0, mask["embedding.weight"])


@pytest.mark.parametrize("training", [True, False])
def test_multihead_attention_keeps_its_packed_weights_masked(training):
    attention = nn.MultiheadAttention(8, 2, batch_first=True).train(training)
    net = Net(attention, OPTIMIZERS["adam"])
    mask = half_of(attention)
    zero_pruned(attention, mask)
    before = weights_of(attention)
    with Attached(net, mask) as attached:
        for index in range(5):
            net.optimizer.zero_grad()
            x = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(index))
            attention(x, x, x)[0].square().mean().backward()
            net.optimizer.step()
            attached.check()
    assert bool(moved(before, attention)["in_proj_weight"][mask["in_proj_weight"]].any())
    assert list(attention.state_dict()) == list(before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_are_masked_too(dtype):
    net = Net(mlp().to(dtype), OPTIMIZERS["sgd-nesterov"])
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    with Attached(net, mask) as attached:
        for index in range(3):
            net.optimizer.zero_grad()
            net.module(batch(index).to(dtype)).square().sum().backward()
            assert all(each.grad.dtype == dtype for each in net.module.parameters())
            net.optimizer.step()
            attached.check()


def test_a_parameter_without_a_gradient_or_without_a_mask_is_left_alone():
    net = Net(mlp())
    mask = {"2.weight": half_of(net.module)["2.weight"]}
    zero_pruned(net.module, mask)
    net.module[2].weight.requires_grad_(requires_grad=False)
    before = weights_of(net.module)
    net.module[2].weight.requires_grad_(requires_grad=True)
    with Attached(net, mask) as attached:
        net.module[0](batch(0)).sum().backward()
        net.optimizer.step()
        attached.check()
    assert torch.equal(net.module[2].weight, before["2.weight"])
    assert bool(moved(before, net.module)["0.weight"].all())


# Hooks.


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_nothing_is_masked_any_more_after_the_context(error):
    net = Net(mlp())
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    calls = []
    try:
        with Attached(net, mask) as attached:
            attached.after_update(lambda: calls.append(net.updates))
            update(net, 0)
            if error:
                raise error
    except ZeroDivisionError:
        pass
    update(net, 1)
    assert len(calls) == 1
    assert all(bool((each.detach()[~mask[name]] != 0).any()) for name, each in net.module.named_parameters())


def test_acts_are_called_after_every_update_in_the_order_they_were_given():
    net, calls = Net(mlp()), []
    with Attached(net, {}) as attached:
        attached.after_update(lambda: calls.append("first"))
        attached.after_update(lambda: calls.append("second"))
        for index in range(3):
            update(net, index, passes=2)
    assert calls == ["first", "second"] * 3


def test_the_callers_mask_is_neither_held_nor_changed():
    net = Net(mlp())
    mask = half_of(net.module)
    kept = deepcopy(mask)
    zero_pruned(net.module, mask)
    with Attached(net, mask) as attached:
        attached.change("0.weight", ~mask["0.weight"])
        assert all(torch.equal(mask[name], kept[name]) for name in mask)
        mask["2.weight"].fill_(value=True)
        assert torch.equal(attached.mask["2.weight"], kept["2.weight"])


# Leaks.


def attached_net():
    net = Net(mlp())
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    return net, mask


@torch.no_grad()
def plant(net, mask, value, where="weight"):
    """Put a number where a pruned entry of the last layer is."""
    index = tuple((~mask["2.weight"]).nonzero()[0].tolist())
    (net.module[2].weight if where == "weight" else net.module[2].weight.grad)[index] = value


@pytest.mark.parametrize("where", ["weight", "gradient"])
@pytest.mark.parametrize(("value", "size"), [(1e-38, "1.00e-38"), (-0.25, "2.50e-01")])
def test_a_leak_of_any_size_is_reported_with_its_parameter_count_and_size(where, value, size):
    net, mask = attached_net()
    with Attached(net, mask) as attached:
        update(net, 0)
        attached.check()
        plant(net, mask, value, where)
        with pytest.raises(LeakedMask, match=rf"1 pruned {where}s of 2.weight .* 1 updates .*{size}"):
            attached.check()


@pytest.mark.parametrize("where", ["weight", "gradient"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_number_that_is_not_finite_is_divergence_and_no_leak(where, value):
    net, mask = attached_net()
    with Attached(net, mask) as attached:
        update(net, 0)
        plant(net, mask, value, where)
        with pytest.raises(Diverged, match=f"{where} of 2.weight is not finite at step 1"):
            attached.check()


def test_an_infinite_gradient_stays_visible_through_the_mask():
    net, mask = attached_net()
    with Attached(net, mask) as attached:
        (net.module(batch(0)).sum() * torch.inf).backward()
        with pytest.raises(Diverged, match="gradient of"):
            attached.check()


def test_a_negative_zero_is_no_leak():
    net, mask = attached_net()
    with Attached(net, mask) as attached:
        plant(net, mask, -0.0)
        attached.check()


def test_a_replaced_parameter_is_reported_by_name():
    net, mask = attached_net()
    with Attached(net, mask) as attached:
        net.module[2].weight = nn.Parameter(net.module[2].weight.detach().clone())
        with pytest.raises(LeakedMask, match="parameter 2.weight was replaced"):
            attached.check()


def test_a_removed_parameter_is_reported_by_name():
    net, mask = attached_net()
    with Attached(net, mask) as attached:
        net.module[2] = nn.Identity()
        with pytest.raises(LeakedMask, match="parameter 2.weight was replaced"):
            attached.check()


def test_a_dense_optimizer_state_from_before_is_caught():
    """Moments of pruned weights move them although their gradients are zero."""
    net = Net(mlp(), OPTIMIZERS["adam"])
    update(net, 0)
    mask = half_of(net.module)
    zero_pruned(net.module, mask)
    with Attached(net, mask) as attached:
        update(net, 1)
        with pytest.raises(LeakedMask, match="pruned weights of 0.weight are not zero"):
            attached.check()


def test_a_leak_is_found_within_so_many_updates_without_being_asked(monkeypatch):
    monkeypatch.setattr(attach, "CHECK_EVERY", 5)
    net, mask = attached_net()
    with Attached(net, mask):
        for index in range(6):
            update(net, index)
        plant(net, mask, 0.5)
        for index in range(6, 9):
            update(net, index)
        with pytest.raises(LeakedMask, match="after 10 updates"):
            update(net, 9)
    assert CHECK_EVERY <= 1000


# Masks that change.


@pytest.mark.parametrize("name", ["sgd-momentum-decay", "adam-amsgrad", "adam-fused", "rmsprop-momentum-centered"])
def test_dropped_and_grown_weights_start_at_zero_with_fresh_moments_and_the_others_keep_every_bit(name):
    net = Net(mlp(), OPTIMIZERS[name])
    mask, other = half_of(net.module), half_of(net.module, seed=1)
    zero_pruned(net.module, mask)
    with Attached(net, mask) as attached:
        for index in range(5):
            update(net, index)
        weight = net.module[2].weight
        before = weight.detach().clone(), deepcopy(net.optimizer.state[weight])
        attached.change("2.weight", other["2.weight"])
        changed = mask["2.weight"] ^ other["2.weight"]
        assert bool(changed.any())
        assert torch.equal(weight.detach(), before[0].masked_fill(changed, 0.0))
        for key, value in net.optimizer.state[weight].items():
            expected = before[1][key]
            assert torch.equal(value, expected.masked_fill(changed, 0.0) if expected.ndim else expected)
        update(net, 5)
        grown = other["2.weight"] & ~mask["2.weight"]
        assert bool((weight.detach()[grown] != 0).all())
        assert torch.equal(weight.detach() != 0, other["2.weight"])
        assert torch.equal(attached.mask["2.weight"], other["2.weight"])
        attached.check()


def test_what_is_dropped_from_a_whole_mask_forgets_its_moments_and_stays_at_zero():
    """Nothing was pruned when the optimizer was fresh, so zero stands for its fresh moments."""
    net = Net(mlp(), OPTIMIZERS["adam"])
    whole = {name: torch.ones_like(each, dtype=torch.bool) for name, each in net.module.named_parameters()}
    with Attached(net, whole) as attached:
        for index in range(5):
            update(net, index)
        mask = half_of(net.module)
        for name, kept in mask.items():
            attached.change(name, kept)
        assert all(int(part.count_nonzero()) == 0 for part in pruned_parts(net, mask))
        update(net, 5)
        attached.check()


class FromOne(optim.Optimizer):
    """RMSprop as TensorFlow has it: the second moment starts at one, and so divides little by itself."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.01})

    @torch.no_grad()
    def step(self):
        for parameter in self.param_groups[0]["params"]:
            square = self.state[parameter].setdefault("square", torch.ones_like(parameter))
            square.mul_(0.99).addcmul_(parameter.grad, parameter.grad, value=0.01)
            parameter.addcdiv_(parameter.grad, (square + 1e-5).sqrt(), value=-self.param_groups[0]["lr"])


def untouched(optimizer):
    """What the optimizer remembers of zero weights after one update without a gradient."""
    net = Net(mlp(), optimizer)
    with torch.no_grad():
        for each in net.module.parameters():
            each.zero_()
            each.grad = torch.zeros_like(each)
    net.optimizer.step()
    return net.optimizer.state[net.module[2].weight]


@pytest.mark.parametrize("name", [*OPTIMIZERS, "from-one"])
def test_grown_weights_have_the_moments_of_a_fresh_optimizer_whatever_it_starts_at(name):
    optimizer = OPTIMIZERS.get(name, FromOne)
    net = Net(mlp(), optimizer)
    mask, other = half_of(net.module), half_of(net.module, seed=1)
    zero_pruned(net.module, mask)
    with Attached(net, mask) as attached:
        for index in range(30):
            update(net, index)
        attached.change("2.weight", other["2.weight"])
    changed = mask["2.weight"] ^ other["2.weight"]
    state, fresh = net.optimizer.state[net.module[2].weight], untouched(optimizer)
    assert state.keys() == fresh.keys()
    for key, value in state.items():
        if isinstance(value, torch.Tensor) and value.shape == changed.shape:
            assert torch.equal(value[changed], fresh[key][changed]), key


def test_a_mask_may_change_before_the_first_update():
    net, mask = attached_net()
    other = half_of(net.module, seed=1)
    with Attached(net, mask) as attached:
        for name, each in other.items():
            attached.change(name, each)
        zero_pruned(net.module, other)
        update(net, 0)
        attached.check()


def test_a_change_right_before_a_check_is_no_leak(monkeypatch):
    monkeypatch.setattr(attach, "CHECK_EVERY", 1)
    net, mask = attached_net()
    other = half_of(net.module, seed=1)
    with Attached(net, mask) as attached:
        attached.after_update(lambda: attached.change("2.weight", other["2.weight"]))
        update(net, 0)


def test_dense_gradients_are_those_of_the_masked_network_before_masking():
    net, mask = attached_net()
    double = deepcopy(net.module)
    x = batch(0)
    expected = torch.autograd.grad(mse_loss(double(x), x[:, :4].sin()), list(double.parameters()))
    with Attached(net, mask) as attached:
        update(net, 0)
        assert attached.gradients == {}
        attached.dense_gradients = True
        net.module.load_state_dict(double.state_dict())
        update(net, 0)
        for name, gradient in zip(mask, expected, strict=True):
            assert torch.equal(attached.gradients[name], gradient)
            assert int(dict(net.module.named_parameters())[name].grad[~mask[name]].count_nonzero()) == 0


def test_dense_gradients_add_up_over_backward_passes():
    net, mask = attached_net()
    double = deepcopy(net.module)
    for turn in range(2):
        x = batch(turn)
        mse_loss(double(x), x[:, :4].sin()).backward()
    with Attached(net, mask) as attached:
        attached.dense_gradients = True
        update(net, 0, passes=2)
    for name, parameter in double.named_parameters():
        torch.testing.assert_close(attached.gradients[name], parameter.grad)


def test_a_learner_under_batch_norm_momentum_and_decay_stays_inside_its_mask_for_a_whole_budget():
    learner = Moons(MOONS, Streams(0), 1.0)
    mask = masks.uniform(masks.prunable(learner, MOONS.pruning), 20, torch.Generator().manual_seed(0))
    learner.load(learner.snapshot().masked(mask))
    with Attached(learner, mask) as attached:
        learner.train(MOONS.budget)
        attached.check()
    for name, kept in mask.items():
        assert torch.equal(dict(learner.module.named_parameters())[name] != 0, kept)
