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


FAULTS = """
import resource
import sys

import torch

from bench.runs.launch.worker import keep_memory

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    keep_memory()


net = torch.nn.Sequential(
    torch.nn.Linear(64, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 8)
)
images = torch.ones(1024, 64)


def update():
    net.zero_grad()
    net(images).sum().backward()


for _ in range(30):
    update()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    update()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_memory_that_every_update_needs_is_not_faulted_in_again():
    """What is wanted of the heap's end grows for some updates; then a net with tensors of 4 MB faults in hardly a page."""

    def faults(word):
        ran = subprocess.run([sys.executable, "-c", FAULTS, word], check=True, capture_output=True, text=True)
        return int(ran.stdout)

    kept, given = faults("keep"), faults("give")
    assert given > 1_000, "there is nothing to keep: drop it"
    assert kept < given / 4
