"""Saliencies equal what their papers define, computed another way."""

import itertools
import warnings
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from example import MOONS, Moons
from torch import nn
from torch.autograd.functional import hessian, jacobian
from torch.func import functional_call
from torch.nn.functional import (
    group_norm,
    layer_norm,
    max_pool2d,
    mse_loss,
    normalize,
    relu,
    scaled_dot_product_attention,
)

from bench.errors import Unsupported
from bench.streams import Streams
from bench.tickets import accounting, masks, saliency
from domains.vision.networks.models import build


class Net:
    """What saliency sees of a learner: a module in double precision, a few losses, an example of ones."""

    def __init__(self, module, *ones, losses=3):
        self.module, self.ones = module.double(), ones
        self.optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        generator = torch.Generator().manual_seed(7)
        self.batches = [torch.randn(5, *ones, generator=generator, dtype=torch.float64) for _ in range(losses)]

    def losses(self, n, *, temperature=1.0):
        for batch in self.batches[:n]:
            yield self.loss(dict(self.module.named_parameters()), batch, temperature)

    def loss(self, weights, batch, temperature=1.0):
        outputs = functional_call(self.module, weights, batch)
        return mse_loss(outputs / temperature, batch.sum(1, keepdim=True).sin().expand_as(outputs))

    def mean_loss(self, weights, temperature=1.0):
        return sum(self.loss(weights, batch, temperature) for batch in self.batches) / len(self.batches)

    def forward_ones(self):
        was = self.module.training
        self.module.eval()
        output = self.module(torch.ones(1, *self.ones, dtype=next(self.module.parameters()).dtype))
        self.module.train(was)
        return output


def mlp(*widths, seed=0, bias=0.1, activation=nn.ReLU):
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
        nn.init.normal_(layers[-2].weight, std=before**-0.5, generator=generator)
        nn.init.normal_(layers[-2].bias, std=bias, generator=generator)
    return nn.Sequential(*layers[:-1])


def weights_of(module):
    return {name: torch.ones_like(each, dtype=torch.bool) for name, each in module.named_parameters() if each.ndim > 1}


def flat(values):
    return torch.cat([each.detach().flatten() for each in values.values()])


def same_ranking(scores, expected):
    """Equal up to one positive factor."""
    factor = flat(expected).abs().sum() / flat(scores).abs().sum()
    torch.testing.assert_close(flat(scores) * factor, flat(expected), rtol=1e-5, atol=1e-9)


def test_magnitude_is_the_absolute_value_of_what_may_be_pruned():
    weights = {"a": torch.tensor([[-2.0, 1.0]]), "bias": torch.tensor([3.0])}
    scores = saliency.magnitude(weights, {"a": torch.ones(1, 2, dtype=torch.bool)})
    assert {name: each.tolist() for name, each in scores.items()} == {"a": [[2.0, 1.0]]}


# SNIP and GraSP.


def test_snip_is_the_effect_on_the_mean_loss_of_a_gate_on_each_weight():
    """1810.02340, equations 4 and 6: |dL(c * w) / dc| at c = 1, here by finite differences."""
    net = Net(mlp(3, 4, 1), 3)
    entries, step = weights_of(net.module), 1e-6
    weights = {name: each.detach().clone() for name, each in net.module.named_parameters()}
    expected = {name: torch.zeros_like(weights[name]) for name in entries}
    for name in entries:
        for index in np.ndindex(*weights[name].shape):
            ends = []
            for gate in (1 + step, 1 - step):
                gated = weights[name].clone()
                gated[index] *= gate
                ends.append(net.mean_loss({**weights, name: gated}))
            expected[name][index] = abs(ends[0] - ends[1]) / (2 * step)
    same_ranking(saliency.snip(net, entries, losses=3), expected)


def test_snip_sums_gradients_before_it_takes_their_size():
    """Two opposite losses say nothing about a weight."""

    class Undecided(Net):
        def losses(self, n):
            assert n == 2
            for sign in (1, -1):
                yield sign * self.loss(dict(self.module.named_parameters()), self.batches[0])

    net = Undecided(mlp(3, 4, 1), 3)
    assert float(flat(saliency.snip(net, weights_of(net.module), losses=2)).abs().max()) < 1e-12


