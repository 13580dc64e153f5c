"""Units on the cores of this machine: one persistent process per worker, each with a pipe of its own.

No queue is shared: a worker that is killed while it holds a queue's lock would stop all others.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path

from bench.runs.job import Job, Outcome
from bench.runs.launch import WorkerDied
from bench.runs.launch.worker import serve
from bench.spec import unit_id
from bench.store.attempt import ATTEMPTS, Owner

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GRACE = 5.0
"""Seconds that an idle worker gets to end by itself: one that is killed leaves semaphores, of which Python warns."""
TRIES = 2
"""How often a unit is given to a worker that does not survive it."""

Progress = Callable[[str, int, Mapping[str, float]], None]


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalLauncher:
    """Trains on this machine.

    Args:
        root: of the store; what workers print goes there.
        workers: processes; the number of usable cores unless given.
        threads: torch threads of each. Sets the thread variables of this process, which workers inherit.
        progress: called with (unit id, step, metrics), from several threads.
    """

    def __init__(self, root: Path, *, workers: int | None = None, threads: int = 1, progress: Progress) -> None:
        """Start nothing yet: workers start with their first job."""
        self.workers = workers or usable_cores()
        self._root, self._threads, self._progress = root, threads, progress
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        self._pool = ThreadPoolExecutor(self.workers, initializer=_block_interrupts)
        self._mine = threading.local()
        self._all: list[_Worker] = []
        self._is_closed = False

    def submit(self, job: Job) -> Future[Outcome]:
        """Train a job as soon as a worker is free."""
        return self._pool.submit(self._train, job)

    def _train(self, job: Job) -> Outcome:
        for _ in range(TRIES):
            worker = self._worker()
            outcome = worker.train(job, self._progress)
            if outcome:
                return outcome
            self._mine.worker, obituary = None, worker.obituary()
            worker.kill()
            if self._is_closed:
                break
        raise WorkerDied(obituary)

    def _worker(self) -> _Worker:
        if getattr(self._mine, "worker", None) is None:
            self._mine.worker = _Worker(self._root, self._threads)
            self._all.append(self._mine.worker)
            if self._is_closed:
                self._mine.worker.kill()
        worker: _Worker = self._mine.worker
        return worker

    def close(self) -> None:
        """Kill every worker; what they were at is theirs alone, and is swept away by the next run."""
        self._is_closed = True
        for worker in self._all:
            worker.kill()
        self._pool.shutdown(cancel_futures=True)


class _Worker:
    """One process, the pipe to it, and what it printed."""

    def __init__(self, root: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._log = root / ATTEMPTS / str(Owner.here("log"))
        self._ending = threading.Lock()
        self._is_idle = True
        self._pipe, theirs = context.Pipe()
        # not a daemon: those may not have children, and a domain's data loader may need some
        self._process = context.Process(target=serve, args=(theirs, self._log, threads))
        self._process.start()
        theirs.close()

    def train(self, job: Job, progress: Progress) -> Outcome | None:
        """The job's outcome, or None if the process died."""
        unit = unit_id(job.spec)
        self._is_idle = False
        try:
            self._pipe.send(job)
            while True:
                wait([self._pipe, self._process.sentinel])
                if not self._pipe.poll():
                    raise EOFError
                message = self._pipe.recv()
                if isinstance(message, Outcome):
                    self._is_idle = True
                    return message
                progress(unit, *message)
        except (EOFError, OSError):
            self._process.join()
            return None

    def obituary(self) -> str:
        """How the process ended, in one line, and the last that it printed."""
        code = self._process.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        hint = ": out of memory? try fewer --workers" if code == -signal.SIGKILL else ""
        printed = self._log.read_text(errors="replace")[-4000:] if self._log.exists() else ""
        return f"the worker process was {how}, {TRIES} times{hint}\n\n{printed}"

    def kill(self) -> None:
        with self._ending:
            if self._is_idle:
                self._pipe.close()
                self._process.join(GRACE)
            if self._process.is_alive():
                self._process.kill()
        self._log.unlink(missing_ok=True)


def _block_interrupts() -> None:
    """Processes inherit the mask of the thread that starts them: Ctrl-C never reaches a worker, not even a new one."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
