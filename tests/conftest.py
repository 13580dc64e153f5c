"""For every test: one thread, since tiny networks are nine times slower on two; and the same examples each time.

`pytest --hypothesis-profile default` looks for new ones.
"""

import gc
import os

import pytest
from hypothesis import settings

from bench import registry

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


def pytest_configure(config):
    """To each of several workers its share of the cores: what a test runs then has as many workers of its own, not all."""
    if hasattr(config, "workerinput") and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        number, count = int(config.workerinput["workerid"][2:]), config.workerinput["workercount"]
        os.sched_setaffinity(0, cores[number::count] or cores)


def pytest_collection_modifyitems(items):
    """Files with slow tests first, so that no worker is left alone with one in the end (`--no-loadscope-reorder`)."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """Leave what was imported and collected to itself: the garbage collector would look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_brought():
    """Tasks and methods that a test's suites bring are forgotten after it."""
    known = [(brought, dict(brought)) for brought in (registry._brought_tasks, registry._brought_methods)]
    yield
    for brought, before in known:
        brought.clear()
        brought.update(before)
