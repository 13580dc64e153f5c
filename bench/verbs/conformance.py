"""The verb that holds a method, or a task, to the protocol."""

from __future__ import annotations

from pathlib import Path

from bench import registry
from bench.code import brought, own
from bench.errors import SpecError, Unsupported
from bench.runs import conformance
from bench.runs.planning.plan import refusal
from bench.spec import SCALES, Method, Task
from bench.verbs.activity import activity
from bench.verbs.arguments.request import say

AT = "@"
"""Between the name of a task and its scale."""


def check(name: str, on: str, *, serve: str = conformance.SERVE) -> int:
    """Print what is wrong with a method on a task, or with a task; the exit code says whether anything is.

    Args:
        name: of a method or a task, installed or in a file.
        on: the task that a method is checked on.
        serve: see `bench.runs.conformance.findings`.
    """
    asked = _named(name)
    method, task = (asked, _task(on)) if isinstance(asked, Method) else (None, asked)
    what = task.key if method is None else f"{method.name} on {task.key}"
    if reason := registry.refusal(task):
        raise SpecError(f"{task.key}: {reason}")
    if method and (reason := refusal(task, method)):
        raise Unsupported(f"{task.key} cannot run {method.name}: {reason}; name another --task")
    with activity() as tell:
        wrong, notes = conformance.findings(
            task, method, tell=lambda doing: tell(f"checking {what}: {doing}"), serve=serve
        )
    say(*wrong, *notes, f"{what}: {len(wrong) or 'no'} finding{'s' * (len(wrong) != 1)}")
    return 1 if wrong else 0


def _named(text: str) -> Method | Task:
    name = text.partition(AT)[0].partition(registry.SOURCE)[0]
    is_method = isinstance(own.load(name, Path())[0], Method) if own.is_own(name) else "/" not in name
    return brought.method(text, Path()) if is_method else _task(text)


def _task(text: str) -> Task:
    name, _, scale = text.partition(AT)
    return brought.task(name, scale or None, Path()) if own.is_own(name) else registry.task(name, scale or SCALES[0])
