"""The processes that a test has started, known by a mark in their environment; and how long to wait for them."""

import os
import time
from pathlib import Path

import pytest

MARK = "TICKETBENCH_TEST_MARK"
"""Environment variable; processes inherit it from those that start them."""
SLOW = """
[[task]]
name = "toy/slow"
scale = "smoke"
methods = ["dense", "ticket", "reinit", "random-ticket", "lr-rewind"]
levels = [1, 4, 7]
seeds = "0-2"
"""
"""A suite that takes long enough to be disturbed."""

in_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


def living(mark):
    """Ids of the processes that were started with the mark and have not ended, children of children too."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ended = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes() and not ended:
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(set(found) - {os.getpid()})


def wait_until(condition, seconds=20):
    """Look again and again; whoever waits for too long fails."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.01)
