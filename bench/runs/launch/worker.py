"""The process that trains: it takes jobs from a pipe until nobody is left to send any."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection

from bench.runs.job import Job, Outcome, resolve, run
from bench.stopping import ASKING


def main() -> None:
    """Train job after job; reports and outcomes go back through the same pipe.

    Arguments of the process, after one that was used up before: the number of the pipe, of a pipe that ends with the parent,
    and of torch's threads.
    """
    pipe, life, threads = map(int, sys.argv[2:])
    for stop in ASKING:  # the parent answers: schedulers of clusters send them to every process of a job
        signal.signal(stop, lambda *_: None)
    os.register_at_fork(after_in_child=_answer_stops)
    threading.Thread(target=_die_with_parent, args=(life,), daemon=True).start()
    faulthandler.enable()
    serve(Connection(pipe), threads)


def serve(pipe: Connection, threads: int) -> None:
    """Train what comes in through the pipe; `(step, metrics)` and outcomes go out."""
    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        _limit_torch(job, threads)
        _send(pipe, run(job, report=lambda step, metrics: _send(pipe, (step, dict(metrics)))))
        give_memory_back()


def give_memory_back() -> None:
    """Return to the system what glibc keeps between living blocks: 300 MB after each LunarLander agent (measured)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _answer_stops() -> None:
    """Children that a library forks must end when it asks them to."""
    for stop in ASKING:
        signal.signal(stop, signal.SIG_DFL)


def _die_with_parent(life: int) -> None:
    os.read(life, 1)
    os.killpg(0, signal.SIGKILL)


def _limit_torch(job: Job, threads: int) -> None:
    try:
        resolve(job.work)
    except Exception:  # noqa: BLE001  the job itself meets the same error, and says so
        return
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _send(pipe: Connection, message: Outcome | tuple[int, Mapping[str, float]]) -> None:
    try:
        pipe.send(message)
    except OSError:
        os._exit(1)  # the parent is gone: that is no failure of the unit
