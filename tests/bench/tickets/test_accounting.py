"""Counts, densities and multiply-adds, by hand and as the papers print them."""

from dataclasses import replace

import pytest
import torch
from example import MOONS, ExampleDomain, Moons, variant
from torch import nn

from bench.errors import Unsupported
from bench.spec import Pruning, Unit
from bench.streams import Streams
from bench.tickets import accounting, masks
from bench.tickets.inputs import Parent
from bench.tickets.methods import METHODS
from bench.tickets.protocol import run_unit
from domains.vision.networks.models import MODELS

# The papers' P_m.

DENSE_LAYERS = Pruning(rate=0.2, rates={"output.weight": 0.1})
CONVOLUTIONS = Pruning(rate=0.2, rates={"conv.*": 0.1, "output.weight": 0.1})
POOLED = Pruning(rate=0.2, scope="global", exempt=("output.*", "*shortcut*"))

PUBLISHED = {  # 1803.03635: percentages of weights left as printed in its figures and text
    "lenet-300-100": (DENSE_LAYERS, 266_200, {3: 51.3, 7: 21.1, 9: 13.5, 15: 3.6, 16: 2.9}),
    "conv-2": (CONVOLUTIONS, 4_300_992, {11: 8.8, 14: 4.6}),
    "conv-4": (CONVOLUTIONS, 2_425_024, {11: 11.1, 12: 9.2, 15: 5.4}),
    "vgg-19": (POOLED, 20_024_000, {12: 6.9, 15: 3.5, 19: 1.5}),
    "resnet-20": (POOLED, 270_896, {4: 41.7, 6: 27.1, 7: 21.9, 10: 11.8}),
}


def published_density(module, pruning, level):
    """The papers' P_m as a fraction, from an architecture alone: biases and norms left out, exempt weights counted."""
    weights = {name: weight.numel() for name, weight in module.named_parameters() if weight.ndim > 1}
    pruned = {name: size for name, size in weights.items() if not pruning.is_exempt(name)}
    exempt = sum(weights.values()) - sum(pruned.values())
    return (sum(pruning.keep(pruned, level).values()) + exempt) / sum(weights.values())


@pytest.mark.parametrize("name", PUBLISHED)
def test_levels_are_those_that_the_paper_prints(name):
    pruning, weights, levels = PUBLISHED[name]
    with torch.device("meta"):
        module = MODELS[name](1.0, 10, (1, 28, 28) if name == "lenet-300-100" else (3, 32, 32))
    assert sum(each.numel() for each in module.parameters() if each.ndim > 1) == weights
    assert published_density(module, pruning, 0) == 1.0
    for level, percent in levels.items():
        assert abs(100 * published_density(module, pruning, level) - percent) < 0.1


def test_the_published_density_is_the_one_that_a_mask_of_the_level_has():
    pruning = Pruning(rate=0.2, rates={"0.weight": 0.1})
    learner = Ones(nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 10)), 20)
    entries = {name: torch.ones_like(each, dtype=torch.bool) for name, each in weights_of(learner).items()}
    for level in range(12):
        keep = pruning.keep(masks.sizes(entries), level)
        mask = masks.uniform_per_layer(entries, keep, torch.Generator().manual_seed(level))
        counts = accounting.counts(learner, mask, entries, MOONS, level_asks=sum(keep.values()))
        density = counts["kept_weights"] / counts["weights"]
        assert density == published_density(learner.module, pruning, level)


# Counts.


class Ones:
    """What counting sees of a learner."""

    def __init__(self, module, *ones):
        self.module, self.ones = module, ones

    def forward_ones(self):
        return self.module(torch.ones(1, *self.ones, dtype=next(self.module.parameters()).dtype))


def weights_of(learner):
    return {name: each for name, each in learner.module.named_parameters() if each.ndim > 1}


