"""Synthetic: rows of symbols, and the same backwards. Made from a fixed seed, so that nothing needs to be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from bench.errors import SpecError
from domains.nlp.corpora.lines import Lines, Side

SEED = 1409
SIZES = {"train": 50_000, "val": 1_000, "test": 1_000}
SYMBOLS = 50
LONGEST = 25
"""The sizes of JoeyNMT's reverse task (1907.12484)."""


def read(config: Mapping[str, Any]) -> Lines:
    """Rows of numbers below `symbols`, 1 to `longest` of them, backwards as the target; no test row is in `train`.

    Args:
        config: `symbols`, `longest`, and the sizes `train`, `val` and `test`.

    Raises:
        SpecError: if there are too few such rows to keep some unseen.
    """
    sizes = {split: int(config.get(split, size)) for split, size in SIZES.items()}
    rows = _rows(int(config.get("symbols", SYMBOLS)), int(config.get("longest", LONGEST)), tuple(sizes.values()))
    splits = {}
    for split, part in zip(sizes, rows, strict=True):
        source = Side(f"reverse, {split}.forward", [" ".join(row) for row in part])
        target = Side(f"reverse, {split}.backward", [" ".join(reversed(row)) for row in part])
        splits[split] = (source, target)
    text = "\n".join(line for source, _ in splits.values() for line in source.lines)
    return Lines("reverse", ("forward", "backward"), splits, hashlib.sha256(text.encode()).hexdigest(), marker="")


@lru_cache(maxsize=4)
def _rows(symbols: int, longest: int, sizes: tuple[int, ...]) -> tuple[list[list[str]], ...]:
    """One list of rows per size; rows after the first list are in none before."""
    if symbols**longest < 4 * sum(sizes):
        raise SpecError(
            f"reverse has {symbols} symbols in rows of at most {longest}, too few for {sum(sizes):,} rows of which some "
            "are unseen: choose more symbols or longer rows"
        )
    stream = np.random.default_rng(SEED)
    seen: set[tuple[str, ...]] = set()
    found = []
    for size in sizes:
        part: list[list[str]] = []
        while len(part) < size:
            lengths = stream.integers(1, longest + 1, size)
            drawn = iter(map(str, stream.integers(0, symbols, lengths.sum()).tolist()))
            rows = ([next(drawn) for _ in range(length)] for length in lengths.tolist())
            part += [row for row in rows if tuple(row) not in seen]
        found.append(part[:size])
        seen.update(map(tuple, found[-1]))
    return tuple(found)
