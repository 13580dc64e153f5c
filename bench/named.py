"""An object by its name `package.module:attribute`: how methods, workers and packages point at code without importing it."""

from importlib import import_module
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
        raise SpecError(f"{what} {path!r} cannot be imported as package.module:name ({error!r})") from error
