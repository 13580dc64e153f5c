"""Learning rates as a function of the step: constant, or the inverse square root with a warm-up (1706.03762)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import UnknownName

SCHEDULES = ("constant", "inverse-sqrt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The learning rate of every update.

    Args:
        rate: the highest one.
        budget: the length of a full training, in updates.
        warmup: updates of the linear rise from `start`; None holds `rate` throughout.
        start: the rate before the first update.
    """

    rate: float
    budget: int
    warmup: int | None = None
    start: float = 1e-7

    @classmethod
    def of(cls, config: Mapping[str, Any], budget: int) -> Schedule:
        """The schedule that a task's `config` describes: `schedule`, `rate`, and the `warmup` of `inverse-sqrt`.

        Raises:
            UnknownName: if there is no schedule of that name.
        """
        if config["schedule"] not in SCHEDULES:
            raise UnknownName("schedule", config["schedule"], SCHEDULES)
        warmup = config["warmup"] if config["schedule"] == "inverse-sqrt" else None
        return cls(rate=config["rate"], budget=budget, warmup=warmup)

    @property
    def is_constant(self) -> bool:
        """Whether every update has the same rate."""
        return self.warmup is None

    def at(self, step: int, origin: int = 0) -> float:
        """The rate of the update that starts at `step`, as fairseq's `inverse_sqrt` has it; beyond the budget, the last one.

        Args:
            step: updates so far.
            origin: the step at which the schedule starts; after a restart it warms up again.
        """
        if self.warmup is None:
            return self.rate
        done = min(step, self.budget - 1) - origin
        if done < self.warmup:
            return self.start + (self.rate - self.start) * done / self.warmup
        return self.rate * math.sqrt(self.warmup / done)
