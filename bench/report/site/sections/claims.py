"""The lines of the board of claims: a verdict, and where the records that it rests on stand on the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from bench.report.claims.verdicts import ClaimVerdict, Status
from bench.report.site.anchors import Page
from bench.spec import DENSE, SCALES

KINDS = ("at the paper's scale", "at a smaller scale", "derived by us", "counts of weights")
"""What a claim can be, and what a verdict on it weighs: the most first."""

DERIVED = "Derived: "
"""How a statement begins that follows from a paper, and does not stand in it."""

STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """What the page tells of one claim.

    Args:
        verdict: on it.
        pages: task -> its page, if it was run at the verdict's scale.
    """

    verdict: ClaimVerdict
    pages: Mapping[str, Page | None]

    @property
    def anchor(self) -> str:
        """Of its line on the board."""
        return f"claim-{self.verdict.claim.id}"

    @property
    def kind(self) -> str:
        """One of `KINDS`: counts need no training and derived claims are nobody's, at whatever scale they were shown."""
        paper, smaller, derived, counts = KINDS
        if self.verdict.claim.test == "exact":
            return counts
        if self.verdict.claim.statement.startswith(DERIVED):
            return derived
        return smaller if self.verdict.scale in SCALES[:-1] else paper

    @property
    def methods(self) -> list[str]:
        """Those that are read, on any of its tasks."""
        return list(dict.fromkeys(method for methods in self.verdict.claim.arms.values() for method in methods))

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """Anchor and name of every arm that the verdict rests on."""
        if self.verdict.interval is None:
            return []
        links = (
            (page.anchor_of(method, level), f"{method} L{level}")
            for name, page in self.pages.items()
            if page
            for method in self.verdict.claim.arms[name]
            for level in ((0,) if method == DENSE else self.verdict.claim.levels)
        )
        return list(dict.fromkeys((anchor, arm) for anchor, arm in links if anchor))


def claim_lines(verdicts: Sequence[ClaimVerdict], pages: Sequence[Page]) -> list[ClaimLine]:
    """A line per verdict, in the same order; what is not installed is evidence of nothing."""
    installed = {(page.task.name, str(page.task.scale)): page for page in pages if page.installed}
    return [
        ClaimLine(
            verdict=verdict, pages={name: installed.get((name, str(verdict.scale))) for name in verdict.claim.arms}
        )
        for verdict in verdicts
    ]


def tally(lines: Sequence[ClaimLine]) -> list[tuple[str, tuple[int, ...]]]:
    """Status -> how many lines there are of each of `KINDS`; a status without a line is left out."""
    counts = Counter((line.verdict.status, line.kind) for line in lines)
    rows = [(status, tuple(counts[status, kind] for kind in KINDS)) for status in STATUSES]
    return [(status, numbers) for status, numbers in rows if any(numbers)]


def by_paper(lines: Sequence[ClaimLine]) -> list[tuple[str, list[ClaimLine]]]:
    """Number at arXiv -> its lines; papers of which something was run come first."""
    several: dict[str, list[ClaimLine]] = {}
    for line in lines:
        several.setdefault(line.verdict.claim.paper, []).append(line)
    return sorted(several.items(), key=lambda pair: all(line.verdict.status == "not run" for line in pair[1]))
