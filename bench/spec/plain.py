"""Specs as plain JSON, and what follows from it once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from bench.errors import SpecError


class Identified:
    """Room for what follows from the fields of a frozen class, found once; no field itself, so nothing else sees it."""

    __slots__ = ("_identity",)
    _identity: str

    def _remember(self, identity: str) -> str:
        object.__setattr__(self, "_identity", identity)
        return identity


def to_json(value: Any) -> Any:
    """Frozen dataclasses, tuples and mappings as plain JSON values.

    Raises:
        SpecError: if a number is NaN or infinite.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError(f"a spec holds the number {value}: only finite numbers have an id")
    return value


def misfit(value: Any, hint: Any) -> str | None:
    """Why a value is none of a type with bounds, once it is written as JSON; None if it is one."""
    try:
        msgspec.convert(to_json(value), hint)
    except (msgspec.ValidationError, SpecError) as error:
        return f"{str(error)[:1].lower()}{str(error)[1:]}"
    return None
