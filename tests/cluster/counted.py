"""`python -m cluster.counted run SUITE ...`: the real command, which notes every training that ends in the file COUNTED names, with the host.

Beside the installed tasks it knows `toy/second`, whose units take a second.
"""

import os
import socket
from functools import partial
from pathlib import Path

import toy

from bench import __main__, registry
from bench.verbs import training

COUNTED = "TICKETBENCH_COUNTED"
"""Environment variable, of those that a launcher hands to its workers."""
TASK = toy.task("toy/second", config={"seconds": 1.0})


class Toys:
    def tasks(self):
        return {TASK.key: TASK}


def work(unit, **rest):
    """Train as the unit's domain does, then note that it was done; a unit that is done twice is noted twice."""
    if unit.task.name == TASK.name:
        record = toy.work(unit, **rest)
        record["provenance"]["device"] = f"cuda:{os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}"
    else:
        from bench.tickets.units.work import work as real

        record = real(unit, **rest)
    with Path(os.environ[COUNTED]).open("a") as file:
        file.write(f"{unit.id} {socket.gethostname()}\n")
    return record


def trial(task, *, device):
    raise RuntimeError("nobody asks how long it takes")


def main():
    installed = registry.domains()
    registry.domains = lambda: {**installed, "toy": Toys()}
    training.run = partial(training.run, work="cluster.counted:work", trial="cluster.counted:trial")
    __main__.main()


if __name__ == "__main__":
    main()
