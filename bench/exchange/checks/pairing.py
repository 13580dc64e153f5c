"""Is it what it says it is: an installed task and method, and parents of its own task, seed and level?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.digests import json_digest
from bench.exchange.submission import Submission, SubmittedUnit
from bench.spec import REPORTED_ONLY, to_json

JUDGED_BY = ("tolerance", "chance", "fewest_seeds")
"""Fields of a task outside its identity that decide verdicts."""


def definition(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Task and method are the installed ones of that name and version, field by field."""
    task, method = entry.unit.task, entry.unit.method
    known = submission.tasks.get(task.key)
    if known and known.version == task.version:
        ours, theirs = to_json(known), to_json(task)
        for name in _differing(ours, theirs, without=REPORTED_ONLY):
            yield f"its task has another {name} than {task.key} version {task.version} that is installed"
    arm = submission.methods.get(method.name)
    if arm and arm.version == method.version:
        for name in _differing(to_json(arm), to_json(method), without=("about",)):
            yield f"its method has another {name} than {method.name} version {method.version} that is installed"


def strangers(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What cannot be judged here, because it is not installed, or judged otherwise."""
    task, method = entry.unit.task, entry.unit.method
    known, arm = submission.tasks.get(task.key), submission.methods.get(method.name)
    if known is None or known.version != task.version:
        yield f"its task {task.key!a} version {task.version} is not installed here"
    else:
        for name in JUDGED_BY:
            if getattr(known, name) != getattr(task, name):
                yield f"its task has {name} {getattr(task, name)!a}, the installed one {getattr(known, name)!a}"
    if arm is None or arm.version != method.version:
        yield f"its method {method.name!a} version {method.version!a} is not installed here"


def _differing(ours: dict[str, Any], theirs: dict[str, Any], *, without: tuple[str, ...]) -> list[str]:
    # as JSON: 1, 1.0 and true are equal to Python, and give three ids
    return sorted(name for name in ours if name not in without and json_digest(ours[name]) != json_digest(theirs[name]))


def family(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Every parent is the unit that the method asks for: same task, same seed, the right method and level."""
    unit = entry.unit
    if set(unit.parents) != set(unit.method.parents):
        yield "it does not name the parents that its method needs"
    for role in unit.parents:
        parent = submission.parent(entry, role)
        if parent is None:
            continue  # said by the check of the store
        method, level = unit.method.parent_of(role, unit.level)
        asked = (unit.task, method, level, unit.seed)
        if (parent.unit.task, parent.unit.method.name, parent.unit.level, parent.unit.seed) != asked:
            yield f"its parent ({role}) is {parent.unit.label!a}, not {method} L{level} s{unit.seed} of its task"
    if (unit.level == 0) != (unit.method.name == "dense"):
        yield "only dense stands at level 0, and nowhere else"
