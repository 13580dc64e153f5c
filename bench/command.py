"""A domain's own small command, `python -m domains...`: whatever a user does wrong is one line, and exit code `MISTAKE`."""

import sys
from collections.abc import Callable

import typer

from bench.errors import MISTAKE, TicketBenchError


def run(act: Callable[..., None], *, name: str, example: str) -> None:
    """Run a command.

    Args:
        act: its annotated arguments and docstring are what typer shows.
        name: how it is called, `python -m domains.rl.chance`.
        example: what may stand behind the name.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(epilog=f"Example: {name} {example}")(act)
    try:
        app(prog_name=name)
    except TicketBenchError as error:
        sys.stderr.write(f"ticketbench: {error}\n")
        sys.exit(MISTAKE)
