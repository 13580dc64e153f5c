"""What stacks are worth: units per CPU second through the product, records written, against the same one by one.

The memory that is printed is right for the first case of a process: a peak that another has left hides all below it.
"""

import resource
import time
from dataclasses import replace

import pytest
import torch

from bench.registry import domain
from bench.runs.launch.worker import keep_memory
from bench.spec import Unit
from bench.tickets.methods import METHODS
from bench.tickets.units.work import Seating, work, work_in_stack

ALONE = 2
"""Units that are run one by one, before and after the stack."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_memory()
    yield
    torch.set_num_threads(before)


def units(task, count):
    """Dense units, the random tickets of as many seeds beside them: half of the weights are masked in every second seat."""
    arms = [("dense", 0), ("random-ticket", 3)]
    return [
        Unit(task=task, method=METHODS[name], level=level, seed=place // 2)
        for place in range(count)
        for name, level in (arms[place % 2],)
    ]


def seconds(act):
    begin = time.process_time()
    act()
    return time.process_time() - begin


def one_by_one(asked, root):
    for unit in asked:
        root.mkdir(exist_ok=True)
        folder = root / f"{unit.id[:10]}-{time.monotonic_ns()}"
        folder.mkdir()
        work(unit, parents={}, folder=folder)


def stacked(asked, root):
    seatings = []
    for unit in asked:
        folder = root / unit.id[:10]
        folder.mkdir()
        seatings.append(Seating(unit, {}, folder))
    for _, record in work_in_stack(seatings):
        assert record["status"] == "ok", record


@pytest.mark.parametrize(
    ("key", "budget", "seats", "least"),
    [
        ("rl/cartpole-a2c-steps@paper", 48_128, 32, 6.0),
        ("rl/cartpole-a2c-steps@paper", 48_128, 8, 3.5),
        ("rl/lunarlander-a2c-steps@quick", 10_240, 32, 2.0),
        ("rl/cartpole-ppo@quick", 4_096, 32, 3.0),
        ("teacher/two-layer@small", 3_000, 16, 5.0),
        ("teacher/two-layer@paper", 10_000, 16, 5.0),
    ],
)
def test_units_per_cpu_hour(tmp_path, key, budget, seats, least):
    task = domain(key.partition("/")[0]).tasks()[key]
    every = min(task.evaluate_every, budget)
    task = replace(task, budget=budget, evaluate_every=every, rewind_step=min(task.rewind_step, every))
    asked = units(task, seats)
    one_by_one(asked[:1], tmp_path / "warm")
    alone = seconds(lambda: one_by_one(asked[:ALONE], tmp_path / "before"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    together = seconds(lambda: stacked(asked, tmp_path))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    alone += seconds(lambda: one_by_one(asked[:ALONE], tmp_path / "after"))
    ratio = alone / (2 * ALONE) / (together / seats)
    told = f"{key}, {seats} seats: {ratio:.2f} x the units per CPU hour, {memory / seats / 1024:.1f} MiB a seat"
    print(f"\n{told}")  # noqa: T201  `-s` shows it
    assert ratio >= least, told