def grasp_by_hessian(net, entries, temperature):
    """Weight times Hg of the mean loss, with the whole Hessian written out."""
    names = [name for name, _ in net.module.named_parameters()]
    held = {name: each.detach().clone() for name, each in net.module.named_parameters()}
    lengths = [held[name].numel() for name in entries]

    def loss(vector):
        parts = dict(zip(entries, vector.split(lengths), strict=True))
        weights = {name: parts[name].view_as(held[name]) if name in parts else held[name] for name in names}
        return net.mean_loss(weights, temperature)

    theta = torch.cat([held[name].flatten() for name in entries])
    product = hessian(loss, theta) @ jacobian(loss, theta)
    scores = dict(zip(entries, (theta * product).split(lengths), strict=True))
    return {name: each.view_as(held[name]) for name, each in scores.items()}


@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("seed", range(3))
def test_grasp_equals_the_explicit_hessian(seed, temperature):
    net = Net(mlp(3, 4, 1, seed=seed, activation=nn.Tanh), 3)
    entries = weights_of(net.module)
    expected = grasp_by_hessian(net, entries, temperature)
    assert float(flat(expected).min()) < 0 < float(flat(expected).max())
    same_ranking(saliency.grasp(net, entries, losses=3, temperature=temperature), expected)


def test_grasp_removes_first_what_makes_the_gradient_grow_when_it_goes():
    """2002.07376, section 4: the lowest scores go, and their going raises the gradient's norm the most."""
    net = Net(mlp(3, 4, 1, activation=nn.Tanh), 3)
    entries, step = weights_of(net.module), 1e-5
    held = {name: each.detach().clone() for name, each in net.module.named_parameters()}

    def norm(weights):
        leaves = {name: each.clone().requires_grad_(name in entries) for name, each in weights.items()}
        return sum(
            each.square().sum()
            for each in torch.autograd.grad(net.mean_loss(leaves), [leaves[name] for name in entries])
        )

    before, growth = norm(held), []
    for name in entries:
        for index in np.ndindex(*held[name].shape):
            shrunk = held[name].clone()
            shrunk[index] *= 1 - step
            growth.append(float(norm({**held, name: shrunk}) - before))
    scores = flat(saliency.grasp(net, entries, losses=3, temperature=1.0))
    assert int(scores.argmin()) == int(np.argmax(growth))
    assert np.corrcoef(scores.numpy(), growth)[0, 1] < -0.999


@pytest.mark.parametrize("score", [saliency.snip, partial(saliency.grasp, temperature=1.0)], ids=["snip", "grasp"])
def test_a_parameter_that_no_loss_depends_on_scores_zero(score):
    module = mlp(3, 4, 1)
    module.unused = nn.Linear(2, 2)
    net = Net(module, 3)
    net.loss = lambda _, batch, __: mse_loss(module[2](module[1](module[0](batch))), batch[:, :1])
    assert float(score(net, weights_of(module), losses=3)["unused.weight"].abs().max()) == 0.0


