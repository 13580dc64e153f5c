"""What `bench.tickets.units.work.work_in_stack` is asked; imported by those who ask, so without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from bench.spec import Role, Unit


class Seating(NamedTuple):
    """One unit of a stack: what `work` is asked of one that is trained by itself."""

    unit: Unit
    parents: Mapping[Role, Path]
    folder: Path
    report: Callable[[int, Mapping[str, float]], None] | None = None
