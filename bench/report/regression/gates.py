"""Whether a candidate is worse than a baseline, cell by cell: significantly, and by more than the task tolerates.

Two gates, so that neither a small difference that is certain nor a large one that is luck raises an alarm. p-values are
Holm's over every test of one comparison: two honest runs with other seeds differ somewhere in at most 5 of 100.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from bench.errors import StoreError
from bench.report.escaping import plain
from bench.report.regression.cells import Cell, CellVerdict, Regression, within
from bench.report.regression.difference import Sample, difference, seeds_needed
from bench.report.regression.side import ArmSummary, Key, Side, changes
from bench.report.regression.structure import changed_facts, identical, shuffled_overlap, trained_differently
from bench.report.statistics.families import holm

ALARM = 0.05
"""How often two honest runs may differ anywhere."""
SHARED = 0.01
"""How far a shuffled mask's overlap with the ticket's may be off before it counts, as a fraction."""
NAMED = 4
"""Fields that are named where a protocol changed."""
SILENT = "under the same protocol: what is meant to change needs a new version"


def compare_sides(baseline: Side, candidate: Side, *, wanted: Collection[Key] | None = None) -> Regression:
    """Compare every arm that both sides have.

    Args:
        baseline: what is held to be right.
        candidate: what is in question.
        wanted: the arms that are asked for, all if None: p-values are corrected over what is asked, and no more.

    Raises:
        StoreError: if no arm of the candidate can be compared with one of the baseline, or none that is asked for can
            and none of these is missing.
    """
    every = list(_pairs(baseline, candidate))
    pairs = [pair for pair in every if wanted is None or any(arm and arm.key in wanted for arm in pair)]
    measured = [cell for before, now in pairs for cell in _cells(before, now)]
    adjusted = holm([cell.p for cell in measured if cell.p is not None])
    tests, corrected = len(adjusted), iter(adjusted)
    settled = (_settled(cell if cell.p is None else replace(cell, p=next(corrected))) for cell in measured)
    cells = [_undecided(cell, tests) if cell.undecided else cell for cell in settled]
    if not _comparable(every) or not (_comparable(pairs) or any(now is None for _, now in pairs)):
        raise StoreError(_nothing(baseline, candidate, cells))
    return Regression(baseline=baseline, candidate=candidate, cells=tuple(cells))


def _comparable(pairs: Iterable[tuple[ArmSummary | None, ArmSummary | None]]) -> bool:
    return any(before and now and not _changes(before, now) for before, now in pairs)


def _pairs(baseline: Side, candidate: Side) -> Iterator[tuple[ArmSummary | None, ArmSummary | None]]:
    """Every arm with its counterpart: the one of the same protocol, else what is left of the same name."""
    for key in dict.fromkeys([*baseline.arms, *candidate.arms]):
        left, alone = list(candidate.arms.get(key, [])), []
        for before in baseline.arms.get(key, []):
            now = next((arm for arm in left if not _changes(before, arm)), None)
            if now is None:
                alone.append(before)
            else:
                left.remove(now)
                yield before, now
        yield from zip_longest(alone, left)


def _changes(before: ArmSummary, now: ArmSummary) -> dict[str, tuple[Any, Any]]:
    return changes(before.protocol, now.protocol, partly=_partly(before, now))


def _partly(before: ArmSummary, now: ArmSummary) -> bool:
    """Whether a table tells of one of them, and so not of its whole protocol."""
    return not (before.records and now.records)


def _cells(before: ArmSummary | None, now: ArmSummary | None) -> Iterator[Cell]:
    if before is None:
        yield _cell(before, now, verdict="new", reason="not in the baseline")
    elif now is None:
        yield _cell(before, now, verdict="missing")
    elif differing := _changes(before, now):
        yield _cell(before, now, verdict="protocol changed", reason=_listed(differing))
    else:
        if facts := changed_facts(before, now):
            yield _fact(_cell(before, now), facts)
        yield _score(before, now)
        yield from _gaps(before, now)
        if (one := shuffled_overlap(before)) and (two := shuffled_overlap(now)):
            overlap = _cell(before, now, one, two, quantity="overlap", direction="equal", tolerance=SHARED)
            yield _unmoved(before, now, replace(_tested(overlap, one, two, fewest=1), test="chance"))


def _cell(
    before: ArmSummary | None, now: ArmSummary | None, one: Sample | None = None, two: Sample | None = None, **told: Any
) -> Cell:
    """A cell of what both sides have: two samples, or their scores if none is given."""
    known = before or now
    assert known is not None
    if one is None and two is None:
        one, two = (arm.score if arm else None for arm in (before, now))
    tolerances = (arm.tolerance for arm in (before, now) if arm and arm.tolerance is not None)
    own = {"quantity": known.quantity, "direction": known.direction, "tolerance": next(tolerances, None)}
    return Cell(
        key=known.key,
        baseline=one.estimate.mean if one else None,
        candidate=two.estimate.mean if two else None,
        n_baseline=one.estimate.n if one else 0,
        n_candidate=two.estimate.n if two else 0,
        **{**own, **told},
    )


def _fact(cell: Cell, facts: list[tuple[str, float, float]]) -> Cell:
    (name, was, is_now), *others = facts
    also = "".join(f"; {fact}: {one:g} → {two:g}" for fact, one, two in others[:3])
    cell = replace(cell, quantity=name, direction="equal", baseline=was, candidate=is_now, difference=is_now - was)
    return replace(cell, verdict="worse", tolerance=0.0, test="exact", reason=f"differs {SILENT}{also}")


def _score(before: ArmSummary, now: ArmSummary) -> Cell:
    cell, fewest = _cell(before, now), before.fewest
    if cell.n_candidate < min(cell.n_baseline, fewest):
        lacking = f"{cell.n_candidate} of {cell.n_baseline} seeds: n < {fewest}"
        return replace(cell, verdict="missing", reason=lacking)
    if before.score is None or now.score is None:
        return replace(cell, reason="no score in the baseline")
    cell = _tested(cell, before.score, now.score, fewest=fewest)
    if (unmoved := _unmoved(before, now, cell)).verdict == "same":
        return unmoved
    diverged = f"diverged: {before.diverged} → {now.diverged}" if before.diverged != now.diverged else ""
    seeds = trained_differently(before, now)
    where = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    trained = f"trained differently at {where} {SILENT}" if seeds else ""
    reason = "; ".join(filter(None, (diverged, trained, cell.reason)))
    return replace(cell, trained_differently=bool(seeds), reason=reason)


def _unmoved(before: ArmSummary, now: ArmSummary, cell: Cell) -> Cell:
    """`cell`, which needs no test where the units of both sides are the same to the bit, and so is what it compares."""
    if cell.samples and cell.samples[0] == cell.samples[1] and identical(before, now):
        return replace(cell, verdict="same", p=None, test="exact", reason="the same to the bit")
    return cell


def _gaps(before: ArmSummary, now: ArmSummary) -> Iterator[Cell]:
    """The ticket's distance from its controls: a control that is too good is no gain."""
    for column, gap in before.gaps.items():
        other = now.gaps.get(column)
        if other and not changes(gap.protocol, other.protocol, partly=_partly(before, now)):
            cell = _cell(before, now, gap.sample, other.sample, quantity=column, direction="max")
            yield _unmoved(before, now, _tested(cell, gap.sample, other.sample, fewest=before.fewest))