def test_a_parameter_that_no_output_depends_on_carries_no_flow():
    class Trunk(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.critic = mlp(3, 4, 2), mlp(3, 4, 1)

        def forward(self, x):
            return self.used(x)

    net = Net(Trunk(), 3)
    alive = saliency.connected(net, masks.ones(weights_of(net.module)), weights_of(net.module))
    assert {name: bool(each.any()) for name, each in alive.items()} == {
        "used.0.weight": True, "used.2.weight": True, "critic.0.weight": False, "critic.2.weight": False,
    }  # fmt: skip


# Synaptic flow.


def positive(*widths, seed=0):
    """Positive weights and no biases: the network that synaptic flow is measured on."""
    module = mlp(*widths, seed=seed, bias=0.0)
    with torch.no_grad():
        for each in module.parameters():
            each.abs_()
    return Net(module, widths[0])


def test_flow_through_a_weight_is_the_sum_over_all_paths_that_use_it():
    net = positive(3, 4, 2)
    entries = weights_of(net.module)
    first, second = (net.module.get_submodule(layer).weight.detach() for layer in ("0", "2"))
    expected = {name: torch.zeros_like(each) for name, each in (("0.weight", first), ("2.weight", second))}
    for i, j, k in itertools.product(range(3), range(4), range(2)):
        value = first[j, i] * second[k, j]
        expected["0.weight"][j, i] += value
        expected["2.weight"][k, j] += value
    torch.testing.assert_close(saliency.flow(net, masks.ones(entries), entries), expected)


def test_flow_is_conserved_by_layers_and_by_hidden_units_under_any_mask():
    """2006.05467, theorems 1 and 2."""
    net = positive(5, 7, 6, 3)
    entries = weights_of(net.module)
    mask = masks.uniform(entries, 60, torch.Generator().manual_seed(3))
    scores = saliency.flow(net, mask, entries)
    sums = [float(each.sum()) for each in scores.values()]
    assert sums[0] > 0
    assert sums == pytest.approx([sums[0]] * 3)
    layers = list(scores.values())
    for before, after in itertools.pairwise(layers):
        torch.testing.assert_close(before.sum(1), after.sum(0))


@pytest.mark.parametrize("keep", [0, 1, 7, 19, 20])
def test_one_round_of_synflow_keeps_the_weights_with_most_flow(keep):
    net = Net(mlp(3, 4, 2, bias=0.0), 3)
    entries = weights_of(net.module)
    mask = saliency.synflow(net, entries, keep=keep, rounds=1)
    first, second = (net.module.get_submodule(layer).weight.detach().abs() for layer in ("0", "2"))
    expected = torch.cat([(first * second.sum(0)[:, None]).flatten(), (second * first.sum(1)).flatten()])
    assert set(flat(mask).nonzero().flatten().tolist()) == set(expected.topk(keep).indices.tolist())


@pytest.mark.parametrize("rounds", [1, 3, 100])
@pytest.mark.parametrize("density", [0.0, 0.01, 0.3, 1.0])
def test_synflow_keeps_the_count_exactly(rounds, density):
    net = Net(mlp(6, 10, 10, 3), 6)
    entries = weights_of(net.module)
    keep = round(density * 190)
    mask = saliency.synflow(net, entries, keep=keep, rounds=rounds)
    assert sum(masks.kept(mask, entries).values()) == keep


def test_synflow_keeps_every_count_exactly():
    """Rounding down would lose a weight wherever total * (keep / total) comes out below keep."""
    net = Net(mlp(3, 4, 5, 3), 3)
    entries = weights_of(net.module)
    assert any(int(47 * (keep / 47)) < keep for keep in range(48))
    for keep in range(48):
        mask = saliency.synflow(net, entries, keep=keep, rounds=1)
        assert sum(masks.kept(mask, entries).values()) == keep


def test_flow_has_a_size_and_no_sign():
    net = Net(mlp(3, 4, 2, activation=nn.Tanh), 3)
    entries = weights_of(net.module)
    weights = dict(net.module.named_parameters())
    gradients = torch.autograd.grad(net.forward_ones().sum(), [weights[name] for name in entries])
    scores = saliency.flow(net, masks.ones(entries), entries)
    for name, gradient in zip(entries, gradients, strict=True):
        assert bool((weights[name] * gradient < 0).any())
        torch.testing.assert_close(scores[name], (weights[name] * gradient).abs().detach())


def collapsed(mask):
    return [name for name, each in mask.items() if not bool(each.any())]


def test_a_hundred_rounds_avoid_the_layer_collapse_of_every_single_pass():
    """2006.05467, figure 1: at extreme densities single passes empty a layer while iteration keeps every path whole."""
    widths = (30, 120, 120, 20, 120, 4)
    net = Net(mlp(*widths, bias=0.0), 30)
    entries, keep = weights_of(net.module), 15
    weights = dict(net.module.named_parameters())
    iterated = saliency.synflow(net, entries, keep=keep, rounds=100)
    assert collapsed(iterated) == []
    assert accounting.effective_kept(net, iterated, entries) == keep
    for scores in (saliency.magnitude(weights, entries), saliency.snip(net, entries, losses=3)):
        assert collapsed(masks.highest(scores, entries, entries, {"": keep})) != []
    assert collapsed(saliency.synflow(net, entries, keep=keep, rounds=1)) != []


def test_synflow_keeps_a_path_down_to_one_weight_in_each_layer():
    """Maximal critical compression: a mask without collapse exists, so it is found."""
    net = Net(mlp(8, 30, 30, 5, bias=0.0), 8)
    mask = saliency.synflow(net, weights_of(net.module), keep=3, rounds=100)
    assert masks.sizes(mask) == {"0.weight": 1, "2.weight": 1, "4.weight": 1}
    assert accounting.effective_kept(net, mask, weights_of(net.module)) == 3


def test_synflow_of_a_deep_network_in_single_precision_does_not_overflow():
    net = Net(mlp(40, *[40] * 60, 2, bias=0.0), 40)
    net.module.float()
    entries = weights_of(net.module)
    mask = saliency.synflow(net, entries, keep=500, rounds=20)
    assert sum(masks.kept(mask, entries).values()) == 500
    assert collapsed(mask) == []


def test_biases_do_not_stand_in_for_the_inputs():
    net = Net(mlp(30, 120, 120, 20, 120, 4), 30)
    mask = saliency.synflow(net, weights_of(net.module), keep=15, rounds=100)
    assert accounting.effective_kept(net, mask, weights_of(net.module)) == 15


def test_synflow_sees_no_signs_and_no_data():
    net = Net(mlp(6, 10, 3), 6)
    entries = weights_of(net.module)
    first = saliency.synflow(net, entries, keep=20, rounds=10)
    with torch.no_grad():
        net.module.get_submodule("0").weight.neg_()
    net.losses = None
    second = saliency.synflow(net, entries, keep=20, rounds=10)
    assert flat(first).tolist() == flat(second).tolist()


@pytest.mark.parametrize("ask", [
    lambda learner, entries: saliency.synflow(learner, entries, keep=3, rounds=2),
    lambda learner, entries: saliency.connected(learner, masks.ones(entries), entries),
    lambda learner, entries: accounting.flops(learner, {}),
])  # fmt: skip
def test_a_learner_without_ones_is_refused_by_name(ask):
    class Blind:
        module = mlp(3, 4, 1)

    with pytest.raises(Unsupported, match="forward_ones"):
        ask(Blind(), weights_of(Blind.module))


# Which weights lie on a path.


def on_a_path(layers, inputs, outputs):
    """Brute force: which weights have an edge whose tail an input reaches and whose head reaches an output.

    Args:
        layers: per layer a list of (weight index, tail node, head node) of its kept weights.
        inputs: nodes of the input.
        outputs: nodes of the output.
    """
    layers, reached, useful = list(layers), set(inputs), set(outputs)
    for edges in layers:
        reached |= {head for _, tail, head in edges if tail in reached}
    for edges in reversed(layers):
        useful |= {tail for _, tail, head in edges if head in useful}
    return [{index for index, tail, head in edges if tail in reached and head in useful} for edges in layers]


def true_indices(mask):
    return {tuple(index) for index in mask.nonzero().tolist()}


@pytest.mark.parametrize("density", [0.05, 0.1, 0.2, 0.4])
def test_connected_equals_reachability_in_a_multilayer_perceptron(density):
    for seed in range(10):
        net = Net(mlp(6, 9, 8, 7, 3, seed=seed), 6)
        entries = weights_of(net.module)
        mask = masks.uniform(entries, round(density * 203), torch.Generator().manual_seed(seed))
        layers = [
            [((o, i), (depth, i), (depth + 1, o)) for o, i in true_indices(each)]
            for depth, each in enumerate(mask.values())
        ]
        expected = on_a_path(layers, {(0, i) for i in range(6)}, {(4, o) for o in range(3)})
        found = saliency.connected(net, mask, entries)
        assert [true_indices(found[name] & mask[name]) for name in entries] == expected


class Convolutions(nn.Module):
    """Padded, strided and grouped convolutions, a shortcut, a pool, and batch norm in any state."""

    def __init__(self, seed):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.third = nn.Conv2d(4, 3, 3, stride=2, padding=1)
        self.head = nn.Linear(12, 2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in (4, 4, 3))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for each in (*self.parameters(), *self.norms.buffers()):
                if each.is_floating_point():
                    each.copy_(torch.randn(each.shape, generator=generator))
            for norm in self.norms:
                norm.running_var.abs_()

    def forward(self, images):
        features = max_pool2d(self.norms[0](self.first(images)).relu(), 2)
        features = self.norms[1](self.second(features)).relu() + features
        features = self.norms[2](self.third(features)).relu()
        return self.head(features.flatten(1))


def convolution_edges(mask, names, *, side, stride=1, padding=0, groups=1):
    """Edges of the kept entries between channels at positions; padding is no node."""
    out_side = (side + 2 * padding - 3) // stride + 1
    edges = []
    for o, i, dy, dx in true_indices(mask):
        channel = o // (mask.shape[0] // groups) * mask.shape[1] + i
        for y, x in itertools.product(range(out_side), repeat=2):
            row, column = y * stride + dy - padding, x * stride + dx - padding
            if 0 <= row < side and 0 <= column < side:
                edges.append(((o, i, dy, dx), (names[0], channel, row, column), (names[1], o, y, x)))
    return edges


@pytest.mark.parametrize("density", [0.04, 0.1, 0.25])
def test_connected_equals_reachability_in_a_convolutional_network(density):
    for seed in range(10):
        net = Net(Convolutions(seed), 2, 6, 6)
        entries = weights_of(net.module)
        total = sum(masks.sizes(entries).values())
        mask = masks.uniform(entries, round(density * total), torch.Generator().manual_seed(seed))
        images, small = (list(itertools.product(range(4), range(side), range(side))) for side in (6, 3))
        last = list(itertools.product(range(3), range(2), range(2)))
        layers = {
            "first.weight": convolution_edges(mask["first.weight"], "xa", side=6, padding=1),
            "pool": [(None, ("a", c, y, x), ("b", c, y // 2, x // 2)) for c, y, x in images],
            "second.weight": convolution_edges(mask["second.weight"], "bc", side=3, padding=1, groups=2)
            + [(None, ("b", *node), ("c", *node)) for node in small],
            "third.weight": convolution_edges(mask["third.weight"], "cd", side=3, stride=2, padding=1),
            "head.weight": [((o, i), ("d", *last[i]), ("e", o)) for o, i in true_indices(mask["head.weight"])],
        }
        expected = on_a_path(layers.values(), {("x", *node) for node in images}, {("e", 0), ("e", 1)})
        expected = dict(zip(layers, expected, strict=True))
        found = saliency.connected(net, mask, entries)
        assert {name: true_indices(found[name] & mask[name]) for name in entries} == {
            name: expected[name] - {None} for name in entries
        }


def test_everything_lies_on_a_path_of_a_whole_network():
    for net in (Net(mlp(6, 9, 3), 6), Net(Convolutions(0), 2, 6, 6)):
        entries = weights_of(net.module)
        assert bool(flat(saliency.connected(net, masks.ones(entries), entries)).all())


def test_a_unit_without_inputs_is_dead_whatever_its_bias():
    net = Net(mlp(3, 2, 1), 3)
    entries = weights_of(net.module)
    mask = {**masks.ones(entries), "0.weight": torch.tensor([[True] * 3, [False] * 3])}
    with torch.no_grad():
        net.module.get_submodule("0").bias.fill_(5.0)
    assert saliency.connected(net, mask, entries)["2.weight"].tolist() == [[True, False]]


def test_a_network_cut_in_the_middle_has_no_effective_weight():
    net = Net(mlp(6, 9, 8, 3), 6)
    entries = weights_of(net.module)
    cut = {**masks.ones(entries), "2.weight": torch.zeros(8, 9, dtype=torch.bool)}
    assert accounting.effective_kept(net, cut, entries) == 0


def test_deep_networks_do_not_lose_their_paths_in_rounding():
    net = Net(mlp(*[40] * 60, 2), 40)
    entries = weights_of(net.module)
    assert bool(flat(saliency.connected(net, masks.ones(entries), entries)).all())


def test_very_deep_networks_do_not_overflow_into_paths():
    net = Net(mlp(*[40] * 220, 2), 40)
    entries = weights_of(net.module)
    mask = masks.ones(entries)
    mask["200.weight"][7] = False  # a unit without inputs
    alive = saliency.connected(net, mask, entries)
    assert not bool(alive["202.weight"][:, 7].any())
    assert int((~flat(alive)).sum()) == 80


def test_scalars_indices_and_matrices_of_any_name_are_what_they_are():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(-2.0))
            self.bias = nn.Parameter(torch.arange(-6.0, 6.0).view(4, 3))
            self.register_buffer("order", torch.tensor([2, 0, 1]))

        def forward(self, x):
            return self.scale * x[:, self.order] @ self.bias.T

    net = Net(Odd(), 3)
    entries = weights_of(net.module)
    assert bool(saliency.connected(net, masks.ones(entries), entries)["bias"].all())
    largest = saliency.synflow(net, entries, keep=3, rounds=5)["bias"].flatten().nonzero().flatten().tolist()
    assert largest == [0, 1, 11]


def test_units_that_saturate_do_not_hide_a_path():
    net = Net(mlp(60, 300, 300, 2, activation=nn.Tanh), 60)
    entries = weights_of(net.module)
    assert bool(flat(saliency.connected(net, masks.ones(entries), entries)).all())


def everything_of(net):
    entries = weights_of(net.module)
    return flat(saliency.connected(net, masks.ones(entries), entries))


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(1), nn.AvgPool2d(2)], ids=str)
def test_a_pool_passes_on_what_leads_to_any_of_its_inputs(pool):
    """Equal weights make ties, of which a maximum follows the first: a corner, that most of a padded kernel does not reach."""
    net = Net(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), pool, nn.Flatten(), nn.Linear(2, 2)), 1, 2, 2)
    assert bool(everything_of(net).all())


