"""How units are trained, as typed: by which launcher, how many at once, within which limits."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import bench
from bench.errors import LaunchError, UnknownName
from bench.runs.device import check_device
from bench.runs.launch import Launcher
from bench.runs.launch.local import LocalLauncher, usual_workers
from bench.runs.launch.process import Limits
from bench.runs.planning.plan import Plan
from bench.runs.planning.stacking import Stacking
from bench.runs.progress import STYLES
from bench.verbs.arguments.request import say

LAUNCHERS = ("local", "ray", "slurm")
BELONGS = {
    "address": "ray",
    "gpus_per_unit": "ray",
    "partition": "slurm",
    "nodes": "slurm",
    "time": "slurm",
    "dry_run": "slurm",
}
"""Option -> the launcher that it is for."""
STACKS = {"auto": None, "off": 0}
"""What is said in words -> units in a stack at most; None: as many as pay."""
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])?(?:i?B)?", re.IGNORECASE)
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Where and how units are trained; which numbers come out depends on threads and device alone.

    Args:
        launcher: one of `LAUNCHERS`.
        workers: units at once; None: as many as there are cores, or room in the cluster.
        threads: torch threads of each.
        device: `cpu`, `cuda`, ...
        stack: how many units are trained together: `auto`, `off`, or at most so many.
        unit_timeout: seconds after which a unit is given up.
        unit_memory: bytes beyond which it is, as `4G`.
        address: of a Ray cluster: `auto`, `local` or `HOST:PORT`.
        gpus_per_unit: of Ray; below 1, units share one.
        partition: of Slurm.
        nodes: of Slurm.
        time: of Slurm, for each node.
        dry_run: print Slurm's script and submit nothing.
        progress: one of `STYLES`; None: what suits where it is shown.

    Raises:
        LaunchError: if options contradict each other.
        UnknownName: if there is no such launcher or progress.
    """

    launcher: str = "local"
    workers: int | None = None
    threads: int = 1
    device: str = "cpu"
    stack: str | int = "auto"
    unit_timeout: float | None = None
    unit_memory: str | None = None
    address: str | None = None
    gpus_per_unit: float | None = None
    partition: str | None = None
    nodes: int | None = None
    time: str | None = None
    dry_run: bool = False
    progress: str | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, before anything is read or trained."""
        if self.launcher not in LAUNCHERS:
            raise UnknownName("launcher", self.launcher, LAUNCHERS)
        if self.progress is not None and self.progress not in STYLES:
            raise UnknownName("progress", self.progress, STYLES)
        for option, launcher in BELONGS.items():
            if getattr(self, option) and launcher != self.launcher:
                name = _option(option)
                raise LaunchError(
                    f"{name} is for --launcher {launcher}, this is --launcher {self.launcher}: "
                    f"add --launcher {launcher}, or leave {name} out"
                )
        if self.launcher == "ray" and (self.device == "cpu") != (not self.gpus_per_unit):
            raise LaunchError(
                f"--device {self.device} with --gpus-per-unit {self.gpus_per_unit or 0:g}: units on GPUs need both "
                "(--device cuda --gpus-per-unit 1), units on CPUs neither"
            )
        for option, number in (("workers", self.workers), ("threads", self.threads)):
            if number is not None and number < 1:
                raise LaunchError(f"{_option(option)} {number}: write a number from 1 on")
        _bytes(self.unit_memory)
        _stack(self.stack)

    @property
    def limits(self) -> Limits:
        """What units may take."""
        return Limits(seconds=self.unit_timeout, memory=_bytes(self.unit_memory))

    def stacking(self, plan: Plan) -> Stacking:
        """Which units of a plan are trained together.

        Raises:
            LaunchError: if a number is asked for and nothing of the plan stacks.
        """
        stacking = Stacking(_stack(self.stack), device=self.device)
        stacking.check(unit.task for unit in plan.units.values())
        return stacking

    @property
    def team(self) -> int:
        """How many units run at once on this machine."""
        return self.workers or usual_workers(self.threads)

    def check(self) -> None:
        """Refuse a device that this machine does not have; workers on other machines find out themselves."""
        if self.launcher == "local":
            check_device(self.device)

    def launch(
        self, root: Path, *, progress: Callable[[str, int, Mapping[str, float]], None], tell: Callable[[str], None]
    ) -> Launcher:
        """The launcher; it is to be closed.

        Args:
            root: of the store.
            progress: called with (unit id, step, metrics), from any thread.
            tell: called with a line on what happens to machines, from any thread.
        """
        if self.launcher == "ray":
            from bench.runs.launch.ray import RayLauncher  # noqa: PLC0415  an extra, which takes a second to import

            return RayLauncher(
                root.absolute(),
                address=self.address or "auto",
                threads=self.threads,
                gpus_per_unit=self.gpus_per_unit or 0.0,
                workers=self.workers,
                limits=self.limits,
                progress=progress,
                say=tell,
            )
        return LocalLauncher(workers=self.team, threads=self.threads, limits=self.limits, progress=progress)

    def submit(self, words: Sequence[str], root: Path, *, name: str) -> None:
        """Give the command to Slurm, to be run on every node, and say how to follow it; or print the script alone.

        Args:
            words: the verb and its options, but for those of the execution.
            root: of the store, which every node must see.
            name: of the job.
        """
        from bench.runs.launch import slurm  # noqa: PLC0415  only this launcher needs it

        cores = self.workers * self.threads if self.workers else None
        allocation = slurm.Allocation(
            nodes=1 if self.nodes is None else self.nodes, partition=self.partition, time=self.time, cores=cores
        )
        command = [*_this_command(), *words, "--store", str(root.absolute()), *self._on_a_node()]
        text = slurm.script(command, root=root, name=name, allocation=allocation)
        if self.dry_run:
            say(text.rstrip())
            return
        job = slurm.submit(text, root=root)
        say(f"submitted as job {job} on {allocation.nodes} node{'s' * (allocation.nodes > 1)}")
        say(*slurm.advice(job, root=root))

    def _on_a_node(self) -> list[str]:
        """The options with which each node's drive trains as this execution says."""
        default = asdict(Execution(progress="plain"))
        local = {**asdict(self), **dict.fromkeys(BELONGS), "launcher": "local", "progress": "plain"}
        given = {name: value for name, value in local.items() if value and value != default[name]}
        options = [word for name, value in given.items() for word in (_option(name), f"{value}")]
        return [*options, "--launcher", "local", "--progress", "plain"]


def _this_command() -> list[str]:
    """The command line of this package, from the folder that this process is in: a `bench` there is another one."""
    is_here = Path(bench.__file__).parents[1].samefile(Path.cwd())
    return [sys.executable, *([] if is_here else ["-P"]), "-m", "bench"]


def _stack(asked: str | int) -> int | None:
    asked = str(asked)
    if asked in STACKS:
        return STACKS[asked]
    if not (asked.isascii() and asked.isdecimal() and int(asked)):
        raise LaunchError(f"--stack {asked!r}: write auto, off, or a number from 1 on")
    return int(asked)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _bytes(size: str | None) -> int | None:
    if size is None:
        return None
    match = SIZE.fullmatch(size.strip())
    if not match or not float(match[1]):
        raise LaunchError(f"--unit-memory {size!r} is no size: write 4G, 512M or a number of bytes")
    return int(float(match[1]) * 1024 ** POWERS[(match[2] or "").upper()])
