"""The process that trains, between two units."""

import sys
from pathlib import Path

import pytest

from bench.runs.launch.worker import give_memory_back


def resident() -> int:
    """Megabytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and asks glibc")
def test_memory_between_living_blocks_is_given_back():
    large, living = [], []
    for _ in range(2_000):
        large.append(bytearray(100_000))
        living.append(bytearray(1_000))
    del large
    before = resident()
    give_memory_back()
    assert before - resident() > 100
    assert len(living) == 2_000
