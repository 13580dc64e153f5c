"""Python files of the user's own: what a suite or a command names as `mine.py:name` is imported, and nothing else ever is.

No record, archive or ticket file leads here. A file's folder goes behind everything else on `sys.path`, which worker processes
are given, so that its objects have the names `mine:name` everywhere and nothing that is installed changes its meaning.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.digests import file_digest
from bench.errors import SpecError, TicketBenchError, UnknownName

NAMED = re.compile(r"(?P<file>.*\.py):(?P<name>[^\W\d]\w*)")
REFERENCE = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):[^\W\d]\w*")
"""How columns name functions: `mine:moved`."""

_folders: list[str] = []
_imported: dict[Path, dict[str, str]] = {}


def is_own(text: str) -> bool:
    """Whether a text names an object of a file: `mine.py:method`, `../tasks/mine.py:digits`."""
    return NAMED.fullmatch(text) is not None


def folders() -> tuple[str, ...]:
    """Where the files are that were imported: what a worker on another machine needs on its `sys.path`."""
    return tuple(_folders)


def files() -> dict[Path, str]:
    """File -> sha256, of those that were imported and what they import from beside them."""
    return {file.parent / name: digest for file, told in _imported.items() for name, digest in told.items()}


def add_folders(paths: tuple[str, ...]) -> None:
    """Let modules of these folders be imported by name, where nothing else has that name."""
    importlib.invalidate_caches()
    for path in paths:
        if path not in sys.path:
            sys.path.append(path)
        if path not in _folders:
            _folders.append(path)


def load(text: str, folder: Path) -> tuple[Any, Path]:
    """The object that `file.py:name` names, and its file.

    Args:
        text: one that `is_own`.
        folder: where a relative path starts.

    Raises:
        SpecError: in one line, if there is no such file, if it is not Python, or if it raises something.
        UnknownName: if it has no object of that name.
    """
    match = NAMED.fullmatch(text)
    assert match
    place = folder / match["file"]
    file = place.parent.resolve() / place.name
    module = _module(file)
    if not hasattr(module, match["name"]):
        known = [name for name in vars(module) if not name.startswith("_")]
        raise UnknownName(f"name of {file}", match["name"], known)
    return getattr(module, match["name"]), file


def digests(file: Path) -> dict[str, str]:
    """File -> sha256 of its bytes: of a file that was loaded, and of all beside it that it imports or names in a column."""
    folder, left = file.parent, [file]
    found: dict[str, str] = {}
    while left:
        path = left.pop()
        name = path.relative_to(folder).as_posix()
        if name not in found:
            found[name] = file_digest(path)
            package = path.parent.relative_to(folder).parts
            tree = ast.parse(path.read_bytes(), filename=str(path))
            left += [each for module in _mentioned(tree, package) for each in _files(module, folder)]
    return dict(sorted(found.items()))


def check(code: Mapping[str, str]) -> None:
    """The files that would be imported here are those that the units were planned with.

    Args:
        code: what `digests` gave.

    Raises:
        SpecError: naming the first one that is not.
    """
    for name, digest in code.items():
        places = (Path(folder) / name for folder in sys.path)
        path = next((place for place in places if place.is_file()), None)
        if path is None or file_digest(path) != digest:
            where = f"{path} is another file now" if path else f"there is no {name} here"
            raise SpecError(f"{where} than the one that was planned with: let it be while it runs, then run again")


@contextmanager
def told_in_a_line(file: Path) -> Iterator[None]:
    """Whatever somebody's code raises is a mistake that they can mend: told with file and line."""
    try:
        yield
    except SyntaxError as error:
        raise SpecError(f"{error.filename or file}:{error.lineno or 1}: not Python: {error.msg}") from error
    except (Exception, SystemExit) as error:
        theirs = {str(file), *(str(file.parent / name) for name in _imported.get(file, ()))}
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in theirs]
        place = f"{own[-1].filename}:{own[-1].lineno}" if own else str(file)
        told = str(error) if isinstance(error, TicketBenchError) else f"{type(error).__name__}: {error}"
        raise SpecError(" ".join(f"{place}: {told}".split())) from error


def _module(file: Path) -> Any:
    if not file.is_file():
        raise SpecError(f"no file {file}: a path starts at the suite that names it, or where the command is typed")
    if not file.stem.isidentifier():
        raise SpecError(f"{file} cannot be imported by that name: call it by letters, digits and _")
    add_folders((str(file.parent),))
    if other := _in_the_way(file):
        raise SpecError(f"{file} has the name of another module, {other}: call it otherwise")
    with told_in_a_line(file):
        now = digests(file)
        if _imported.get(file, now) != now:
            _forget(file)
        _imported[file] = now
        return importlib.import_module(file.stem)


def _in_the_way(file: Path) -> str | None:
    """What Python would import in place of a file."""
    try:
        found = find_spec(file.stem)
    except ValueError:
        return f"the running {file.stem}"
    assert found is not None  # its folder is on the path
    origin = Path(found.origin or "")
    return None if origin.is_file() and origin.samefile(file) else str(found.origin or found.name)


def _forget(file: Path) -> None:
    """Let a file that was edited, and those that it imports, be imported again."""
    for name in _imported[file]:
        parts = Path(name).with_suffix("").parts
        sys.modules.pop(".".join(parts[:-1] if parts[-1] == "__init__" else parts), None)


def _mentioned(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Dotted names of the modules that a file imports, or names as `module:function`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*origin, each.name]) for each in node.names)
        elif isinstance(node, ast.Constant) and (match := REFERENCE.fullmatch(str(node.value))):
            yield match["module"]


def _files(module: str, folder: Path) -> list[Path]:
    """The files of a folder that are run when a module of it is imported; none if it is another's."""
    parts = module.split(".")
    places = [folder.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    found = [path for each in places for path in (each.parent / f"{each.name}.py", each / "__init__.py")]
    found = [path for path in found if path.is_file()]
    return found if found and _is_of(parts[0], folder) else []


def _is_of(name: str, folder: Path) -> bool:
    spec = find_spec(name)
    origins = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    return any(origin and Path(origin).is_relative_to(folder) for origin in origins)
