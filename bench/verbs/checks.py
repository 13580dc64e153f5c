"""The verb that trusts nothing."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.errors import StoreError
from bench.exchange import agreement, draw, remeasure
from bench.exchange.submission import Submission, SubmittedUnit
from bench.exchange.ticketfile import read_ticket, unfold
from bench.exchange.unpack import extract
from bench.exchange.verify import Inspection, findings_of, findings_of_ticket
from bench.record import How
from bench.runs.device import check_device
from bench.runs.launch.local import usual_workers
from bench.stopping import Stopped, check
from bench.suitefile import load_suite
from bench.verbs.arguments.request import existing, names, say, writing

ZIP = b"PK"
OTHERS = "name a store, an archive or a ticket file"
DRAWS = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How much is measured again, and with what.

    Args:
        replay: units whose stored weights are evaluated.
        retrain: units that are trained again.
        draw: seed of the choice of units; None: by chance, so that nobody knows before.
        output: file to which the measurements are added.
        suites: the user's, separated by commas, whose own tasks and methods are trusted as installed ones are.
        workers: processes; None: one a core.
        threads: torch threads of each.
        device: where to train.
    """

    replay: int = 0
    retrain: int = 0
    draw: int | None = None
    output: Path | None = None
    suites: str | None = None
    workers: int | None = None
    threads: int = 1
    device: str = "cpu"


def verify(submission: Path, audit: Audit) -> int:
    """Print what is wrong with a store, an archive or a ticket file; the exit code says whether anything is."""
    if audit.output and not (audit.replay or audit.retrain):
        raise StoreError(f"nothing to write to {audit.output}: ask for --replay N or --retrain N too")
    for suite in names(audit.suites) or ():
        load_suite(suite)
    if audit.replay or audit.retrain:
        check_device(audit.device)
    if audit.output:
        _append(audit.output, [])  # what was measured for hours must find its place
    with _opened(submission) as inspection:
        # in one's own store a seed may still be missing; what is submitted is complete
        missing, lacking = (inspection.missing, []) if inspection.submitted else ([], inspection.missing)
        findings = [*inspection.findings, *inspection.doubts, *missing]
        notes = [*lacking, *inspection.notes]
        if inspection.believed:
            believed = f"mask believed of {inspection.believed} units: the weights that ranked it were not submitted"
            notes = [*notes, believed]
        if inspection.doubts and not audit.suites:
            notes = [*notes, "tasks and methods of your own suites count as installed with --suites mine.toml"]
        _list(*findings, *(f"note: {note}" for note in notes))
        if (audit.replay or audit.retrain) and not (inspection.findings or missing):
            findings += _measured(inspection.submission, audit)
    say(f"{submission}: {inspection.units} units, {len(findings) or 'no'} finding{'s' * (len(findings) != 1)}")
    return 1 if findings else 0


@contextmanager
def _opened(submission: Path) -> Iterator[Inspection]:
    """What is found in a folder, or in a private one that holds what a file holds."""
    if not submission.is_file():
        yield findings_of(existing(submission, OTHERS).root)
        return
    with tempfile.TemporaryDirectory(prefix="ticketbench-") as folder:
        if _is_zip(submission):
            extract(submission, Path(folder))
            yield findings_of(Path(folder))
        else:
            yield findings_of_ticket(Path(folder), unfold(read_ticket(submission), Path(folder)))


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(ZIP)) == ZIP
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error


def _measured(submission: Submission, audit: Audit) -> list[str]:
    """Measure some units again, say what came out, and return what speaks against the claims."""
    chosen = audit.draw if audit.draw is not None else secrets.randbelow(DRAWS)
    replayed = draw.draw_units(draw.replayable(submission), audit.replay, seed=chosen)
    retrained = draw.draw_comparisons(draw.retrainable(submission), audit.retrain, seed=chosen)
    asked: list[tuple[How, SubmittedUnit]] = [
        *(("replay", entry) for entry in replayed),
        *(("retrain", entry) for entry in retrained),
    ]
    if not asked:
        raise StoreError(
            "nothing can be measured again: --replay needs weights (`pack --weights`), both installed tasks"
        )
    say(f"measuring {len(asked)} units again, drawn by --draw {chosen}")
    try:
        remeasured = _remeasured(submission, asked, audit)
    except KeyboardInterrupt as error:
        raise Stopped.after(error, f"stopped: --draw {chosen} measures the same units from the start") from None
    if audit.output:
        _append(audit.output, [unit.measurement for unit in remeasured if unit.measurement])
    lacking = [f"only {len(replayed)} units have weights to replay"] if len(replayed) < audit.replay else []
    lacking += [f"only {len(retrained)} units can be trained again"] if len(retrained) < audit.retrain else []
    against = agreement.findings(remeasured)
    _list(*(f"note: {line}" for line in lacking), *against)
    return against


def _remeasured(
    submission: Submission, asked: Sequence[tuple[How, SubmittedUnit]], audit: Audit
) -> list[agreement.Remeasured]:
    with Console(stderr=True, force_terminal=sys.stderr.isatty()).status("starting") as status:
        return remeasure.remeasure(
            submission,
            asked,
            workers=audit.workers or usual_workers(audit.threads),
            threads=audit.threads,
            device=audit.device,
            step=lambda entry, at: status.update(f"{entry.unit.label}: step {at:,} of {entry.unit.task.budget:,}"),
            done=_tell,
        )


def _tell(unit: agreement.Remeasured) -> None:
    say(unit.line)
    check()


def _list(*lines: str) -> None:
    if lines:
        say(*lines)


def _append(path: Path, measurements: Sequence[object]) -> None:
    with writing(path, "--measured"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, sort_keys=True, allow_nan=False) + "\n" for line in measurements)
