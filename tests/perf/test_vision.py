"""How fast images are trained on, and what they take, as ratios and differences within one run."""

import math
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bench.report.statistics.seeds import interval
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached
from domains.vision import datasets, domain
from domains.vision.datasets.arrays import shaped
from domains.vision.examples import examples

WARM = 2
"""Rounds before anything is measured: memory is fetched, and the optimizers make their state."""
BUILDS, ROUNDS = 7, 4
MEBIBYTE = 2**20


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def random_images(monkeypatch):
    """50,000 of them, as CIFAR-10 has."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 50_000), ("test", 1_000)):
        arrays[f"{split}-images"] = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        arrays[f"{split}-labels"] = np.arange(count) % 10
    monkeypatch.setattr(datasets, "read", lambda _name, _digest, **shape: shaped(arrays, **shape))
    examples._load.cache_clear()
    yield
    examples._load.cache_clear()


def build(key):
    """A learner that trains as long as it is asked to."""
    task = replace(domain.tasks()[key], budget=10**6)
    return domain.learner(task, streams=Streams(0), device="cpu"), task


def seconds(act):
    """Of this process: one thread does all, and a busy machine takes nothing from it but its caches."""
    begin = time.process_time()
    act()
    return time.process_time() - begin


def ratio(theirs, ours, *, rounds):
    """How many times longer theirs takes over all rounds, in which both train on as many batches, by turns first."""
    taken = {theirs: 0.0, ours: 0.0}
    for number in range(WARM + rounds):
        for act in (theirs, ours) if number % 2 else (ours, theirs):
            spent = seconds(act)
            taken[act] += spent if number >= WARM else 0.0
    return taken[theirs] / taken[ours]


class Plain:
    """The loop that anybody writes: the same network, batch and memory format, and images that are floats in memory.

    Crops are slices of a padded batch, flips one more selection.
    """

    def __init__(self, key):
        learner, task = build(key)
        config = task.config
        self._module = learner.module
        kind = getattr(torch.optim, type(learner.optimizer).__name__)
        options = {"lr": config["rate"], "weight_decay": config.get("weight_decay", 0.0)}
        if "momentum" in config:
            options["momentum"] = config["momentum"]
        self._optimizer = kind(self._module.parameters(), **options)
        train = learner._splits["train"]
        self._images, self._labels = train.at(torch.arange(len(train)))
        self._batch, self._augment = config["batch"], config.get("augment")
        self._format = learner._format
        self._order = torch.randperm(len(train))
        self._step = 0
        self._module.train()

    def train(self, updates):
        for _ in range(updates):
            self._update()

    def _update(self):
        start = self._step % (len(self._order) // self._batch) * self._batch
        rows = self._order[start : start + self._batch]
        images, labels = self._images[rows], self._labels[rows]
        if self._augment:
            images = self._augmented(images, self._augment["crop"])
        self._optimizer.zero_grad()
        loss = F.cross_entropy(self._module(images.contiguous(memory_format=self._format)), labels)
        loss.backward()
        self._optimizer.step()
        self._step += 1

    def _augmented(self, images, border):
        padded = F.pad(images, (border,) * 4)
        side = images.shape[-1]
        for index, (down, right) in enumerate(torch.randint(2 * border + 1, (len(images), 2)).tolist()):
            images[index] = padded[index, :, down : down + side, right : right + side]
        flipped = torch.rand(len(images)) < 0.5
        images[flipped] = images[flipped].flip(3)
        return images


@pytest.mark.parametrize(
    ("key", "updates"),
    [
        ("vision/slim-cifar10a@small", 20),
        ("vision/resnet20-half-16px@small", 10),
        ("vision/conv2-16px@small", 10),
        ("vision/resnet20-cifar10@paper", 2),
        ("vision/conv2-cifar10@paper", 4),
    ],
)
def test_training_is_not_slower_than_a_plain_loop(key, updates):
    """Two copies of one loop differ by up to 3 %, by where their tensors lie: so both are built anew, and the builds are the sample."""
    found = []
    for _ in range(BUILDS):
        plain, (learner, _) = Plain(key), build(key)
        found.append(
            ratio(lambda: plain.train(updates), lambda: learner.train(learner.step + updates), rounds=ROUNDS)  # noqa: B023
        )
    limits = interval(map(math.log, found))
    low, mean, high = (math.exp(each) for each in (limits.low, limits.mean, limits.high))
    told = f"{key}: {mean:.3f} [{low:.3f}, {high:.3f}] x the images per second of a plain loop"
    print(f"\n{told}")  # noqa: T201  `-s` shows it
    assert high >= 1.0, told


@pytest.mark.parametrize("key", ["vision/slim-cifar10a@small", "vision/resnet20-half-16px@small"])
def test_masking_costs_a_tenth_at_most(key):
    (dense, _), (ticket, task) = build(key), build(key)
    # A mask of ones does all the work and changes no weight, so both sides train the same network.
    with Attached(ticket, masks.ones(masks.prunable(ticket, task.pruning))):
        found = ratio(lambda: ticket.train(ticket.step + 1), lambda: dense.train(dense.step + 1), rounds=100)
    assert found <= 1.10, f"masking: {found:.3f} x the time of dense training"


def peak(program, *arguments):
    """MiB of memory that a process of its own took at most."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{PRINT}", *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024) / MEBIBYTE


PRINT = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
WORKER = """
import sys, torch
torch.set_num_threads(1)
from bench.streams import Streams
from domains.vision import domain
learner = domain.learner(domain.tasks()[sys.argv[1]], streams=Streams(0), device="cpu")
learner.train(2)
for split in learner._task.splits:
    learner.evaluate(split)
"""
WITH_CIFAR = """
import numpy as np
from domains.vision import datasets
from domains.vision.datasets import cifar
rng = np.random.default_rng(0)
def read(name, digest):
    return {f"{split}-{what}": rng.integers(0, 256 if what == "images" else 10, (count, *size), dtype=np.uint8)
        for split, count in (("train", 50_000), ("test", 10_000)) for what, size in (("images", (3, 32, 32)), ("labels", ()))}
datasets.READERS["cifar-10"] = read
"""


@pytest.mark.parametrize("key", ["vision/conv2-cifar10@paper", "vision/resnet20-cifar10@paper"])
def test_a_cifar_worker_takes_at_most_600_mebibytes_more_than_one_of_mnist(key, tmp_path, monkeypatch):
    """The first process decodes, and the second, which is measured, finds the images in the cache, as workers do."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        ours = peak(WITH_CIFAR + WORKER, key)
        mnist = peak(WORKER, "vision/lenet-mnist@paper")
    assert ours - mnist <= 600, f"{key}: {ours:.0f} MiB, MNIST {mnist:.0f} MiB"