class Tied(nn.Module):
    """An embedding that is the output layer too."""

    def __init__(self):
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(7, 4, padding_idx=0), nn.Linear(4, 4)
        self.output = nn.Linear(4, 7, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ones):
        return self.output(self.hidden(self.embedding(ones.long())))


def test_tied_parameters_count_once_and_padding_rows_are_no_prunable_weights():
    learner = Ones(Tied(), 3)
    padded = torch.ones(7, 4, dtype=torch.bool)
    padded[0] = False
    entries = {"embedding.weight": padded, "hidden.weight": torch.ones(4, 4, dtype=torch.bool)}
    mask = masks.uniform(entries, 20, torch.Generator().manual_seed(0))
    counts = accounting.counts(learner, mask, entries, MOONS, level_asks=20)
    assert (counts["all"], counts["weights"], counts["prunable"], counts["kept"]) == (28 + 16 + 4, 44, 40, 20)
    assert (counts["kept_weights"], counts["kept_all"], counts["level_asks"]) == (24, 28, 20)
    assert counts["layers"]["embedding.weight"]["prunable"] == 24
    assert counts["layers"]["hidden.bias"] == {"all": 4, "prunable": 0, "kept": 0}
    assert "output.weight" not in counts["layers"]


def test_groups_add_up_their_layers_and_the_first_pattern_wins():
    task = variant(groups={"0.*": "in", "*.weight": "rest", "4.bias": "rest"})
    learner = Moons(task, Streams(0), 1.0)
    entries = masks.prunable(learner, task.pruning)
    mask = masks.uniform_per_layer(entries, {"0.weight": 5, "4.weight": 11}, torch.Generator())
    counts = accounting.counts(learner, mask, entries, task, level_asks=16)
    assert counts["groups"] == {
        "in": {"all": 48, "prunable": 32, "kept": 5},
        "rest": {"all": 16 + 32 + 2, "prunable": 32, "kept": 11},
    }


def test_weights_that_read_noise_are_counted_apart_from_those_that_read_something():
    class Knows(Ones):
        def relevant_inputs(self):
            return {"0.weight": torch.tensor([True, True, False, False, False])}

    learner = Knows(nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2)), 5)
    entries = {name: torch.ones_like(each, dtype=torch.bool) for name, each in weights_of(learner).items()}
    mask = {"0.weight": torch.tensor([[1, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0, 1, 1, 0, 0]], dtype=torch.bool)}
    told = accounting.counts(learner, mask, entries, MOONS, level_asks=0)["groups"]
    assert told["relevant inputs"] == {"all": 6, "prunable": 6, "kept": 4}
    assert told["irrelevant inputs"] == {"all": 9, "prunable": 9, "kept": 2}
    entries["0.weight"][0] = False
    told = accounting.counts(learner, {}, entries, MOONS, level_asks=0)["groups"]
    assert told["irrelevant inputs"] == {"all": 9, "prunable": 6, "kept": 6}, "of the prunable ones"


def test_pruned_biases_are_missing_from_all_parameters_and_not_from_the_weights():
    pruning = replace(MOONS.pruning, biases=True, rates={}, scope="global")
    learner = Moons(MOONS, Streams(0), 1.0)
    entries = masks.prunable(learner, pruning)
    mask = {**masks.ones(entries), "0.bias": torch.zeros(16, dtype=torch.bool)}
    counts = accounting.counts(learner, mask, entries, MOONS, level_asks=98)
    assert (counts["prunable"], counts["kept"], counts["kept_all"], counts["kept_weights"]) == (114, 98, 98, 64)


def test_a_whole_network_is_effective_as_a_whole_where_biases_may_be_pruned():
    task = variant(pruning=Pruning(rate=0.2, scope="global", biases=True))
    result = run_unit(Unit(task=task, method=METHODS["dense"], level=0, seed=0), ExampleDomain(), {})
    assert result.density == 1.0
    assert result.effective_density == 1.0


# Levels that leave nothing.


