"""What is left of a set of examples to train on. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HELD_OUT = {"val": "validation", "test": "test"}
"""Split -> key of a `config` that says how many training examples are held out for it."""


def held_out(config: Mapping[str, Any]) -> dict[str, int]:
    """Split -> how many training examples are held out for it, where some are."""
    return {split: config[key] for split, key in HELD_OUT.items() if config.get(key)}


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