@pytest.mark.parametrize("name", ["slim-vgg", "conv-4"])
def test_the_last_convolution_before_a_pool_to_one_pixel_is_whole(name):
    network = build(name, width=0.25, classes=3, image=(3, 4, 4), generator=torch.Generator().manual_seed(0))
    net = Net(network, 3, 4, 4)
    assert bool(saliency.connected(net, {}, weights_of(network))["conv.3.weight"].all())


def test_a_dilated_pool_has_no_average_and_stays_a_maximum():
    net = Net(nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2, dilation=3), nn.Flatten(), nn.Linear(1, 1)), 1, 4, 4)
    assert bool(everything_of(net).all())


def test_synflow_follows_the_maximum_as_its_authors_do():
    """Its masks are of the network as it is. Here the pool sees 1 + 3 and 3 + 2, and passes on the second alone."""
    module = nn.Sequential(nn.Conv2d(1, 1, (1, 2)), nn.MaxPool2d((1, 2)), nn.Flatten(), nn.Linear(1, 1))
    net, image = Net(module, 1, 1, 3), torch.tensor([[[[1.0, 3.0, 2.0]]]], dtype=torch.float64)
    with torch.no_grad():
        for each in module.parameters():
            each.fill_(1.0)
    net.forward_ones = lambda: module(image)
    mask = saliency.synflow(net, weights_of(module), keep=2, rounds=1)
    assert mask["0.weight"].flatten().tolist() == [True, False], "3 and not 2; the average has 2 and 2.5"


