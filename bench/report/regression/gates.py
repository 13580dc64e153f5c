"""Whether a candidate is worse than a baseline, cell by cell: significantly, and by more than the task tolerates.

Two gates, so that neither a small difference that is certain nor a large one that is luck raises an alarm. p-values are
Holm's over every test of one comparison: two honest runs with other seeds differ somewhere in at most 5 of 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from bench.errors import StoreError
from bench.report.escaping import plain
from bench.report.regression.cells import Cell, CellVerdict, Regression
from bench.report.regression.difference import Sample, difference
from bench.report.regression.side import Key, Known, Side, changes
from bench.report.regression.structure import changed, otherwise, overlap, repeated
from bench.report.statistics.seeds import holm

JUDGED: tuple[CellVerdict, ...] = ("worse", "better", "same", "inconclusive")
ALARM = 0.05
"""How often two honest runs may differ anywhere."""
SHARED = 0.01
"""How far a shuffled mask's overlap with the ticket's may be off before it counts, as a fraction."""
NAMED = 4
"""Fields that are named where a protocol changed."""
SILENT = "under the same protocol: what is meant to change needs a new version"


def compare(baseline: Side, candidate: Side) -> Regression:
    """Compare every arm that both sides have.

    Args:
        baseline: what is held to be right.
        candidate: what is in question.

    Raises:
        StoreError: if no arm of the candidate can be compared with one of the baseline.
    """
    measured = [cell for before, now in _pairs(baseline, candidate) for cell in _cells(before, now)]
    adjusted = iter(holm([cell.p for cell in measured if cell.p is not None]))
    cells = [_settled(cell if cell.p is None else replace(cell, p=next(adjusted))) for cell in measured]
    if not any(cell.verdict in JUDGED for cell in cells):
        raise StoreError(_nothing(baseline, candidate, cells))
    return Regression(baseline=baseline, candidate=candidate, cells=tuple(cells))


def _pairs(baseline: Side, candidate: Side) -> Iterator[tuple[Known | None, Known | None]]:
    """Every arm with its counterpart: the one of the same protocol, else what is left of the same name."""
    partly = baseline.tabulated or candidate.tabulated
    for key in dict.fromkeys([*baseline.arms, *candidate.arms]):
        left, ours = list(candidate.arms.get(key, [])), []
        for before in baseline.arms.get(key, []):
            now = next((each for each in left if not changes(before.protocol, each.protocol, partly=partly)), None)
            if now is None:
                ours.append(before)
            else:
                left.remove(now)
                yield before, now
        yield from zip_longest(ours, left)


def _cells(before: Known | None, now: Known | None) -> Iterator[Cell]:
    known = before or now
    assert known is not None
    quantity = f"{known.metric} {known.at}"
    if before is None or now is None:
        where = "candidate" if now is None else "baseline"
        cell = _numbers(Cell(key=known.key, quantity=quantity, direction=known.direction), before, now)
        yield replace(cell, verdict="missing", reason=f"not in the {where}")
        return
    partly = not (before.records and now.records)
    if differing := changes(before.protocol, now.protocol, partly=partly):
        cell = Cell(key=known.key, quantity=quantity, direction=known.direction)
        yield replace(_numbers(cell, before, now), verdict="protocol changed", reason=_listed(differing))
        return
    if facts := changed(before, now):
        yield _fact(before, now, facts)
    yield _score(before, now, quantity)
    yield from _gaps(before, now, partly=partly)
    if (shared := overlap(before)) and (shares := overlap(now)):
        cell = Cell(key=known.key, quantity="overlap", direction="equal", tolerance=SHARED)
        yield replace(_tested(cell, shared, shares, fewest=1), test="chance")


def _numbers(cell: Cell, before: Known | None, now: Known | None) -> Cell:
    """`cell` with the scores, so far as they are known."""
    one, two = (known.score if known else None for known in (before, now))
    return replace(
        cell,
        baseline=one.mean if one else None,
        candidate=two.mean if two else None,
        n_baseline=one.n if one else 0,
        n_candidate=two.n if two else 0,
    )


def _fact(before: Known, now: Known, facts: list[tuple[str, float, float]]) -> Cell:
    (name, was, is_now), *others = facts
    also = "".join(f"; {each}: {one:g} → {two:g}" for each, one, two in others[:3])
    return Cell(
        key=before.key,
        quantity=name,
        direction="equal",
        verdict="worse",
        baseline=was,
        candidate=is_now,
        difference=is_now - was,
        n_baseline=before.score.n if before.score else 0,
        n_candidate=now.score.n if now.score else 0,
        tolerance=0.0,
        test="exact",
        reason=f"differs {SILENT}{also}",
    )


def _score(before: Known, now: Known, quantity: str) -> Cell:
    tolerance = before.tolerance if before.tolerance is not None else now.tolerance
    cell = Cell(key=before.key, quantity=quantity, direction=before.direction, tolerance=tolerance)
    if before.score is None or now.score is None:
        return replace(_numbers(cell, before, now), reason="no score on one side at least")
    cell = _tested(cell, before.score, now.score, fewest=max(before.fewest, now.fewest))
    if repeated(before, now):
        return replace(cell, verdict="same", p=None, test="exact", reason="the same to the bit")
    diverged = f"diverged: {before.diverged} → {now.diverged}" if before.diverged != now.diverged else ""
    seeds = otherwise(before, now)
    trained = (
        f"trained otherwise at seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))} {SILENT}" if seeds else ""
    )
    return replace(cell, otherwise=bool(seeds), reason="; ".join(filter(None, (diverged, trained, cell.reason))))


def _gaps(before: Known, now: Known, *, partly: bool) -> Iterator[Cell]:
    """The ticket's distance from its controls: a control that is too good is no gain."""
    tolerance = before.tolerance if before.tolerance is not None else now.tolerance
    for column, gap in before.gaps.items():
        other = now.gaps.get(column)
        if other and not changes(gap.protocol, other.protocol, partly=partly):
            cell = Cell(key=before.key, quantity=column, tolerance=tolerance)
            yield _tested(cell, gap.sample, other.sample, fewest=max(before.fewest, now.fewest))