def unit_of(method, level, task=MOONS):
    """A unit that takes the dense network for every parent."""
    domain = ExampleDomain(task=task)
    dense = run_unit(Unit(task=task, method=METHODS["dense"], level=0, seed=0), domain, {}).trained
    whole = {
        name: torch.ones_like(dense.states["initial"].weights[name], dtype=torch.bool)
        for name in ("0.weight", "4.weight")
    }
    parent = Parent(mask=whole, state=dense.states.__getitem__, search_cost=0, result="")
    if method.mask in ("ticket", "shuffled"):
        empty = run_unit(Unit(task=task, method=METHODS["one-shot"], level=level, seed=0), domain, {"dense": parent})
        parent = replace(parent, mask=empty.trained.mask)
    unit = Unit(task=task, method=method, level=level, seed=0)
    return run_unit(unit, domain, dict.fromkeys(method.parents, parent))


def test_a_collapsed_layer_is_named_and_leaves_no_path():
    result = unit_of(METHODS["one-shot"], 20)
    assert result.counts["layers"]["0.weight"]["kept"] == round(32 * 0.8**20) == 0
    assert result.counts["layers"]["4.weight"]["kept"] == round(32 * 0.9**20) == 4
    assert result.counts["collapsed"] == ["0.weight"]
    assert result.effective_density == 0.0
    assert result.density == 4 / 64


@pytest.mark.parametrize("name", [name for name in METHODS if name != "dense"])
def test_no_method_breaks_where_no_weight_is_left(name):
    result = unit_of(METHODS[name], 60)
    assert result.trained.diverged is None
    assert [point["step"] for point in result.trained.curve][-1] in (0, 40, 70)
    if name == "small-dense":
        assert result.counts["prunable"] == 4
    else:
        assert result.counts["collapsed"] == ["0.weight", "4.weight"]
        assert (result.density, result.effective_density, result.flops) == (0.0, 0.0, 0)


def test_nothing_collapses_in_a_whole_network():
    assert unit_of(METHODS["dense"], 0).counts["collapsed"] == []


# Multiply-adds.


@pytest.mark.parametrize(("module", "ones", "expected"), [
    (nn.Linear(5, 3), (5,), 15),
    (nn.Linear(5, 3), (7, 5), 7 * 15),
    (nn.Conv1d(2, 4, 3), (2, 10), 8 * 4 * 2 * 3),
    (nn.Conv2d(3, 8, 5, padding=2), (3, 6, 7), 6 * 7 * 8 * 3 * 25),
    (nn.Conv2d(3, 8, 3, stride=2), (3, 9, 9), 16 * 8 * 3 * 9),
    (nn.Conv2d(4, 8, 3, groups=2, bias=False), (4, 5, 5), 9 * 8 * 2 * 9),
    (nn.Conv2d(6, 6, 3, groups=6, dilation=2), (6, 5, 5), 1 * 6 * 9),
    (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)), (1, 4, 4), 4 * 2 * 9 + 16),
    (nn.Sequential(*[nn.Linear(4, 4)] * 3), (4,), 3 * 16),
], ids=str)  # fmt: skip
def test_multiply_adds_by_hand(module, ones, expected):
    learner = Ones(module, *ones)
    assert repr(accounting.flops(learner, {})) == repr(expected)  # records hold whole numbers
    weights = {name: torch.zeros_like(each, dtype=torch.bool) for name, each in weights_of(learner).items()}
    assert accounting.flops(learner, weights) == 0
    for each in weights.values():
        each.view(-1)[::2] = True
    assert expected / 2 <= accounting.flops(learner, weights) <= 0.55 * expected + 1


def test_multiply_adds_of_a_transposed_convolution():
    assert accounting.flops(Ones(nn.ConvTranspose2d(2, 3, 4, stride=2), 2, 5, 5), {}) == 25 * 2 * 3 * 16


