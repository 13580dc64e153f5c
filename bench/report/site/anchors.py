"""Where everything stands on the page: an anchor for every task, arm and record, the same whatever is beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from bench.digests import canonical_json
from bench.record import Measurement, Record
from bench.report.site.measured import of_task
from bench.report.table.arms import Arm
from bench.report.table.compact import HEADER, cells
from bench.report.table.rows import Section, sections
from bench.spec import REPORTED_ONLY, Task, to_json

_ID = re.compile("[0-9a-f]{64}")
DIGITS = 12
"""Hexadecimal digits by which the page names units and digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One task at one scale and protocol version, and the anchors of what is told of it.

    Args:
        section: its table.
        anchor: its own.
        arms: of each arm of the section.
        records: of each arm of the section, seed -> anchor of its record.
        suites: in which it was trained.
        newest: whether there is no higher version of this task at this scale.
        cells: of each arm of the section, its line of the compact table, one text per column of `HEADER`.
        measured: unit id -> what was measured again of its score, of its units.
    """

    section: Section
    anchor: str
    arms: tuple[str, ...]
    records: tuple[Mapping[int, str], ...]
    suites: tuple[str, ...]
    newest: bool
    cells: tuple[Mapping[str, str], ...]
    measured: Mapping[str, Measurement] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """What was trained."""
        return self.section.comparison.task

    def anchor_of(self, method: str, level: int) -> str | None:
        """Of the arm that a comparison with `method` at `level` uses."""
        arm = self.section.comparison.arm(method, level)
        return next((self.arms[place] for place, each in enumerate(self.section.arms) if each is arm), None)


def pages(suites: Mapping[str, Sequence[Record]], measured: Mapping[str, Measurement] | None = None) -> list[Page]:
    """The tasks of all suites together, by name, scale and version.

    Args:
        suites: name -> records, in any order.
        measured: unit id -> what was measured again.
    """
    found = sections(record for records in suites.values() for record in records)
    newest = {(each.comparison.task.key): each.comparison.task.version for each in found}  # versions ascend
    names = _tasks([each.comparison.task for each in found])
    holders = _holders(suites)
    taken: Counter[str] = Counter()
    return [
        Page(
            section=section,
            anchor=name,
            arms=_unique([_arm(name, arm) for arm in section.arms], taken),
            records=tuple(_records(arm, taken) for arm in section.arms),
            suites=_within(section, holders),
            newest=section.comparison.task.version == newest[section.comparison.task.key],
            cells=tuple(dict(zip(HEADER, line, strict=True)) for line in cells(section)),
            measured=of_task(section, measured or {}),
        )
        for name, section in zip(names, found, strict=True)
    ]


def _slug(name: str) -> str:
    """Letters, digits and dashes; what they cannot say is told apart by a digest."""
    found = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:48]
    return found if name in (found, found.replace("-", "/", 1)) else f"{found}-{_digest(name)[:6]}"


def _tasks(tasks: Sequence[Task]) -> list[str]:
    names = [f"task-{_slug(task.name)}-{_slug(task.scale)}-v{task.version:d}" for task in tasks]
    often = Counter(names)
    return [
        name if often[name] == 1 else f"{name}-{_digest(_identity(task))[:6]}"
        for name, task in zip(names, tasks, strict=True)
    ]


def _identity(task: Task) -> str:
    return canonical_json({key: value for key, value in to_json(task).items() if key not in REPORTED_ONLY})


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _arm(page: str, arm: Arm) -> str:
    version = f"-v{arm.version:d}" if arm.version > 1 else ""
    return f"{page}.{_slug(arm.method)}{version}-L{arm.level:d}"


def _records(arm: Arm, taken: Counter[str]) -> dict[int, str]:
    return dict(zip(arm.records, _unique([unit(each["unit_id"]) for each in arm.records.values()], taken), strict=True))


def unit(unit_id: str) -> str:
    """The anchor of a record, if no other claims the same id."""
    known = unit_id if _ID.fullmatch(unit_id) else _digest(unit_id)
    return f"u-{known[:DIGITS]}"


def _unique(anchors: Sequence[str], taken: Counter[str]) -> tuple[str, ...]:
    found = []
    for anchor in anchors:
        taken[anchor] += 1
        found.append(anchor if taken[anchor] == 1 else f"{anchor}-{taken[anchor]}")
    return tuple(found)


def _holders(suites: Mapping[str, Sequence[Record]]) -> dict[str, set[str]]:
    """Unit id -> suites that hold its record."""
    found: dict[str, set[str]] = {}
    for name, records in suites.items():
        for record in records:
            found.setdefault(record["unit_id"], set()).add(name)
    return found


def _within(section: Section, holders: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    units = (record["unit_id"] for arm in section.arms for record in arm.records.values())
    return tuple(sorted({suite for each in units for suite in holders[each]}))
