"""A run on a cluster, what is counted of it, and the same on this machine alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
import toy
from cluster import counted
from cluster.slurm import Slurm, missing

import bench
from bench.store.attempt import CONFLICTS
from bench.store.claims import ATTEMPTS
from bench.store.integrity import verify
from bench.store.store import Store

MARK = "CLUSTER_MARK"
TESTS = Path(__file__).parents[1]
SUITES = {path.stem: str(path) for path in Path(__file__).parent.glob("*.toml")}


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("cluster")


class Runs:
    """Commands on one store, and what becomes of them."""

    def __init__(self, folder):
        self.root, self.counted = folder / "runs", folder / "counted"
        self.trouble = folder / "trouble.json"
        self.counted.touch()
        self.mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            MARK: self.mark,
            toy.TROUBLE: str(self.trouble),
            counted.COUNTED: str(self.counted),
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
        }
        self._begun = []

    def command(self, suite, *options):
        return [
            *(sys.executable, "-m", "cluster.counted", "run", SUITES.get(suite, suite), "--store", str(self.root)),
            *("--progress", "plain", *options),
        ]

    def begin(self, command, env=None):
        out = self.root.parent / f"out.{len(self._begun)}"
        with out.open("wb") as file:
            process = subprocess.Popen(
                command,
                env=env or self.environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
                cwd=self.root.parent,  # Ray puts it on the path of its workers
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

    def other_code(self):
        """A path for PYTHONPATH where this package has one line more."""
        folder = self.root.parent / "other"
        shutil.copytree(Path(bench.__file__).parent, folder / "bench")
        with (folder / "bench" / "spec.py").open("a") as file:
            file.write("# another line\n")
        return os.pathsep.join([str(folder), str(TESTS)])

    def done(self):
        return len(list(Store(self.root).folders())) if (self.root / "store.json").exists() else 0

    def trainings(self):
        """Unit id -> how often it was trained to its end."""
        return Counter(self.counted.read_text().split()[::2])

    def finished(self):
        """Unit id -> how often it was trained until now, of the units that are finished."""
        done = self.digests()
        trainings = self.trainings()
        return {unit: trainings[unit] for unit in done}

    def hosts(self):
        """Hostname -> how many trainings ended there."""
        return Counter(self.counted.read_text().split()[1::2])

    def processes(self, *words):
        """Id -> command line of the processes that were started for these runs and live, and whose command holds the words."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().decode().replace("\0", " ")
            except OSError:
                continue
        return {pid: command for pid, command in found.items() if all(word in command for word in words)}

    def kill(self, *words):
        """Kill one of these processes."""
        os.kill(min(self.processes(*words)), signal.SIGKILL)

    def wait_for_the_end(self, *words, seconds=60):
        """Wait until no such process is left."""
        end = time.monotonic() + seconds
        while (left := self.processes(*words)) and time.monotonic() < end:
            time.sleep(0.05)
        assert not left

    def check(self, digests, *, before=(), lost=0):
        """Nothing is lost, nothing is doubled, nothing differs, nothing is left.

        Args:
            digests: of the units, as they must be.
            before: what `finished` said at some moment; none of these units was trained again since.
            lost: how many of the others may have been trained in vain, in the moment before they were finished.
        """
        assert self.digests() == digests
        trainings = self.trainings()
        assert {unit: trainings[unit] for unit in before} == dict(before)
        assert trainings.total() <= len(digests) + lost
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
                runs.finish(runs.command(suite, "--workers", "2" if suite == "smoke" else "8"))
                known[suite] = runs.digests()
            finally:
                runs.end()
        return known[suite]

    return digests


class Raylets:
    """A cluster of two nodes with one core each."""

    def __init__(self, environment):
        self._environment, self._process = environment, None

    def begin(self, **second):
        """Start it; the arguments are what else the second node has."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cluster.raylets", json.dumps(second)],
            env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        told = json.loads(self._process.stdout.readline())
        self.options, self.pids = ("--launcher", "ray", "--address", told["address"]), told["raylets"]

    def end(self):
        if self._process:
            with self._process.stdin, self._process.stdout:
                self._process.stdin.close()
                self._process.wait(60)


@pytest.fixture
def raylets(runs):
    raylets = Raylets(runs.environment)
    try:
        yield raylets
        runs.wait_for_the_end("bench.runs.launch")
    finally:
        raylets.end()  # agents of a node that was killed live on for a while: they end with `runs`


@pytest.fixture
def slurm(runs):
    """A cluster of two nodes with one core each."""
    if missing():
        pytest.fail(f"Slurm needs {', '.join(missing())}: see tox.ini, or leave it out with -k 'not slurm'")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        slurm = Slurm(folder, runs.environment)
        try:
            slurm.start()
            yield slurm
        finally:
            slurm.stop()
    runs.wait_for_the_end()
