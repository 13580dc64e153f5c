"""Tries for a few seconds how fast a task trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bench.learner import Learner, StacksUnits
from bench.registry import domain
from bench.spec import Task
from bench.streams import Streams
from bench.tickets.protocol import evaluate

ENOUGH = 1.0
"""Seconds of training that tell its pace."""
LONGEST = 5.0
"""Seconds of training within which an agent that first fills its memory should have begun to learn."""


def trial(task: Task, *, device: str, seats: int | None = None) -> dict[str, float]:
    """Train twice as long again and again, until the last time tells how fast it goes; then evaluate once.

    What is warmed up, filled and compiled at the beginning is so in none of the seconds that count.

    Args:
        task: what is trained.
        device: `cpu`, `cuda`, ...
        seats: units in a stack; None: one unit without.

    Returns:
        Seconds, in a stack the share of one unit: `start` until a learner is ready, `step` of one step in the budget's unit,
        `evaluation` of all splits.
    """
    _make(task, device, seats)  # imports libraries, as the first unit of a worker does
    begun = time.perf_counter()
    learners, train = _make(task, device, seats)
    for each in learners:
        each.load(each.snapshot())
    ready = time.perf_counter()
    learner, chunk = learners[0], 1
    while True:
        step, updates, at = learner.step, learner.updates, time.perf_counter()
        train(min(step + chunk, task.budget))
        now = time.perf_counter()
        steps, seconds = learner.step - step, now - at
        is_learning = learner.updates > updates
        if learner.step >= task.budget or (seconds >= ENOUGH and is_learning) or now - ready > LONGEST:
            break
        chunk = 2 * steps
    for each in learners:
        evaluate(each, task)
    taken = {"start": ready - begun, "step": seconds / steps, "evaluation": time.perf_counter() - now}
    return {name: value / len(learners) for name, value in taken.items()}


def _make(task: Task, device: str, seats: int | None) -> tuple[Sequence[Learner], Callable[[int], None]]:
    """Learners, and what trains all of them to a step."""
    kind = domain(task.domain)
    if seats is None:
        learner = kind.learner(task, streams=Streams(0), device=device)
        return [learner], learner.train
    assert isinstance(kind, StacksUnits)
    stack = kind.stack(task, streams=[Streams(seed) for seed in range(seats)], device=device)
    return stack.seats, lambda step: stack.train(dict.fromkeys(range(seats), step))
