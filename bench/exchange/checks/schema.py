"""Is everything of the kind that a record's own types say, and every text one that a page can print?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from bench.exchange.submission import Submission, SubmittedUnit
from bench.record import CurvePoint, Record
from bench.runs import files
from bench.runs.attempt import SPEC

LONGEST = 2_000
"""Characters of a text; the longest of the built-in tasks has a tenth of that."""
NOT_IN_NAMES = frozenset("<>&\"'`\\")
"""Characters that no parameter, metric or package is called by."""


def schema(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The record and the curve have the fields of their types, each of its kind."""
    yield from _misfits(entry.record, Record, "its record")
    yield from _misfits(entry.curve, list[CurvePoint], "its curve")
    if entry.record["spec"] != entry.unit.spec():
        yield "its spec holds more than a unit's"
    if files.read_json(entry.folder / SPEC) != entry.record["spec"]:
        yield f"its {SPEC} is not the spec of its record"


def _misfits(value: Any, kind: Any, where: str) -> Iterator[str]:
    """What in a JSON value is not of a type made of TypedDict, dict, list, Literal, unions and plain types."""
    origin = get_origin(kind)
    if kind is Any:
        yield from _unprintable(value, where)
    elif is_typeddict(kind):
        yield from _fields(value, kind, where)
    elif origin is list and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _misfits(each, get_args(kind)[0], f"{where}[{number}]")
    elif origin is dict and isinstance(value, dict):
        for key, each in value.items():
            yield from _name(key, where)
            yield from _misfits(each, get_args(kind)[1], f"{where}.{key[:80]}")
    elif origin in (Union, UnionType):
        if all(any(_misfits(value, each, where)) for each in get_args(kind)):
            yield f"{where} is {_short(value)}"
    elif not _is(value, kind):
        yield f"{where} is {_short(value)}"
    else:
        yield from _unprintable(value, where)


def _fields(value: Any, kind: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is {_short(value)}"
        return
    for name in sorted(kind.__required_keys__ - value.keys()):
        yield f"{where} lacks {name}"
    for name in sorted(value.keys() - kind.__required_keys__ - kind.__optional_keys__):
        yield f"{where} has {_short(name)}, which no record has"
    for name, each in get_type_hints(kind).items():
        if name in value:
            yield from _misfits(value[name], each, f"{where}.{name}")


def _is(value: Any, kind: Any) -> bool:
    """Whether a value that holds no others is of a kind; a bool is no number."""
    if get_origin(kind) is Literal:
        return type(value) is str and value in get_args(kind)
    if kind is float:
        return type(value) is int or (type(value) is float and math.isfinite(value))
    return type(value) is kind


def _unprintable(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, str) and (len(value) > LONGEST or not value.isprintable()):
        yield f"{where} is no printable text of at most {LONGEST} characters: {_short(value)}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is {_short(value)}"
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _unprintable(each, f"{where}[{number}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _unprintable(key, where)
            yield from _unprintable(each, f"{where}.{key[:80]}")


def _name(name: str, where: str) -> Iterator[str]:
    if not name or len(name) > LONGEST or not name.isprintable() or NOT_IN_NAMES.intersection(name):
        yield f"{where} has a name that is none: {_short(name)}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
