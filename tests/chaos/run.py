"""Kills real runs at random moments, as often as asked, and tells what was lost, doubled or left behind.

    python tests/chaos/run.py --kills 1000 --seed 0

A suite of LeNets on MNIST is run again and again. While units are trained, one of these is killed (SIGKILL), in turn: a
worker, a worker with its process group, the command, the command with its process group. Then the same command goes on. At
the end of every suite its store must hold every unit once, with the digests of a run that nobody disturbed. Prints one line
for every finished suite and the sum of all as JSON; exits with 1 if anything was lost, doubled or left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from bench.runs.planning.plan import plan
from bench.store.attempt import read_record
from bench.store.claims import ATTEMPTS, CLAIM
from bench.store.integrity import verify
from bench.store.store import Store
from bench.suitefile import load_suite

SUITE = """
[[task]]
name = "vision/lenet-mnist"
scale = "smoke"
methods = ["dense", "ticket", "reinit", "random-ticket", "one-shot", "fine-tune", "snip", "rigl"]
levels = [1, 3]
seeds = "0-7"
"""
MARK = "TICKETBENCH_CHAOS_MARK"
VICTIMS = ("worker", "worker and its group", "command", "command and its group")
say = partial(print, flush=True)
PATIENCE = 120.0
"""Seconds that anything may take."""


@dataclass
class Tally:
    """What was done, and what came of it; all of the second part should be 0."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    suites: int = 0
    units: int = 0
    seconds: float = 0.0

    lost: int = 0  # records that were there before a kill and not after, or lack at the end of a suite
    doubled: int = 0  # units with more than one folder
    different: int = 0  # results other than those of the undisturbed run
    unreadable: int = 0  # records that do not parse
    conflicts: int = 0
    findings: int = 0  # of `ticketbench verify`
    orphans: int = 0  # processes that outlive their command by more than ten seconds
    attempts: int = 0  # left after the run that ended well
    stuck: int = 0  # runs that neither trained nor ended

    @property
    def killed(self) -> int:
        """How often something was killed."""
        return sum(self.kills.values())

    @property
    def faults(self) -> dict[str, int]:
        """What should be 0 and is not."""
        names = ("lost", "doubled", "different", "unreadable", "conflicts", "findings", "orphans", "attempts", "stuck")
        return {name: count for name in names if (count := getattr(self, name))}


class Run:
    """One start of the command."""

    def __init__(self, suite: Path, root: Path) -> None:
        self.root, self.mark = root, uuid.uuid4().hex
        command = [sys.executable, "-m", "bench", "run", str(suite), "--store", str(root), "--workers", "2"]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, MARK: self.mark},
            cwd=suite.parent,  # where its figures go
            process_group=0,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def training(self) -> list[Path]:
        """The folders of units that are being trained now: their process has imported torch."""
        folder = self.root / ATTEMPTS
        return [path for path in folder.glob("*") if path.is_dir() and path.suffix != CLAIM] if folder.exists() else []

    def wait_for(self, condition) -> bool:
        """Whether `condition` came true before the command ended."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and not condition():
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.005)
        return self.process.poll() is None

    def comes_further(self, units: int) -> bool:
        """Whether it has finished so many units more before the command ended, and trains another."""
        before = self.finished()
        return self.wait_for(lambda: self.finished() >= before + units and self.training())

    def finished(self) -> int:
        """Units that are in the store."""
        return sum(1 for _ in self.root.glob("vision/*/*/*/L*")) if self.root.exists() else 0

    def workers(self) -> list[int]:
        """Processes that the command has started."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        try:
            return [int(pid) for path in children for pid in path.read_text().split()]
        except OSError:
            return []

    def kill(self, victim: str, chance: random.Random) -> bool:
        """Whether there was something to kill."""
        try:
            pid = self.process.pid if victim.startswith("command") else chance.choice(self.workers())
            os.killpg(pid, signal.SIGKILL) if victim.endswith("group") else os.kill(pid, signal.SIGKILL)
        except (IndexError, OSError):
            return False
        return True

    def living(self) -> int:
        """Processes of this run that have not ended."""
        found = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                ended = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
                found += not ended and f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes()
            except OSError:
                continue
        return found

    def orphans(self) -> int:
        """Processes that live ten seconds after the command has ended."""
        end = time.monotonic() + 10
        while (count := self.living()) and time.monotonic() < end:
            time.sleep(0.02)
        return count


def results(root: Path) -> dict[str, str]:
    """Unit id -> digest, of a store that may be in the making."""
    if not root.exists():
        return {}
    return {record["unit_id"]: record["digests"]["result"] for record in Store(root).records()}


def disturbed(suite: Path, root: Path, wanted: dict[str, str], tally: Tally, chance: random.Random, kills: int) -> None:
    """Run the suite in a new store to its end, and kill something whenever it has come a little further."""
    known: dict[str, str] = {}
    while True:
        run = Run(suite, root)
        try:
            while tally.killed < kills and run.comes_further(chance.randint(1, 4)):
                time.sleep(chance.uniform(0, 1.0))
                if not run.training():
                    continue
                victim = VICTIMS[tally.killed % len(VICTIMS)]
                tally.kills[victim] += run.kill(victim, chance)
            run.wait_for(lambda: False)
        except TimeoutError:
            tally.stuck += 1
            run.process.kill()
        code = run.process.wait()
        tally.orphans += run.orphans()
        tally.unreadable += sum(read_record(folder) is None for folder in Store(root).folders())
        now = results(root)
        tally.lost += len(known.keys() - now.keys())
        known = now
        if code == 0:
            break
    tally.suites += 1
    tally.units += len(now)
    tally.lost += len(wanted.keys() - now.keys())
    tally.doubled += len(list(Store(root).folders())) - len(now)
    tally.different += sum(wanted.get(unit) != digest for unit, digest in now.items())
    tally.conflicts += len(list((root / "conflicts").glob("*")))
    tally.findings += len(verify(Store(root)))
    tally.attempts += len(list((root / ATTEMPTS).iterdir()))


def main() -> int:
    """Kill as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the stores go; a temporary folder unless given")
    asked = parser.parse_args()
    chance, tally, begun = random.Random(asked.seed), Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", dir=asked.folder) as folder:
        suite = Path(folder) / "chaos.toml"
        suite.write_text(SUITE)
        calm = Path(folder) / "calm"
        if Run(suite, calm).process.wait() != 0:
            sys.exit("the undisturbed run failed: ticketbench run tests/chaos")
        wanted = results(calm)
        assert len(wanted) == len(plan(load_suite(str(suite))).units)
        while tally.killed < asked.kills:
            disturbed(suite, Path(folder) / f"store-{tally.suites}", wanted, tally, chance, asked.kills)
            tally.seconds = time.monotonic() - begun
            say(f"{tally.killed} kills, {tally.suites} suites, faults: {tally.faults or None}")
    say(json.dumps(asdict(tally), indent=1))
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
