"""Tries for a few seconds how fast a task trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bench.doors import StacksUnits
from bench.learner import Learner
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
        `evaluation` of all splits; `worker` until there was a first learner, of all units together.
    """
    entered = time.perf_counter()
    _make(task, device, seats)  # imports libraries, as the first unit of a worker does
    begun = time.perf_counter()
    learners, train = _make(task, device, seats)
    for each in learners:
        each.load(each.snapshot())
    ready = time.perf_counter()
    count, chunk, is_warm = len(learners), 1, False
    while True:
        step, updates, at = _sums(learners), learners[0].updates, time.perf_counter()
        train(min(max(each.step for each in learners) + chunk, task.budget))
        now = time.perf_counter()
        steps, seconds = _sums(learners) - step, now - at
        is_learning = learners[0].updates > updates
        is_over = max(each.step for each in learners) >= task.budget
        has_begun = all(each.step for each in learners)  # steps may be episodes, of which the first take long
        is_told = is_warm and is_learning and seconds >= ENOUGH
        if is_over or (has_begun and (is_told or now - ready > LONGEST)):
            break
        is_warm = True  # whatever the first step took was a library's import, or memory's
        chunk = max(1, 2 * steps // count)
    if task.unit == "episodes":  # those that began together end together: no part of the time tells their pace
        steps, seconds = _sums(learners), now - ready
    for each in learners:
        evaluate(each, task)
    evaluated = time.perf_counter()
    return {
        "start": (ready - begun) / count,
        "step": seconds / steps,
        "evaluation": (evaluated - now) / count,
        "worker": begun - entered,
    }


def _sums(learners: Sequence[Learner]) -> int:
    """How far all of them are together: seats whose steps are episodes take them at different times."""
    return sum(each.step for each in learners)


def _make(task: Task, device: str, seats: int | None) -> tuple[Sequence[Learner], Callable[[int], None]]:
    """Learners, and what trains all of them to a step."""
    kind = domain(task.domain)
    if seats is None:
        learner = kind.learner(task, streams=Streams(0), device=device)
        return [learner], learner.train
    assert isinstance(kind, StacksUnits)
    stack = kind.stack(task, streams=[Streams(seed) for seed in range(seats)], device=device)
    return stack.seats, lambda step: stack.train(dict.fromkeys(range(seats), step))
