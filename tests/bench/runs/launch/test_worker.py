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


KEPT = """
import sys
from pathlib import Path

from bench.runs.launch.worker import give_memory_back, keep_memory


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20


if sys.argv[1] == "keep":
    keep_memory()
before = resident()
blocks = [bytearray(b"x" * 4_000_000) for _ in range(50)]
del blocks
kept = resident() - before
give_memory_back()
print(kept, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and asks glibc")
def test_what_a_unit_frees_is_kept_for_its_next_update_and_given_back_in_the_end():
    """Fifty blocks of 4 MB, each of which glibc would otherwise give back at once, and fault in again."""

    def megabytes(word):
        ran = subprocess.run([sys.executable, "-c", KEPT, word], check=True, capture_output=True, text=True)
        return tuple(map(int, ran.stdout.split()))

    kept, left = megabytes("keep")
    assert kept > 150
    assert left < 50
    assert megabytes("give")[0] < 50
