"""The process that trains, between two units."""

import subprocess
import sys

import pytest

FRAGMENTED = """
from pathlib import Path

from bench.runs.launch.worker import give_memory_back


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20


large, living = [], []
for _ in range(2_000):
    large.append(bytearray(b"x" * 100_000))
    living.append(bytearray(b"x" * 1_000))
del large
before = resident()
give_memory_back()
print(before - resident(), len(living))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and asks glibc")
def test_memory_between_living_blocks_is_given_back():
    # A process of its own: what other tests left free in this one would hide the blocks.
    ran = subprocess.run([sys.executable, "-c", FRAGMENTED], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    megabytes, living = map(int, ran.stdout.split())
    assert megabytes > 100
    assert living == 2_000
