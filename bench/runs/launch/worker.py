"""What the process does that trains: it takes jobs from a pipe until nobody is left to send any."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from multiprocessing.connection import Connection

from bench.errors import SpecError
from bench.runs.job import Evaluation, Job, Outcome, resolve, run
from bench.runs.launch.child import limit_torch

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT = {M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 * 2**20, M_MMAP_THRESHOLD: 32 * 2**20}
"""glibc's own numbers -> bytes; the last is the largest that it takes."""


def serve(pipe: Connection, threads: int) -> None:
    """Train what comes in through the pipe; ids of units go out, each with what is new of it: see `bench.runs.job.Tell`."""
    keep_memory()
    is_new = True
    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        with suppress(SpecError):  # the job itself meets the same error, and says so
            resolve(job.work)
        limit_torch(threads)
        run(job, tell=lambda unit, told: _send(pipe, (unit, told)))
        give_memory_back()
        if is_new:  # what it has imported stays, and every collection would look through it: 0.17 s (measured)
            gc.freeze()
            is_new = False


def keep_memory() -> None:
    """Let glibc keep what a unit frees until it ends: given back at once, every update faults the same pages in again.

    A fifth of the time of a convolutional net and of a stack (measured). Elsewhere nothing happens.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        for name, size in KEPT.items():
            option(name, size)


def give_memory_back() -> None:
    """Return to the system what glibc keeps between living blocks: 300 MB after each LunarLander agent (measured)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _send(pipe: Connection, message: tuple[str, Outcome | Evaluation]) -> None:
    try:
        pipe.send(message)
    except OSError:
        os._exit(1)  # the parent is gone: that is no failure of a unit
