"""What records say about claims: holds, fails, inconclusive, no verdict at so small a scale, or not run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from bench.record import Record
from bench.report.claims import definitions
from bench.report.claims.definitions import Claim
from bench.report.claims.measures import STATISTICS, logarithmic, printed, trained
from bench.report.claims.scores import normalised_scores
from bench.report.claims.sides import Missing, Unmeasured, shared_mean, side
from bench.report.statistics.aggregates import iqm, stratified
from bench.report.statistics.families import holm, sign_flip
from bench.report.statistics.seeds import (
    CONFIDENCE,
    FEWEST,
    Estimate,
    Floats,
    Interval,
    estimate,
    interval,
    p_value,
    resampled,
)
from bench.report.table.arms import Arm, Comparison, comparisons
from bench.report.table.rows import UNCLAIMED
from bench.spec import SCALES, Scale

Status = Literal["holds", "fails", "inconclusive", "no verdict", "not run"]
PerSeed = Callable[[Claim, Sequence[Comparison]], Mapping[int, object]]
ALPHA = 1 - CONFIDENCE
CONTRADICTIONS = (ArithmeticError, LookupError)
"""What a statistic meets in numbers that no training of ours writes; a stranger may send them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVerdict:
    """What is known about a claim.

    Args:
        claim: with its scale.
        status: `holds` or `fails` if the p-value is below 5 % after Holm's correction within paper and scale, and then the
            whole interval is on one side; else `inconclusive`. `no verdict` at a scale that carries none.
        interval: of the statistic as it is printed; None where nothing was run, and for exact claims its mean alone.
        detectable: the smallest distance from the threshold that so many seeds with this spread would have shown with
            80 % power; of what is inconclusive.
        deciding: how many seeds would decide it with that power after Holm's correction, if the mean stays where it is; None
            of what is not inconclusive, and where `seeds.MOST` would not.
        scale: at which it was shown.
        reason: why there is no verdict, or what limits it.
        values: seed -> statistic, before it is turned into what is printed; over several tasks its plain mean.
        pooled: what was tested over several tasks, which the values alone do not tell.
        known: how many seeds have it; those beyond what the claim fixed are not judged by.
        added: by themselves, the seeds that were fixed after a first look at others; None without one.
        elsewhere: what other scales say otherwise, if several are asked for.
        p: after Holm's correction.
        family: over how many claims it was corrected: all of the paper that can be tested at its scale, run or not, so that
            what else is run, and by whom, takes no verdict away; it may give one.
        signs: of the exact sign-flip test, uncorrected; with five seeds at least 0.0625.
    """

    claim: Claim
    status: Status
    interval: Interval | None = None
    detectable: float | None = None
    deciding: int | None = None
    scale: Scale | None = None
    reason: str = ""
    values: Mapping[int, float] = field(default_factory=dict)
    pooled: Estimate | None = None
    known: int = 0
    added: ClaimVerdict | None = None
    elsewhere: tuple[ClaimVerdict, ...] = ()
    p: float | None = None
    family: int = 0
    signs: float | None = None


def judge(claims: Sequence[Claim], records: Iterable[Record]) -> list[ClaimVerdict]:
    """A verdict on every claim, in the same order.

    Args:
        claims: those that are asked for. Whatever they are, every claim of their papers at their scales is judged, so that
            what is said about one does not depend on what else was asked.
        records: of any suites; those of tasks that are not installed here decide nothing, nor do seeds behind one that nobody
            ran, as on the board: they may have been chosen.
    """
    installed = [comparison.unbroken for comparison in comparisons(records) if comparison.installed]
    newest = {(comparison.task.name, comparison.task.scale): comparison for comparison in installed}  # versions ascend
    papers = {(claim.paper, claim.scale) for claim in claims}
    whole = [claim for claim in definitions.load_claims() if (claim.paper, claim.scale) in papers]
    family = {(claim.id, claim.scale): claim for claim in (*whole, *claims)}
    verdicts = {
        (v.claim.id, v.claim.scale): v for v in _corrected([_alone(claim, newest) for claim in family.values()])
    }
    return [verdicts[claim.id, claim.scale] for claim in claims]


def shown(verdicts: Iterable[ClaimVerdict]) -> list[ClaimVerdict]:
    """One verdict per claim, at the largest scale that was run, or could be; and beside it what other scales say otherwise."""
    scales: dict[str, list[ClaimVerdict]] = defaultdict(list)
    for verdict in verdicts:
        scales[verdict.claim.id].append(verdict)
    best = [max(known, key=_told) for known in scales.values()]
    return [
        replace(one, elsewhere=tuple(each for each in scales[one.claim.id] if _says_otherwise(each, one)))
        for one in best
    ]


