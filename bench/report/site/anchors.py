"""Where everything stands on the page: an anchor for every task, arm and record, the same whatever is beside it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from bench.record import Measurement, Record
from bench.report.site.sections.measured import DIGITS
from bench.report.table.arms import Arm, Comparison, comparisons
from bench.report.table.compact import COMPACT, cells
from bench.report.table.rows import Section, section_of
from bench.spec import Task, method_identity, task_identity, to_json

NAMES = tuple(column.name for column in COMPACT)

_ID = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One task at one scale and protocol version, and the anchors of what is told of it.

    Args:
        section: its table.
        anchor: its own.
        arms: of each arm of the section.
        records: of each arm of the section, seed -> anchor of its record.
        suites: in which it was trained.
        aside: what of it does not count here, and why, in a sentence; empty if all does.
        cells: of each arm of the section, its line of the compact table: field of `Row` -> text.
        measured: unit id -> what was measured again, of its units.
        successor: the page of the installed version of this task, if this one is an older version.
    """

    section: Section
    anchor: str
    arms: tuple[str, ...]
    records: tuple[Mapping[int, str], ...]
    suites: tuple[str, ...]
    aside: str
    cells: tuple[Mapping[str, str], ...]
    measured: Mapping[str, Measurement] = field(default_factory=dict)
    successor: Page | None = None

    @property
    def task(self) -> Task:
        """What was trained."""
        return self.section.comparison.task

    @property
    def installed(self) -> bool:
        """Whether the task is installed here: then no other version of it is newer."""
        return self.section.comparison.installed

    @property
    def outdated(self) -> str:
        """Why its numbers decide nothing here; empty if they do."""
        return "" if self.installed else "superseded" if self.successor else "not installed here"

    @property
    def count(self) -> int:
        """How many records there are."""
        return sum(map(len, self.records))

    def anchor_of(self, method: str, level: int) -> str | None:
        """Of the arm that a comparison with `method` at `level` uses."""
        opponent = self.section.comparison.arm(method, level)
        return next((self.arms[place] for place, arm in enumerate(self.section.arms) if arm is opponent), None)


def pages(suites: Mapping[str, Sequence[Record]], measured: Mapping[str, Measurement] | None = None) -> list[Page]:
    """The tasks of all suites together, by name, scale and version.

    Args:
        suites: name -> records, in any order.
        measured: unit id -> what was measured again.
    """
    known = comparisons(record for records in suites.values() for record in records)
    tables = [section_of(comparison.unbroken) for comparison in known]
    holders = _holders(suites)
    taken: Counter[str] = Counter()
    made = [
        Page(
            section=section,
            anchor=name,
            arms=_unique(_arms(name, section.arms), taken),
            records=tuple(_records(arm, taken) for arm in section.arms),
            suites=_holding(_units(section.arms), holders),
            aside=_aside(set(_units(whole.arms)) - set(_units(section.arms)), holders),
            cells=tuple(dict(zip(NAMES, line, strict=True)) for line in cells(section)),
            measured={unit_id: measured[unit_id] for unit_id in _units(section.arms) if unit_id in measured}
            if measured
            else {},
        )
        for name, section, whole in zip(_tasks(known), tables, known, strict=True)
    ]
    installed = {page.task.key: page for page in made if page.installed}
    older = [page.task.version < installed.get(page.task.key, page).task.version for page in made]
    return [
        replace(page, successor=installed[page.task.key]) if old else page
        for page, old in zip(made, older, strict=True)
    ]


def _slug(name: str) -> str:
    """Letters, digits and dashes; what they cannot say is told apart by a digest."""
    slug = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:48]
    return slug if name in (slug, slug.replace("-", "/", 1)) else f"{slug}-{_digest(name)[:6]}"


def _tasks(comparisons: Sequence[Comparison]) -> list[str]:
    names = []
    for each in comparisons:
        name = f"task-{_slug(each.task.name)}-{_slug(each.task.scale)}-v{each.task.version:d}"
        names.append((name, each.installed, task_identity(to_json(each.task))))
    return _distinct(names)


def _arms(page: str, arms: Sequence[Arm]) -> list[str]:
    names = []
    for arm in arms:
        version = f"-v{arm.version:d}" if arm.version > 1 else ""
        name = f"{page}.{_slug(arm.method)}{version}-L{arm.level:d}"
        names.append((name, arm.installed, method_identity(next(iter(arm.records.values()))["spec"]["method"])))
    return _distinct(names)


def _distinct(names: Sequence[tuple[str, bool, str]]) -> list[str]:
    """Anchors of (name, whether it is installed here, identity): who borrows an installed one's name gets another."""
    often = Counter(name for name, _, _ in names)
    return [
        name if installed or often[name] == 1 else f"{name}-{_digest(identity)[:6]}"
        for name, installed, identity in names
    ]


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _records(arm: Arm, taken: Counter[str]) -> dict[int, str]:
    return dict(zip(arm.records, _unique([unit(each["unit_id"]) for each in arm.records.values()], taken), strict=True))


def unit(unit_id: str) -> str:
    """The anchor of a record, if no other claims the same id."""
    known = unit_id if _ID.fullmatch(unit_id) else _digest(unit_id)
    return f"u-{known[:DIGITS]}"


def _unique(anchors: Iterable[str], taken: Counter[str]) -> tuple[str, ...]:
    unique = []
    for anchor in anchors:
        taken[anchor] += 1
        unique.append(anchor if taken[anchor] == 1 else f"{anchor}-{taken[anchor]}")
    return tuple(unique)


def _holders(suites: Mapping[str, Sequence[Record]]) -> Mapping[str, set[str]]:
    """Unit id -> suites that hold its record."""
    holders: dict[str, set[str]] = defaultdict(set)
    for name, records in suites.items():
        for record in records:
            holders[record["unit_id"]].add(name)
    return holders


def _holding(units: Iterable[str], holders: Mapping[str, set[str]]) -> tuple[str, ...]:
    return tuple(sorted({suite for unit_id in units for suite in holders[unit_id]}))


def _aside(units: Collection[str], holders: Mapping[str, set[str]]) -> str:
    if not units:
        return ""
    records = "record is" if len(units) == 1 else "records are"
    return (
        f"{len(units)} {records} set aside ({', '.join(_holding(units, holders))}): a method is read at its lowest seed and those "
        "that follow it, up to the first that nobody ran, so that nobody chooses the seeds that count."
    )


def _units(arms: Iterable[Arm]) -> list[str]:
    return [record["unit_id"] for arm in arms for record in arm.records.values()]