# Layers without flow.


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.output = kind(4, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.output(self.cell(x)[0][:, -1])


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.output = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.output(self.attention(x, x, x)[0][:, -1])


def between(*layers, image=(2, 4, 4)):
    return nn.Sequential(nn.Conv2d(2, 4, 3), *layers, nn.Flatten(), nn.Linear(16, 2)), image


def old_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(layer)


NORMALISES = "it normalises by what it sees"
COMPUTES = "it computes its weights from other numbers"
WITHOUT = {
    "LayerNorm": (lambda: between(nn.LayerNorm((4, 2, 2))), rf"through 1 \(LayerNorm\): {NORMALISES}"),
    "RMSNorm": (lambda: between(nn.RMSNorm((4, 2, 2))), rf"through 1 \(RMSNorm\): {NORMALISES}"),
    "GroupNorm": (lambda: between(nn.GroupNorm(2, 4)), rf"through 1 \(GroupNorm\): {NORMALISES}"),
    "InstanceNorm": (lambda: between(nn.InstanceNorm2d(4)), rf"through 1 \(InstanceNorm2d\): {NORMALISES}"),
    "batch": (lambda: between(nn.BatchNorm2d(4, track_running_stats=False)), rf"\(BatchNorm2d\): {NORMALISES}"),
    "Softmax": (lambda: between(nn.Softmax(1)), r"through 1 \(Softmax\): it takes a softmax"),
    "attention": (lambda: (Attending(), (5, 4)), r"through attention \(MultiheadAttention\): it takes a softmax"),
    "LSTM": (lambda: (Recurrent(nn.LSTM), (5, 4)), r"through cell \(LSTM\): it is recurrent"),
    "GRU": (lambda: (Recurrent(nn.GRU), (5, 4)), r"through cell \(GRU\): it is recurrent"),
    "weight_norm": (
        lambda: (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 2)), (4,)),
        rf"through 0 \(ParametrizedLinear\): {COMPUTES}",
    ),
    "spectral_norm": (lambda: between(nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 1))), COMPUTES),
    "old": (lambda: (nn.Sequential(old_weight_norm(nn.Linear(4, 4)), nn.Linear(4, 2)), (4,)), COMPUTES),
    "itself": (lambda: (nn.LayerNorm((3, 2)), (3, 2)), r"through the network \(LayerNorm\)"),
}


