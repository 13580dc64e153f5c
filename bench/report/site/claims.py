"""The lines of the board of claims: a verdict, and where the records that it rests on stand on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.report.claims.verdicts import ClaimVerdict
from bench.report.site.anchors import Page
from bench.spec import DENSE


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """What the page tells of one claim.

    Args:
        verdict: on it.
        pages: task -> its page, if it was run at the verdict's scale.
        methods: the one that is read, and the one that it is compared with.
    """

    verdict: ClaimVerdict
    pages: Mapping[str, Page | None]
    methods: Sequence[str]

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """Anchor and name of every arm that the verdict rests on."""
        if self.verdict.interval is None:
            return []
        links = (
            (page.anchor_of(method, level), f"{method} L{level}")
            for page in self.pages.values()
            if page
            for method in self.methods
            for level in ((0,) if method == DENSE else self.verdict.claim.levels)
        )
        return list(dict.fromkeys((anchor, arm) for anchor, arm in links if anchor))


def claim_lines(verdicts: Sequence[ClaimVerdict], pages: Sequence[Page]) -> list[ClaimLine]:
    """A line per verdict, in the same order; what is not installed is evidence of nothing."""
    installed = {(page.task.name, str(page.task.scale)): page for page in pages if page.installed}
    return [
        ClaimLine(
            verdict=verdict,
            pages={name: installed.get((name, str(verdict.scale))) for name in verdict.claim.tasks},
            methods=[method for method in (verdict.claim.method, verdict.claim.comparator) if method],
        )
        for verdict in verdicts
    ]
