"""What a comparison of two runs says: a cell for every number that both have, with its verdict."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

from bench.report.regression.difference import Sample
from bench.report.regression.side import Key, Side
from bench.report.statistics.seeds import MOST

CellVerdict = Literal["worse", "better", "same", "inconclusive", "missing", "protocol changed", "new"]
VERDICTS: tuple[CellVerdict, ...] = get_args(CellVerdict)
FAILURES: tuple[CellVerdict, ...] = ("worse", "missing")
"""What a candidate must not have; missing cells may be allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number of one arm on both sides.

    Args:
        key: the arm.
        quantity: the task's metric and where it is read; `vs_*`, the ticket's distance from a control; `overlap`; or a
            fact that should not have changed.
        direction: `max` or `min`; `equal` where any difference is a fault.
        verdict: `same` means shown to be: the 95 % interval of the difference lies within the tolerance; `missing` is what
            the candidate has not, `new` what the baseline has not.
        baseline: mean over the seeds.
        candidate: the same.
        difference: positive where the candidate is better, or more where neither is.
        low: lower bound of its 95 % interval.
        high: upper bound.
        p: two-sided, after Holm's correction; None if nothing was tested.
        tolerance: in the unit of the difference.
        n_baseline: number of seeds.
        n_candidate: number of seeds.
        test: how the difference was told from chance.
        trained_differently: whether the method itself was, to the bit.
        reason: why there is this verdict, where the numbers do not say it.
        samples: the baseline's and the candidate's; None if no difference was looked at.
        fewest: seeds below which there is no verdict.
        deciding: of what is undecided, how many seeds would decide it, on either side; None where over a hundred would, or
            nothing tells how seeds spread.
    """

    key: Key
    quantity: str
    direction: str = "max"
    verdict: CellVerdict = "inconclusive"
    baseline: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    tolerance: float | None = None
    n_baseline: int = 0
    n_candidate: int = 0
    test: Literal["paired", "Welch", "chance", "exact", ""] = ""
    trained_differently: bool = False
    reason: str = ""
    samples: tuple[Sample, Sample] | None = None
    fewest: int = 0
    deciding: int | None = None

    @property
    def seeds(self) -> str:
        """`about 12 seeds would decide`, of what is undecided; empty where nothing tells how seeds spread."""
        if not self.undecided or self.low is None:
            return ""
        side = "" if self.test == "paired" else " on either side"
        if self.deciding is None:
            return f"{MOST} seeds{side} would not decide"
        return f"about {self.deciding} seeds{side} would decide"

    @property
    def undecided(self) -> bool:
        """Whether its mean is worse than tolerated, and yet not shown to be: no evidence of a fault, and none against it."""
        if self.verdict != "inconclusive" or self.difference is None or self.tolerance is None:
            return False
        return not within(self.difference, self.tolerance) and (self.difference < 0 or self.direction == "equal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """What comparing two sides gave.

    Args:
        baseline: what it was compared with.
        candidate: what was compared.
        cells: in the order of the arms, the baseline's first.
    """

    baseline: Side
    candidate: Side
    cells: tuple[Cell, ...]

    @property
    def counts(self) -> dict[CellVerdict, int]:
        """CellVerdict -> number of cells."""
        cells = Counter(cell.verdict for cell in self.cells)
        return {verdict: cells[verdict] for verdict in VERDICTS}

    @property
    def undecided(self) -> list[Cell]:
        """What is neither shown to be worse nor within what is tolerated, that which exceeds it most first."""
        return sorted((cell for cell in self.cells if cell.undecided), key=_excess, reverse=True)

    @property
    def tests(self) -> int:
        """Over how many tests p-values were corrected."""
        return sum(cell.p is not None for cell in self.cells)


def within(value: float, tolerance: float) -> bool:
    """Whether a difference is no larger than what is tolerated."""
    return abs(value) < tolerance or math.isclose(abs(value), tolerance, rel_tol=1e-9)


def _excess(cell: Cell) -> float:
    """How many times what is tolerated: tasks differ in their units."""
    assert cell.difference is not None
    return abs(cell.difference) / cell.tolerance if cell.tolerance else math.inf
