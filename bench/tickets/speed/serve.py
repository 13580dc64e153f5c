"""What the process does that measures what sparsity is worth."""

from __future__ import annotations

import json
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.errors import TicketBenchError
from bench.runs import failure
from bench.runs.launch.child import limit_torch
from bench.tickets.speed.differences import Unequal
from bench.tickets.speed.measure import measure


def serve(pipe: Connection, threads: int, device: str, rounds: str) -> None:
    """Measure unit after unit, until nobody is left to send any.

    Args:
        pipe: folders of units come in; `{"speed": ...}`, `{"refused": why}`, `{"wrong": why}` or `{"failed": why}` goes out.
        threads: of torch.
        device: where.
        rounds: of timing.
    """
    limit_torch(threads)
    while True:
        try:
            folder = pipe.recv_bytes().decode()
        except EOFError:
            return
        pipe.send_bytes(json.dumps(_measured(Path(folder), device, int(rounds)), allow_nan=False).encode())


def _measured(folder: Path, device: str, rounds: int) -> dict[str, Any]:
    try:
        return {"speed": measure(folder, device=device, count=rounds)}
    except TicketBenchError as error:
        return {"refused": str(error)}
    except Unequal as error:
        return {"wrong": str(error)}
    except BaseException as error:  # noqa: BLE001  a domain may raise anything; the next unit is measured
        return {"failed": failure.summary(error)}
