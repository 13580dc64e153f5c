"""How fast a task trains on this machine, tried for a few seconds in a process of its own, and kept for the next time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from bench import cache, versions
from bench.digests import json_digest
from bench.runs.launch.child import Child
from bench.schema import Number
from bench.spec import Task, task_identity, to_json
from bench.store import files

TRIAL = "bench.tickets.units.trial:trial"
"""What tries a task; named and not imported, because only the process that does it needs torch."""
LONGEST = 60.0
"""Seconds after which a task is given up."""
SERVE = "bench.runs.estimates.trials:serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds that parts of a training take, on one worker; in a stack, the share of one unit.

    Args:
        start: until a learner is ready.
        step: in the task's budget unit.
        evaluation: of all splits.
        worker: until a new worker has imported what the task needs, and had its data once.
    """

    start: Number
    step: Number
    evaluation: Number
    worker: Number = 0.0

    def seconds(self, steps: int, evaluate_every: int) -> float:
        """Of a unit that trains so many steps."""
        return self.start + steps * self.step + steps / evaluate_every * self.evaluation


class Tried(NamedTuple):
    """What is tried."""

    task: Task
    seats: int | None = None
    """Units in the stack; None: without one."""

    @property
    def key(self) -> tuple[str, bool]:
        """Of the task, and whether in a stack."""
        return self.task.key, self.seats is not None


def timings(
    asked: Iterable[Tried],
    *,
    device: str = "cpu",
    threads: int = 1,
    trial: str = TRIAL,
    trying: Callable[[str], None],
    failed: Callable[[str], None],
) -> dict[tuple[str, bool], Timing]:
    """Try what was never tried on such a machine; what cannot be tried is left out.

    Args:
        asked: each `key` once.
        device: as units will be trained.
        threads: likewise.
        trial: `package.module:function`, given a task, a device and the number of seats.
        trying: told in one line what takes the time.
        failed: told in one line why a task is left out.

    Returns:
        Key of what was tried -> what came out.
    """
    known: dict[tuple[str, bool], Timing] = {}
    unknown = []
    for each in asked:
        kept = _read(_place(each, device, threads))
        if kept:
            known[each.key] = kept
        else:
            unknown.append(each)
    with _Trials(device, threads, trial) as trials:
        for number, each in enumerate(unknown, start=1):
            company = f" in a stack of {each.seats}" if each.seats else ""
            trying(f"trying how fast {each.task.key} trains here{company} ({number} of {len(unknown)})")
            found = trials.of(each)
            if isinstance(found, Timing):
                known[each.key] = found
                _keep(_place(each, device, threads), found)
            else:
                failed(f"how long {each.task.key} takes{company} is unknown: {found}")
    return known


class _Trials:
    """A process that tries task after task; one that hangs is ended, and the next task gets another."""

    def __init__(self, device: str, threads: int, trial: str) -> None:
        self._begin = partial(Child, SERVE, device, trial, threads=threads)
        self._child: Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def of(self, tried: Tried) -> Timing | str:
        """What came out, or in one line why nothing did."""
        self._child = self._child or self._begin()
        pipe = self._child.pipe
        try:
            pipe.send_bytes(json.dumps({"task": to_json(tried.task), "seats": tried.seats}).encode())
            if not pipe.poll(LONGEST):
                self._end()
                return f"a trial took longer than {LONGEST:.0f} s"
            told = json.loads(pipe.recv_bytes())
            return told["reason"] if "reason" in told else Timing(**told["timing"])
        except (EOFError, OSError):
            return f"its trial ended with exit code {self._end()}"

    def _end(self) -> int | None:
        """End the process, if there is one; its exit code."""
        child, self._child = self._child, None
        return child.kill() if child else None


def _place(tried: Tried, device: str, threads: int) -> Path:
    """Where a trial is kept: it holds for a task, a number of seats, a machine and an installation."""
    about: Mapping[str, object] = {
        "task": task_identity(to_json(tried.task)),
        "seats": tried.seats,
        "device": device,
        "threads": threads,
        "cpu": versions.cpu(),
        "versions": versions.code(),
    }
    return cache.folder("timings") / f"{json_digest(about)}.json"


def _read(place: Path) -> Timing | None:
    with suppress(OSError, ValueError):
        return msgspec.json.decode(files.read(place), type=Timing)
    return None


def _keep(place: Path, timing: Timing) -> None:
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        files.replace(place, files.to_text(asdict(timing)))