@pytest.mark.parametrize("kind", WITHOUT)
def test_no_flow_is_told_where_layers_have_none_and_nothing_is_touched(kind):
    make, said = WITHOUT[kind]
    module, shape = make()
    net = Net(module, *shape)
    before = deepcopy(module.state_dict())
    entries = weights_of(module)
    with pytest.raises(Unsupported, match=said):
        saliency.connected(net, masks.ones(entries), entries)
    with pytest.raises(Unsupported, match=said):
        saliency.synflow(net, entries, keep=3, rounds=2)
    assert all(torch.equal(each, before[name]) for name, each in module.state_dict().items())


class Calling(nn.Module):
    """Two layers, and what is called as a function between, before or behind them."""

    def __init__(self, between=relu, before=torch.clone, behind=torch.clone):
        super().__init__()
        self.functions = before, between, behind
        self.first, self.output = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        before, between, behind = self.functions
        return behind(self.output(between(self.first(before(x)))))


class AttendingByHand(nn.Module):
    def __init__(self, attend):
        super().__init__()
        self.attend = attend
        self.q, self.k, self.v, self.output = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.output(self.attend(self.q(x), self.k(x), self.v(x)).mean(1))


def by_softmax(q, k, v):
    return torch.softmax(q @ k.mT, -1) @ v


