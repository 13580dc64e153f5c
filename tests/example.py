"""All that a new domain writes: two-moons classification with batch norm, momentum, weight decay and a falling rate."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import update_bn

from bench.learner import copy_state, every_entry, mode, restore, train_to
from bench.spec import Pruning, Task

MOONS = Task(
    name="example/moons", scale="smoke", config={"rate": 0.1}, budget=40, evaluate_every=10, rewind_step=10,
    pruning=Pruning(rate=0.2, rates={"4.weight": 0.1}), metric="accuracy", tolerance=1.0, chance=50.0,
    directions={"accuracy": "max", "loss": "min"}, at=("final", "early-stop"), select="loss", constant_rate=False,
)  # fmt: skip


TURNED = replace(
    MOONS, name="example/turned", config={"rate": 0.05, "turned": True}, budget=60, evaluate_every=15, rewind_step=15
)


def moons(generator, n=64, *, turned=False):
    angle, noise = generator.uniform(0, np.pi, n), generator.normal(0, 0.2, (n, 2))
    side = np.arange(n) % 2
    points = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side) + side / 2], 1) + noise
    return torch.tensor(points[:, [1, 0]] if turned else points, dtype=torch.float32), torch.tensor(side)


class Moons:
    head = ("4.*",)

    def __init__(self, task, streams, width):
        self.task, self.streams, self.origin = task, streams, 0
        self.turned = task.config.get("turned", False)
        hidden = max(1, round(16 * width))
        self.module = nn.Sequential(
            nn.Linear(2, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.ReLU(), nn.Linear(hidden, 2)
        )
        generator = streams.torch("init")
        for layer in (self.module[0], self.module[4]):
            nn.init.xavier_normal_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)
        self.step = self.updates = 0

    def prunable(self):
        return every_entry(self.module)

    def rate(self):
        done = (self.step - self.origin) / (self.task.budget - self.origin)
        return self.task.config["rate"] * (1.0 if done < 0.5 else 0.1)

    def train(self, until):
        train_to(self, until, self.update)

    def update(self):
        x, y = moons(self.streams.numpy("data", self.step), turned=self.turned)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss = cross_entropy(self.module(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.updates += 1
        return loss.detach()

    def evaluate(self, split):
        x, y = moons(self.streams.numpy("eval", ("val", "test").index(split)), 1000, turned=self.turned)
        with mode(self.module, training=False), torch.no_grad():
            logits = self.module(x)
        accuracy = (logits.argmax(1) == y).double().mean().item()
        return {"accuracy": 100 * accuracy, "loss": cross_entropy(logits, y).item()}

    def reestimate(self):
        examples = (moons(self.streams.numpy("score", index), turned=self.turned) for index in range(4))
        update_bn(examples, self.module)

    def losses(self, n, *, temperature=1.0):
        kept = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        for index in range(n):
            x, y = moons(self.streams.numpy("score", index), turned=self.turned)
            yield cross_entropy(self.module(x) / temperature, y)
        for name, buffer in self.module.named_buffers():
            buffer.copy_(kept[name])

    def forward_ones(self):
        with mode(self.module, training=False):
            return self.module(torch.ones(1, 2, dtype=self.module[0].weight.dtype))

    def snapshot(self):
        return copy_state(self)

    def load(self, state):
        restore(self, state)


class ExampleDomain:
    """Domain with learners of class `learner_class`; broken learners are put in its place by tests."""

    forwards_ones = interpolates = True

    def __init__(self, learner_class=Moons, task=MOONS, source=TURNED):
        self.learner_class, self.task, self.source = learner_class, task, source

    def tasks(self):
        return {task.key: task for task in (self.task, self.source)}

    def network(self, task):
        return "moons"

    def outputs(self, task):
        return task.config.get("turned")

    def learner(self, task, *, streams, device, width=1.0):
        return self.learner_class(task, streams, width)


def variant(**changes):
    """MOONS with other fields."""
    return replace(MOONS, **changes)


domain = ExampleDomain()
