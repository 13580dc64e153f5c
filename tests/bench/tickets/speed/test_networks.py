"""A network executed sparse is the same network: after any number of updates, by any optimizer, in fewer bytes."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from bench.errors import Unsupported
from bench.tickets.speed import networks
from bench.tickets.speed.calls import training_step

OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01, fused=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.01),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, lr=0.01, alpha=0.9),
}


class Classifier(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.one, self.two = nn.Linear(10, hidden), nn.Linear(hidden, 4)

    def forward(self, inputs):
        return self.two(self.one(inputs).relu())


class Odd(nn.Module):
    """A layer of every kind that no sparse kernel takes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1)
        self.one, self.elsewhere = nn.Linear(10, 10), nn.Linear(10, 10)
        self.whole, self.tied, self.again = nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 10)
        self.again.weight = self.tied.weight
        self.twice = self.one

    def forward(self, inputs):
        seen = self.one(self.conv(inputs[:, None])[:, 0])
        return self.again(self.tied(self.whole(F.linear(seen, self.elsewhere.weight)))) + self.twice(seen)


class Learner:
    def __init__(self, module, optimizer="adam"):
        torch.manual_seed(0)
        self.module = module
        self.optimizer = OPTIMIZERS[optimizer](module.parameters())
        self.seen, self.labels = torch.rand(12, 10), torch.arange(12) % 4

    def losses(self, n, *, temperature=1.0):
        yield F.cross_entropy(self.module(self.seen), self.labels)


def mask_of(module, density=0.3, *, whole=(), biases=False):
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.rand(each.shape, generator=generator) < (1.0 if name in whole else density)
        for name, each in module.named_parameters()
        if each.ndim > 1 or biases
    }


def applied(learner, mask):
    with torch.no_grad():
        for name, kept in mask.items():
            learner.module.get_parameter(name).mul_(kept)
    return networks.copied(learner)


def weights(network):
    return network.as_dense(lambda parameter: parameter)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("biases", [False, True])
def test_after_any_updates_the_weights_are_those_of_the_masked_network(optimizer, biases):
    learner = Learner(Classifier(), optimizer)
    mask = mask_of(learner.module, biases=biases)
    network, step = applied(learner, mask), training_step(learner)
    sparse, masked = networks.sparse(network, mask, ("one", "two")), networks.masked(network, mask)
    start = weights(masked)
    for _ in range(8):
        sparse.train(step.calls)
        masked.train(step.calls)
    for name, expected in weights(masked).items():
        torch.testing.assert_close(weights(sparse)[name], expected, rtol=1e-4, atol=1e-6)
        assert not torch.equal(start[name], expected), "they were trained"
        if name in mask:
            assert int(weights(sparse)[name][~mask[name]].count_nonzero()) == 0
    sparse.reset()
    assert all(torch.equal(start[name], each) for name, each in weights(sparse).items())


def test_dense_moves_what_the_mask_leaves_out():
    learner = Learner(Classifier())
    whole = {name: each.detach().clone() for name, each in learner.module.named_parameters()}
    mask = mask_of(learner.module)
    network, step = applied(learner, mask), training_step(learner)
    dense = networks.dense(network, whole)
    assert all(torch.equal(whole[name], each) for name, each in weights(dense).items())
    dense.train(step.calls)
    pruned = ~mask["two.weight"]
    assert int((weights(dense)["two.weight"] != whole["two.weight"])[pruned].sum()) > 0


def test_copies_share_nothing_with_the_learner():
    learner = Learner(Classifier())
    mask = mask_of(learner.module)
    network, step = applied(learner, mask), training_step(learner)
    before = weights(network)
    for made in (networks.masked(network, mask), networks.sparse(network, mask, ("one",))):
        made.train(step.calls)
    assert all(torch.equal(before[name], each) for name, each in weights(network).items())
    assert not learner.optimizer.state
    assert not network.optimizer.state


def test_layers_that_no_sparse_kernel_takes_are_named_with_the_reason():
    learner = Learner(Odd())
    mask = mask_of(learner.module, whole=("whole.weight",))
    mask["one.bias"] = torch.arange(10) > 3
    taken, refused = networks.sparse_layers(applied(learner, mask), mask, training_step(learner))
    assert taken == ["one"], "which has two names, and is one layer"
    assert refused == {
        "conv.weight": "weight of Conv1d: no sparse kernel",
        "one.bias": "bias of Linear: no sparse kernel",
        "elsewhere.weight": "its weight is multiplied elsewhere than in its layer",
        "tied.weight": "several layers share it",
    }


def test_a_layer_of_two_names_is_replaced_under_both():
    learner = Learner(Odd())
    mask = mask_of(learner.module)
    network, step = applied(learner, mask), training_step(learner)
    sparse, masked = networks.sparse(network, mask, ["one"]), networks.masked(network, mask)
    assert sparse.module.one is sparse.module.twice
    for made in (sparse, masked):
        made.train(step.calls)
    for name, expected in weights(masked).items():
        torch.testing.assert_close(weights(sparse)[name], expected, rtol=1e-4, atol=1e-6)


def test_several_side_by_side_are_each_what_one_is():
    learner = Learner(Classifier())
    mask = mask_of(learner.module, biases=True)
    network, step = applied(learner, mask), training_step(learner)
    one, several = networks.sparse(network, mask, ("one", "two")), networks.several(network, mask, step, 3)
    calls = [call.beside_itself(3) for call in step.calls]
    for _ in range(4):
        one.train(step.calls)
        several.train(calls)
    (expected,), (wide,) = one.predict(step.calls), several.predict(calls)
    for part in wide.chunk(3, 1):
        torch.testing.assert_close(part, expected, rtol=1e-4, atol=1e-6)
    assert int(several.module.one.bias[~mask["one.bias"].repeat(3)].count_nonzero()) == 0


def test_a_network_with_other_layers_cannot_stand_side_by_side():
    learner = Learner(Odd())
    mask = mask_of(learner.module)
    with pytest.raises(Unsupported, match="not all of its layers are linear"):
        networks.several(applied(learner, mask), mask, training_step(learner), 3)


def test_bytes_are_those_of_tensors_and_files(tmp_path):
    learner = Learner(Classifier(hidden=100))
    mask = mask_of(learner.module, density=0.1)
    network, step = applied(learner, mask), training_step(learner)
    sparse, masked = networks.sparse(network, mask, ("one", "two")), networks.masked(network, mask)
    for made in (sparse, masked):
        made.train(step.calls)
    kept, biases = sum(int(each.sum()) for each in mask.values()), 100 + 4
    assert masked.weights_bytes == 4 * (1400 + biases)
    assert sparse.weights_bytes == 4 * (kept + biases) + 4 * kept + 4 * (101 + 5), "values, columns, starts of rows"
    adam = 2 * 4  # two moments of each number, and a step of each of four tensors
    assert masked.training_bytes == masked.weights_bytes + adam * (1400 + biases) + 4 * 4 + (4 + 1) * 1400
    transposed = 4 * kept + 4 * (11 + 101) + 8 * kept
    assert sparse.training_bytes == sparse.weights_bytes + adam * (kept + biases) + 4 * 4 + transposed
    for made in (sparse, masked):
        tensors = {**dict(made.module.named_parameters()), **dict(made.module.named_buffers())}
        held = {name: each.detach() for name, each in tensors.items() if not name.endswith(networks.RESTS)}
        save_file(held, tmp_path / "weights.safetensors")
        assert made.disk_bytes == (tmp_path / "weights.safetensors").stat().st_size
