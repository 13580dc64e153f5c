"""The process that trains: it takes jobs from a pipe until nobody is left to send any."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path

from bench.runs.job import Job, Outcome, resolve, run


def serve(pipe: Connection, log: Path, threads: int) -> None:
    """Train job after job; reports and outcomes go back through the same pipe.

    Args:
        pipe: jobs come in; `(step, metrics)` and outcomes go out.
        log: takes what libraries print.
        threads: that torch may use.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _print_to(log)
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


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _print_to(log: Path) -> None:
    """Prints of libraries would tear the progress display apart; kept, they explain a crash."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    faulthandler.enable()


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
