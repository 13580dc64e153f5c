"""What a task of an agent may say, checked before anything is trained: keys that are read, and words that come true. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import UnknownName
from bench.spec import Task
from domains.rl.tasks import TASKS
from domains.rl.tasks.recipe import EXEMPT

KEYS = frozenset(("algorithm", "hyperparameters", "optimizer", "network", "policy", "env", "n_envs", "normalise"))
"""Read of every task."""
REWARDED = frozenset(("reward_scale", "scope", "threshold", "episode_limit"))
"""Read besides where an agent learns from rewards."""
CLONED = frozenset(("batch", "demonstrations"))
"""Read besides where it learns from demonstrations."""

WINDOW = 100
"""Training episodes in the running mean (1906.02768, appendix A: L)."""
TRAINING = {"episodes": WINDOW, "actions": "sampled"}
"""The evaluation of an agent that is scored by its training; `of` is for the reader."""
LIMITS = {
    (task.config["env"]["kind"], task.config["env"]["id"]): task.config["episode_limit"]
    for task in TASKS.values()
    if "episode_limit" in task.config
}
"""Kind and id of an environment whose limit is its own -> steps after which an episode is cut off."""


def misfit(config: Mapping[str, Any]) -> str | None:
    """What a `config` says that nothing reads, in a sentence; None if there is no such thing."""
    network = config.get("network", {})
    read = {"name", "hidden", *(("activation",) if network.get("name") == "towers" else ())}
    cloned = "demonstrations" in config
    unknown = (
        UnknownName.among("key of a config", config, KEYS | (CLONED if cloned else REWARDED))
        or UnknownName.among(f"key of the network {network.get('name')!r}", network, read)
        or (cloned and UnknownName.among("hyperparameter of cloning", config["hyperparameters"], ("learning_rate",)))
    )
    if unknown:
        return str(unknown)
    if cloned and isinstance(config["hyperparameters"]["learning_rate"], Mapping):
        return "config.hyperparameters.learning_rate falls, and cloning has no schedules: write a number"
    if cloned and config["normalise"]:
        return "config.normalise is true, and demonstrations are seen as they are: write false"
    return None


def contradiction(task: Task) -> str | None:
    """What a task says of its scores or its pruning that is not so, in a sentence; None if all is.

    Fields that only name what others decide, or what is always so, are in its id and its deviations: who sets one of them
    otherwise would read in every table of a change that was never made.
    """
    for at in task.at:
        if at.startswith("last-") and at != f"last-{WINDOW}":
            return f"at names {at}, and training is scored by its last {WINDOW} episodes: write last-{WINDOW}"
    if reason := _misplayed(task) if set(task.splits) - {"train"} else _misjudged(task):
        return reason
    scope = task.config.get("scope", "all")
    if scope not in EXEMPT:
        return str(UnknownName("pruning scope", scope, EXEMPT))
    if pruned := sorted(set(EXEMPT[scope]) - set(task.pruning.exempt)):
        return f"config.scope is {scope!r}, and {', '.join(pruned)} would be pruned: pruning.exempt decides, name them there"
    env = task.config["env"]
    limit = env.get("limit", env.get("max_episode_steps", LIMITS.get((env["kind"], env["id"]))))
    if limit and (told := task.config.get("episode_limit", limit)) != limit:
        return f"config.episode_limit is {told:,}, and the environment cuts off an episode after {limit:,} steps: write that"
    return None


def _misjudged(task: Task) -> str | None:
    """The same of who is scored by training alone."""
    for name, value in task.evaluation.items():
        if name != "of" and TRAINING.get(name) != value:
            return (
                f"evaluation.{name} is {value!r}, and the score is that of the last {WINDOW} episodes of training, whose "
                "actions are sampled: leave it, or evaluate fresh episodes, of the split test"
            )
    return None


def _misplayed(task: Task) -> str | None:
    """How fresh episodes cannot be played."""
    for name in ("episodes", "n_envs"):
        value = task.evaluation.get(name)
        if type(value) is not int or value < 1:
            return f"evaluation.{name} is {value!r}: fresh episodes are played, write a whole number above 0"
    if type(value := task.evaluation.get("deterministic")) is not bool:
        return f"evaluation.deterministic is {value!r}: fresh episodes are played, write true or false"
    return None
