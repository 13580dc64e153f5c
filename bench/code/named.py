"""An object by its name `package.module:attribute`: how methods, workers and packages point at code without importing it."""

from importlib import import_module
from traceback import walk_stack
from typing import Any

from bench.errors import SpecError


def named(path: str, what: str) -> Any:
    """The object that `path` names.

    Args:
        path: `package.module:attribute`.
        what: what it is to be, for the error.

    Raises:
        SpecError: if it cannot be imported.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:
        if isinstance(error, AttributeError) and _is_running(module):
            raise SpecError(
                f"{what} {path!r} is not there yet: Python reads a file from above, so put {attribute!r}, a function too, "
                "above the line that names it, or mend the name"
            ) from error
        raise SpecError(f"{what} {path!r} cannot be imported as package.module:name ({error!r})") from error


def _is_running(module: str) -> bool:
    """Whether a module is just being imported: its own lines are among those that led here."""
    return any(
        frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == module
        for frame, _ in walk_stack(None)
    )
