"""Code that a task of the user's own names: imported only as the very file that the task was made with.

Such a task keeps, in its `config`, the sha256 of every module that it names. They are part of a unit's id, so that an edited
file makes other units, and nothing is imported without one: a name alone, which anybody may write into a record, runs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.code import own
from bench.digests import file_digest, json_digest
from bench.errors import DataError, SpecError


def is_code(name: str) -> bool:
    """Whether it is `module:function`."""
    return ":" in name


def digests(*names: str) -> dict[str, str]:
    """Module -> sha256 of its file and those beside it that it imports, or of all Python files of a package; nothing is imported.

    Args:
        names: `module:anything`; others name no code, and are passed over.

    Raises:
        SpecError: if a module has no file.
    """
    return {module: _digest(module) for module in sorted({_module(name) for name in names if is_code(name)})}


def load(name: str, code: Mapping[str, str]) -> ModuleType:
    """The module of `module:anything`, imported now if it was not before.

    Args:
        name: what the task names.
        code: what the task has from `digests`.

    Raises:
        SpecError: if the task has no digest of it, or it cannot be imported.
        DataError: if its file is another one by now.
    """
    module = _module(name)
    if module not in code:
        raise SpecError(f"{name!r} names code without the sha256 of its file: make the task with its domain's `own`")
    if (found := _digest(module)) != code[module]:
        raise DataError(
            f"{_file(module)} is not what the task was made with: its sha256 is {found}, not {code[module]}; restore it, "
            "or start again with it as it is now"
        )
    with own.told_in_a_line(_file(module)):
        return import_module(module)


def function(name: str, code: Mapping[str, str]) -> Callable[..., Any]:
    """The function that `module:function` names; raises what `load` does."""
    module, found = load(name, code), name.partition(":")[2]
    if not callable(getattr(module, found, None)):
        raise SpecError(f"{_file(module.__name__)} has no function {found!r}: define it before the task that names it")
    called: Callable[..., Any] = getattr(module, found)
    return called


def called(name: str, code: Mapping[str, str]) -> Any:
    """What the function that `module:function` names returns, called without arguments; raises what `load` does, and SpecError if it breaks."""
    make = function(name, code)
    with own.told_in_a_line(_file(_module(name))):
        return make()


def _module(name: str) -> str:
    module, _, found = name.partition(":")
    if module.endswith(".py"):
        raise SpecError(f"{name!r} names a file: write the module, {f'{Path(module).stem}:{found}'!r}")
    return module


def _digest(module: str) -> str:
    file = _file(module)
    if file.name != "__init__.py":
        with own.told_in_a_line(file):
            return json_digest(own.digests(file))
    folder = file.parent
    return json_digest({each.relative_to(folder).as_posix(): file_digest(each) for each in folder.rglob("*.py")})


def _file(module: str) -> Path:
    """Where a module is, by what would import it: neither it nor the packages around it are run."""
    above: Any = None
    spec = None
    for name in accumulate(module.split("."), "{}.{}".format):
        spec = _spec(name, above) if name.rpartition(".")[2].isidentifier() else None
        if spec is None:
            break
        above = spec.submodule_search_locations or []  # a module that is no package has none inside
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise SpecError(f"{module!r} is no Python file in any folder of sys.path: put it beside the file that names it")
    return Path(spec.origin)


def _spec(name: str, above: Any) -> ModuleSpec | None:
    known: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    finders = (each.find_spec(name, above) for each in sys.meta_path if hasattr(each, "find_spec"))
    return known or next((found for found in finders if found), None)
