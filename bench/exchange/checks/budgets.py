"""Was it trained as long as its task says, and looked at as often?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.exchange.submission import Submission, SubmittedUnit
from bench.spec import Task, search_cost

AT_ONCE = 64
"""Episodes that parallel environments may end in one step: how far training may run past the end of a small budget."""


class Span(NamedTuple):
    """Steps between which a training must start, and end."""

    start: range
    end: range


def span(entry: SubmittedUnit) -> Span | None:
    """Where a unit's training starts and ends, in the task's budget unit; None where its method promises neither.

    Updates are exact. Agents stop at the first update boundary at or after a step, and rewind to where that was.
    """
    training, task = entry.columns.training, entry.unit.task
    steps = training.steps(task.budget, task.rewind_step)
    if training.begins is None or steps is None:
        return None
    late = slack(task)
    begin = {"start": 0, "rewind": task.rewind_step, "budget": task.budget}[training.begins]
    end = begin + steps
    if not steps:
        return Span(range(begin, begin + 1), range(begin, begin + 1))
    start = range(begin, begin + 1 + (late if training.begins == "rewind" else 0))
    return Span(start, range(end - (late if training.begins == "budget" else 0), end + late + 1))


def slack(task: Task) -> int:
    """How many steps after the one that was asked for training may stop."""
    return 0 if task.unit == "updates" else max(task.evaluate_every, task.budget // 20, AT_ONCE)


def steps(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Steps and updates are those of the whole training, as the curve tells them."""
    record, where, points = entry.record, span(entry), entry.curve
    if where is None:
        return
    if entry.diverged:
        if record["steps"] > where.end[-1] - where.start[0]:
            yield f"it diverged after {record['steps']} steps, its training has {where.end[-1] - where.start[0]}"
        return
    if not points or points[-1]["step"] not in where.end:
        yield f"its training ends at step {points[-1]['step'] if points else 0}, its budget at {where.end[0]}"
        return
    if points[-1]["step"] - record["steps"] not in where.start:
        yield f"it records {record['steps']} steps, its training has {points[-1]['step'] - where.start[0]}"
    before = points[-1]["updates"] - record["updates"]
    if before < 0 or (where.start[-1] == 0 and before):
        yield f"it records {record['updates']} updates, its curve {points[-1]['updates']}"
    if entry.unit.task.unit == "updates" and record["updates"] != record["steps"]:
        yield f"it records {record['updates']} updates in {record['steps']} steps, which are updates"


def looks(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """It was evaluated at every stop that the task asks for, and nowhere else."""
    where, task = span(entry), entry.unit.task
    if where is None:
        return
    if where.start == where.end:
        if len(entry.curve) != 1:
            yield f"its curve has {len(entry.curve)} points, and nothing is trained"
        return
    late = len(where.end) - 1
    step, updates = where.start[0], 0
    for point in entry.curve:
        stop = min(step - step % task.evaluate_every + task.evaluate_every, where.end[-1])
        if point["updates"] < updates:
            yield f"its curve has no growing numbers of updates after step {step}"
            return
        if not min(stop, where.end[0]) <= point["step"] <= stop + late or point["step"] <= step:
            yield f"its curve goes from step {step} to {point['step']}, the next evaluation is at {stop}"
            return
        step, updates = point["step"], point["updates"]


def search(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The search cost is what it and its dearest parent cost; of a transfer, what it and its source cost."""
    parents = {role: submission.parent(entry, role) for role in entry.unit.parents}
    costs = {role: parent.record["search_cost"] for role, parent in parents.items() if parent is not None}
    if costs.keys() == parents.keys() or "source" in costs:
        cost = search_cost(entry.record["updates"], costs)
        if entry.record["search_cost"] != cost:
            yield f"its search cost is {cost} updates, the record says {entry.record['search_cost']}"
