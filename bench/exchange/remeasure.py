"""Measures some units of a submission again, each in a worker process and a private store, and compares."""

from __future__ import annotations

import math
import random
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from scipy.stats import t as student

from bench.digests import json_digest
from bench.errors import TicketBenchError
from bench.exchange.checks.chance import is_drawn
from bench.exchange.submission import Submission, SubmittedUnit
from bench.record import How, Measurement, Record
from bench.runs.attempt import STATES
from bench.runs.job import Job
from bench.runs.launch import WorkerDied
from bench.runs.launch.local import LocalLauncher
from bench.runs.store import Store, curve
from bench.spec import Role, to_json

WORKS: dict[How, str] = {
    "replay": "bench.tickets.units.retrain:replay",
    "retrain": "bench.tickets.units.retrain:retrain",
}
CLAIMED = cast("Role", "claimed")
CONFIDENCE, FEWEST = 0.99, 3


@dataclass(frozen=True, kw_only=True)
class Again:
    """One unit, measured again.

    Args:
        entry: what was submitted.
        how: by its stored weights, or trained anew.
        record: what came out here; None if nothing did.
        reason: why not.
        equal: whether every number is the submitted one, to the bit.
        same_mask: whether the mask is.
    """

    entry: SubmittedUnit
    how: How
    record: Record | None
    reason: str | None = None
    equal: bool = False
    same_mask: bool = True

    @property
    def measurement(self) -> Measurement | None:
        """As published; None if nothing came out."""
        task = self.entry.unit.task
        if self.record is None:
            return None
        return {
            "unit_id": self.entry.unit.id,
            "result": self.entry.record["digests"]["result"],
            "how": self.how,
            "metric": task.metric,
            "split": task.split,
            "claimed": score(self.entry.record),
            "measured": score(self.record),
            "equal": self.equal,
            "believed": [],
            "provenance": self.record["provenance"],
        }


def score(record: Record) -> float | None:
    """The task's metric on its split, where its tables look first; None if training diverged."""
    task = record["spec"]["task"]
    wanted = (task["metric"], task["split"], task["at"][0])
    found = (each["value"] for each in record["metrics"] if (each["name"], each["split"], each["at"]) == wanted)
    return next(found, None)


def replayable(submission: Submission) -> list[SubmittedUnit]:
    """The units whose trained weights were submitted, of tasks that are installed here."""
    found = (each for each in submission.entries.values() if (each.folder / STATES[-1]).exists())
    return [each for each in found if is_installed(submission, each) and not each.diverged]


def retrainable(submission: Submission) -> list[SubmittedUnit]:
    """The units that can be trained from their seed, their mask and what else of them was submitted."""
    return [
        each
        for each in submission.entries.values()
        if is_installed(submission, each) and not each.diverged and _has_all(submission, each)
    ]


def is_installed(submission: Submission, entry: SubmittedUnit) -> bool:
    """Whether its task and its method are, field by field, the ones of this installation."""
    task, method = submission.tasks.get(entry.unit.task.key), submission.methods.get(entry.unit.method.name)
    if task is None or method is None:
        return False
    # a method names functions to be imported and called: only those of this installation ever are
    theirs = replace(entry.unit.method, about=method.about)
    return json_digest([to_json(task), to_json(method)]) == json_digest([to_json(entry.unit.task), to_json(theirs)])


def _has_all(submission: Submission, entry: SubmittedUnit) -> bool:
    method = entry.unit.method
    if "ticket" in method.parents and submission.parent(entry, "ticket") is None:
        return False
    if method.weights != "trained":
        return True
    previous = submission.parent(entry, "previous")
    return previous is not None and (previous.folder / STATES[-1]).exists()


def draw(entries: Iterable[SubmittedUnit], count: int, *, seed: int) -> list[SubmittedUnit]:
    """`count` of the units, or all: one of each method in turn, the ticket's first, each drawn by chance."""
    chance = random.Random(seed)
    by_method: dict[str, list[SubmittedUnit]] = {}
    for each in sorted(entries, key=lambda each: each.unit.id):
        by_method.setdefault(each.unit.method.name, []).append(each)
    for name in sorted(by_method):
        chance.shuffle(by_method[name])
    order = sorted(by_method, key=lambda name: (name != "ticket", name))
    rounds = max((len(each) for each in by_method.values()), default=0)
    turns = (by_method[name][turn] for turn in range(rounds) for name in order if turn < len(by_method[name]))
    return [each for each, _ in zip(turns, range(count), strict=False)]


