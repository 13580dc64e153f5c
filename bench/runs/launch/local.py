"""Units on the cores of this machine: a persistent process for each worker."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from math import inf
from pathlib import Path

from bench.runs.job import Job, Outcome
from bench.runs.launch import Progress
from bench.runs.launch.futures import Futures
from bench.runs.launch.process import Limits, Worker

FILES, SPARE = 4, 200
"""Open files of each worker, in this process; and of all else."""


CGROUP = Path("/sys/fs/cgroup")
QUOTAS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
"""Files, of version 2 and of version 1, with the time that a container may compute in a time, in microseconds."""


def usable_cores() -> int:
    """How many cores this process may run on; in a container that gets the time of fewer than it sees, as many."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(cores, granted_cores())))


def usual_workers(threads: int) -> int:
    """How many workers of so many threads the cores have room for: one at least."""
    return max(1, usable_cores() // threads)


def granted_cores() -> float:
    """How many cores' time a container gets: what `docker run --cpus` and limits of Kubernetes say; infinite without."""
    for names in QUOTAS:
        with suppress(OSError, ValueError):  # no such file, or `max`
            quota, period = map(float, " ".join((CGROUP / name).read_text() for name in names).split())
            if quota > 0:  # -1: all
                return quota / period
    return inf


def allow_files(count: int) -> None:
    """Let this process have so many files open, as far as the system lets it: 1,024 are often too few for 250 workers."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now not in (most, resource.RLIM_INFINITY) and now < count:
        with suppress(OSError, ValueError):  # macOS has another limit besides
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (count if most == resource.RLIM_INFINITY else min(count, most), most)
            )


class LocalLauncher:
    """Trains on this machine.

    Args:
        workers: processes; the number of usable cores unless given.
        threads: torch threads of each.
        limits: what one unit may take.
        progress: called from several threads.
    """

    def __init__(
        self, *, workers: int | None = None, threads: int = 1, limits: Limits | None = None, progress: Progress
    ) -> None:
        """Start nothing yet: processes start with their first job."""
        self.workers = workers or usual_workers(threads)
        allow_files(FILES * self.workers + SPARE)
        self._threads, self._limits, self._progress = threads, limits, progress
        self._pool = ThreadPoolExecutor(self.workers)
        self._mine = threading.local()
        self._all: list[Worker] = []
        self._is_closed = False

    def submit(self, job: Job) -> Mapping[str, Future[Outcome]]:
        """Train a job as soon as a worker is free."""
        futures = Futures(job, self._progress)
        self._pool.submit(self._train, job, futures)
        return futures.by_unit

    def _train(self, job: Job, futures: Futures) -> None:
        try:
            self._worker().train(job, futures.tell)
        except BaseException as error:  # noqa: BLE001  whoever waits for the futures meets it
            futures.fail(error)

    def _worker(self) -> Worker:
        if not hasattr(self._mine, "worker"):
            self._mine.worker = Worker(threads=self._threads, limits=self._limits)
            self._all.append(self._mine.worker)
            if self._is_closed:
                self._mine.worker.kill()
        worker: Worker = self._mine.worker
        return worker

    def close(self) -> None:
        """Kill every worker; what they were at is lost, and the next run begins it anew."""
        self._is_closed = True
        for worker in self._all:
            worker.kill()
        self._pool.shutdown(cancel_futures=True)
