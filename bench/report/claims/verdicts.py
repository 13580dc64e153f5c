"""What records say about claims: holds, fails, inconclusive, or not run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from scipy.special import ndtr, stdtr

from bench.record import Record
from bench.report.claims.definitions import Claim
from bench.report.claims.measures import STATISTICS, Missing, arm, logarithmic
from bench.report.statistics.aggregates import iqm, normalised, stratified
from bench.report.statistics.seeds import CONFIDENCE, FEWEST, Floats, Interval, detectable, holm, interval, sign_flip
from bench.report.table.arms import Comparison, comparisons
from bench.report.table.rows import at_chance
from bench.spec import DENSE, SCALES, Scale

Status = Literal["holds", "fails", "inconclusive", "not run"]
ALPHA = 1 - CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVerdict:
    """What is known about a claim.

    Args:
        claim: with its scale.
        status: `holds` or `fails` if the whole interval is on one side, and the p-value is below 5 % after Holm's
            correction within paper and scale; else `inconclusive`.
        interval: of the statistic as it is printed; None where nothing was run, and for exact claims its mean alone.
        detectable: the smallest distance from the threshold that so many seeds with this spread would have shown with
            80 % power; of what is inconclusive.
        scale: at which it was shown.
        reason: why there is no verdict, or what limits it.
        values: seed -> statistic, before it is turned into what is printed.
        p: after Holm's correction.
        signs: of the exact sign-flip test, uncorrected; with five seeds at least 0.0625.
    """

    claim: Claim
    status: Status
    interval: Interval | None = None
    detectable: float | None = None
    scale: Scale | None = None
    reason: str = ""
    values: Mapping[int, float] = field(default_factory=dict)
    p: float | None = None
    signs: float | None = None


def judge(claims: Sequence[Claim], records: Iterable[Record]) -> list[ClaimVerdict]:
    """A verdict on every claim, in the same order.

    Args:
        claims: those of one paper and scale are one family: what is said about one depends on how many there are.
        records: of any suites.
    """
    newest: dict[tuple[str, str | None], Comparison] = {}
    for each in comparisons(records):
        newest[each.task.name, each.task.scale] = each  # versions ascend: the newest stays
    return _corrected([_alone(claim, newest) for claim in claims])


def shown(verdicts: Iterable[ClaimVerdict]) -> list[ClaimVerdict]:
    """One verdict per claim: at the largest scale that was run; of what was not run, at the largest that could be."""
    best: dict[str, ClaimVerdict] = {}
    for verdict in verdicts:
        known = best.get(verdict.claim.id)
        if known is None or _told(verdict) > _told(known):
            best[verdict.claim.id] = verdict
    return list(best.values())


def _told(verdict: ClaimVerdict) -> tuple[bool, int]:
    return verdict.status != "not run", SCALES.index(verdict.scale) if verdict.scale else -1


def _alone(claim: Claim, comparisons: Mapping[tuple[str, str | None], Comparison]) -> ClaimVerdict:
    if claim.blocked is not None:
        return ClaimVerdict(claim=claim, status="not run", reason=claim.blocked)
    try:
        found = [_found(comparisons, name, claim) for name in claim.tasks]
        return _across(claim, found) if claim.statistic == "iqm" else _judged(claim, *found)
    except Missing as missing:
        command = f"ticketbench reproduce {claim.id} --scale {claim.scale}"
        return ClaimVerdict(claim=claim, status="not run", scale=claim.scale, reason=f"{missing} to be run: {command}")


def _found(comparisons: Mapping[tuple[str, str | None], Comparison], name: str, claim: Claim) -> Comparison:
    if (name, claim.scale) not in comparisons:
        raise Missing(f"{name} at {claim.scale} scale")
    return comparisons[name, claim.scale]


def _judged(claim: Claim, comparison: Comparison) -> ClaimVerdict:
    statistic = STATISTICS[claim.statistic]
    values = statistic.of(comparison, claim)
    if len(values) < claim.seeds:
        raise Missing(f"{claim.seeds} seeds of which there are {len(values)}")
    if claim.test == "exact":
        return _exact(claim, values)
    sample = list(values.values())
    limits = interval(sample)
    assert limits.n >= FEWEST, f"{claim.id} asks for too few seeds"
    verdict = ClaimVerdict(
        claim=claim,
        status=_side(claim, limits),
        interval=_shown(limits, claim),
        scale=claim.scale,
        values=values,
        p=_p(claim, sample, limits),
        signs=sign_flip([value - _threshold(claim) for value in sample]),
    )
    return replace(verdict, detectable=_least(claim, sample))


def _exact(claim: Claim, values: Mapping[int, float]) -> ClaimVerdict:
    assert claim.margin is not None
    worst = max(map(abs, values.values()))
    status: Status = "holds" if worst <= claim.margin else "fails"
    told = Interval(worst, None, None, len(values))
    return ClaimVerdict(claim=claim, status=status, interval=told, scale=claim.scale, values=values)


def _threshold(claim: Claim) -> float:
    """In the unit of the values."""
    if claim.test == "not-worse":
        assert claim.margin is not None
        return -claim.margin
    return math.log(claim.threshold) if logarithmic(claim) else claim.threshold


def _shown(limits: Interval, claim: Claim) -> Interval:
    shown = STATISTICS[claim.statistic].shown
    low, high = (None if bound is None else shown(bound) for bound in (limits.low, limits.high))
    return Interval(shown(limits.mean), low, high, limits.n)


def _side(claim: Claim, limits: Interval) -> Status:
    low, high, threshold = limits.low, limits.high, _threshold(claim)
    assert low is not None
    assert high is not None
    if claim.test == "equivalent":
        margin = claim.margin
        assert margin is not None
        outside = low >= margin or high <= -margin
        return "holds" if -margin < low and high < margin else "fails" if outside else "inconclusive"
    if claim.test == "less":
        low, high, threshold = -high, -low, -threshold
    return "holds" if low > threshold else "fails" if high < threshold else "inconclusive"


def _p(claim: Claim, sample: Sequence[float], limits: Interval) -> float:
    """Two-sided; of an equivalence twice the larger of its two tests (Schuirmann 1987), or the distance from its nearer margin."""
    if claim.test != "equivalent":
        return _two_sided(sample, _threshold(claim))
    assert claim.margin is not None
    sides = [_two_sided(sample, margin) for margin in (-claim.margin, claim.margin)]
    return max(sides) if abs(limits.mean) < claim.margin else min(sides)


def _two_sided(sample: Sequence[float], threshold: float) -> float:
    """Of Student's t test."""
    distance = np.array(sample) - threshold
    error = float(distance.std(ddof=1)) / math.sqrt(len(sample))
    if error == 0:
        return float(distance[0] == 0)
    return float(2 * stdtr(len(sample) - 1, -abs(float(distance.mean())) / error))


