"""Learning rates as a function of the step: a constant, or drops or a half cosine, with a linear warm-up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import SpecError, UnknownName
from bench.spec import Task

SCHEDULES = ("constant", "step", "cosine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The learning rate of every step of a training.

    Positions are fractions of the schedule's length if below 1, and steps of the whole budget otherwise; a schedule
    that is restarted at `origin` is shrunk to the `budget - origin` steps that are left.

    Args:
        rate: the highest learning rate.
        budget: the length of a full training, in steps.
        milestones: positions at which the rate is multiplied by `gamma`.
        gamma: the factor of each drop.
        warmup: length of the linear rise to `rate` at the start, as a position.
        cosine: whether the rate falls to zero along half a cosine after the warm-up.
    """

    rate: float
    budget: int
    milestones: tuple[float, ...] = ()
    gamma: float = 0.1
    warmup: float = 0.0
    cosine: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any], budget: int) -> "Schedule":
        """The schedule that a task's `config` describes.

        Raises:
            UnknownName: if there is no schedule of that name.
            SpecError: if a constant schedule is given drops or a warm-up, or a cosine drops.
        """
        if config["schedule"] not in SCHEDULES:
            raise UnknownName("schedule", config["schedule"], SCHEDULES)
        shape = {key: config[key] for key in ("milestones", "gamma", "warmup") if key in config}
        if config["schedule"] == "constant" and shape:
            raise SpecError(f"the schedule is constant, yet has {', '.join(shape)}: drop them or write 'step'")
        cosine = config["schedule"] == "cosine"
        if cosine and shape.keys() - {"warmup"}:
            raise SpecError("the schedule is a cosine, yet has milestones or gamma: drop them or write 'step'")
        shape["milestones"] = tuple(shape.get("milestones", ()))
        return cls(rate=config["rate"], budget=budget, cosine=cosine, **shape)

    @classmethod
    def of_task(cls, task: Task) -> "Schedule":
        """The schedule of a task.

        Raises:
            UnknownName: if there is no schedule of that name.
            SpecError: if it contradicts itself, or the task calls it constant and it is not.
        """
        schedule = cls.of(task.config, task.budget)
        if task.constant_rate and not schedule.is_constant:
            raise SpecError(f"task {task.name} has constant_rate and a {task.config['schedule']} schedule: drop one")
        return schedule

    @property
    def is_constant(self) -> bool:
        """Whether every step has the same rate."""
        return not self.milestones and not self.warmup and not self.cosine

    def at(self, step: int, origin: int = 0) -> float:
        """The learning rate of the update that starts at `step`; beyond the budget, the last one.

        Args:
            step: how far training is.
            origin: the step at which the schedule starts.
        """
        length = self.budget - origin
        position = min(step - origin, length - 1)
        rate = self.rate * self.gamma ** sum(position >= self._place(each, length) for each in self.milestones)
        warmup = self._place(self.warmup, length)
        if position < warmup:
            return rate * (position + 1) / warmup
        return rate * (1 + math.cos(math.pi * (position - warmup) / (length - warmup))) / 2 if self.cosine else rate

    def _place(self, position: float, length: int) -> int:
        share = position if position < 1 else position / self.budget
        return round(share * length)
