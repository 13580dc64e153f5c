"""Where the kept weights are: densities per layer, the same for all methods that prune alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.record import LayerCount, Record
from bench.report.table.arms import Arm
from bench.report.table.compact import method
from bench.spec import DENSE

ALIKE = 5e-4
"""Two allocations are one if every layer's densities differ by less."""

Allocation = dict[str, float]
"""Layer or group -> share of its prunable weights that is kept, mean over the seeds."""


def layers_of(by_level: Mapping[int, Allocation]) -> list[str]:
    """The layers and groups of an allocation at any level."""
    return list(dict.fromkeys(layer for allocation in by_level.values() for layer in allocation))


def families(arms: Sequence[Arm]) -> list[tuple[list[str], dict[int, Allocation]]]:
    """The methods that keep as many weights in every layer as each other, with level -> allocation; the installed ones first."""
    return [family for kind in (True, False) for family in _families([arm for arm in arms if arm.installed is kind])]


def _families(arms: Sequence[Arm]) -> list[tuple[list[str], dict[int, Allocation]]]:
    by_method: dict[str, dict[int, Allocation]] = {}
    for arm in arms:
        if arm.method != DENSE:
            by_method.setdefault(method(arm), {})[arm.level] = allocation(arm)
    alike: list[tuple[list[str], dict[int, Allocation]]] = []
    for name, by_level in by_method.items():
        same = next((family for family in alike if _are_alike(family[1], by_level)), None)
        if same is None:
            alike.append(([name], dict(by_level)))
        else:
            same[0].append(name)
            same[1].update({level: shares for level, shares in by_level.items() if level not in same[1]})
    return alike


def allocation(arm: Arm) -> Allocation:
    """The densities of one arm, groups before layers; layers without prunable weights are left out."""
    counts = [_counts(record) for record in arm.records.values()]
    names = dict.fromkeys(name for each in counts for name in each)
    return {name: math.fsum(shares) / len(shares) for name in names if (shares := _shares(counts, name))}


def _counts(record: Record) -> Mapping[str, LayerCount]:
    counts = record["counts"]
    return {**{f"all {name}": count for name, count in counts["groups"].items()}, **counts["layers"]}


def _shares(counts: Sequence[Mapping[str, LayerCount]], name: str) -> list[float]:
    layer = [each[name] for each in counts if name in each]
    return [count["kept"] / count["prunable"] for count in layer if count["prunable"]]


def _are_alike(one: Mapping[int, Allocation], other: Mapping[int, Allocation]) -> bool:
    shared = one.keys() & other.keys()
    return bool(shared) and all(
        one[level].keys() == other[level].keys()
        and all(abs(one[level][name] - other[level][name]) < ALIKE for name in one[level])
        for level in shared
    )
