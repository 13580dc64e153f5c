"""Records of several places put together: what is equal counts once, and what contradicts is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from bench.digests import canonical_json
from bench.errors import Conflict
from bench.record import Record, is_stacked
from bench.report.escaping import plain
from bench.spec import method_identity, task_identity

MEASURED = ("items", "nodes", "fit", "interpolation", "survival")
"""What is measured beside a result: earlier records of the same result lack some of it."""

BESIDE = ("format", "spec", "reason", "nulls", *MEASURED, "wall_seconds", "peak_memory_bytes", "provenance", "digests")
"""Where two records of one result may differ: who trained when and where, how long it took, what is said in words."""

RESULT = "result"


class Replicate(NamedTuple):
    """What a record is a record of, whatever it calls itself."""

    task: str  # the identity
    method: str  # the identity
    level: int
    seed: int


Standing = tuple[str, Record]
"""Where a record stands, and the record."""


def merged(sources: Mapping[str, Iterable[Record]]) -> dict[Replicate, Record]:
    """The records of all sources, each unit once: of equal results the record that tells most, then the first to end, stays.

    A unit that was trained in a stack in one place and by itself in another has two results like any other: both are right,
    but no order of files or times says which one is to stand, that who writes a file could not choose.

    Args:
        sources: where records stand, in words, such as a suite or a file ("": nobody knows) -> its records.

    Raises:
        Conflict: if one unit has two results or two measurements beside them, or one method, level and seed of a task has
            two units.
    """
    kept: dict[Replicate, Standing] = {}
    seen: dict[tuple[Replicate | str, str], Standing] = {}
    for standing in _standings(sources):
        replicate = _replicate(standing[1])
        names: tuple[Replicate | str, ...] = replicate, standing[1]["unit_id"]
        for key in product(names, (RESULT, *_beside(standing[1]))):
            first = seen.setdefault(key, standing)
            if first is not standing and _part(first[1], key[1]) != _part(standing[1], key[1]):
                raise Conflict(_told(*sorted((first, standing), key=_age), part=key[1]))
        known = kept.setdefault(replicate, standing)
        if known is not standing:  # a record is written out to be ranked
            kept[replicate] = min(known, standing, key=_rank)
    return {replicate: record for replicate, (_, record) in kept.items()}


def refuse_additions(sources: Mapping[str, Iterable[Record]]) -> None:
    """See that no copy of a unit tells more than another: else a file could add to what claims read of somebody's unit.

    Args:
        sources: as in `merged`.

    Raises:
        Conflict: if one does.
    """
    seen: dict[str, Standing] = {}
    for place, record in _standings(sources):
        first, known = seen.setdefault(record["unit_id"], (place, record))
        for part in MEASURED:
            if (part in known) != (part in record):
                has, lacks = (first, place) if part in known else (place, first)
                where = f"{part} in {has}, and not in {lacks}"
                raise Conflict(plain(f"{_unit(record)} has {where}: publish both again, from one store"))


def _standings(sources: Mapping[str, Iterable[Record]]) -> Iterator[Standing]:
    return ((place, record) for place, records in sources.items() for record in records)


def _replicate(record: Record) -> Replicate:
    spec = record["spec"]
    return Replicate(task_identity(spec["task"]), method_identity(spec["method"]), spec["level"], spec["seed"])


def _result(record: Record) -> dict[str, Any]:
    """Everything that a training gave: two of them are the same only if all of it is."""
    told = {name: value for name, value in record.items() if name not in BESIDE}
    return {**told, "result": record["digests"]["result"]}


def _beside(record: Record) -> Iterator[str]:
    return (part for part in MEASURED if part in record)


def _part(record: Record, part: str) -> Any:
    """What two records cannot tell differently if both are right."""
    if part == RESULT:
        return _result(record)
    if part == "items":
        return {name: told for name, told in record["items"].items() if name != "signature"}
    return dict(record)[part]


def _rank(standing: Standing) -> tuple[int, tuple[str, str, str]]:
    """A record of an earlier version lacks what is measured beside the result since."""
    return -len(standing[1]), _age(standing)


def _age(standing: Standing) -> tuple[str, str, str]:
    place, record = standing
    return str(record["provenance"].get("end", "")), canonical_json(record), place


def _told(first: Standing, second: Standing, *, part: str) -> str:
    same = first[1]["digests"]["result"] == second[1]["digests"]["result"]
    results = f"two results{' under one digest' * same}" if part == RESULT else f"one result with two {part}"
    way = "remove the one that is wrong"
    if is_stacked(first[1]) != is_stacked(second[1]):
        way = (
            "a stack rounds otherwise than a unit by itself; publish both suites from one store, or remove one of them"
        )
    return plain(f"{_unit(first[1])} has {results}, {_where(*first)} and {_where(*second)}: {way}")


def _unit(record: Record) -> str:
    spec = record["spec"]
    return f"{spec['task']['name']}@{spec['task']['scale']} {spec['method']['name']} L{spec['level']} s{spec['seed']}"


def _where(place: str, record: Record) -> str:
    provenance = record["provenance"]
    facts = [
        *([f"in {place}"] if place else []),
        f"unit {record['unit_id'][:10]}",
        f"on {provenance.get('machine', 'an unknown machine')}",
        f"ended {provenance.get('end', 'at an unknown time')}",
    ]
    return f"{record['digests']['result'][:12]} ({', '.join(facts)})"
