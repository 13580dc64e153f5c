"""Which units are asked for together."""

from __future__ import annotations

from dataclasses import dataclass

from bench.spec.method import Method
from bench.spec.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One task of a suite with the methods, levels and seeds it is run at."""

    task: Task
    methods: tuple[Method, ...]
    levels: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of tasks, methods, levels and seeds.

    Iterative chains run every round up to the highest level; other methods run at the levels listed; `dense` at 0.
    """

    name: str
    title: str
    entries: tuple[Entry, ...]
