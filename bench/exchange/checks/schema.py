"""Is it in the form that records have, and the spec beside it the record's own? The reader checked the record itself."""

from __future__ import annotations

from collections.abc import Iterator

from bench.exchange.submission import Submission, SubmittedUnit
from bench.record import Spec
from bench.runs import files
from bench.runs.attempt import SPEC
from bench.schema import decode


def schema(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Its specs are one."""
    if entry.record["spec"] != entry.unit.spec():
        yield "its spec holds more or less than a unit's"
    if decode(files.read(entry.folder / SPEC), Spec) != entry.record["spec"]:
        yield f"its {SPEC} is not the spec of its record"