def remeasure(
    submission: Submission,
    asked: Sequence[tuple[How, SubmittedUnit]],
    *,
    workers: int,
    threads: int,
    device: str,
    step: Callable[[SubmittedUnit, int], None],
    done: Callable[[Again], None],
) -> list[Again]:
    """Measure units again.

    Args:
        submission: where their parents are.
        asked: which, and how.
        workers: processes.
        threads: torch threads of each.
        device: `cpu`, `cuda`, ...
        step: called with a unit and how far it is.
        done: called with each as it is ready.
    """
    entries = {each.unit.id: each for _, each in asked}
    with tempfile.TemporaryDirectory(prefix="ticketbench-") as folder:
        stores = {how: Store(Path(folder) / how) for how in WORKS}
        for store in stores.values():
            store.prepare()
        launcher = LocalLauncher(
            stores["retrain"].root,
            workers=max(1, min(workers, len(asked))),
            threads=threads,
            progress=lambda unit, at, _: step(entries[unit], at),
        )
        try:
            waiting = {
                launcher.submit(_job(submission, entry, how, stores[how].root, device)): (how, entry)
                for how, entry in asked
            }
            found = []
            for future in as_completed(waiting):
                how, entry = waiting[future]
                try:
                    reason = future.result().reason
                except (TicketBenchError, WorkerDied) as error:
                    reason = str(error)
                found.append(_compared(entry, how, stores[how], reason))
                done(found[-1])
            return found
        finally:
            launcher.close()


def _job(submission: Submission, entry: SubmittedUnit, how: How, root: Path, device: str) -> Job:
    parents: dict[Role, Path] = {CLAIMED: entry.folder}
    if how == "retrain":
        found = ((role, submission.parent(entry, role)) for role in entry.unit.parents)
        parents |= {role: parent.folder for role, parent in found if parent is not None}
    return Job(spec=entry.unit.spec(), root=root, parents=parents, device=device, work=WORKS[how])


def _compared(entry: SubmittedUnit, how: How, store: Store, reason: str | None) -> Again:
    record = store.record(entry.unit)
    if record is None:
        return Again(entry=entry, how=how, record=None, reason=(reason or "nothing came out").partition("\n")[0])
    points = 1 if how == "replay" else 0
    ours, theirs = curve(store.folder(entry.unit)), entry.curve[-points:]
    same = [json_digest(point["metrics"]) for point in ours] == [json_digest(point["metrics"]) for point in theirs]
    masks = record["digests"]["mask"] == entry.record["digests"]["mask"]
    return Again(entry=entry, how=how, record=record, reason=reason, equal=same and masks, same_mask=masks)


def findings(submission: Submission, again: Again) -> list[str]:
    """What a measurement says against a claim, one line each."""
    unit = again.entry.unit
    claimed = score(again.entry.record)
    if again.record is None:
        return [f"{unit.label}: its {again.how} failed: {again.reason}"]
    found = []
    if not again.same_mask and is_drawn(again.entry):
        found.append(f"{unit.label}: its mask is not the one that its seed draws")
    measured = score(again.record)
    if claimed is None or measured is None:
        return [*found, f"{unit.label}: claimed {_told(claimed)}, measured {_told(measured)}"]
    off, room = abs(claimed - measured), allowed(submission, again)
    if off > room:
        found.append(
            f"{unit.label}: claimed {claimed:.6g}, measured {measured:.6g}: {off:.3g} apart, {room:.3g} is allowed"
        )
    return found


def allowed(submission: Submission, again: Again) -> float:
    """How far from the measurement a claim may be, either way: a control that is made worse makes its ticket win.

    Stored weights are evaluated to a tenth of the task's tolerance. A training may round otherwise on another machine
    and end like another seed: it is allowed the task's tolerance and, with three seeds of its arm or more, as far from
    their mean as one further seed is with 99 % confidence.
    """
    entry, task = again.entry, again.entry.unit.task
    if again.how == "replay":
        return task.tolerance / 10
    unit = entry.unit
    seeds = submission.seeds[task.key, task.version, unit.method.name, unit.level]
    arm = [submission.beside(entry, unit.method.name, seed=seed) for seed in seeds]
    scores = [value for each in arm if each is not None and (value := score(each.record)) is not None]
    if again.equal or len(scores) < FEWEST:
        return task.tolerance
    spread = statistics.stdev(scores) * math.sqrt(1 + 1 / len(scores))
    return task.tolerance + float(student.ppf((1 + CONFIDENCE) / 2, len(scores) - 1)) * spread


def told(again: Again) -> str:
    """One line for people: the claim and the measurement side by side."""
    what = {"replay": "replayed", "retrain": "retrained"}[again.how]
    if again.record is None:
        return f"{again.entry.unit.label}: not {what}: {again.reason}"
    same = "equal to the bit" if again.equal else "not equal to the bit"
    scores = f"claimed {_told(score(again.entry.record))}, {what} {_told(score(again.record))}"
    return f"{again.entry.unit.label}: {scores} ({again.entry.unit.task.metric}, {same})"


def _told(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.6g}"
