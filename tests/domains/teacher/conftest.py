"""Students small enough for a test of the whole."""

from dataclasses import replace

import pytest
import torch

from bench.learner import State
from bench.streams import Streams
from domains.teacher import domain

TASKS = domain.tasks()


class World:
    """Builds learners of the smoke tasks, or of variants of them."""

    def task(self, name="two-layer", **config):
        task = TASKS[f"teacher/{name}@smoke"]
        return replace(task, config={**task.config, **config})

    def build(self, name="two-layer", seed=0, *, level=0, fresh=False, width=1.0, **config):
        streams = Streams(seed, level)
        streams = streams.refreshed() if fresh else streams
        return domain.learner(self.task(name, **config), streams=streams, device="cpu", width=width)

    def taught(self, learner, *, order=None, scale=None, also=0):
        """Give a student the weights of its teacher: its nodes in another order, in other units, and some more that are silent.

        Args:
            learner: whose student has as many nodes as the teacher, and `also` more.
            order: of the teacher's nodes.
            scale: of each node: what comes in times it, what goes out by it.
            also: number of student nodes behind those of the teacher.
        """
        (below, below_bias), (above, above_bias) = learner._teacher
        nodes = len(below)
        order = torch.arange(nodes) if order is None else order
        scale = torch.ones(nodes, dtype=below.dtype) if scale is None else scale
        silent = torch.zeros(also, below.shape[1], dtype=below.dtype)
        weights = {
            "hidden1.weight": torch.cat([below[order] * scale[:, None], silent]),
            "hidden1.bias": torch.cat([below_bias[order] * scale, silent[:, 0]]),
            "output.weight": torch.cat(
                [above[:, order] / scale, torch.zeros(len(above), also, dtype=below.dtype)], dim=1
            ),
            "output.bias": above_bias,
        }
        initial = {f"initial.{name}": weight for name, weight in weights.items()}
        learner.load(State(weights=weights, buffers=initial, scalars={"trained": False}))
        return learner


@pytest.fixture(scope="session")
def world():
    return World()
