"""The image-classification tasks that exist. Imports no torch."""

from bench.spec import Task
from domains.vision.datasets.own import warn
from domains.vision.tasks import frankle, lenet, morcos, own, slim

BUILT_IN: dict[str, Task] = {task.key: task for task in (*lenet.TASKS, *frankle.TASKS, *morcos.TASKS, *slim.TASKS)}
"""`task.key` -> task."""


def tasks() -> dict[str, Task]:
    """`task.key` -> task, those of the user's own images included, but for what would pass as a built-in task."""
    taken = {task.name for task in BUILT_IN.values()}
    theirs = {task.key: task for task in own.tasks()}
    for task in theirs.values():
        if task.name in taken:
            warn(
                f"{task.name} of your own images is not listed: a built-in task has that name, so call the folder otherwise"
            )
    return {**BUILT_IN, **{key: task for key, task in theirs.items() if task.name not in taken}}
