"""The image-classification tasks that exist. Imports no torch."""

from bench.spec import Task
from domains.vision.tasks import frankle, lenet, morcos, own, slim

BUILT_IN: dict[str, Task] = {task.key: task for task in (*lenet.TASKS, *frankle.TASKS, *morcos.TASKS, *slim.TASKS)}
"""`task.key` -> task."""


def tasks() -> dict[str, Task]:
    """`task.key` -> task, those of the user's own images included."""
    return {**BUILT_IN, **{task.key: task for task in own.tasks() if task.key not in BUILT_IN}}
