"""The tasks that exist. Imports neither torch nor stable-baselines3 nor gymnasium."""

from bench.spec import Task
from domains.rl.tasks import atari, classic, cloning, minatar, zoo

TASKS: dict[str, Task] = {
    task.key: task for task in (*classic.TASKS, *zoo.TASKS, *cloning.TASKS, *minatar.TASKS, *atari.TASKS)
}
"""`task.key` -> task."""
