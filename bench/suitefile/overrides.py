"""A task made from another one: a few fields set otherwise, each told as a deviation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, get_type_hints

import msgspec

from bench.digests import canonical_json, json_digest
from bench.errors import SpecError, UnknownName
from bench.schema import LONGEST
from bench.spec import Pruning, Task, misfit, to_json

FIXED = ("name", "scale", "version", "data", "unit", "deviations")
"""Fields that say which task it is, or that its domain decides."""
DOMAINS_OWN = ("config", "evaluation")
"""Fields that hold what a domain needs, key by key: known are the keys that any of its tasks has."""
DIGITS = 6

HINTS = {
    name: hint for name, hint in get_type_hints(Task, include_extras=True).items() if name not in ("_identity", *FIXED)
}
SCOPE, RATES = ("pruning", "scope"), ("pruning", "rates")
PRUNING = get_type_hints(Pruning, include_extras=True)
FIELDS = tuple(HINTS)
"""What may be set."""

Path = tuple[str, ...]


class Misfit(SpecError):
    """A field that cannot be set so.

    Args:
        path: of the field; empty if no single one is at fault.
        problem: what is wrong, and what to do.
    """

    def __init__(self, path: Path, problem: str) -> None:
        """Say what is wrong with it."""
        super().__init__(problem)
        self.path = path


def derived(base: Task, changes: Mapping[str, Any], *, name: str | None, relatives: Iterable[Task]) -> Task:
    """`base` with some fields set otherwise; rates per layer that are its own go where global scope is set.

    Args:
        base: what it is made from.
        changes: field -> value; tables set what is in them and leave the rest, as `{"config": {"rate": 0.1}}` does.
        name: of the new task; without one it is the base's and six digits that follow from the changes.
        relatives: tasks of its domain, which show what may stand in `config` and `evaluation`.

    Raises:
        Misfit: if there is no such field, or no such value of it, or if the fields contradict each other.
    """
    told = to_json(base)
    leaves = dict(_leaves(changes, told, ()))
    if not leaves:
        raise Misfit((), f"nothing of {base.key} is set otherwise: name it by `name` instead, or say what is to change")
    known = [to_json(task) for task in (*relatives, base)]
    for path, value in leaves.items():
        _check(path, value, known, base)
    if leaves.get(SCOPE) == "global" and base.pruning.rates:
        leaves.setdefault(RATES, {})  # a pooled ranking has one rate
    name = name or f"{base.name}-{json_digest([[*path, value] for path, value in sorted(leaves.items())])[:DIGITS]}"
    try:
        return _made(base, leaves, name)
    except SpecError as error:
        raise Misfit(_at_fault(base, leaves, name), str(error)) from error


def _made(base: Task, leaves: Mapping[Path, Any], name: str) -> Task:
    """The base with these set, each told as a deviation.

    Raises:
        SpecError: if no task comes of it.
    """
    told = to_json(base)
    before = {path: _put(told, path, value) for path, value in leaves.items()}
    other = (path for path, value in leaves.items() if canonical_json(before[path]) != canonical_json(value))
    deviations = [_sentence(path, leaves[path], before[path]) for path in other]
    rest = [f"Otherwise as {base.key}, which says:"] if base.deviations else []
    told["name"], told["deviations"] = name, [f"Made from {base.key}.", *deviations, *rest, *base.deviations]
    try:
        return msgspec.convert(told, Task)
    except msgspec.ValidationError as error:
        raise SpecError(f"no task comes of it: {error}") from error


def _at_fault(base: Task, leaves: Mapping[Path, Any], name: str) -> Path:
    """The first field without which a task comes of the others; if there is none, the first of all."""
    for path in leaves:
        with suppress(SpecError):
            _made(base, {other: value for other, value in leaves.items() if other != path}, name)
            return path
    return next(iter(leaves))


def merged(one: Mapping[str, Any], other: Any, path: Path = ()) -> dict[str, Any]:
    """What two tables set together.

    Raises:
        Misfit: if both set the same, or one is no table.
    """
    if not isinstance(other, Mapping):
        raise Misfit(path or ("set",), f"is {other!r}: write a table of fields")
    both = dict(one)
    for key, value in other.items():
        here = (*path, key)
        if key not in one:
            both[key] = value
        elif isinstance(one[key], Mapping):
            both[key] = merged(one[key], value, here)
        else:
            raise Misfit(here, "is set twice, beside base and in the table set: drop one")
    return both


def _leaves(changes: Mapping[str, Any], base: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Path -> value of all that is set; a table that the base has too is looked into, unless it maps names or is empty."""
    for key, value in changes.items():
        here = (*path, key)
        before = base.get(key) if isinstance(base, Mapping) else None
        is_open = path != () or key in (*DOMAINS_OWN, "pruning")
        if isinstance(value, Mapping) and value and isinstance(before, Mapping) and is_open and here != RATES:
            yield from _leaves(value, before, here)
        else:
            yield here, value


def _check(path: Path, value: Any, known: Iterable[Any], base: Task) -> None:
    field, *rest = path
    if field in FIXED:
        raise Misfit(path, f"{field} of {base.key} cannot be set: {', '.join(FIELDS)} can")
    if field not in HINTS:
        raise Misfit(path, str(UnknownName("field of a task", field, FIELDS)))
    if rest and field == "pruning":
        if rest[0] not in PRUNING:
            raise Misfit(path, str(UnknownName("field of pruning", rest[0], PRUNING)))
        _convert(path, value, PRUNING[rest[0]])
    elif rest and field in DOMAINS_OWN:
        _compare(path, value, known, base)
    else:
        _convert(path, value, HINTS[field])


def _convert(path: Path, value: Any, hint: Any) -> None:
    if reason := misfit(value, hint):
        raise Misfit(path, f"is {value!r}: {reason}")


def _compare(path: Path, value: Any, known: Iterable[Any], base: Task) -> None:
    """Some task of the domain has that key, and a value of that kind under it."""
    tables = [table for task in known if isinstance(table := _get(task, path[:-1]), Mapping)]
    values = [table[path[-1]] for table in tables if path[-1] in table]
    if not values:
        of = f"key of {'.'.join(path[:-1])} in tasks of {base.domain}"
        raise Misfit(path, str(UnknownName(of, path[-1], {key for table in tables for key in table})))
    kinds = {_kind(each) for each in values}
    if _kind(value) not in kinds and not (_kind(value) == "a whole number" and "a number" in kinds):
        raise Misfit(path, f"is {value!r}: it is {' or '.join(sorted(kinds))} in tasks of {base.domain}")
    _convert(path, {path[-1]: value}, HINTS[path[0]])


def _kind(value: Any) -> str:
    kinds = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        dict: "a table",
        list: "a list",
    }
    return kinds.get(type(value), "nothing")


def _get(table: Any, path: Path) -> Any:
    for key in path:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _put(told: dict[str, Any], path: Path, value: Any) -> Any:
    """Set a value; what was there."""
    *above, key = path
    for each in above:
        told = told[each]
    before = told.get(key)
    told[key] = to_json(value)
    return before


def _sentence(path: Path, value: Any, before: Any) -> str:
    name = ".".join(path).replace("_", " ")
    sentence = f"{name[:1].upper()}{name[1:]} {_text(value)} instead of {_text(before)}."
    return sentence[:LONGEST]


def _text(value: Any) -> str:
    return "nothing" if value is None else canonical_json(value).strip('"')
