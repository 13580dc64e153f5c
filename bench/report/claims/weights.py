"""Statistics of the weights that are kept: how many, where, and what became of them."""

from __future__ import annotations

import math
from typing import Literal

from bench.record import IRRELEVANT, RELEVANT, LayerCount
from bench.report.claims.definitions import Claim
from bench.report.claims.sides import Side, Unmeasured, shared_mean


def weights(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    """Seed -> the largest distance from what the paper prints, in percentage points of all weights."""
    far: dict[int, float] = {}
    for level, told in claim.expected.items():
        for seed, record in own.arm(level).records.items():
            far[seed] = max(far.get(seed, 0.0), abs(100 * record["density_weights"] - told))
    return far


def layer_density(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    ratios = []
    for level in claim.levels:
        known = own.arm(level)
        layers = {seed: record["counts"]["layers"].get(str(claim.layer)) for seed, record in known.records.items()}
        if not any(layer and layer["prunable"] for layer in layers.values()):
            raise Unmeasured(f"no record of {known.label} on {own.comparison.task.name} prunes a layer {claim.layer}")
        ratios.append({
            seed: layer["kept"] / layer["prunable"] / known.records[seed]["density"]
            for seed, layer in layers.items()
            if layer and layer["prunable"]
        })  # fmt: skip
    return shared_mean(ratios)


def input_density(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    ratios = []
    for level in claim.levels:
        known = own.arm(level)
        groups = {seed: record["counts"]["groups"] for seed, record in known.records.items()}
        if not any(RELEVANT in each for each in groups.values()):
            raise Unmeasured(
                f"no record of {known.label} on {own.comparison.task.name} tells relevant inputs from others"
            )
        ratios.append({
            seed: math.log(_share(each[RELEVANT]) / _share(each[IRRELEVANT]))
            for seed, each in groups.items()
            if RELEVANT in each
        })  # fmt: skip
    return shared_mean(ratios)


def _share(count: LayerCount) -> float:
    """Its density; none kept counts as half a weight, so that no seed is lost where a ticket keeps no noise at all."""
    return max(count["kept"], 0.5) / count["prunable"]


def survivors(claim: Claim, own: Side, _other: Side, *, fact: Literal["initial", "movement"]) -> dict[int, float]:
    columns = []
    for level in claim.levels:
        known = own.arm(level)
        columns.append({seed: each["survival"][fact] for seed, each in known.records.items() if "survival" in each})
        if not columns[-1]:
            raise Unmeasured(f"no record of {known.label} on {own.comparison.task.name} tells how survivors differed")
    return shared_mean(columns)


def effective(claim: Claim, own: Side, _other: Side) -> dict[int, float]:
    """How many times as many weights are kept as lie on a path; where none does, as if half a weight did."""
    (level,) = claim.levels
    ratios = {}
    for seed, record in own.arm(level).records.items():
        connected, half = record["effective_density"], 0.5 / record["counts"]["prunable"]
        if connected is not None:
            ratios[seed] = math.log(max(record["density"], half) / max(connected, half))
    return ratios
