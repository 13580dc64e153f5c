"""Verdicts as text: blocks for the terminal, a table for those who publish."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from bench.report import escaping
from bench.report.claims.definitions import Claim, papers
from bench.report.claims.measures import STATISTICS, printed
from bench.report.claims.verdicts import ClaimVerdict
from bench.report.statistics.seeds import MOST

IQM = "difference of interquartile means over the tasks, normalised scores"
SIGNS = {"greater": ">", "less": "<"}
WIDTH = 100
COLUMNS = (
    *("claim", "verdict", "scale", "statistic", "claimed", "n", "p (Holm)", "p (signs)", "detectable", "seeds"),
    *("read", "statement"),
)


def blocks(verdicts: Iterable[ClaimVerdict]) -> str:
    """Paper by paper: what is claimed, the verdict, and the numbers it rests on."""
    lines: list[str] = []
    paper = ""
    for verdict in verdicts:
        if verdict.claim.paper != paper:
            paper = verdict.claim.paper
            lines += ["", f"{paper}  {papers()[paper]}"]
        lines += ["", *_block(verdict)]
    return "\n".join(lines).strip() + "\n"


def verdict_table(verdicts: Sequence[ClaimVerdict]) -> str:
    """A table of the verdicts, the reasons under it."""
    rows = [[escaping.markdown(cell) for cell in _row(verdict)] for verdict in verdicts]
    table = markdown([COLUMNS, *rows])
    notes = [f"- {verdict.claim.id}: {escaping.markdown(note)}" for verdict in verdicts for note in notes_on(verdict)]
    return "\n".join([*table, *([""] if notes else []), *notes]) + "\n"


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows below their header, a line each."""
    return [f"| {' | '.join(row)} |" for row in (rows[0], ("---",) * len(rows[0]), *rows[1:])]


def setting(claim: Claim, *, seeds: int, units: int) -> list[str]:
    """What a claim rests on at its scale, in sentences: what is read, what decides, and how much is trained for that.

    Args:
        claim: one that has a scale.
        seeds: the fewest, of all its tasks.
        units: that these take.
    """
    by = "at every seed" if claim.test == "exact" else "two-sided p below 5 % after Holm's correction within the paper"
    looked = [f"a first look, before the seeds were fixed: {claim.first_look}"] if claim.first_look else []
    trains = f"{seeds} seed{'s' * (seeds > 1)} or more: {units:,} unit{'s' * (units > 1)} to train"
    return [f"{read(claim)}: {about(claim)}", f"claimed {claimed(claim)}, {by}", trains, *looked]


def claimed(claim: Claim) -> str:
    """The test in symbols: `> 0`, `within 0.2`, `exactly 1`."""
    if claim.test in SIGNS:
        return f"{SIGNS[claim.test]} {claim.threshold:g}"
    if claim.test == "not-worse":
        return f"> -{claim.margin:g}"
    return f"within {claim.margin:g}" if claim.margin else f"exactly {printed(claim)(0.0):g}"


def notes_on(verdict: ClaimVerdict) -> list[str]:
    """Why there is no verdict or what limits it, what was seen before the number of seeds was fixed, and what was left out."""
    looked, n = verdict.claim.first_look, verdict.interval.n if verdict.interval else 0
    notes = (
        verdict.reason,
        looked and f"a first look, before the seeds were fixed: {looked}",
        verdict.added and f"the seeds added since, alone: {_added(verdict.added)}",
        *(f"at {other.scale} scale: {_other(other)}" for other in verdict.elsewhere),
        verdict.known > n and f"judged by the lowest {n} of {verdict.known} seeds, as many as the claim fixes",
    )
    return [note for note in notes if note]


def _other(verdict: ClaimVerdict) -> str:
    """What another scale says, on how many seeds."""
    if verdict.interval is None:
        return f"not run; a first look, before the seeds were fixed: {verdict.claim.first_look}"
    corrected = "" if verdict.p is None else f", p {verdict.p:.2g} after Holm's correction"
    return f"{verdict.status}, {measured(verdict)} of {verdict.interval.n} seeds{corrected}"


def _added(verdict: ClaimVerdict) -> str:
    assert verdict.interval is not None
    p = "" if verdict.p is None else f", p {verdict.p:.2g} uncorrected"
    return f"{verdict.interval.n} seeds: {measured(verdict)}{p}"