CALLED = {
    "layer_norm": (lambda: Calling(lambda x: layer_norm(x, (6,))), (4,)),
    "layer_norm of the input": (lambda: Calling(before=lambda x: layer_norm(x, (4,))), (4,)),
    "group_norm": (lambda: Calling(lambda x: group_norm(x, 2)), (4,)),
    "normalize": (lambda: Calling(normalize), (4,)),
    "own norm": (lambda: Calling(lambda x: (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5)), (4,)),
    "log_softmax": (lambda: Calling(behind=lambda x: x.log_softmax(-1)), (4,)),
    "gate": (lambda: Calling(lambda x: (1 - x.sigmoid()) * x.tanh()), (4,)),
    "softmax": (lambda: AttendingByHand(by_softmax), (5, 4)),
    "attention": (lambda: AttendingByHand(scaled_dot_product_attention), (5, 4)),
}


@pytest.mark.parametrize("kind", CALLED)
def test_what_is_called_as_a_function_has_no_more_flow_than_as_a_layer(kind):
    make, shape = CALLED[kind]
    net = Net(make(), *shape)
    before, entries = deepcopy(net.module.state_dict()), weights_of(net.module)
    for ask in (partial(saliency.connected, mask=masks.ones(entries)), partial(saliency.synflow, keep=3, rounds=2)):
        with pytest.raises(Unsupported, match=r"all weights positive, more of \w+\.weight gives (less|nothing)"):
            ask(net, entries=entries)
    assert all(torch.equal(each, before[name]) for name, each in net.module.state_dict().items())


@pytest.mark.parametrize(("module", "shape"), [
    (AttendingByHand(lambda q, k, v: q @ (k.mT @ v)), (5, 4)),
    (Calling(lambda x: x.sigmoid() * x.tanh() + x, before=lambda x: (x - 0.4) / 0.3), (4,)),
    (mlp(4, *[6] * 12, 2, activation=nn.Sigmoid), (4,)),
], ids=["products", "gates and shares", "deep"])  # fmt: skip
def test_sums_and_products_of_paths_have_flow_whatever_calls_them(module, shape):
    assert bool(everything_of(Net(module, *shape)).all())


