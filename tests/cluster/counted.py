"""`python -m cluster.counted SUITE STORE [ADDRESS]`: a run that notes every training that ends, in the file COUNTED names.

Without an address it trains on this machine alone. SUITE is the name of a suite, or `toys`: units that take a second.
"""

import os
import signal
import sys
from pathlib import Path

import toy

from bench import suitefile
from bench.runs.drive import drive
from bench.runs.launch.local import LocalLauncher
from bench.runs.plan import plan
from bench.store.store import Store
from bench.tickets.methods import METHODS  # noqa: F401  a unit's method is looked up there

COUNTED = "TICKETBENCH_COUNTED"
"""Environment variable, of those that a launcher hands to its workers."""
SECONDS = float(os.environ.get("SECONDS", "1"))


def suite(name):
    if name != "toys":
        return suitefile.load_suite(name)
    methods = ("dense", "ticket", "reinit", "random-ticket", "shuffled")
    return toy.suite(methods, levels=(1, 3), seeds=(0, 1), of=toy.task("toy/slow", config={"seconds": SECONDS}))


def work(unit, **rest):
    """Train as the unit's domain does, then note that it was done; a unit that is done twice is noted twice."""
    if unit.task.name.startswith("toy/"):
        record = toy.work(unit, **rest)
    else:
        from bench.tickets.units.work import work as real

        record = real(unit, **rest)
    with Path(os.environ[COUNTED]).open("a") as file:
        file.write(f"{unit.id}\n")
    return record


class Lines:
    """A watch that prints."""

    def started(self, unit):
        print("started", unit.label, flush=True)  # noqa: T201

    def ended(self, unit, outcome):
        print("ended", unit.label, outcome.status, outcome.commit, outcome.reason, flush=True)  # noqa: T201

    def stands(self, frontier):
        pass

    def waits(self, holders):
        pass


def launcher(store, address):
    if address is None:
        return LocalLauncher(workers=int(os.environ.get("WORKERS", "1")), progress=lambda *_: None)
    from bench.runs.launch.ray import RayLauncher

    said = lambda line: print("said", line, flush=True)  # noqa: E731, T201
    return RayLauncher(store.root, address=address, progress=lambda *_: None, say=said)


def main(name, root, address=None):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    store = Store(root)
    store.prepare()
    trainer = launcher(store, address)
    try:
        frontier = drive(plan(suite(name)), store, trainer, watch=Lines(), work="cluster.counted:work")
    finally:
        trainer.close()
    sys.exit(1 if frontier.failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