def _tested(cell: Cell, before: Sample, now: Sample, *, fewest: int) -> Cell:
    """`cell` with the difference of its samples and its p-value, not yet corrected."""
    gap = difference(before, now) if cell.direction == "min" else difference(now, before)
    few = min(cell.n_baseline, cell.n_candidate) < fewest
    reason = f"n < {fewest}" if few else "no table tells the tolerance" if cell.tolerance is None else ""
    return replace(
        cell,
        difference=gap.interval.mean,
        low=gap.interval.low,
        high=gap.interval.high,
        p=None if reason else gap.p,
        test="paired" if gap.paired else "Welch",
        reason=reason,
        samples=(before, now),
        fewest=fewest,
    )


def _settled(cell: Cell) -> Cell:
    """`cell` with its verdict; what was silently trained differently must be shown to be the same, a gain is none."""
    if cell.verdict != "inconclusive":
        return cell
    verdict = _verdict(cell)
    return replace(cell, verdict="worse" if verdict != "same" and cell.trained_differently else verdict)


def _undecided(cell: Cell, tests: int) -> Cell:
    """`cell` with what it lacks, and the seeds that would make it up: the mean alone shows nothing."""
    assert cell.samples is not None
    needed = seeds_needed(*cell.samples, tests=max(tests, 1))
    cell = replace(cell, deciding=max(needed, cell.fewest) if needed else None)
    low, high = cell.low, cell.high
    if cell.p is not None and low is not None and high is not None and low * high > 0:
        found = f"worse by itself, but not after Holm's correction over {tests} tests"
    else:
        found = "mean worse than tolerated, perhaps by chance"
    return replace(cell, reason="; ".join(filter(None, (cell.reason, found, cell.seeds))))


def _verdict(cell: Cell) -> CellVerdict:
    if cell.p is None or cell.difference is None or cell.tolerance is None:
        return "inconclusive"
    if cell.p < ALARM and not within(cell.difference, cell.tolerance):
        return "better" if cell.difference > 0 and cell.direction != "equal" else "worse"
    bounds = (cell.low, cell.high)
    return "same" if all(bound is not None and within(bound, cell.tolerance) for bound in bounds) else "inconclusive"


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
        return plain(f"{asked}: the protocol changed everywhere ({moved.key.label}: {moved.reason}); run a suite again")
    names = [", ".join(sorted({f"{key.task}@{key.scale}" for key in side.arms})[:3]) for side in (baseline, candidate)]
    return plain(
        f"{asked}: nothing in common; they have {names[0] or 'nothing'} and {names[1] or 'nothing'}: run one suite for both"
    )
