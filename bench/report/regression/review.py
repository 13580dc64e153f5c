"""A comparison as text: Markdown for a pull request, CSV or JSON for a program."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import Any

from bench.errors import UnknownName
from bench.report import escaping
from bench.report.regression.cells import FAILURES, Cell, Regression
from bench.report.regression.gates import ALARM, SHARED

COLUMNS = (
    *("task", "scale", "method", "level", "quantity", "direction", "verdict", "baseline", "candidate"),
    *("difference", "low", "high", "p", "tolerance", "n_baseline", "n_candidate", "test"),
    *("undecided", "deciding", "reason"),
)
HEADER = ("task", "method", "level", "quantity", "verdict", "baseline", "candidate", "difference", "p", "why")
ARROWS = {"max": " ↑", "min": " ↓", "equal": ""}
RANK = ("worse", "missing", "better", "inconclusive", "protocol changed", "new", "same")
"""Order of the verdicts in Markdown: what needs a reader's eye comes first."""


def review(regression: Regression, style: str) -> str:
    """The comparison as text that ends in a newline.

    Args:
        regression: what was found.
        style: `md`, `csv` or `json`.

    Raises:
        UnknownName: if there is no such style.
    """
    if style not in STYLES:
        raise UnknownName("format", style, STYLES)
    return STYLES[style](regression)


def outcome(regression: Regression) -> str:
    """One line: how many cells of each verdict, and what is undecided."""
    counts, undecided = regression.counts, regression.undecided
    total = f"{len(regression.cells)} cell{'s' * (len(regression.cells) != 1)}"
    bad = ", ".join(f"{counts[verdict]} {verdict}" for verdict in FAILURES if counts[verdict])
    rest = ", ".join(
        f"{counts[verdict]} {verdict}" for verdict in counts if verdict not in FAILURES and counts[verdict]
    )
    nothing = "Nothing is shown to be worse" if counts["inconclusive"] else "Nothing worse or missing"
    head = f"{bad} of {total}" if bad else f"{nothing} in {total}"
    told = f"{head} ({rest})" if rest else head
    return f"{told}; {_undecided(undecided)}" if undecided else told


def _undecided(cells: list[Cell]) -> str:
    worst, *others = cells
    count = f"{len(cells)} are undecided, their means" if others else "1 is undecided, its mean"
    gap = f"{worst.key.label}, {worst.quantity} {_gap(worst)}"
    return f"{count} worse than tolerated ({'worst: ' if others else ''}{'; '.join(filter(None, (gap, worst.seeds)))})"


def _markdown(regression: Regression) -> str:
    cells = sorted(regression.cells, key=lambda cell: RANK.index(cell.verdict))
    bad = [*(cell for cell in cells if cell.verdict in FAILURES), *regression.undecided]
    rest = [cell for cell in cells if cell.verdict not in FAILURES and not cell.undecided]
    sides = f"Candidate {regression.candidate.name}, baseline {regression.baseline.name}."
    lines = [f"**{escaping.markdown(outcome(regression))}**", "", escaping.markdown(sides), ""]
    lines += [*_table(bad), ""] if bad else []
    lines += ["<details>", f"<summary>{'The rest' if bad else 'All cells'}, and how it was judged</summary>", ""]
    lines += [*_table(rest), ""] if rest else []
    return "\n".join(
        [*lines, *(f"- {escaping.markdown(note)}" for note in explanations(regression)), "", "</details>", ""]
    )


def explanations(regression: Regression) -> list[str]:
    """How the verdicts came about, a sentence or two each."""
    tests = Counter(cell.test for cell in regression.cells if cell.p is not None)
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(tests.items()))
    gates = f"p < {ALARM:g} after Holm's correction over the {regression.tests} tests of this comparison ({kinds or 'none'})"
    return [
        f"Worse and better: {gates}, and a difference above the task's tolerance.",
        "Same: the 95 % interval of the difference, in brackets, lies within the tolerance.",
        "Inconclusive: neither, which passes. Undecided: the mean alone is worse than tolerated, which fails with --strict.",
        "Seeds that would decide: with 80 % power, if mean and spread stay, over as many tests; fewer if you ask for less.",
        "Missing: not run by the candidate, or at too few seeds; fails like worse, unless --allow-missing.",
        "Differences: positive where the candidate is better; paired where both have the same seeds, else Welch's.",
        "Rows `vs`: the ticket's distance from its controls, paired by seed within a side.",
        *_facts(regression),
    ]


def _facts(regression: Regression) -> list[str]:
    tables = [side.name for side in (regression.baseline, regression.candidate) if side.tabulated]
    if tables:
        return [
            f"{' and '.join(tables)}: a table tells means, intervals and n only, so nothing is paired between the sides.",
            "Of the protocol a table tells versions, of the structure densities: nothing else of these is compared.",
        ]
    silent = (
        "the same unit from the same parents, by the same software on the same machine, has another result, while the "
        "dense network has not; worse, unless the score is shown to be the same"
    )
    return [
        "Densities, counts and lengths: equal, or worse.",
        f"Overlap of a shuffled mask with the ticket's: what chance shares, within {SHARED:g}.",
        f"Trained differently: {silent}.",
    ]


def _table(cells: list[Cell]) -> list[str]:
    lines = [HEADER, ("---",) * len(HEADER), *(tuple(map(escaping.markdown, _row(cell))) for cell in cells)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _row(cell: Cell) -> tuple[str, ...]:
    return (
        f"{cell.key.task} @ {cell.key.scale}",
        cell.key.method,
        str(cell.key.level),
        f"{cell.quantity}{ARROWS[cell.direction]}",
        cell.verdict,
        *(
            "" if mean is None else f"{mean:.5g}{f' (n = {n})' if n else ''}"
            for mean, n in ((cell.baseline, cell.n_baseline), (cell.candidate, cell.n_candidate))
        ),
        _difference(cell),
        "" if cell.p is None else f"{cell.p:.2g}",
        cell.reason,
    )


def _difference(cell: Cell) -> str:
    if cell.difference is None:
        return ""
    return _gap(cell) + (f", tolerated {cell.tolerance:g}" if cell.tolerance else "")


def _gap(cell: Cell) -> str:
    bounds = "" if cell.low is None or cell.high is None else f" [{cell.low:+.3g}, {cell.high:+.3g}]"
    return f"{cell.difference:+.3g}{bounds}"


def _values(cell: Cell) -> dict[str, Any]:
    return {column: getattr(cell.key if hasattr(cell.key, column) else cell, column) for column in COLUMNS}


def _csv(regression: Regression) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_field(value) for value in _values(cell).values()] for cell in regression.cells)
    return text.getvalue()


def _field(value: Any) -> str:
    if value is None:
        return ""
    return (
        escaping.field(value) if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)
    )


def _json(regression: Regression) -> str:
    told = {
        "baseline": regression.baseline.name,
        "candidate": regression.candidate.name,
        "headline": outcome(regression),
        "summary": regression.counts,
        "undecided": len(regression.undecided),
        "tests": regression.tests,
        "notes": explanations(regression),
        "cells": [_values(cell) for cell in regression.cells],
    }
    return json.dumps(told, indent=1, allow_nan=False) + "\n"


STYLES = {"md": _markdown, "csv": _csv, "json": _json}
