"""Where the records of the page come from: suite by suite, as they tell it themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.record import Record

NAMED = 3
"""Machines and versions of a suite that are named, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One suite.

    Args:
        suite: its name.
        submitter: who submitted it; empty where nobody is named.
        records: how many.
        tasks: on how many tasks, by name.
        first: when the first of them was trained, as far as any says.
        last: when the last one was.
        machines: processors and systems; the last one says how many more there are.
        software: versions; the same.
        measured: records that somebody measured again.
    """

    suite: str
    submitter: str
    records: int
    tasks: int
    first: str
    last: str
    machines: tuple[str, ...]
    software: tuple[str, ...]
    measured: int


def sources(
    suites: Mapping[str, Sequence[Record]], measured: Collection[str], submitters: Mapping[str, str]
) -> list[Source]:
    """By the suite's name.

    Args:
        suites: name -> its records.
        measured: ids of the units that were measured again.
        submitters: of those suites whose submitter is named.
    """
    return [_source(name, suites[name], measured, submitters.get(name, "")) for name in sorted(suites)]


def _source(suite: str, records: Sequence[Record], measured: Collection[str], submitter: str) -> Source:
    own = {record["unit_id"]: record for record in records}
    told = [record["provenance"] for record in own.values()]
    ends = sorted(end for each in told if (end := each.get("end")))
    return Source(
        suite=suite,
        submitter=submitter,
        records=len(own),
        tasks=len({record["spec"]["task"]["name"] for record in own.values()}),
        first=ends[0] if ends else "",
        last=ends[-1] if ends else "",
        machines=_few({str(each.get("cpu") or each.get("machine") or "") for each in told}),
        software=_few({_software(each.get("versions", {})) for each in told}),
        measured=len(own.keys() & set(measured)),
    )


def _software(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in ("ticketbench", "torch") if name in versions)


def _few(names: Collection[str]) -> tuple[str, ...]:
    known = sorted(filter(None, names))
    return (*known[:NAMED], *([f"{len(known) - NAMED} more"] if len(known) > NAMED else []))
