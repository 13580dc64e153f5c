"""Tasks and methods from files of the user's own, named as `mine.py:name` in a suite or on the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench import registry
from bench.code import own
from bench.errors import SpecError, UnknownName
from bench.spec import CODE, Method, Task


def is_own(text: str) -> bool:
    """Whether a text names a method, or an arm of a template, in a file."""
    return own.is_own(text.partition(registry.SOURCE)[0])


def method(text: str, folder: Path) -> Method:
    """The method of a name, installed or in a file of the user's own; the registry knows that one from now on.

    Where a column of it is code of that file, digests of the file are among its options, and so in the ids of its units.

    Args:
        text: `ticket`, `mine.py:name`, or the arm `mine.py:name+TASK` of a template there.
        folder: where a relative path starts.

    Raises:
        SpecError: in one line, with the file, if it is no method or cannot be had.
        UnknownName: if there is nothing of that name.
    """
    name, plus, source = text.partition(registry.SOURCE)
    if not is_own(text):
        return registry.method(text)
    found, file = own.load(name, folder)
    with own.told_in_a_line(file):
        if isinstance(found, Method) and any(":" in part for part in (found.mask, found.weights, found.training)):
            found = replace(found, options={**found.options, CODE: own.digests(file)})
        registry.bring_method(found)
        return registry.method(f"{found.name}{plus}{source}")


def task(text: str, scale: str | None, folder: Path) -> Task:
    """The task that `mine.py:name` names; the registry knows it from now on, and those of its other scales.

    Args:
        text: the name of a task, of several by scale, or of a function that gives such.
        scale: which of several.
        folder: where a relative path starts.

    Raises:
        SpecError: in one line, with the file, if it is no task or cannot be had.
        UnknownName: if the file has nothing of that name, or not that scale.
    """
    found, file = own.load(text, folder)
    with own.told_in_a_line(file):
        given = registry.each_task(found() if callable(found) else found)
        for each in given:
            registry.bring_task(each)
    by_scale = {each.scale: each for each in given}
    if len(by_scale) < len(given):
        raise SpecError(f"{text} gives several tasks of one scale: name one of them")
    if scale is None and len(given) > 1:
        raise SpecError(f"{text} gives a task of each scale, {', '.join(by_scale)}: choose one of them by its scale")
    if scale is not None and scale not in by_scale:
        raise UnknownName(f"scale of {text}", scale, by_scale)
    return given[0] if scale is None else by_scale[scale]
