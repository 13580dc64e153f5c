"""Units on a Slurm cluster, without an engine: an array of drives that share one store.

Each element of the array is the whole command again, on a node of its own. What keeps two of them from training the same
unit is the store, so that elements may come late, be preempted, requeued and cancelled in any order.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import LaunchError

FOLDER = ".slurm"
"""Below the store: the script, and a log of each element."""
NOTICE = 60
"""Seconds before the end of its time at which an element is asked to stop."""
TIME = re.compile(r"(\d+-)?\d+(:\d\d){0,2}|infinite|UNLIMITED", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What is asked of Slurm; what is not asked here is taken from sbatch's own variables, `SBATCH_ACCOUNT` and others.

    Args:
        nodes: elements of the array, each on one node.
        partition: where; the cluster's default unless given.
        time: of each element, as Slurm writes it (`30`, `4:00:00`, `2-12`); the partition's default unless given.
        cores: of each element; a whole node unless given.

    Raises:
        LaunchError: if that can be no allocation.
    """

    nodes: int = 1
    partition: str | None = None
    time: str | None = None
    cores: int | None = None

    def __post_init__(self) -> None:
        """Refuse what sbatch would misread."""
        if self.nodes < 1:
            raise LaunchError(f"--nodes {self.nodes}: an array of drives needs at least one")
        if self.time is not None and not TIME.fullmatch(self.time):
            raise LaunchError(f"--time {self.time!r} is no time of Slurm's: write minutes, H:MM:SS or D-HH:MM:SS")


def script(command: Sequence[str], *, root: Path, name: str, allocation: Allocation, folder: Path | None = None) -> str:
    """The batch script of one run.

    Args:
        command: what every element runs.
        root: of the store.
        name: of the job.
        allocation: what is asked of Slurm.
        folder: where the command is run; here unless given.

    Raises:
        LaunchError: if a path or a name cannot stand in a script.
    """
    log = str(_place(root)).replace("%", "%%") + "/%A_%a.log"
    size = f"--cpus-per-task={allocation.cores}" if allocation.cores else "--exclusive"
    options = [
        f"--job-name={name}",
        *([f"--partition={allocation.partition}"] if allocation.partition else []),
        *([f"--time={allocation.time}"] if allocation.time else []),
        f"--array=0-{allocation.nodes - 1}",
        *("--nodes=1", "--ntasks=1", size),
        *("--requeue", "--open-mode=append", f"--signal=B:TERM@{NOTICE}"),
        f"--chdir={folder or Path.cwd()}",
        f"--output={log}",
    ]
    broken = next((option for option in options if option.splitlines() != [option]), None)
    if broken:
        raise LaunchError(f"cannot write {broken!r} into a batch script: it holds a line break")
    lines = [f"#SBATCH {shlex.quote(option)}" for option in options]
    # exec: the signals of a preemption and of the time limit reach the drive itself
    return "\n".join(["#!/bin/sh", *lines, f"exec {shlex.join(command)}", ""])


def submit(text: str, *, root: Path) -> str:
    """Give a script to sbatch.

    Args:
        text: of the script.
        root: of the store; it gets a folder for the script and the logs.

    Returns:
        The id of the job.

    Raises:
        LaunchError: if there is no sbatch here, or if it refuses.
    """
    path = _place(root) / "run.sbatch"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(["sbatch", "--parsable", str(path)], capture_output=True, text=True, check=True)  # noqa: S603, S607
    except FileNotFoundError as error:
        raise LaunchError(
            "--launcher slurm: no sbatch here; run it on a login node, or print the script with --dry-run"
        ) from error
    except OSError as error:
        raise LaunchError(f"cannot submit {path}: {error.strerror or error}") from error
    except subprocess.CalledProcessError as error:
        told = " ".join(error.stderr.split()).removeprefix("sbatch: error: ")
        raise LaunchError(f"sbatch refused {path}: {told}") from error
    return done.stdout.strip().partition(";")[0]


def advice(job: str, *, root: Path) -> list[str]:
    """How to follow a submitted job, and how to end it."""
    return [
        f"watch:  squeue --job {job}; tail -f {shlex.quote(str(_place(root)))}/{job}_*.log",
        f"cancel: scancel {job}; what is finished stays, and the same command goes on from there",
    ]


def _place(root: Path) -> Path:
    return root.absolute() / FOLDER
