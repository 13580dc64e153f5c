"""For every test: one thread, since tiny networks are nine times slower on two; and the same examples each time.

`pytest --hypothesis-profile default` looks for new ones.
"""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


def pytest_collection_modifyitems(items):
    """Files with slow tests first, so that no worker is left alone with one in the end (`--no-loadscope-reorder`)."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
