"""What a command is at while it prints nothing: on standard error, so that what it prints stays what was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from bench.report.escaping import plain


@contextmanager
def activity() -> Iterator[Callable[[str], None]]:
    """Tells what is being done: on a terminal in place, until the block ends; else in a line each."""
    errors = Console(stderr=True, force_terminal=sys.stderr.isatty(), force_jupyter=False)  # there it wants widgets
    if not errors.is_terminal:
        yield say_aside
        return
    with errors.status("") as status:
        yield status.update


def say_aside(line: str) -> None:
    """A line of ours on standard error; above what is told there in place."""
    print(f"ticketbench: {plain(line)}", file=sys.stderr, flush=True)  # noqa: T201  the command line prints