def seeds_needed(verdict: ClaimVerdict) -> str:
    """Of what is inconclusive, how many seeds would decide it: `12`, or `over 100`; empty otherwise."""
    if verdict.status != "inconclusive":
        return ""
    return str(verdict.deciding or f"over {MOST}")


def measured(verdict: ClaimVerdict) -> str:
    """`0.476 [0.281, 0.671]`; empty where nothing was run."""
    limits, claim = verdict.interval, verdict.claim
    if limits is None:
        return ""
    if claim.test == "exact" and not claim.margin:
        return f"{limits.mean:.6g}"  # three digits may hide what it fails by
    bounds = "" if limits.low is None or limits.high is None else f" [{limits.low:.3g}, {limits.high:.3g}]"
    return f"{limits.mean:.3g}{bounds}"


def about(claim: Claim) -> str:
    """The statistic in a sentence."""
    return IQM if claim.statistic == "iqm" else STATISTICS[claim.statistic].about


def read(claim: Claim) -> str:
    """What is read, and on which tasks: `luck of ticket on teacher/two-layer, level 6`; empty where nothing can be."""
    if not claim.scale:
        return ""
    others, tasks = " and ".join(claim.comparators), ", ".join(claim.tasks)
    rival = f"the mean of {others}" if len(claim.comparators) > 1 else others
    own = f"{_reading(claim)} of {claim.method}"
    if claim.comparator_task:
        arms = f"{own} on {tasks} against {rival} on {claim.comparator_task}"
    else:
        arms = f"{own}{' against ' if rival else ''}{rival} on {tasks}"
    return f"{arms}, {_levels(claim.levels)}"


def _reading(claim: Claim) -> str:
    known = STATISTICS.get(claim.statistic, STATISTICS["gain"])
    what = claim.metric or known.reads
    return f"{what}{f' of {claim.layer}' if claim.layer else ''}{f' at {claim.at}' if claim.at else ''}"


def _levels(levels: Sequence[int]) -> str:
    """`level 6`, `levels 3, 8`, `levels 1 to 7`."""
    first, last = levels[0], levels[-1]
    if len(levels) > 2 and list(levels) == list(range(first, last + 1)):
        return f"levels {first} to {last}"
    return f"level{'s' * (len(levels) > 1)} {', '.join(map(str, levels))}"


def _block(verdict: ClaimVerdict) -> list[str]:
    claim = verdict.claim
    head = f"{claim.id:<7} {verdict.status}{f' at {verdict.scale} scale' if verdict.scale else ''}"
    lines = [head, *_wrapped(f"{claim.statement} ({claim.where})")]
    if claim.scale:
        lines += _wrapped(f"{read(claim)}: {about(claim)}")
    if verdict.interval:
        lines += _wrapped(_numbers(verdict))
    if claim.reported:
        lines += _wrapped(f"the paper: {claim.reported}")
    return lines + [line for note in notes_on(verdict) for line in _wrapped(note)]


def _numbers(verdict: ClaimVerdict) -> str:
    assert verdict.interval is not None
    n = verdict.interval.n
    parts = [f"{measured(verdict)}, claimed {claimed(verdict.claim)}", f"{n} seed{'s' * (n > 1)}"]
    parts += [f"p {verdict.p:.2g} (Holm, {_family(verdict)})"] if verdict.p is not None else []
    parts += [f"detectable {verdict.detectable:.3g}"] if verdict.detectable is not None else []
    parts += [f"{needed} seeds would decide"] if (needed := seeds_needed(verdict)) else []
    return "; ".join(parts)


def _family(verdict: ClaimVerdict) -> str:
    return f"{verdict.family} claim{'s' * (verdict.family > 1)}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 10)


def _row(verdict: ClaimVerdict) -> tuple[str, ...]:
    claim, limits = verdict.claim, verdict.interval
    numbers = (verdict.p, verdict.signs, verdict.detectable)
    return (
        claim.id,
        verdict.status,
        verdict.scale or "",
        measured(verdict),
        claimed(claim) if claim.scale else "",
        str(limits.n) if limits else "",
        *("" if value is None else f"{value:.2g}" for value in numbers),
        seeds_needed(verdict),
        read(claim),
        claim.statement,
    )
