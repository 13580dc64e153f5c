"""What masks cost, as ratios to the least that could do: one selection, one step without masks."""

import statistics
import time

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from bench.tickets import masks
from bench.tickets.attach import Attached

WEIGHTS = 25_000_000
LAYERS = 10
DENSITY = 0.2
BATCH = 60
STEPS = 20
"""Of LeNet-300-100 in one measurement."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seconds(act):
    """Of this process: one thread does all, and a busy machine takes nothing from it but its caches."""
    begin = time.process_time()
    act()
    return time.process_time() - begin


def ratio(ours, theirs, *, rounds):
    """Median time of ours over median time of theirs, measured in turns."""
    for each in (ours, theirs):
        each()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs) / statistics.median(pair[1] for pair in pairs)


# A threshold over the whole network.


@pytest.fixture(scope="module")
def scores():
    generator = torch.Generator().manual_seed(0)
    return {str(layer): torch.randn(WEIGHTS // LAYERS, generator=generator).abs() for layer in range(LAYERS)}


def selection(scores):
    """The one selection of the k-th value that every global threshold needs."""
    pooled = torch.cat(list(scores.values()))
    return lambda: pooled.kthvalue(WEIGHTS - round(DENSITY * WEIGHTS) + 1)


def threshold(scores, density=1.0):
    """A global mask among the survivors of a round that left `density`."""
    entries = {name: torch.ones_like(each, dtype=torch.bool) for name, each in scores.items()}
    allowed = masks.highest(scores, entries, entries, {"": round(density * WEIGHTS)})
    return lambda: masks.highest(scores, allowed, entries, {"": round(DENSITY * WEIGHTS)})


@pytest.mark.slow
@pytest.mark.parametrize("what", [selection, threshold], ids=["kthvalue", "threshold"])
@pytest.mark.benchmark(group="a global threshold over 25 M weights")
def test_threshold(benchmark, scores, what):
    benchmark.pedantic(what(scores), rounds=3, warmup_rounds=1)


@pytest.mark.slow
@pytest.mark.parametrize("density", [1.0, 0.25])
def test_a_global_threshold_takes_at_most_twice_the_selection_it_is_made_of(scores, density):
    found = ratio(threshold(scores, density), selection(scores), rounds=5)
    assert found <= 2.0, f"{found:.2f}"


# A step of LeNet-300-100.


class LeNet:
    """What `Attached` sees of a learner, and a step of it on a batch that stays."""

    def __init__(self):
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=1.2e-3, fused=True)
        self.images, self.labels = torch.randn(BATCH, 784), torch.randint(10, (BATCH,))
        self.step = self.updates = 0

    def train(self):
        for _ in range(STEPS):
            self.optimizer.zero_grad()
            cross_entropy(self.module(self.images), self.labels).backward()
            self.optimizer.step()


@pytest.fixture
def plain():
    return LeNet().train


@pytest.fixture
def masked():
    learner = LeNet()
    entries = {
        name: torch.ones_like(each, dtype=torch.bool)
        for name, each in learner.module.named_parameters()
        if each.ndim > 1
    }
    count = round(DENSITY * sum(masks.sizes(entries).values()))
    mask = masks.uniform(entries, count, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, each in learner.module.named_parameters():
            each.mul_(mask.get(name, torch.tensor(1)))
    with Attached(learner, mask):
        yield learner.train


@pytest.mark.parametrize("steps", ["plain", "masked"])
@pytest.mark.benchmark(group=f"{STEPS} steps of LeNet-300-100 at batch {BATCH}")
def test_step(benchmark, request, steps):
    benchmark.pedantic(request.getfixturevalue(steps), rounds=15, warmup_rounds=2)


def test_masks_cost_at_most_a_tenth_of_a_step(plain, masked):
    found = ratio(masked, plain, rounds=121)
    assert found <= 1.10, f"{found:.3f}"
