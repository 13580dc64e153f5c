"""The verb that believes nothing."""

from __future__ import annotations

from pathlib import Path

from bench.runs.verify import verify as findings_of
from bench.verbs.asked import existing, say


def verify(root: Path) -> int:
    """Print what is wrong in a store; the exit code says whether anything is."""
    store = existing(root)
    found = findings_of(store)
    units = sum(1 for _ in store.folders())
    say(*found, f"{root}: {units} units, {len(found) or 'no'} finding{'s' * (len(found) != 1)}")
    return 1 if found else 0
