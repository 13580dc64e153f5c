"""Tries for a few seconds how fast a task trains."""

from __future__ import annotations

import time

from bench.registry import domain
from bench.spec import Task
from bench.streams import Streams
from bench.tickets.protocol import evaluate

ENOUGH = 1.0
"""Seconds of training that tell its pace."""
LONGEST = 5.0
"""Seconds of training within which an agent that first fills its memory should have begun to learn."""


def trial(task: Task, *, device: str) -> dict[str, float]:
    """Train twice as long again and again, until the last time tells how fast it goes; then evaluate once.

    What is warmed up, filled and compiled at the beginning is so in none of the seconds that count.

    Returns:
        Seconds: `start` until a learner is ready, `step` of one step in the budget's unit, `evaluation` of all splits.
    """
    kind = domain(task.domain)
    kind.learner(task, streams=Streams(0), device=device)  # imports libraries, as the first unit of a worker does
    begun = time.perf_counter()
    learner = kind.learner(task, streams=Streams(0), device=device)
    learner.load(learner.snapshot())
    ready = time.perf_counter()
    chunk = 1
    while True:
        step, updates, at = learner.step, learner.updates, time.perf_counter()
        learner.train(min(step + chunk, task.budget))
        now = time.perf_counter()
        steps, seconds = learner.step - step, now - at
        is_learning = learner.updates > updates
        if learner.step >= task.budget or (seconds >= ENOUGH and is_learning) or now - ready > LONGEST:
            break
        chunk = 2 * steps
    evaluate(learner, task)
    return {"start": ready - begun, "step": seconds / steps, "evaluation": time.perf_counter() - now}