def _tested(cell: Cell, before: Sample, now: Sample, *, fewest: int) -> Cell:
    """`cell` with both means, their difference and its p-value, not yet corrected."""
    gap = difference(before, now) if cell.direction == "min" else difference(now, before)
    few = min(before.n, now.n) < fewest
    reason = f"n < {fewest}" if few else "no table tells the tolerance" if cell.tolerance is None else ""
    return replace(
        cell,
        baseline=before.mean,
        candidate=now.mean,
        difference=gap.mean,
        low=gap.low,
        high=gap.high,
        p=None if reason else gap.p,
        n_baseline=before.n,
        n_candidate=now.n,
        test="paired" if gap.paired else "Welch",
        reason=reason,
    )


def _settled(cell: Cell) -> Cell:
    """`cell` with its verdict; what was silently trained otherwise must be shown to be the same, a gain is none."""
    if cell.verdict != "inconclusive":
        return cell
    verdict = _verdict(cell)
    return replace(cell, verdict="worse" if verdict != "same" and cell.otherwise else verdict)


def _verdict(cell: Cell) -> CellVerdict:
    if cell.p is None or cell.difference is None or cell.tolerance is None:
        return "inconclusive"
    if cell.p < ALARM and not _within(cell.difference, cell.tolerance):
        return "better" if cell.difference > 0 and cell.direction != "equal" else "worse"
    bounds = (cell.low, cell.high)
    return "same" if all(each is not None and _within(each, cell.tolerance) for each in bounds) else "inconclusive"


def _within(value: float, tolerance: float) -> bool:
    return abs(value) < tolerance or math.isclose(abs(value), tolerance, rel_tol=1e-9)


def _listed(differing: Mapping[str, tuple[Any, Any]]) -> str:
    shown = [f"{path}: {_short(one)} → {_short(two)}" for path, (one, two) in differing.items()]
    return "; ".join([*shown[:NAMED], *([f"and {len(shown) - NAMED} more"] if len(shown) > NAMED else [])])


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"


def _nothing(baseline: Side, candidate: Side, cells: list[Cell]) -> str:
    asked = f"cannot compare {candidate.name} with {baseline.name}"
    moved = next((cell for cell in cells if cell.verdict == "protocol changed"), None)
    if moved:
        return plain(
            f"{asked}: the protocol changed everywhere ({_name(moved.key)}: {moved.reason}); run a suite again"
        )
    names = [", ".join(sorted({f"{key.task}@{key.scale}" for key in side.arms})[:3]) for side in (baseline, candidate)]
    return plain(
        f"{asked}: nothing in common; they have {names[0] or 'nothing'} and {names[1] or 'nothing'}: run one suite for both"
    )


def _name(key: Key) -> str:
    return f"{key.task}@{key.scale} {key.method} L{key.level}"
