"""`python -m cluster.counted run SUITE ...`: the real command, which notes every training that ends in the file COUNTED names, with the host.

Beside the installed tasks it knows `toy/second`, whose units take a second, and `toy/stack`, whose units take one in a stack.
"""

import os
import socket
from functools import partial
from pathlib import Path

import toy

from bench import __main__, registry
from bench.runs.job import Works
from bench.verbs import training

COUNTED = "TICKETBENCH_COUNTED"
"""Environment variable, of those that a launcher hands to its workers."""
TASK = toy.task("toy/second", config={"seconds": 1.0})


STACKED = toy.task("toy/stack", config={"seconds": 1.0, "seats": 4})


class Toys:
    def tasks(self):
        return {each.key: each for each in (TASK, STACKED)}

    def seats(self, task, device):
        return task.config.get("seats", "it is trained by itself")


def work(unit, **rest):
    """Train as the unit's domain does, then note that it was done; a unit that is done twice is noted twice."""
    if unit.task.domain == TASK.domain:
        record = toy.work(unit, **rest)
        record["provenance"]["device"] = f"cuda:{os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}"
    else:
        from bench.tickets.units.work import work as real

        record = real(unit, **rest)
    count(unit)
    return record


def work_in_stack(seatings, *, device):
    """The same for a stack."""
    if seatings[0].unit.task.domain == TASK.domain:
        from toy import work_in_stack as real
    else:
        from bench.tickets.units.work import work_in_stack as real
    for place, found in real(seatings, device=device):
        count(seatings[place].unit)
        yield place, found


def count(unit):
    with Path(os.environ[COUNTED]).open("a") as file:
        file.write(f"{unit.id} {socket.gethostname()}\n")


def trial(task, *, device, seats):
    raise RuntimeError("nobody asks how long it takes")


def main():
    installed = registry.domains()
    registry.domains = lambda: {**installed, "toy": Toys()}
    training.run = partial(
        training.run,
        works=Works("cluster.counted:work", "cluster.counted:work_in_stack"),
        trial="cluster.counted:trial",
    )
    __main__.main()


if __name__ == "__main__":
    main()
