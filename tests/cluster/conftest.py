"""A run on a cluster, what is counted of it, and the same on this machine alone."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from pathlib import Path

import pytest
from cluster import counted
from cluster.slurm import Slurm, missing, wait_until

from bench.runs.plan import plan
from bench.store.attempt import CONFLICTS
from bench.store.claims import ATTEMPTS
from bench.store.integrity import verify
from bench.store.store import Store

MARK = "CLUSTER_MARK"
TESTS = Path(__file__).parents[1]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("cluster")


class Runs:
    """Commands on one store, and what becomes of them."""

    def __init__(self, folder):
        self.root, self.counted = folder / "runs", folder / "counted"
        self.counted.touch()
        self.mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            MARK: self.mark,
            counted.COUNTED: str(self.counted),
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
        }
        self._begun = []

    def command(self, suite, address=None):
        return [sys.executable, "-m", "cluster.counted", suite, str(self.root), *([address] if address else [])]

    def begin(self, command, **options):
        out = self.root.parent / f"out.{len(self._begun)}"
        with out.open("wb") as file:
            process = subprocess.Popen(
                command, env=self.environment, stdout=file, stderr=file, start_new_session=True, **options
            )
        process.told = out.read_text
        self._begun.append(process)
        return process

    def finish(self, command):
        process = self.begin(command)
        assert process.wait(200) == 0, process.told()
        return process

    def digests(self):
        return {record["unit_id"]: record["digests"]["result"] for record in Store(self.root).records()}

    def done(self):
        return len(list(Store(self.root).folders())) if (self.root / "store.json").exists() else 0

    def trainings(self):
        """Unit id -> how often it was trained to its end."""
        return Counter(self.counted.read_text().split())

    def processes(self, *words):
        """Ids of the processes that were started for these runs and live, of which the command line holds the words."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().decode().replace("\0", " ")
            except OSError:
                continue
        return [pid for pid, command in found.items() if all(word in command for word in words)]

    def check(self, digests):
        """Nothing is lost, nothing differs, nothing is left."""
        assert self.digests() == digests
        assert verify(Store(self.root)) == []
        assert not (self.root / CONFLICTS).exists()
        assert not list((self.root / ATTEMPTS).iterdir())

    def end(self):
        for process in self._begun:
            process.kill()
            process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def runs(tmp_path):
    runs = Runs(tmp_path)
    yield runs
    runs.end()


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """Suite -> digests of a run on this machine alone."""
    known = {}

    def digests(suite):
        if suite not in known:
            runs = Runs(tmp_path_factory.mktemp("alone"))
            try:
                runs.environment["WORKERS"] = "8" if suite == "toys" else "2"
                runs.finish(runs.command(suite))
                assert len(runs.digests()) == len(plan(counted.suite(suite)).units)
                known[suite] = runs.digests()
            finally:
                runs.end()
        return known[suite]

    return digests


@pytest.fixture
def raylets(runs):
    """A cluster of two nodes with one core each; address and process ids."""
    pytest.importorskip("ray")
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster.raylets"],
        env=runs.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with process.stdin, process.stdout:
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(60)
    wait_until(lambda: not runs.processes())


@pytest.fixture
def slurm(runs):
    """A cluster of two nodes with one core each."""
    if missing():
        pytest.skip(f"lacks {', '.join(missing())}")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        slurm = Slurm(folder, runs.environment)
        try:
            slurm.start()
            yield slurm
        finally:
            slurm.stop()
    wait_until(lambda: not runs.processes())
