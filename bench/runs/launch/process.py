"""One process that trains, and what watches over it: a job may take all of it down, and nothing else."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from bench.errors import LaunchError
from bench.runs.device import CPU
from bench.runs.job import Job, Outcome, Tell
from bench.runs.launch import WorkerDied
from bench.runs.launch.child import Child
from bench.store import files

GRACE = 5.0
"""Seconds that an idle process gets to end by itself: one that is killed leaves semaphores, of which Python warns."""
TRIES = 2
"""How often a unit is given to a process that does not survive it; a stack of several once, and then each unit by itself."""
TICK = 1.0
"""Seconds between two looks at what a job takes."""
LARGEST_LOG = 64 * 2**20
"""Bytes that one job may print."""
TOLD = 4000
"""Bytes of that which are told of a process that died."""
STARVED = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""The system gives no more files, of which each worker holds four and a process may often have 1,024; or no process."""
SERVE = "bench.runs.launch.worker:serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What units may take; None: as much as there is.

    Args:
        seconds: of one unit, from its start to its record; a stack has as many for each of its units.
        memory: bytes that a process holds.
    """

    seconds: float | None = None
    memory: int | None = None

    def __bool__(self) -> bool:
        return self != Limits()

    def __str__(self) -> str:
        takes = [] if self.seconds is None else [f"takes longer than {self.seconds:g} s"]
        holds = [] if self.memory is None else [f"holds more than {_mebibytes(self.memory)}"]
        return f"a unit that {' or '.join([*takes, *holds])} fails" if self else "a unit may take what there is"


class Worker:
    """Trains job after job in a process of its own, which is started anew when a unit has killed it, or failed on a GPU.

    Args:
        threads: torch threads of the process.
        limits: what units may take.
    """

    def __init__(self, *, threads: int, limits: Limits | None = None) -> None:
        """Start nothing yet."""
        self._threads, self._limits = threads, limits or Limits()
        self._process: _Process | None = None
        self._ending = threading.Lock()
        self._is_over = False

    def train(self, job: Job, tell: Tell) -> None:
        """Train a job, and tell what comes of its units.

        Raises:
            WorkerDied: if it killed its process (a single unit: twice), or took more than it may.
            LaunchError: if the system gives no process.
        """
        tries = TRIES if len(job.parts) == 1 else 1
        for _ in range(tries):
            process = self._started()
            try:
                process.train(job, tell)
            except _Ended as error:
                times, smaller = (f", {tries} times", "") if tries > 1 else ("", " or a smaller --stack")
                hint = error.hint and error.hint + smaller
                obituary = f"{error}{times}{hint}\n\n{process.printed()}"
            except _OverLimit as error:
                raise WorkerDied(f"{error}\n\n{process.printed()}") from error
            else:
                return
            finally:
                if process.is_spent:
                    process.kill()
                    self._process = None
        raise WorkerDied(obituary)

    def _started(self) -> _Process:
        with self._ending:
            if self._is_over:
                raise WorkerDied("the run was stopped")
            if self._process is None:
                try:
                    self._process = _Process(self._threads, self._limits)
                except OSError as error:
                    if error.errno not in STARVED:
                        raise
                    raise LaunchError(
                        f"cannot start one more worker process: {files.why(error)}; try fewer --workers, or raise the limits "
                        "on open files (`ulimit -n`) and processes (`ulimit -u`)"
                    ) from error
            return self._process

    def kill(self) -> None:
        """End the process, whatever it does; what it was at is lost."""
        with self._ending:
            self._is_over = True
            if self._process:
                self._process.kill()


class _Ended(Exception):
    """The process is gone."""

    def __init__(self, code: int) -> None:
        """Say how."""
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        super().__init__(f"the worker process was {how}")
        self.hint = ": out of memory? try fewer --workers" if code == -signal.SIGKILL else ""


class _OverLimit(Exception):
    """The job took more than it may."""


class _Process:
    """A child process, what it prints, and what its jobs may take."""

    def __init__(self, threads: int, limits: Limits) -> None:
        self._limits = limits
        self.is_spent = False
        self._is_idle = True
        self._ending = threading.Lock()
        self._log = _nameless()
        self._child = Child(SERVE, threads=threads, output=self._log)
        self._watched: list[Any] = [self._child.pipe]
        if hasattr(os, "pidfd_open"):  # else its end is noticed at the next tick
            self._watched.append(os.pidfd_open(self._child.pid))
        for each in (self._log, *self._watched[1:]):
            weakref.finalize(self, os.close, each)

    def train(self, job: Job, tell: Tell) -> None:
        """Tell what comes of every unit of a job, if the process and the limits last that long."""
        self._is_idle, begun, pipe, left = False, time.monotonic(), self._child.pipe, len(job.parts)
        os.ftruncate(self._log, 0)
        try:
            pipe.send(job)
            while True:
                wait(self._watched, TICK)
                is_over = self._child.is_over  # first: what it has sent before that is still to be read
                while pipe.poll():
                    unit, told = pipe.recv()
                    left -= isinstance(told, Outcome)
                    self._is_idle = not left
                    # an error of a GPU stays with its process: every later unit would meet it, whatever that does
                    self.is_spent |= job.device != CPU and isinstance(told, Outcome) and told.status == "failed"
                    tell(unit, told)
                    if not left:
                        return
                if is_over:
                    break
                self._check(time.monotonic() - begun, len(job.parts))
        except (EOFError, OSError):
            self._wait(GRACE)  # it is ending by itself, and has its own exit code
        except BaseException:
            self.is_spent = True
            raise
        self.is_spent = True
        raise _Ended(self.kill())

    def _check(self, seconds: float, units: int) -> None:
        limit = self._limits.seconds
        if limit is not None and seconds > limit * units:
            many = f"{units} x " if units > 1 else ""
            raise _OverLimit(f"it took longer than the {many}{limit:g} s of --unit-timeout")
        if self._limits.memory is not None and (memory := resident(self._child.pid)) > self._limits.memory:
            raise _OverLimit(
                f"it held {_mebibytes(memory)}, more than the {_mebibytes(self._limits.memory)} of --unit-memory"
            )
        if os.fstat(self._log).st_size > LARGEST_LOG:
            raise _OverLimit(f"it printed more than {LARGEST_LOG // 2**20} MiB")

    def printed(self) -> str:
        """The last of what the job printed."""
        size = os.fstat(self._log).st_size
        return os.pread(self._log, TOLD, max(0, size - TOLD)).decode(errors="replace")

    def kill(self) -> int:
        """End the process, and the children that it may have left; its exit code."""
        with self._ending:
            if self._is_idle and not self._child.is_reaped:
                self._child.pipe.close()
                self._wait(GRACE)
            return self._child.kill()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._child.is_over and time.monotonic() < end:
            time.sleep(0.01)


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _nameless() -> int:
    """A file to be appended to, of which nothing is left, however its users end."""
    descriptor, path = tempfile.mkstemp(prefix="ticketbench-")
    os.unlink(path)  # noqa: PTH108  it is a string
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return descriptor


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if there is no such process, or the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
