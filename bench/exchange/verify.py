"""Everything that can be found wrong with a submission without training anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import registry
from bench.exchange.checks import budgets, chance, masks, pairing, schema, scores, seeds, states
from bench.exchange.submission import Check, Submission, SubmittedUnit, read
from bench.runs.integrity import verify as contradictions
from bench.runs.integrity import verify_alone
from bench.runs.store import Store

CHECKS: dict[str, Check] = {
    "schema": schema.schema,
    "definition": pairing.definition,
    "family": pairing.family,
    "seed": seeds.once,
    "network": masks.network,
    "exempt weights": masks.prunable,
    "level": masks.level,
    "magnitudes": masks.ranked,
    "totals": masks.totals,
    "ticket's mask": masks.paired,
    "overlap": chance.overlap,
    "layer counts": chance.layers,
    "budget": budgets.steps,
    "evaluations": budgets.looks,
    "search cost": budgets.search,
    "metrics": scores.recomputed,
    "ranges": scores.ranges,
    "sizes": scores.sizes,
    "weights": states.weights,
    "trained weights": states.controls,
}
"""What is looked at -> the check; each stands alone, so that a hostile file that breaks one meets the others."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found.

    Args:
        findings: what is wrong, one line each.
        notes: what is missing or cannot be judged here; fine in one's own store, not in a submission.
        units: how many folders were looked at.
        submission: what was read.
    """

    findings: list[str]
    notes: list[str]
    units: int
    submission: Submission


def findings_of(root: Path) -> Inspection:
    """Look at every unit of a store, or of an unpacked archive.

    Raises:
        StoreError: if it is no store.
    """
    store = Store(root)
    submission = read(store, tasks=registry.tasks(), methods=registry.methods())
    return _verdict(store, submission, contradictions(store), list(seeds.missing(submission)))


def findings_of_ticket(root: Path, folder: Path) -> Inspection:
    """Look at the only unit of a store that a ticket file was unfolded into.

    Args:
        root: of the store.
        folder: of the unit.
    """
    store = Store(root)
    submission = read(store, tasks=registry.tasks(), methods=registry.methods())
    findings = [f"{folder.relative_to(root)}: {each}" for each in verify_alone(store, folder)]
    return _verdict(store, submission, findings, [], more={"start": states.start})


def _verdict(
    store: Store, submission: Submission, findings: list[str], notes: list[str], more: Mapping[str, Check] | None = None
) -> Inspection:
    checks = CHECKS | dict(more or {})
    findings = list(findings)
    for entry in submission.entries.values():
        name = entry.folder.relative_to(store.root)
        for what, check in checks.items():
            findings += [f"{name}: {each}" for each in _guarded(what, check, submission, entry)]
        notes += [f"{name}: {each}" for each in _guarded("origin", pairing.strangers, submission, entry)]
    return Inspection(
        findings=[_plain(each) for each in findings],
        notes=[_plain(each) for each in notes],
        units=sum(1 for _ in store.folders()),
        submission=submission,
    )


def _guarded(what: str, check: Check, submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    try:
        yield from check(submission, entry)
    except Exception as error:  # noqa: BLE001  a hostile file may break any reader; that is a finding, not an end
        yield f"its {what} cannot be checked: {type(error).__name__}: {error}"


def _plain(line: str) -> str:
    """A finding as one line of harmless characters: names in it may come from anybody."""
    line = line if len(line) <= 500 else f"{line[:500]}..."
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