def _told(verdict: ClaimVerdict) -> tuple[bool, int]:
    return verdict.status != "not run", SCALES.index(
        verdict.scale
    ) if verdict.scale else -1  # the smallest have no verdict


def _says_otherwise(verdict: ClaimVerdict, best: ClaimVerdict) -> bool:
    """Whether a verdict at another scale is another one, or none for want of the seeds that a first look asked for."""
    if verdict.scale == best.scale or verdict.status == "no verdict":
        return False
    return bool(verdict.claim.first_look) if verdict.status == "not run" else verdict.status != best.status


def _alone(claim: Claim, comparisons: Mapping[tuple[str, Scale], Comparison]) -> ClaimVerdict:
    if claim.blocked is not None:
        return ClaimVerdict(claim=claim, status="not run", reason=claim.blocked)
    try:
        tasks = [_comparison(comparisons, name, claim) for name in claim.arms]
        per_seed, judged = (_shared, _across) if claim.statistic == "iqm" else (_values, _within)
        fixed = _fixed(claim, tasks, per_seed)
        known = max(len(fixed), _known(claim, tasks, per_seed))
        since = fixed[claim.looked :] if claim.looked else ()
        added = None
        if len(since) >= FEWEST:
            with suppress(Unmeasured, *CONTRADICTIONS):  # alone they may tell nothing
                added = judged(claim, _of_seeds(tasks, since))
        return replace(judged(claim, _of_seeds(tasks, fixed)), known=known, added=added)
    except Missing as missing:
        reason = f"{missing} to be run: ticketbench reproduce {claim.id} --scale {claim.scale}"
    except Unmeasured as unmeasured:
        reason = str(unmeasured)
    except CONTRADICTIONS as error:
        reason = f"the records contradict themselves ({type(error).__name__}: {error})"
    return ClaimVerdict(claim=claim, status="not run", scale=claim.scale, reason=reason)


def _comparison(comparisons: Mapping[tuple[str, Scale], Comparison], name: str, claim: Claim) -> Comparison:
    assert claim.scale is not None
    if (name, claim.scale) not in comparisons:
        raise Missing(f"{name} at {claim.scale} scale")
    return comparisons[name, claim.scale]


def _within(claim: Claim, comparisons: Sequence[Comparison]) -> ClaimVerdict:
    """The statistic of one task, or of one against another, seed by seed."""
    values = _values(claim, comparisons)
    if claim.test == "exact":
        return _exact(claim, values)
    sample = list(values.values())
    known = estimate(sample)
    least = known.detectable or None
    tested = _tested(claim, interval(sample), lambda threshold: p_value(sample, threshold))
    return replace(
        tested if known.error else _by_signs(claim, known.mean, sample),
        values=values,
        signs=_p(claim, _signs(sample)),
        detectable=math.exp(least) if least is not None and logarithmic(claim) else least,
    )


def _by_signs(claim: Claim, mean: float, sample: Sequence[float]) -> ClaimVerdict:
    """Of equal values, a few steps apart or fixed by the protocol: an error of nothing would make any difference certain."""
    return _tested(claim, Interval(mean, None, None, len(sample)), _signs(sample))


def _signs(sample: Sequence[float]) -> Callable[[float], float]:
    """Threshold -> p-value of the exact sign-flip test."""
    return lambda threshold: sign_flip([value - threshold for value in sample])


def _values(claim: Claim, comparisons: Sequence[Comparison]) -> dict[int, float]:
    """Seed -> statistic, of the seeds that have it."""
    assert claim.method is not None
    own, other = side(claim, comparisons[0], claim.method), side(claim, comparisons[-1], *claim.comparators)
    return STATISTICS[claim.statistic].of(claim, own, other)


def _across(claim: Claim, comparisons: Sequence[Comparison]) -> ClaimVerdict:
    """The interquartile mean over runs and tasks, and its stratified bootstrap's standard error."""
    shared = _shared(claim, comparisons)
    own, other = (np.array(scores) for scores in zip(*shared.values(), strict=True))
    gap = resampled(stratified(_iqm_gap, own, other), samples=len(comparisons))
    values = {seed: float(np.mean(a - b)) for seed, (a, b) in shared.items()}
    tested = (
        _tested(claim, gap.interval, gap.p_value) if gap.error else _by_signs(claim, gap.mean, list(values.values()))
    )
    return replace(tested, values=values, pooled=gap, detectable=gap.detectable or None)


