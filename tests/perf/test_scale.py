"""What a suite of 100,100 units costs a drive and whoever asks how far it is, in CPU seconds: other processes take nothing from it."""

import os
import subprocess
import sys
import time

import many
import pytest

from bench.runs.planning.frontier import Frontier
from bench.runs.planning.plan import plan as make_plan
from bench.store import index
from bench.store.store import Store

TASKS = 110
UNITS = 910 * TASKS

HEAD = """
import resource, sys, time
from pathlib import Path
import many
from bench.runs.planning.frontier import Frontier
from bench.runs.overview import status
from bench.runs.planning.plan import plan
from bench.store.store import Store
made, store = plan(many.suite(int(sys.argv[2]))), Store(Path(sys.argv[1]))
"""
TAIL = """
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measured(code, root):
    """CPU seconds and MiB of a process of its own, its imports included."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HEAD + code + TAIL, str(root), str(TASKS)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    seconds, size = map(float, done.stdout.split())
    print(f"{seconds:.2f} CPU s, {size:.0f} MiB")  # noqa: T201  `-s` shows it
    return seconds, size


@pytest.fixture(scope="module")
def plan():
    return make_plan(many.suite(TASKS))


@pytest.fixture(scope="module")
def full(plan, tmp_path_factory):
    """Every unit is finished, and was already when somebody last asked."""
    store = Store(tmp_path_factory.mktemp("full") / "runs")
    store.prepare()
    many.fill(store, plan.units.values())
    time.sleep(1.5 * index.SETTLED / 1e9)
    assert len(store.finished(plan.units.values())) == UNITS
    return store.root


def test_a_plan_and_its_frontier(tmp_path):
    seconds, size = measured(f"assert len(Frontier(made, store).todo) == {UNITS}", tmp_path)
    assert seconds <= 15
    assert size <= 500


def test_finish_and_next(plan, tmp_path):
    """256 units are running all the time."""
    store, rounds, spent = Store(tmp_path / "runs"), 2000, 0.0
    store.prepare()
    frontier = Frontier(plan, store)
    running = [frontier.next() for _ in range(256)]
    for _ in range(rounds):
        unit = running.pop(0)
        many.fill(store, [unit])
        begin = time.process_time()
        frontier.finish(unit, "ok", None)
        running.append(frontier.next())
        spent += time.process_time() - begin
    assert {unit.method.name for unit in running} != {"dense"}, "children are asked for their parents' files"
    print(f"{spent / rounds * 1e3:.3f} ms")  # noqa: T201  `-s` shows it
    assert spent / rounds <= 1e-3


def test_status_of_all_finished(full):
    seconds, _ = measured("assert 'todo' not in status(made, store)", full)
    assert seconds <= 5
    assert len(index.load(full)) == UNITS


def test_status_of_ten_finished(plan, tmp_path):
    store = Store(tmp_path / "runs")
    store.prepare()
    many.fill(store, list(plan.units.values())[:10])
    seconds, _ = measured("assert 'todo' in status(made, store)", store.root)
    assert seconds <= 5