def _least(claim: Claim, sample: Sequence[float]) -> float | None:
    least = detectable(sample)
    return math.exp(least) if least is not None and logarithmic(claim) else least


def _across(claim: Claim, comparisons: Sequence[Comparison]) -> ClaimVerdict:
    """The interquartile mean over runs and tasks, and its stratified bootstrap."""
    own, other = (_scores(claim, comparisons, method) for method in (claim.method, claim.comparator))
    shared = sorted(own.keys() & other.keys())
    if len(shared) < claim.seeds:
        raise Missing(f"{claim.seeds} seeds of which there are {len(shared)}")
    arrays = [np.array([each[seed] for seed in shared]) for each in (own, other)]
    limits = stratified(_iqm_gap, *arrays)
    assert limits.low is not None
    assert limits.high is not None
    error = (limits.high - limits.low) / 2 / 1.96
    p = float(2 * ndtr(-abs(limits.mean - claim.threshold) / error)) if error else float(limits.mean == claim.threshold)
    values = {seed: float(np.mean(own[seed] - other[seed])) for seed in shared}
    status = _side(claim, limits)
    return ClaimVerdict(claim=claim, status=status, interval=limits, scale=claim.scale, values=values, p=p)


def _iqm_gap(own: Floats, other: Floats) -> float:
    return iqm(own) - iqm(other)


def _scores(claim: Claim, comparisons: Sequence[Comparison], method: str | None) -> dict[int, Floats]:
    """Seed -> normalised score of every task, mean over the levels."""
    columns = []
    for each in comparisons:
        arm(each, DENSE, 0)
        if at_chance(each, each.task.at[0]):
            raise Missing(f"a dense network of {each.task.name} that learned something")
        levels = [normalised(each, arm(each, method, level)) for level in claim.levels]
        seeds = set.intersection(*map(set, levels))
        columns.append({seed: math.fsum(level[seed] for level in levels) / len(levels) for seed in seeds})
    common = sorted(set.intersection(*map(set, columns)))
    return {seed: np.array([column[seed] for column in columns]) for seed in common}


def _corrected(verdicts: Sequence[ClaimVerdict]) -> list[ClaimVerdict]:
    families: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for place, verdict in enumerate(verdicts):
        if verdict.p is not None:
            families[verdict.claim.paper, verdict.scale].append(place)
    found = list(verdicts)
    for places in families.values():
        adjusted = holm([p for place in places if (p := verdicts[place].p) is not None])
        for place, p in zip(places, adjusted, strict=True):
            found[place] = _after(verdicts[place], p, len(places))
    return found


def _after(verdict: ClaimVerdict, p: float, family: int) -> ClaimVerdict:
    if verdict.status in ("holds", "fails") and p >= ALPHA:
        reason = f"it {verdict.status} by itself, but not after Holm's correction for {family} claims"
        return replace(verdict, status="inconclusive", p=p, reason=reason)
    return replace(verdict, p=p, detectable=verdict.detectable if verdict.status == "inconclusive" else None)