def _shared(claim: Claim, comparisons: Sequence[Comparison]) -> dict[int, tuple[Floats, Floats]]:
    """Seed -> normalised scores of both sides, one a task; of the seeds that both have, ascending."""
    assert claim.method is not None
    own, other = (_normalised(claim, comparisons, method) for method in (claim.method, *claim.comparators))
    return {seed: (own[seed], other[seed]) for seed in sorted(own.keys() & other.keys())}


def _iqm_gap(own: Floats, other: Floats) -> float:
    return iqm(own) - iqm(other)


def _normalised(claim: Claim, comparisons: Sequence[Comparison], method: str) -> dict[int, Floats]:
    """Seed -> normalised score of every task, mean over the levels."""
    columns = [shared_mean(normalised_scores(claim, comparison, method)) for comparison in comparisons]
    common = sorted(set.intersection(*map(set, columns)))
    return {seed: np.array([column[seed] for column in columns]) for seed in common}


def _fixed(claim: Claim, comparisons: Sequence[Comparison], per_seed: PerSeed) -> Sequence[int]:
    """As many seeds as the claim and its tasks ask for, the lowest that have its statistic: those beyond move no verdict.

    They are found among as few as there may be, as what a seed is worth may depend on all (a mean of the dense network).

    Args:
        claim: an exact one, which leaves nothing to chance, takes all.
        comparisons: of its tasks.
        per_seed: its statistic, of the seeds that have it.

    Raises:
        Missing: if there are fewer.
        Unmeasured: if there are fewer, and those that lack it were run; or the dense network of these learned nothing.
    """
    asked = claim.seeds_of(*(comparison.task for comparison in comparisons))
    if claim.test != "exact":
        run = sorted({seed for arm in _arms(claim, comparisons) if arm for seed in arm.records})
        for few in _sizes(asked, len(run)):
            with suppress(Missing, Unmeasured):
                seeds = sorted(per_seed(claim, _of_seeds(comparisons, run[:few])))
                if len(seeds) >= asked:
                    return seeds[:asked]
    seeds = sorted(per_seed(claim, comparisons))
    if len(seeds) < asked:
        raise _shortage(claim, comparisons, seeds, asked)
    return seeds if claim.test == "exact" else seeds[:asked]


