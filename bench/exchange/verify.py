"""Everything that can be found wrong with a submission without training anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import StoreError
from bench.exchange.checks import budgets, chance, counts, definition, masks, scores, seeds, states
from bench.exchange.draw import obstacle
from bench.exchange.submission import Check, Submission, SubmittedUnit, read
from bench.store.integrity import verify as contradictions
from bench.store.integrity import verify_alone
from bench.store.store import Store

CHECKS: dict[str, Check] = {
    "specs": definition.spec,
    "definition": definition.definition,
    "family": definition.family,
    "seed": seeds.once,
    "network": masks.network,
    "exempt weights": masks.prunable,
    "level": masks.level,
    "magnitudes": masks.ranked,
    "survivors": masks.survived,
    "totals": masks.totals,
    "derived counts": counts.derived,
    "densities": counts.densities,
    "width": counts.narrowed,
    "operations": counts.flops,
    "ticket's mask": masks.paired,
    "overlap": chance.overlap,
    "layer counts": chance.layers,
    "budget": budgets.steps,
    "evaluations": budgets.looks,
    "search cost": budgets.search,
    "metrics": scores.recomputed,
    "ranges": scores.ranges,
    "numbers beside": scores.beside,
    "sizes": scores.sizes,
    "weights": states.weights,
    "trained weights": states.controls,
    "imported weights": states.imported,
}
"""What is looked at -> the check; each stands alone, so that a hostile file that breaks one meets the others."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found.

    Args:
        findings: what contradicts itself or a rule, one line each.
        doubts: what is not installed here, told otherwise than it is installed, or cannot be trained again.
        missing: what should be here; fine in one's own store, not in a submission.
        submitted: whether it is one: an archive, or a store that was unpacked from one.
        notes: what nothing here can show, and nobody asks for.
        believed: units whose masks nothing but their own word stands for.
        units: how many folders were looked at.
        submission: what was read.
    """

    findings: list[str]
    doubts: list[str]
    missing: list[str]
    submitted: bool
    notes: list[str]
    believed: int
    units: int
    submission: Submission


def findings_of(root: Path) -> Inspection:
    """Look at every unit of a store, or of an unpacked archive.

    Raises:
        StoreError: if it is no store, or holds no unit: what nobody looked at has not passed.
    """
    store = Store(root)
    if store.is_empty:
        raise StoreError(f"{root} holds no unit, so nothing was verified: name a store, an archive or a ticket file")
    submission = read(store)
    missing = [*seeds.missing(submission), *_untaken(submission), *counts.unmeasured(submission)]
    return _inspected(store, submission, contradictions(store), CHECKS, missing=missing)


def _untaken(submission: Submission) -> Iterator[str]:
    """Imported tickets from which no transfer starts: nothing else excuses that what they were found with is not here."""
    taken = {entry.unit.parents.get("source") for entry in submission.entries.values()}
    for entry in submission.entries.values():
        if "imported" in entry.record and entry.unit.id not in taken:
            yield f"{entry.unit.label} was imported from a ticket file, yet no transfer that starts from it is here"


def findings_of_ticket(root: Path, folder: Path) -> Inspection:
    """Look at the only unit of a store that a ticket file was unfolded into.

    Args:
        root: of the store.
        folder: of the unit.
    """
    store = Store(root)
    findings = [f"{folder.relative_to(root)}: {finding}" for finding in verify_alone(store, folder)]
    return _inspected(store, read(store), findings, {**CHECKS, "start": states.start})


def _inspected(
    store: Store,
    submission: Submission,
    findings: list[str],
    checks: Mapping[str, Check],
    *,
    missing: Sequence[str] = (),
) -> Inspection:
    doubts, notes = [], []
    for entry in submission.entries.values():
        name = entry.folder.relative_to(store.root)
        for what, check in checks.items():
            findings += [f"{name}: {finding}" for finding in _guarded(what, check, submission, entry)]
        doubts += [f"{name}: {doubt}" for doubt in entry.installed.doubts]
        if entry.installed.both and (reason := obstacle(submission, entry)):
            doubts.append(f"{name}: it cannot be trained again: {reason}")
        if "imported" in entry.record:
            notes.append(f"{entry.unit.label} was imported from a ticket file: what it was found with is not here")
    return Inspection(
        findings=[_plain(line) for line in findings],
        doubts=[_plain(line) for line in doubts],
        missing=[_plain(line) for line in missing],
        submitted=store.suite is not None,
        notes=[_plain(line) for line in notes],
        believed=sum(submission.believes_mask(entry) for entry in submission.entries.values()),
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
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
