"""What the process does that tries how fast tasks train."""

from __future__ import annotations

import json
import time
from functools import cache
from multiprocessing.connection import Connection
from typing import Protocol

import msgspec

from bench.code.named import named
from bench.runs import failure
from bench.runs.launch.child import limit_torch
from bench.spec import Task


class Trial(Protocol):
    """See `bench.tickets.units.trial.trial`."""

    def __call__(self, task: Task, *, device: str, seats: int | None) -> dict[str, float]: ...


class Asked(msgspec.Struct):
    """What a trial is asked; see `bench.runs.estimates.timing.Tried`."""

    task: Task
    seats: int | None


def serve(pipe: Connection, threads: int, device: str, name: str) -> None:
    """Try task after task, until nobody is left to send any.

    Args:
        pipe: what to try comes in as JSON; `{"timing": ...}` or `{"reason": ...}` goes out.
        threads: of torch.
        device: where to train.
        name: of what tries a task, as `package.module:function`.
    """
    while True:
        try:
            asked = msgspec.json.decode(pipe.recv_bytes(), type=Asked)
        except EOFError:
            return
        pipe.send_bytes(json.dumps(_tried(asked, device, threads, name)).encode())


@cache
def _imported(name: str) -> tuple[Trial, float]:
    """What tries a task, and the seconds that its import took, of which torch's are the most: as in every worker."""
    begun = time.perf_counter()
    trial: Trial = named(name, "trial")
    return trial, time.perf_counter() - begun


def _tried(asked: Asked, device: str, threads: int, name: str) -> dict[str, object]:
    try:
        trial, imported = _imported(name)
        limit_torch(threads)
        timing = trial(asked.task, device=device, seats=asked.seats)
        return {"timing": {**timing, "worker": imported + timing["worker"]}}
    except BaseException as error:  # noqa: BLE001  a domain may raise anything; the next task is tried
        return {"reason": failure.summary(error)}
