"""The process that tries how fast tasks train."""

from __future__ import annotations

import json
import signal
import sys
from multiprocessing.connection import Connection
from typing import Protocol

import msgspec

from bench.named import named
from bench.runs import failure
from bench.spec import Task

PATIENCE = 600
"""Seconds after which the process ends a trial, and itself, whether or not somebody still waits for it."""


class Trial(Protocol):
    """See `bench.tickets.units.trial.trial`."""

    def __call__(self, task: Task, *, device: str) -> dict[str, float]: ...


def main() -> None:
    """Try task after task, until nobody is left to send any.

    Arguments of the process, after one that was used up before: the number of a pipe, the device, torch's threads, and
    what tries a task, as `package.module:function`.
    """
    pipe, device, threads, name = Connection(int(sys.argv[2])), *sys.argv[3:]
    while True:
        try:
            task = msgspec.json.decode(pipe.recv_bytes(), type=Task)
        except EOFError:
            return
        signal.alarm(PATIENCE)
        pipe.send_bytes(json.dumps(_tried(task, device, int(threads), name)).encode())


def _tried(task: Task, device: str, threads: int, name: str) -> dict[str, object]:
    try:
        trial: Trial = named(name, "trial")
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        return {"timing": trial(task, device=device)}
    except BaseException as error:  # noqa: BLE001  a domain may raise anything; the next task is tried
        return {"reason": failure.summary(error)}
