"""Are the recorded numbers those of the curve, and of a size that the metric has?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench.exchange.installed import NOTHING_PROMISED
from bench.exchange.submission import Submission, SubmittedUnit
from bench.record import CurvePoint, node_layers
from bench.spec import Task
from bench.store.integrity import BESIDE
from bench.tickets.measurements.metrics import metrics

RANGES = {
    "accuracy": (0.0, 100.0),
    "bleu": (0.0, 100.0),
    "bleu_tok": (0.0, 100.0),
    "chrf": (0.0, 100.0),
    "loss": (0.0, math.inf),
    "nll": (0.0, math.inf),
    "perplexity": (1.0, math.inf),
    "episode_length": (0.0, math.inf),
    "steps_to_threshold": (0.0, math.inf),
    "reached": (0.0, 1.0),
}
"""What a metric of that name can be; a task's other metrics are only finite."""


def recomputed(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """The metrics follow from the curve: the last value, and that of the validation optimum."""
    record = entry.record
    task, method = entry.unit.task, entry.unit.method
    training = entry.columns.training
    # Of a method that is not installed nobody here knows whether it prunes while it trains.
    kinds = (False, True) if entry.columns is NOTHING_PROMISED else (training.cuts,)
    readings = [
        metrics(
            task,
            entry.curve,
            steps=record["steps"],
            diverged=entry.diverged,
            settled=replace(training, cuts=cuts).settled(task.budget, method.options),
        )
        for cuts in kinds
    ]
    found = readings[0]
    if record["metrics"] not in readings:
        where = next((a for a, b in zip(found, record["metrics"], strict=False) if a != b), None)
        name = f"{where['name']} on {where['split']} ({where['at']})" if where else "their number"
        yield f"its metrics are not those of its curve: {name} differs"
    at = task.at[0]
    scored = {(each["name"], each["split"], each["at"]) for each in found}
    if (task.metric, task.split, at) not in scored:
        yield f"its curve has no {task.metric} on {task.split} at its end, which is its score"
    if entry.diverged != bool(record["reason"]):
        yield "it says that it diverged without a reason, or the reverse"


def ranges(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Every number of the curve is declared by the task and within the metric's range."""
    task = entry.unit.task
    for point in entry.curve:
        if set(point["metrics"]) != set(task.splits):
            yield f"its curve does not hold the splits of its task at step {point['step']!a}"
            return
        for split, name, value in _values(point):
            yield from _wrong(task, "curve", name, value, f" on {split} at step {point['step']}")


def _wrong(task: Task, part: str, name: str, value: float, place: str = "") -> Iterator[str]:
    """That a number in a part of the record is of no metric of the task, or beyond the metric's range."""
    low, high = RANGES.get(name, (-math.inf, math.inf))
    if name not in task.directions:
        yield f"its {part} has {name!a}{place}, which its task does not measure"
    elif not low <= value <= high:
        yield f"its {part} has {name} {value}{place}: it is from {low} to {high}"


def beside(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What stands beside the result is something, of a metric, a mask or a method that gives it, and within its range."""
    record, task = entry.record, entry.unit.task
    for part, words in BESIDE.items():
        if not dict(record).get(part, True):
            yield f"its {words} are told, and there are none"
    if "survival" in record and entry.installed.method is not None and not entry.columns.mask.ranked:
        yield "its survivors are told, and its mask ranks no trained weights"
    if "interpolation" in record and "twin" not in entry.unit.method.parents:
        yield "its metrics between its twin and itself are told, and its method has no twin"
    if len(list(node_layers(record))) != len(record.get("nodes", ())):
        yield "its nodes do not fit together"
    if (items := record.get("items")) and (items["metric"] not in task.directions or items["split"] != task.split):
        yield f"its test items are of {items['metric']!a} on {items['split']!a}, which its task does not score"
    lines = record.get("interpolation", {}) | {name: [value] for name, value in record.get("fit", {}).items()}
    for name, values in lines.items():
        for value in values:
            yield from _wrong(task, "record", name, value)


def _values(point: CurvePoint) -> Iterator[tuple[str, str, float]]:
    for split, named in point["metrics"].items():
        for name, value in named.items():
            yield split, name, value


def sizes(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """What is counted besides is no larger than it can be."""
    record: dict[str, Any] = dict(entry.record)
    for part, whole in (("effective_density", "density"), ("flops", "flops_dense")):
        less, more = record[part], record[whole]
        if less is not None and (more is None or less > more * (1 + 1e-9)):
            yield f"its {part} is {less!a}, its {whole} {more!a}"