def _sizes(least: int, most: int) -> Iterator[int]:
    """Among how many seeds to look: one more at a time, of many an eighth more, as each look takes as long as they are many."""
    size = least
    while size < most:
        yield size
        size += max(1, (size - least) // 8)
    if least <= most:
        yield most


def _of_seeds(comparisons: Sequence[Comparison], seeds: Iterable[int]) -> list[Comparison]:
    """The tasks as if only these seeds had been run."""
    chosen = frozenset(seeds)
    return [each.of_seeds(chosen) for each in comparisons]


def _shortage(
    claim: Claim, comparisons: Sequence[Comparison], seeds: Sequence[int], asked: int
) -> Missing | Unmeasured:
    """That fewer seeds have the statistic than are asked for, and whether running the others would help."""
    what = f"seeds with {claim.metric}" if claim.metric else "seeds"
    short = f"{asked} {what} of which there are {len(seeds)}"
    lacking = [seed for seed in range(asked) if seed not in seeds]
    if not all(_was_run(claim, comparisons, seed) for seed in lacking):
        return Missing(short)
    told = f"seed {lacking[0]} was" if len(lacking) == 1 else f"seeds {', '.join(map(str, lacking))} were"
    return Unmeasured(f"{short}; {told} run without one")


def _was_run(claim: Claim, comparisons: Sequence[Comparison], seed: int) -> bool:
    """Whether every arm that the claim reads has the seed."""
    return all(arm is not None and seed in arm.records for arm in _arms(claim, comparisons))


def _arms(claim: Claim, comparisons: Sequence[Comparison]) -> Iterator[Arm | None]:
    """Every arm that the claim reads; None where it was not run."""
    for comparison in comparisons:
        for method in claim.arms[comparison.task.name]:
            for level in claim.levels:
                yield comparison.arm(method, level)


def _known(claim: Claim, comparisons: Sequence[Comparison], per_seed: PerSeed) -> int:
    """How many seeds have its statistic, those included that it is not judged by: whatever they say moves no verdict."""
    try:
        return len(per_seed(claim, comparisons))
    except (Missing, Unmeasured, *CONTRADICTIONS):  # beside those that are added the dense network learned nothing
        return 0


def _exact(claim: Claim, values: Mapping[int, float]) -> ClaimVerdict:
    assert claim.margin is not None
    worst = max(map(abs, values.values()))
    limits = Interval(printed(claim)(worst), None, None, len(values))
    status: Status = "holds" if worst <= claim.margin else "fails"
    return _claimed(ClaimVerdict(claim=claim, status=status, interval=limits, scale=claim.scale, values=values))


def _tested(claim: Claim, limits: Interval, p_of: Callable[[float], float | None]) -> ClaimVerdict:
    """The verdict by itself: one test decides, and the interval is its inversion.

    Args:
        claim: not an exact one.
        limits: of its statistic, in the unit of the values.
        p_of: threshold -> two-sided p-value.
    """
    p, show = _p(claim, p_of), printed(claim)
    low, high = (None if bound is None else show(bound) for bound in (limits.low, limits.high))
    status: Status = "inconclusive" if p >= ALPHA else "holds" if _is_claimed(claim, limits.mean) else "fails"
    interval = Interval(show(limits.mean), low, high, limits.n)
    return _claimed(ClaimVerdict(claim=claim, status=status, interval=interval, scale=claim.scale, p=p))


def _claimed(verdict: ClaimVerdict) -> ClaimVerdict:
    """`verdict`, or what was measured alone where the scale carries none."""
    if verdict.scale not in UNCLAIMED or not trained(verdict.claim):
        return verdict
    reason = f"{verdict.scale} scale spends too little of the paper's budget"
    return replace(verdict, status="no verdict", p=None, reason=reason)


def _threshold(claim: Claim) -> float:
    """In the unit of the values."""
    if claim.test == "not-worse":
        assert claim.margin is not None
        return -claim.margin
    return math.log(claim.threshold) if logarithmic(claim) else claim.threshold


def _is_claimed(claim: Claim, mean: float) -> bool:
    """Whether a mean is on the side of the threshold that is claimed."""
    if claim.test == "equivalent":
        assert claim.margin is not None
        return abs(mean) < claim.margin
    return mean < _threshold(claim) if claim.test == "less" else mean > _threshold(claim)


def _p(claim: Claim, p_of: Callable[[float], float | None]) -> float:
    """Two-sided; of an equivalence from the nearer margin, so twice the larger of its two tests (Schuirmann 1987) if it holds."""
    margin = claim.margin if claim.test == "equivalent" else None
    thresholds = (_threshold(claim),) if margin is None else (-margin, margin)
    p_values = [p for threshold in thresholds if (p := p_of(threshold)) is not None]
    assert p_values, f"{claim.id} asks for too few seeds"
    return max(p_values)


def _corrected(verdicts: Sequence[ClaimVerdict]) -> list[ClaimVerdict]:
    families: dict[tuple[str, Scale | None], list[int]] = defaultdict(list)
    for place, verdict in enumerate(verdicts):
        if verdict.claim.blocked is None and verdict.claim.test != "exact":
            families[verdict.claim.paper, verdict.claim.scale].append(place)
    corrected = list(verdicts)
    for places in families.values():
        adjusted = holm([1.0 if (p := verdicts[place].p) is None else p for place in places])
        for place, p in zip(places, adjusted, strict=True):
            if verdicts[place].p is not None:
                corrected[place] = _after(replace(verdicts[place], p=p, family=len(places)))
    return corrected


def _after(verdict: ClaimVerdict) -> ClaimVerdict:
    """With its corrected p-value, which may take a verdict back."""
    assert verdict.p is not None
    if verdict.status != "inconclusive" and verdict.p < ALPHA:
        return replace(verdict, detectable=None)
    verdict = replace(verdict, deciding=_deciding(verdict))
    if verdict.status == "inconclusive":
        return verdict
    reason = f"it {verdict.status} by itself, but not after Holm's correction for {verdict.family} claims"
    return replace(verdict, status="inconclusive", reason=reason)


def _deciding(verdict: ClaimVerdict) -> int | None:
    """Seeds that its test would take, of an equivalence that of the nearer margin."""
    claim, known = verdict.claim, verdict.pooled or estimate(verdict.values.values())
    threshold = _threshold(claim)
    if claim.test == "equivalent":
        assert claim.margin is not None
        threshold = math.copysign(claim.margin, known.mean)
    if known.error == 0:
        told = known.mean != threshold
        return math.floor(math.log2(verdict.family / ALPHA)) + 2 if told else None  # 2^(1 - n) below its share
    return known.deciding(threshold, tests=verdict.family)
