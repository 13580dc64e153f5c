"""Measures what sparsity is worth for finished units, in a process of its own: this one needs no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.runs.launch.child import Child
from bench.schema import decode
from bench.speed import Speed

SERVE = "bench.tickets.speed.serve:serve"
"""What measures; named and not imported, because only the process that does it needs torch."""


class Told(NamedTuple):
    """What came of one unit.

    Args:
        folder: the unit's.
        speed: what was measured, or None.
        kind: `speed`; `refused` where nothing could be measured, `wrong` where sparse execution computes something else,
            `failed` where it broke.
        reason: in one line, if nothing was measured.
    """

    folder: Path
    speed: Speed | None
    kind: str
    reason: str = ""


def speeds(
    folders: Iterable[Path],
    *,
    device: str,
    threads: int,
    rounds: int,
    measuring: Callable[[Path], None],
    serve: str = SERVE,
) -> Iterator[Told]:
    """Measure one unit after another; one that takes its process down leaves the next to another.

    Args:
        folders: of finished units.
        device: where.
        threads: of torch.
        rounds: of timing.
        measuring: told which unit is next.
        serve: `package.module:function`, what the process does.
    """
    child: Child | None = None
    try:
        for folder in folders:
            measuring(folder)
            child = child or Child(serve, device, str(rounds), threads=threads)
            try:
                child.pipe.send_bytes(str(folder.absolute()).encode())
                yield _told(folder, child.pipe.recv_bytes())
            except (EOFError, OSError):
                code, child = child.kill(), None
                yield Told(folder, None, "failed", f"the process that measured it ended with exit code {code}")
    finally:
        if child:
            child.kill()


def _told(folder: Path, answer: bytes) -> Told:
    ((kind, content),) = json.loads(answer).items()
    if kind == "speed":
        return Told(folder, decode(json.dumps(content), Speed), kind)
    return Told(folder, None, kind, content)
