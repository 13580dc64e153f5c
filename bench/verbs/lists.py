"""The verbs that list what is installed."""

from __future__ import annotations

from bench import registry
from bench.runs import overview
from bench.verbs.request import say


def tasks() -> None:
    """List the tasks."""
    head = ("task", "scale", "budget", "unit", "metric", "prunes", "source")
    rows = [
        (task.name, task.scale, task.budget, task.unit, task.metric, f"{task.pruning.rate:.0%} a level", task.source)
        for task in registry.tasks().values()
    ]
    say(overview.aligned([head, *rows]))


def methods() -> None:
    """List the methods."""
    arms = {
        **registry.methods(),
        **{f"{name}{registry.SOURCE}TASK": each for name, each in registry.templates().items()},
    }
    rows = [(name, each.mask, each.weights, each.training, each.about) for name, each in arms.items()]
    say(overview.aligned([("method", "mask", "weights", "training", "about"), *rows]))
