"""The tasks that exist. Imports neither torch nor fairseq."""

from bench.spec import Task
from domains.nlp.tasks import lstms, transformers, verses


def tasks() -> dict[str, Task]:
    """`task.key` -> task, the user's own corpora included."""
    found = (*verses.TASKS, *lstms.tasks(), *transformers.paper_tasks(), *transformers.own_tasks())
    return {task.key: task for task in found}
