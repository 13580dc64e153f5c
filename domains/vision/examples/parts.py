"""What a task takes of a set of examples: their classes, and what is left of them to train on. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import SpecError

HELD_OUT = {"val": "validation", "test": "test"}
"""Split -> key of a `config` that says how many training examples are held out for it."""


def held_out(config: Mapping[str, Any]) -> dict[str, int]:
    """Split -> how many training examples are held out for it, where some are."""
    return {split: config[key] for split, key in HELD_OUT.items() if config.get(key)}


def classes_of(labels: NDArray[Any], config: Mapping[str, Any]) -> NDArray[np.int64]:
    """The class of every example; -1 where it is in none.

    Args:
        labels: of the data set, from 0 on.
        config: of a task: its `classes` and perhaps `superclasses`.

    Raises:
        SpecError: if these are not the labels'.
    """
    classes, groups = config["classes"], config.get("superclasses")
    most = int(labels.max()) + 1
    if groups is None:
        if most > classes:
            raise SpecError(f"classes is {classes}, but the data set has {most}: write {most}, or name superclasses")
        return labels.astype(np.int64)
    if len(groups) != classes:
        raise SpecError(f"classes is {classes}, but there are {len(groups)} superclasses: make them as many")
    table = np.full(max(most, 1 + max(map(max, groups))), -1, np.int64)  # a test set may lack the last label
    for number, group in enumerate(groups):
        table[group] = number
    found: NDArray[np.int64] = table[labels]
    return found


def taken(labels: NDArray[Any], classes: NDArray[np.int64], config: Mapping[str, Any]) -> NDArray[np.int64]:
    """Which training examples a task takes: the part and the number that are asked for, with as many of each label, in order.

    Args:
        labels: of the training examples.
        classes: what `classes_of` makes of them.
        config: of a task: perhaps its `part` and `limit`, and then the `split_seed` that draws them.

    Raises:
        SpecError: if there are fewer than its `limit`, or none of a label in its `superclasses`.
    """
    largest, most = max(map(max, config.get("superclasses") or []), default=0), int(labels.max()) + 1
    if largest >= most:
        raise SpecError(f"superclasses have label {largest}, but the data set has {most}, from 0 on: leave it out")
    rows = np.flatnonzero(classes >= 0)
    (part, parts), limit = config.get("part") or (0, 1), config.get("limit")
    if parts == 1 and limit is None:
        return rows
    found = []
    kinds = np.unique(labels[rows])
    for place, kind in enumerate(kinds):
        own = rows[labels[rows] == kind]
        order = np.random.default_rng([config["split_seed"], int(kind)]).permutation(own)
        chosen = np.array_split(order, parts)[part]
        if limit is not None:
            wanted = limit // len(kinds) + (place < limit % len(kinds))
            if wanted > len(chosen):
                raise SpecError(f"limit is {limit:,}, but label {kind} has {len(chosen):,} images: ask for fewer")
            chosen = chosen[:wanted]
        found.append(chosen)
    return np.sort(np.concatenate(found))


def shortage(config: Mapping[str, Any], examples: int) -> str | None:
    """Why too few examples are left to train on: less than a batch; None if there are enough.

    Args:
        config: of a task; where it says nothing of a `batch`, one example is enough.
        examples: those to train with, of which some are held out.
    """
    left = examples - sum(held_out(config).values())
    if left >= config.get("batch", 1):
        return None
    told = ", ".join(f"{key} is {config[key]:,}" for key in ("limit", *HELD_OUT.values(), "batch") if config.get(key))
    return f"{max(left, 0):,} of {examples:,} examples are left to train on ({told}): take more, hold out fewer, or lower the batch"
