"""Axes of drawings: where a value stands, and which values are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TICKS = 6
"""Labels of an axis, at most."""

STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One axis of a drawing.

    Args:
        first: the value at its beginning.
        last: the value at its end.
        begin: where it begins, in units of the drawing.
        end: where it ends.
        log: whether it is logarithmic.
    """

    first: float
    last: float
    begin: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value stands; what lies beyond the axis stands at its end."""
        first, last, own = (
            map(math.log2, (self.first, self.last, value)) if self.log else (self.first, self.last, value)
        )
        share = min(max((own - first) / (last - first), 0.0), 1.0)
        return round(self.begin + share * (self.end - self.begin), 1)


def octaves(low: float, high: float) -> list[float]:
    """Powers of two from `low` to `high`, evenly spaced, few enough to be labelled."""
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    step = math.ceil((last - first + 1) / TICKS) or 1
    return [2.0**octave for octave in range(last, first - 1, -step)]


def decimals(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, few enough to be labelled."""
    rough = (high - low) / (TICKS - 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * each for each in STEPS if unit * each >= rough * (1 - 1e-9))
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def points(places: Sequence[tuple[float, float]]) -> str:
    """Of a line or a polygon, as SVG writes them."""
    return " ".join(f"{x:g},{y:g}" for x, y in places)
