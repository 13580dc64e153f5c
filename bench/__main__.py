"""The command `ticketbench`, and `python -m bench`: whatever happens, it ends with one line and a code that says it."""

import os
import signal
import sys
import traceback

from bench.errors import FULL, MISTAKE, UNREACHABLE
from bench.stopping import Stopped, stoppable

BROKEN = 70
"""A mistake of ours, as sysexits.h numbers it; never 1, which means worse, findings, or units that failed."""


def main() -> None:
    """Run the command.

    It leaves with 0, or 1 if something is worse, wrong or failed; 2 after a mistake of the user's, which one line tells;
    70 after one of ours; 128 and the signal's number if it was asked to end, or nobody reads what it prints.
    """
    with stoppable():
        try:
            from bench import cli  # noqa: PLC0415  Ctrl-C while this imports is no error

            code = cli.invoke(sys.argv[1:])
            print(end="", flush=True)  # noqa: T201  what was printed has arrived, or else that is told here
        except BaseException as error:  # noqa: BLE001  nothing may end otherwise
            code = _ended(error)
    sys.exit(code)


def _ended(error: BaseException) -> int:
    """The exit code of what ended the command, once it is told."""
    cause = _cause(error)
    try:
        return _told(cause, error)
    except OSError:  # the terminal is gone
        _close_output()
        return cause.code if isinstance(cause, Stopped) else BROKEN


def _told(cause: BaseException, error: BaseException) -> int:
    if isinstance(cause, KeyboardInterrupt):
        _print(f"ticketbench: {str(cause) or 'stopped'}")
        return cause.code if isinstance(cause, Stopped) else Stopped().code
    if isinstance(cause, BrokenPipeError):
        _close_output()
        return 128 + signal.SIGPIPE
    if isinstance(cause, OSError) and cause.errno in FULL:
        _print(f"ticketbench: no room left ({cause}): make some, then try again")
        _close_output()
        return MISTAKE
    if isinstance(cause, OSError) and cause.errno in UNREACHABLE and cause.filename is not None:
        _print(
            f"ticketbench: {cause.filename}: {cause.strerror}: name another path, or give yourself access to this one"
        )
        return MISTAKE
    traceback.print_exception(error)
    _print("ticketbench: this is a mistake in ticketbench: please report it with the text above to its issue tracker")
    return BROKEN


def _cause(error: BaseException) -> BaseException:
    """What an error is about that came while another was handled: a terminal that hung up, rich's exit from a broken pipe."""
    while isinstance(error, OSError | SystemExit) and error.__context__:
        error = error.__context__
    return error


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  the command line prints


def _close_output() -> None:
    """Python flushes at the end, and would complain about the reader who left."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nothing, stream.fileno())


if __name__ == "__main__":
    main()
