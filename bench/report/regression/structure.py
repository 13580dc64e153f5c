"""What records tell besides scores: facts that the protocol fixes, chance that is known, results that repeat to the bit.

A score hides a broken protocol behind its noise. These do not:

- a mask of another density, a training of another length: the same at every seed, so any difference is a change;
- a shuffled mask that was not shuffled: it shares all of the ticket's weights instead of what chance shares;
- weights that were not rewound: the same unit from the same parents ends elsewhere, although the dense network of that
  seed, trained by the same software on the same machine, comes out the same to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from bench.chance import Draw, moments
from bench.record import LayerCount, Record, is_stacked
from bench.report.regression.difference import Sample
from bench.report.regression.side import ArmSummary
from bench.report.statistics.seeds import Estimate
from bench.tickets.columns import Columns

ROUNDED = 1e-5
"""Relative; a table gives six digits."""

Fact = tuple[str, float, float]


def changed_facts(baseline: ArmSummary, candidate: ArmSummary) -> list[Fact]:
    """The facts that the same protocol fixes and that differ all the same: name, before, now; density first."""
    if not (baseline.records and candidate.records):
        same = math.isclose(baseline.density, candidate.density, rel_tol=ROUNDED)
        return [] if same else [("density", baseline.density, candidate.density)]
    before, now = _facts(baseline), _facts(candidate)
    return [
        (name, _apart(before[name], now[name]), _apart(now[name], before[name]))
        for name in before
        if name in now and before[name] != now[name]
    ]


def _apart(values: set[float], others: set[float]) -> float:
    """The value that the others lack, if there is one."""
    return min(values - others or values)


def _facts(known: ArmSummary) -> dict[str, set[float]]:
    """Fact -> its values over the seeds; a training that diverged ends where it ends."""
    facts: dict[str, set[float]] = {}
    for record in known.records.values():
        for name, value in _fixed(record, known.columns).items() if record["status"] == "ok" else ():
            facts.setdefault(name, set()).add(value)
    return facts


def _fixed(record: Record, columns: Columns | None) -> dict[str, float]:
    counts, task = record["counts"], record["spec"]["task"]
    facts: dict[str, float] = {
        "density": record["density"],
        "kept weights": counts["kept"],
        "prunable weights": counts["prunable"],
        "parameters": counts["all"],
    }
    if task["unit"] != "episodes":  # how many an update ends is the agent's luck
        facts["steps"] = record["steps"]
    if columns and columns.mask.taken and record["overlap"] is not None:
        facts["overlap"] = record["overlap"]
    if columns and _fixes_layers(columns, task["pruning"]["scope"]):
        facts |= {f"kept in {name}": layer["kept"] for name, layer in counts["layers"].items()}
    return facts


def _fixes_layers(columns: Columns, scope: str) -> bool:
    """Whether a method leaves each layer as many weights at every seed; pooled ranks leave that to the weights."""
    by_level = columns.mask.layers in ("level", "ticket", "source") or columns.training.cuts
    return columns.mask.layers == "shape" or (by_level and scope == "layer")


def shuffled_overlap(known: ArmSummary) -> Sample | None:
    """The share of the ticket's weights that shuffled masks keep, with the error that chance gives it.

    Returns:
        None if the method does not shuffle the ticket's mask.
    """
    if not (known.columns and known.columns.mask.drawn == "layers" and known.columns.mask.layers == "ticket"):
        return None
    shuffled = [record for record in known.records.values() if record["overlap"] is not None]
    if not shuffled:
        return None
    n = len(shuffled)
    mean = math.fsum(record["overlap"] or 0.0 for record in shuffled) / n
    variance = math.fsum(_share_variance(record["counts"]["layers"].values()) for record in shuffled)
    return Sample(estimate=Estimate(mean, math.sqrt(variance) / n, math.inf, n))


def _share_variance(layers: Collection[LayerCount]) -> float:
    """Of the share that two masks with the same counts have in common by chance."""
    kept = sum(layer["kept"] for layer in layers)
    _, variance = moments(Draw(layer["prunable"], layer["kept"], layer["kept"]) for layer in layers)
    return variance / kept**2 if kept else 0.0


def identical(baseline: ArmSummary, candidate: ArmSummary) -> bool:
    """Whether every seed of both sides is the same unit with the same result, to the bit."""
    before, now = baseline.records, candidate.records
    same = before.keys() == now.keys() and all(_result(before[seed]) == _result(now[seed]) for seed in now)
    return same and bool(now)


def trained_differently(baseline: ArmSummary, candidate: ArmSummary) -> list[int]:
    """The seeds at which the method itself was trained differently, whatever its score says.

    The same unit from the same parents, by the same software on the same kind of machine, in a stack or not, has another
    result, although the dense network of that seed has the same: neither the data nor the arithmetic changed, so the method did.
    """
    before, now = baseline.records, candidate.records
    return [
        seed
        for seed in now
        if seed in before
        and seed in baseline.dense
        and seed in candidate.dense
        and _named(baseline.dense[seed]) == _named(candidate.dense[seed])
        and _origin(before[seed]) == _origin(now[seed])
        and _result(before[seed]) != _result(now[seed])
    ]


def _named(record: Record) -> tuple[str, str]:
    return record["unit_id"], record["digests"]["result"]


def _result(record: Record) -> tuple[Any, ...]:
    """What a training gave; the scores, too, for records alone do not show that the digest is of them."""
    scores = {(each["name"], each["split"], each["at"]): each["value"] for each in record["metrics"]}
    return *_named(record), record["status"], scores


def _origin(record: Record) -> tuple[Any, ...]:
    made = record["provenance"]
    software = {name: version for name, version in made.get("versions", {}).items() if name != "ticketbench"}
    place = [*(made.get(name) for name in ("device", "threads", "machine")), is_stacked(record)]
    return record["unit_id"], record["parents"], software, place
