"""Ticket Bench: one lottery-ticket protocol for vision, reinforcement learning and translation.

In scripts and notebooks: `bench.run("smoke")`; see `bench.api`. Nothing of it is imported before it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import frame, methods, results, run, suite, suites, tasks, ticket, train, unit

__version__ = "0.1.0"

__all__ = ["frame", "methods", "results", "run", "suite", "suites", "tasks", "ticket", "train", "unit"]


def __getattr__(name: str) -> Any:
    """A name of the API, when it is asked for."""
    if name in __all__:
        return getattr(import_module("bench.api"), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
