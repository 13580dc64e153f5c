"""Times several things turn and turn about, so that what slows the machine down slows all of them."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from bench.speed import ClockName, Spread

Key = TypeVar("Key")

SAMPLE = 0.002
"""Seconds that one look at the clock spans, at least: something faster is done several times."""
TICK = 1e-6
"""Seconds that something takes, at least, by a clock that may not have moved."""
WARM = 3
"""Times that everything is done before it is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What times something.

    Args:
        name: what its seconds are of.
        now: seconds.
        wait: returns when the device has done what it was given.
    """

    name: ClockName
    now: Callable[[], float]
    wait: Callable[[], None] = lambda: None


def clock_of(device: torch.device) -> Clock:
    """The clock for a device: that of this thread where it computes alone, since no other program slows that one down."""
    if device.type == "cuda":
        return Clock(name="wall", now=time.perf_counter, wait=lambda: torch.cuda.synchronize(device))
    if device.type == "cpu" and torch.get_num_threads() == 1:
        return Clock(name="processor", now=time.thread_time)
    return Clock(name="wall", now=time.perf_counter)


def rounds(
    things: Mapping[Key, Callable[[], object]], count: int, *, prepare: Callable[[], None], clock: Clock
) -> dict[Key, list[float]]:
    """Name -> seconds that it takes, in each of `count` rounds.

    Args:
        things: what to time; every second round goes through them from the last to the first.
        count: of rounds.
        prepare: called before each of them.
        clock: what times them.
    """
    repeats = {name: _repeats(thing, clock) for name, thing in things.items()}
    seconds: dict[Key, list[float]] = {name: [] for name in things}
    was_on = gc.isenabled()
    gc.disable()
    try:
        for number in range(count):
            prepare()
            for name in list(things)[:: -1 if number % 2 else 1]:
                seconds[name].append(_timed(things[name], repeats[name], clock))
    finally:
        if was_on:
            gc.enable()
    return seconds


def spread(numbers: Sequence[float]) -> Spread:
    """Median and quartiles."""
    low, median, high = np.quantile(numbers, (0.25, 0.5, 0.75)).tolist()
    return {"median": median, "low": low, "high": high}


def _repeats(thing: Callable[[], object], clock: Clock) -> int:
    for _ in range(WARM):
        thing()
    return max(1, math.ceil(SAMPLE / max(_timed(thing, 1, clock), TICK)))


def _timed(thing: Callable[[], object], repeats: int, clock: Clock) -> float:
    clock.wait()
    begun = clock.now()
    for _ in range(repeats):
        thing()
    clock.wait()
    return (clock.now() - begun) / repeats
