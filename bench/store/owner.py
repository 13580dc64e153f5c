"""Who works on something in a store, and whether they still live: exactly known on this machine, by a heartbeat elsewhere."""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import TypedDict

from bench.schema import Count, Name

PROC = Path("/proc")
DEAD_STATES = frozenset("ZXx")
"""Letters in `/proc/<pid>/stat` of a process that has ended, whether or not its parent has noticed."""


class Machine(TypedDict):
    """Where process ids mean the same."""

    host: Name
    boot: Name  # of the kernel since it started; `0` where there is no such id
    namespace: Name  # of process ids: two containers of one host may both have a process 7


class Owner(Machine):
    """A process, told apart from every other one on every machine that may share a store."""

    pid: Count
    started: Name  # clock ticks after the kernel's start: a pid is given again, at another time
    since: Count  # seconds since 1970, by its own clock: for people


def me() -> Owner:
    """This process, now."""
    pid = os.getpid()
    return {**_machine(), "pid": pid, "started": _started(pid) or "0", "since": int(time.time())}


def is_here(owner: Owner) -> bool:
    """Whether the owner's process can be looked at from here."""
    return {part: owner[part] for part in Machine.__annotations__} == _machine()  # type: ignore[literal-required]


def is_alive(owner: Owner) -> bool | None:
    """Whether the owner's process still runs; asks of an owner that `is_here`. None: the system shows no other user's."""
    try:
        os.kill(owner["pid"], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        if not os.access(PROC / str(owner["pid"]) / "stat", os.R_OK):  # hidepid, as on many login nodes
            return None
    started = _started(owner["pid"])
    return owner["started"] == started if started is not None else not (PROC / "self/stat").exists()


def _machine() -> Machine:
    return {"host": socket.gethostname() or "0", "boot": _boot(), "namespace": _namespace()}


@cache
def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "0"


def _namespace() -> str:
    try:
        return (PROC / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return "0"


def _started(pid: int) -> str | None:
    """When a process began, in ticks; None if there is none, it has ended, or this system does not tell."""
    try:
        # the command's name, in brackets, may hold anything
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in DEAD_STATES else fields[19]
