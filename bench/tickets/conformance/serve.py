"""What the process does that checks for `ticketbench check`."""

from __future__ import annotations

import json
from multiprocessing.connection import Connection

from bench import registry
from bench.runs.launch.child import limit_torch
from bench.spec import method_from_json, task_from_json
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.conformance.findings import NOTE


def serve(pipe: Connection, threads: int) -> None:
    """Check one method or task.

    Args:
        pipe: what to check comes in as JSON; `{"doing": ...}` goes out again and again, and what was found in the end:
            `{"wrong": [...], "notes": [...]}`.
        threads: of torch.
    """
    limit_torch(threads)
    asked = json.loads(pipe.recv_bytes())
    for each in asked["brought"]:
        registry.bring_task(task_from_json(each))
    task = task_from_json(asked["task"])
    kind = registry.domain(task.domain)

    def tell(doing: str) -> None:
        pipe.send_bytes(json.dumps({"doing": doing}).encode())

    if asked["method"] is None:
        found = check_learner(kind, task, tell=tell)
    else:
        found = check_method(method_from_json(asked["method"]), kind, task, tell=tell)
    wrong = [str(each) for each in found if each.check != NOTE]
    notes = [str(each) for each in found if each.check == NOTE]
    pipe.send_bytes(json.dumps({"wrong": wrong, "notes": notes}).encode())
