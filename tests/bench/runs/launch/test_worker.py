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


JOBS = """
import gc
import weakref
from multiprocessing import Pipe
from types import SimpleNamespace

from bench.runs.launch import worker


class Knot:
    def __init__(self):
        self.end = self


seen, tied, kept = [], [], []


def run(job, tell):
    kept.extend([number] for number in range(50_000))
    seen.append(len(gc.get_objects()))
    tied.append(weakref.ref(Knot()))


worker.resolve, worker.run = lambda work: None, run
ours, theirs = Pipe()
for _ in range(3):
    ours.send(SimpleNamespace(work=None))
ours.close()
worker.serve(theirs, 1)
print(*seen, sum(knot() is not None for knot in tied))
"""


def test_what_a_first_job_leaves_is_not_looked_through_again_and_what_later_ones_leave_is_still_collected():
    ran = subprocess.run([sys.executable, "-c", JOBS], check=True, capture_output=True, text=True)
    first, second, third, knots = map(int, ran.stdout.split())
    assert first > 50_000
    assert 50_000 < second < first + 10_000, "its own objects, not the first job's too"
    assert third > second + 40_000
    assert knots == 0