def test_each_layer_costs_what_its_own_mask_leaves_at_every_place_it_is_used():
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 3))
    mask = {"0.weight": torch.zeros(2, 1, 3, 3, dtype=torch.bool), "2.weight": torch.zeros(3, 32, dtype=torch.bool)}
    mask["0.weight"][1, 0, 1, 1] = mask["0.weight"][0, 0, 0, 0] = True
    mask["2.weight"][0] = True
    assert accounting.flops(Ones(module, 1, 4, 4), mask) == 2 * 16 + 32


def test_a_tied_weight_costs_where_it_multiplies_and_not_where_it_looks_up():
    assert accounting.flops(Ones(Tied(), 3), {}) == 3 * (16 + 28)


class Sequence(nn.Module):
    """What reads (n, 5, 4) and ends in a linear layer."""

    def __init__(self, kind):
        super().__init__()
        self.inner, self.output = kind(), nn.Linear(4, 3)

    def forward(self, x):
        inner = self.inner(x, x, x) if isinstance(self.inner, nn.MultiheadAttention) else self.inner(x)
        return self.output((inner if isinstance(inner, torch.Tensor) else inner[0])[:, -1])


class ByHand(nn.Module):
    """Multiplies by a matrix of its own, by a layer's that it does not call, or scales and shifts."""

    def __init__(self, how):
        super().__init__()
        self.how, self.layer = how, nn.Linear(4, 4, bias=False)
        self.matrix, self.scale = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(1, 1, 4))

    def forward(self, x):
        if self.how == "scale":
            return x * self.scale
        return nn.functional.linear(x, self.matrix if self.how == "matrix" else self.layer.weight)


@pytest.mark.parametrize(("inner", "said"), [
    (lambda: nn.LSTM(4, 4, batch_first=True), r"inner.weight_ih_l0 \(LSTM\) is used outside of them"),
    (lambda: nn.GRU(4, 4, batch_first=True), r"inner.weight_ih_l0 \(GRU\)"),
    (lambda: nn.MultiheadAttention(4, 2, batch_first=True), r"inner.in_proj_weight \(MultiheadAttention\)"),
    (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), r"inner.parametrizations.weight.original1"),
    (lambda: ByHand("matrix"), r"inner.matrix \(ByHand\)"),
    (lambda: ByHand("layer"), r"inner.layer.weight \(Linear\)"),
])  # fmt: skip
def test_no_multiply_adds_are_told_where_a_matrix_is_used_that_is_not_counted(inner, said):
    with pytest.raises(Unsupported, match=said):
        accounting.flops(Ones(Sequence(inner).eval(), 5, 4), {})


@pytest.mark.parametrize("inner", [
    lambda: nn.LayerNorm((5, 4)), lambda: nn.RMSNorm((5, 4)), lambda: ByHand("scale"), nn.Identity,
], ids=["LayerNorm", "RMSNorm", "scale", "none"])  # fmt: skip
def test_what_multiplies_number_by_number_costs_as_little_as_batch_norm(inner):
    assert accounting.flops(Ones(Sequence(inner), 5, 4), {}) == 12


def test_a_matrix_that_the_outputs_do_not_need_costs_nothing():
    module = Sequence(nn.Identity)
    module.critic = nn.LSTM(4, 4)
    assert accounting.flops(Ones(module, 5, 4), {}) == 12


def test_a_table_that_is_looked_up_costs_nothing():
    class Words(nn.Sequential):
        def forward(self, ones):
            return super().forward(ones.long())

    assert accounting.flops(Ones(Words(nn.Embedding(7, 4), nn.Linear(4, 2)), 3), {}) == 3 * 8


def test_counting_leaves_no_hook_behind():
    learner = Ones(nn.Linear(5, 3), 5)
    accounting.flops(learner, {})
    assert not any(each._forward_hooks for each in learner.module.modules())
    learner.ones = (4,)
    with pytest.raises(RuntimeError):
        accounting.flops(learner, {})
    assert not any(each._forward_hooks for each in learner.module.modules())
