"""Records of several places put together: what is equal counts once, and what contradicts is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bench.digests import canonical_json
from bench.errors import Conflict
from bench.record import Record, is_stacked
from bench.report.escaping import plain
from bench.spec import method_identity, task_identity

BESIDE = (
    "format", "spec", "reason", "nulls", "items", "nodes", "fit", "interpolation", "survival", "wall_seconds", "peak_memory_bytes",
    "provenance", "digests",
)  # fmt: skip
"""Where two records of one result may differ: who trained when and where, how long it took, what is said in words."""


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

    A unit that was trained in a stack in one place and by itself in another has two right results: what the first source
    has stays.

    Args:
        sources: where records stand, in words, such as a suite or a file ("": nobody knows) -> its records.

    Raises:
        Conflict: if one unit has two results, or one method, level and seed of a task has two units.
    """
    kept: dict[Replicate, Standing] = {}
    seen: dict[tuple[Replicate | str, bool], Standing] = {}
    for standing in ((place, record) for place, records in sources.items() for record in records):
        replicate, unit, stacked = _replicate(standing[1]), standing[1]["unit_id"], is_stacked(standing[1])
        for key in ((name, execution) for name in (replicate, unit) for execution in (stacked, not stacked)):
            if key in seen and _contradict(seen[key][1], standing[1]):
                raise Conflict(_told(*sorted((seen[key], standing), key=_age)))
        seen[replicate, stacked] = seen[unit, stacked] = standing
        known = kept.setdefault(replicate, standing)
        if known is not standing and is_stacked(known[1]) == stacked:
            kept[replicate] = min(known, standing, key=_rank)
    return {replicate: record for replicate, (_, record) in kept.items()}


def _replicate(record: Record) -> Replicate:
    spec = record["spec"]
    return Replicate(task_identity(spec["task"]), method_identity(spec["method"]), spec["level"], spec["seed"])


def _result(record: Record) -> dict[str, Any]:
    """Everything that a training gave: two of them are the same only if all of it is."""
    told = {name: value for name, value in record.items() if name not in BESIDE}
    return {**told, "result": record["digests"]["result"]}


def _contradict(one: Record, other: Record) -> bool:
    """Whether two records cannot both be right; a unit of a stack and the same by itself may round otherwise."""
    may_differ = one["unit_id"] == other["unit_id"] and is_stacked(one) != is_stacked(other)
    return not may_differ and _result(one) != _result(other)


def _rank(standing: Standing) -> tuple[int, tuple[str, str, str]]:
    """A record of an earlier version lacks what is measured beside the result since."""
    return -len(standing[1]), _age(standing)


def _age(standing: Standing) -> tuple[str, str, str]:
    place, record = standing
    return str(record["provenance"].get("end", "")), canonical_json(record), place


def _told(first: Standing, second: Standing) -> str:
    spec = first[1]["spec"]
    unit = f"{spec['task']['name']}@{spec['task']['scale']} {spec['method']['name']} L{spec['level']} s{spec['seed']}"
    same = first[1]["digests"]["result"] == second[1]["digests"]["result"]
    results = "two results under one digest" if same else "two results"
    return plain(f"{unit} has {results}, {_where(*first)} and {_where(*second)}: remove the one that is wrong")


def _where(place: str, record: Record) -> str:
    provenance = record["provenance"]
    facts = [
        *([f"in {place}"] if place else []),
        f"unit {record['unit_id'][:10]}",
        f"on {provenance.get('machine', 'an unknown machine')}",
        f"ended {provenance.get('end', 'at an unknown time')}",
    ]
    return f"{record['digests']['result'][:12]} ({', '.join(facts)})"