class Fixed(nn.Module):
    """A scale that is no parameter, as torchvision's frozen batch norm has it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.ones(4, 1, 1))

    def forward(self, x):
        return x * self.weight


@pytest.mark.parametrize("layer", [
    nn.BatchNorm2d(4), nn.InstanceNorm2d(4, track_running_stats=True), Fixed(), nn.Dropout(), nn.GELU(), nn.Identity(),
], ids=str)  # fmt: skip
def test_what_scales_by_given_numbers_has_flow(layer):
    module, shape = between(layer)
    assert saliency.undefined(module) is None
    assert bool(everything_of(Net(module, *shape)).all())


# Nothing is left behind.


def trained_moons():
    learner = Moons(MOONS, Streams(0), 1.0)
    learner.train(5)
    learner.module[3].eval()
    return learner


def photograph(learner):
    """Everything that could be left different: bytes, storage, types, modes, gradients, moments."""
    tensors = {**dict(learner.module.named_parameters()), **dict(learner.module.named_buffers())}
    return {
        "tensors": {name: (each.data_ptr(), each.dtype, each.tolist()) for name, each in tensors.items()},
        "objects": [id(each) for each in (*learner.module.parameters(), *learner.module.buffers())],
        "needs": [each.requires_grad for each in learner.module.parameters()],
        "gradients": [each.grad.tolist() for each in learner.module.parameters()],
        "modes": [each.training for each in learner.module.modules()],
        "moments": [each["momentum_buffer"].tolist() for each in learner.optimizer.state.values()],
        "position": (learner.step, learner.updates),
    }


@pytest.mark.parametrize("score", [
    lambda learner, entries: saliency.snip(learner, entries, losses=3),
    lambda learner, entries: saliency.grasp(learner, entries, losses=3, temperature=200),
    lambda learner, entries: saliency.synflow(learner, entries, keep=9, rounds=5),
    lambda learner, entries: saliency.connected(learner, masks.uniform(entries, 9, torch.Generator()), entries),
    lambda learner, entries: accounting.flops(learner, masks.uniform(entries, 9, torch.Generator())),
], ids=["snip", "grasp", "synflow", "connected", "flops"])  # fmt: skip
def test_scoring_leaves_the_learner_as_it_was_to_the_bit(score):
    learner = trained_moons()
    learner.forward_ones = frozen_ones(learner)
    reference = deepcopy(learner.module.state_dict())
    before = photograph(learner)
    score(learner, masks.prunable(learner, MOONS.pruning))
    assert photograph(learner) == before
    assert all(torch.equal(each, reference[name]) for name, each in learner.module.state_dict().items())


def frozen_ones(learner):
    """An example of ones that leaves every submodule in the mode it found."""

    def forward_ones():
        modes = {each: each.training for each in learner.module.modules()}
        learner.module.eval()
        output = learner.module(torch.ones(1, 2, dtype=learner.module[0].weight.dtype))
        for module, mode in modes.items():
            module.training = mode
        return output

    return forward_ones


@pytest.mark.parametrize("score", [
    lambda learner, entries: saliency.synflow(learner, entries, keep=9, rounds=5),
    lambda learner, entries: saliency.connected(learner, masks.ones(entries), entries),
])  # fmt: skip
def test_an_error_inside_leaves_the_learner_as_it_was_to_the_bit(score):
    learner = trained_moons()
    before = photograph(learner)

    def fails():
        raise KeyboardInterrupt

    learner.forward_ones = fails
    with pytest.raises(KeyboardInterrupt):
        score(learner, masks.prunable(learner, MOONS.pruning))
    assert photograph(learner) == before


def test_training_after_scoring_goes_on_as_if_nothing_had_been_scored():
    plain, scored = trained_moons(), trained_moons()
    saliency.synflow(scored, masks.prunable(scored, MOONS.pruning), keep=9, rounds=5)
    saliency.connected(scored, {}, masks.prunable(scored, MOONS.pruning))
    for learner in (plain, scored):
        learner.train(10)
    assert all(torch.equal(a, b) for a, b in zip(plain.module.parameters(), scored.module.parameters(), strict=True))
