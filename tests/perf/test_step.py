"""One update of LeNet-300-100, as a ratio within one run to its arithmetic done bare."""

import math
import time
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from bench.report.statistics.seeds import interval
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached
from domains.vision import domain

KEY = "vision/lenet-mnist@paper"
DENSITY = 0.2
BUILDS, ROUNDS, WARM = 7, 8, 2
"""Where tensors lie moves a ratio by some per cent, so all is built anew, and the builds are the sample."""
UPDATES = 40
"""In one measurement."""
LIMIT, MASKS = 1.85, 0.15
"""Times the bare arithmetic: the graph of autograd, the gather of random images and biases are no part of it; nor are masks,
which read and write each gradient once more."""
DEAD = 25
"""Hidden nodes of the first layer, of 300, that no image reaches any more; LeNet has as many after 8,000 updates."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Bare:
    """The matrix products of an update, into memory that is there, and the kernel of Adam; gradients never change.

    Args:
        learner: its parameters and batch have the shapes.
    """

    def __init__(self, learner):
        weights = [each for each in learner.module.parameters() if each.ndim > 1]
        sizes = [weights[0].shape[1], *(len(each) for each in weights)]
        self._inputs = [torch.randn(learner._batch, size) for size in sizes[:-1]]
        self._outputs = [torch.empty(learner._batch, size) for size in sizes[1:]]
        self._errors = [1e-2 * torch.randn(learner._batch, size) for size in sizes[1:]]
        self._passed = [torch.empty(learner._batch, size) for size in sizes[1:-1]]
        self._weights = [1e-2 * torch.randn(after, before) for before, after in pairwise(sizes)]
        self._biases = [torch.zeros(size) for size in sizes[1:]]
        parameters = [*self._weights, *self._biases]
        self._gradients, self._first, self._second = ([1e-3 * torch.ones_like(p) for p in parameters] for _ in range(3))
        self._parameters, self._steps = parameters, [torch.ones(()) for _ in parameters]

    @torch.no_grad()
    def train(self):
        for _ in range(UPDATES):
            self._products()
            torch._foreach_add_(self._steps, 1)
            state = self._parameters, self._gradients, self._first, self._second, [], self._steps
            rates = {"lr": 1.2e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
            torch._fused_adam_(*state, **rates, amsgrad=False, maximize=False)

    def _products(self):
        for layer, weight in enumerate(self._weights):
            torch.addmm(self._biases[layer], self._inputs[layer], weight.t(), out=self._outputs[layer])
        for layer, weight in reversed([*enumerate(self._weights)]):
            torch.mm(self._errors[layer].t(), self._inputs[layer], out=self._gradients[layer])
            if layer:
                torch.mm(self._errors[layer], weight, out=self._passed[layer - 1])


def build():
    """A learner that trains as long as it is asked to."""
    task = replace(domain.tasks()[KEY], budget=10**6)
    return domain.learner(task, streams=Streams(0), device="cpu"), task


def updates(learner):
    """What trains it on."""
    return lambda: learner.train(learner.step + UPDATES)


def ticket():
    """A mask that is to be entered, and the learner that it keeps at `DENSITY`."""
    learner, task = build()
    entries = masks.prunable(learner, task.pruning)
    mask = masks.uniform(entries, round(DENSITY * sum(masks.sizes(entries).values())), torch.Generator().manual_seed(0))
    learner.load(learner.snapshot().masked(mask))
    return Attached(learner, mask), learner


def seconds(act):
    """Of this process: one thread does all, and a busy machine takes nothing from it but its caches."""
    begin = time.process_time()
    act()
    return time.process_time() - begin


def times(acts):
    """What each act takes over all rounds, in turns."""
    rounds = [[seconds(act) for act in acts] for _ in range(WARM + ROUNDS)]
    return [sum(column) for column in zip(*rounds[WARM:], strict=True)]


def told(what, ratios):
    """The mean of some ratios and its interval, printed; the interval's lower end is returned."""
    limits = interval(map(math.log, ratios))
    low, mean, high = (math.exp(each) for each in (limits.low, limits.mean, limits.high))
    print(f"\n{what}: {mean:.3f} [{low:.3f}, {high:.3f}]")  # noqa: T201  `-s` shows it
    return low


def test_an_update_against_its_arithmetic_done_bare():
    dense, masked = [], []
    for _ in range(BUILDS):
        learner, _ = build()
        attached, other = ticket()
        with attached:
            bare, *ours = times([Bare(learner).train, updates(learner), updates(other)])
        dense.append(ours[0] / bare)
        masked.append(ours[1] / bare)
    assert told("dense", dense) <= LIMIT
    assert told("ticket", masked) <= LIMIT + MASKS


def test_nodes_that_died_take_no_longer():
    """Their first moments are denormal numbers by then, with which Adam's kernel took up to 2.6 times as long."""
    found = []
    for _ in range(BUILDS):
        (learner, _), (dying, _) = build(), build()
        dying.train(1)
        with torch.no_grad():
            dying.module.hidden[0].bias[:DEAD] = -1e3
        for each in (dying.module.hidden[0].weight, dying.module.hidden[0].bias):
            dying.optimizer.state[each]["exp_avg"][:DEAD] = 1e-40
        living, dead = times([updates(learner), updates(dying)])
        assert not dying.module.hidden[0].weight.grad[:DEAD].any(), "a node is alive"
        found.append(dead / living)
    assert told("with dead nodes", found) <= 1.05
