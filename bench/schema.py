"""The one reader of JSON from anybody: what it holds is checked against types and their bounds before it is believed.

msgspec checks dictionaries by their TypedDicts, with the bounds that stand beside the types, in less time than `json`
takes to parse them; what comes out is what was written, number by number, so that its digests do not move.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from functools import cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NotRequired,
    TypeAlias,
    TypedDict,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Meta

LONGEST = 2_000
"""Characters of a text; the longest of the built-in tasks has a tenth of that."""
LARGEST = 1e60
"""Of a number: sums and fourth powers of such ones, as Welch's test has, stay finite; nothing that is measured comes near."""
DEEPEST = 6
"""Lists and objects inside each other, where a field may hold any JSON."""

Text = Annotated[str, Meta(max_length=LONGEST)]
Name = Annotated[str, Meta(min_length=1, max_length=300, pattern=r"^[^<>&\"'`\\]+\Z")]
"""Of a parameter, a metric, a package: without the characters that none is called by and a page could trip over."""
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d:\d\d)?)?\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Version = Annotated[int, Meta(ge=1, le=1_000_000)]
Level = Annotated[int, Meta(ge=0, le=10_000)]
Seed = Annotated[int, Meta(ge=0, le=999_999_999)]

if TYPE_CHECKING:
    Number: TypeAlias = float
    Amount: TypeAlias = float
    Share: TypeAlias = float
    Json: TypeAlias = Any
else:

    def _number(low: float, high: float) -> Any:
        """Either kind stays what it is: 1 and 1.0 have different digests."""
        return (
            Annotated[int, Meta(ge=max(int(low), -(2**53)), le=min(int(high), 2**53))]
            | Annotated[float, Meta(ge=low, le=high)]
        )

    def _json(depth: int) -> Any:
        leaf = None | bool | Number | Text
        return leaf | list[_json(depth - 1)] | dict[Name, _json(depth - 1)] if depth else leaf

    Number, Amount, Share = _number(-LARGEST, LARGEST), _number(0, LARGEST), _number(0, 1)
    Json = _json(DEEPEST)

Kind = TypeVar("Kind")


def json_of(kind: type, *, later: Collection[str] = ()) -> Any:
    """The type of the JSON that a frozen dataclass is written as.

    Args:
        kind: the class.
        later: fields that may be missing, as it did not always have them; a default counts for code alone, and is written.
    """
    hints = get_type_hints(kind, include_extras=True)
    fields = {}
    for each in dataclasses.fields(kind):
        hint = _as_json(hints[each.name])
        fields[each.name] = NotRequired[hint] if each.name in later else hint
    return TypedDict(kind.__name__, fields)  # type: ignore[operator]


def _as_json(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return json_of(hint)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return list[get_args(hint)[0]]  # type: ignore[misc]
    return dict[get_args(hint)] if get_origin(hint) is Mapping else hint  # type: ignore[misc]


def decode(data: bytes | str, kind: type[Kind]) -> Kind:
    """JSON from anybody, as plain dictionaries, lists and numbers, exactly as they were written.

    Args:
        data: the JSON.
        kind: what it must be: a TypedDict, a list of one, ...; a key that it does not know is refused.

    Raises:
        ValueError: in one line that names the place of the misfit.
    """
    try:
        found = _decoder(kind).decode(data)  # type: ignore[arg-type]  # a type is hashable
        whole = msgspec.json.decode(data)
        if found != whole:
            _refuse_more(whole, found, "$")
        if not _is_printable(data):
            _refuse_unprintable(found, "$")
    except (ValueError, RecursionError) as error:
        raise ValueError(_line(error)) from error
    checked: Kind = found
    return checked


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _refuse_more(whole: Any, found: Any, place: str) -> None:
    if isinstance(whole, dict):
        for key, inside in whole.items():
            if key not in found:
                raise ValueError(f"{key[:80]!a} is no field there - at `{place}`")
            _refuse_more(inside, found[key], f"{place}.{key[:80]}")
    elif isinstance(whole, list):
        for number, (inside, kept) in enumerate(zip(whole, found, strict=True)):
            _refuse_more(inside, kept, f"{place}[{number}]")


def _is_printable(data: bytes | str) -> bool:
    """Whether every text in it certainly is: most JSON is told by one look."""
    text = data if isinstance(data, str) else data.decode()
    return "\\" not in text and text.replace("\n", "").isprintable()


def _refuse_unprintable(value: Any, place: str) -> None:
    if isinstance(value, str):
        if not value.isprintable():
            raise ValueError(f"{value[:80]!a} is no printable text - at `{place}`")
    elif isinstance(value, dict):
        for key, inside in value.items():
            _refuse_unprintable(key, place)
            _refuse_unprintable(inside, f"{place}.{key[:80]}")
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            _refuse_unprintable(inside, f"{place}[{number}]")


def _line(error: Exception) -> str:
    """An error as one line of harmless characters: it may quote what anybody wrote."""
    told = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in told[:400])
