"""Parallel text of the user's own in one piece: two files of aligned lines, or one of tab-separated columns."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from bench.digests import file_digest
from bench.errors import DataError, SpecError
from domains.nlp.corpora.folders import VARIABLE
from domains.nlp.corpora.lines import Lines, Side, digest_of, read, read_pair

KIND = "text"
FEWEST = 20
"""Different pairs that can be parted into three splits."""
SHARE, MOST = 20, 2_000
"""One pair in so many is held out for `val`, and as many for `test`; but never more than so many."""


def read_text(config: Mapping[str, Any]) -> Lines:
    """The corpus that a task's `config` names.

    The pairs whose text has the lowest sha256 are for test, then those for validation, whatever their order in the files and
    whichever language is the source; a pair that is there twice is in one split only.

    Args:
        config: `name`; `files`, one or two; their `languages`, two; `source` and `target`.

    Raises:
        DataError: if a file is not there, empty, not UTF-8 or not aligned, or if there are too few pairs.
    """
    paths = [find(file) for file in config["files"]]
    sides = dict(zip(config["languages"], _sides(paths), strict=True))
    digests = {file: file_digest(path) for file, path in zip(config["files"], paths, strict=True)}
    source, target = str(config["source"]), str(config["target"])
    for side in sides.values():
        if blank := [number for number, line in enumerate(side.lines, 1) if not line.strip()]:
            raise DataError(f"{side.where}, line {blank[0]}: there is nothing to translate: remove the pair")
    numbers = _parted(config["name"], [sides[language].lines for language in sorted(sides)])
    splits = {split: (_some(sides[source], rows), _some(sides[target], rows)) for split, rows in numbers.items()}
    return Lines(config["name"], (source, target), splits, digest_of(digests))


def declared_digest(config: Mapping[str, Any]) -> str:
    """What stands for the content of the files that a task's `config` names."""
    return digest_of({file: file_digest(find(file)) for file in config["files"]})


def find(file: str) -> Path:
    """A file in one of the folders where modules are looked for, such as that of the user's own tasks, or in the data folder.

    A path from the root would be another on every machine, and so would the ids of the units.

    Raises:
        SpecError: if it is no path inside of a folder.
        DataError: if it is in none of them.
    """
    inside = PurePosixPath(file)
    if inside.is_absolute() or ".." in inside.parts or not inside.parts:
        raise SpecError(
            f"{file!r} is no path inside of a folder: name the file as seen from the one of your tasks or from {VARIABLE}"
        )
    data = os.environ.get(VARIABLE)
    folders = dict.fromkeys(Path(folder or ".") for folder in [*sys.path, *([data] if data else [])])
    for folder in folders:
        if (folder / inside).is_file():
            return folder / inside
    raise DataError(
        f"{file} was not found: put it beside the file of your tasks, or into the folder that {VARIABLE} names"
    )


def _sides(paths: Sequence[Path]) -> tuple[Side, Side]:
    if len(paths) == 2:
        return read_pair(*paths)
    (path,) = paths
    lines = read(path, advice="a text in one file has a sentence, a tab and its translation in each line").lines
    rows = [line.split("\t") for line in lines]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise DataError(
                f"{path}, line {number}: it has {len(row)} columns: a sentence, a tab and its translation are two"
            )
    first, second = zip(*rows, strict=True)
    return Side(str(path), list(first)), Side(str(path), list(second))


def _parted(name: str, languages: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Split -> numbers of its lines, in the order of the files; white space parts words and is nothing else."""
    pairs = zip(*languages, strict=True)
    keys = [hashlib.sha256("\t".join(" ".join(line.split()) for line in pair).encode()).hexdigest() for pair in pairs]
    ordered = sorted(set(keys))
    if len(ordered) < FEWEST:
        raise DataError(f"{name} has {len(ordered)} different pairs of sentences: {FEWEST} or more are needed")
    held = min(max(1, len(ordered) // SHARE), MOST)
    split = {**dict.fromkeys(ordered[:held], "test"), **dict.fromkeys(ordered[held : 2 * held], "val")}
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for number, key in enumerate(keys):
        parts[split.get(key, "train")].append(number)
    return parts


def _some(side: Side, rows: Sequence[int]) -> Side:
    return Side(side.where, [side.lines[row] for row in rows], [row + 1 for row in rows])
