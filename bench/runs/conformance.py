"""Holds a method or a task to the protocol, in a process of its own: this one needs no torch."""

from __future__ import annotations

import json
from collections.abc import Callable

from bench import registry
from bench.runs.launch.child import Child
from bench.spec import Method, Task, to_json

SERVE = "bench.tickets.conformance.serve:serve"
"""What checks; named and not imported, because only the process that does it needs torch."""


def findings(
    task: Task, method: Method | None = None, *, tell: Callable[[str], None], serve: str = SERVE
) -> tuple[list[str], list[str]]:
    """What is wrong, and what is worth a note, each in a sentence under the id of its check.

    Args:
        task: on which the method is checked; or, without one, what is checked.
        method: what is checked.
        tell: told in a few words what the process is at.
        serve: `package.module:function`, what the process does.
    """
    child = Child(serve, threads=1)
    brought = registry.brought_tasks()
    asked = {"task": task, "method": method, "brought": list(brought.values())}
    try:
        child.pipe.send_bytes(json.dumps(to_json(asked)).encode())
        tell("starting")
        while "doing" in (told := json.loads(child.pipe.recv_bytes())):
            tell(told["doing"])
    except (EOFError, OSError):
        return [f"C14: the process that checked it ended with exit code {child.kill()}"], []
    finally:
        child.kill()
    return told["wrong"], told["notes"]
