"""The tasks that exist. Imports neither torch nor stable-baselines3 nor gymnasium."""

from bench.spec import Task
from domains.rl.tasks import atari, classic, cloning, minatar, zoo
from domains.rl.tasks.recipe import declining

TASKS: dict[str, Task] = {
    task.key: declining(task) for task in (*classic.TASKS, *zoo.TASKS, *cloning.TASKS, *minatar.TASKS, *atari.TASKS)
}
"""`task.key` -> task."""
