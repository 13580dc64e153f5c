"""What a task's config names."""

from collections.abc import Mapping
from typing import TypeVar

from bench.errors import UnknownName

Value = TypeVar("Value")


def chosen(kind: str, known: Mapping[str, Value], name: str) -> Value:
    """What `name` stands for among the `known` of a kind.

    Raises:
        UnknownName: with the nearest name, if there is none.
    """
    if name not in known:
        raise UnknownName(kind, name, known)
    return known[name]
