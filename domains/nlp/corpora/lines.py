"""Parallel plain text: two files per split, one sentence a line, line by line the translation of the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import DataError
from domains.nlp.corpora.sentences import Sentences

NAMES = {"train": ("train",), "val": ("valid", "val", "dev"), "test": ("test", "test_2016_flickr")}
"""Split -> what its files may be called, before the language."""


@dataclass(frozen=True, eq=False)
class Side:
    """One language of one split.

    Args:
        where: the file, as messages name it.
        lines: of the file, in its order.
        numbers: of these lines in the file, from 1; None if they are all of it.
    """

    where: str
    lines: list[str]
    numbers: list[int] | None = None

    def number(self, row: int) -> int:
        """What a message calls the line at `row`."""
        return row + 1 if self.numbers is None else self.numbers[row]


@dataclass(frozen=True, eq=False)
class Lines:
    """A parallel corpus as text.

    Args:
        name: of the corpus.
        languages: source and target.
        splits: `train`, `val` and `test` -> source and target, with as many lines.
        digest: sha256 of what was read.
        marker: how subwords are marked (see `domains.nlp.corpora.words.MARKERS`); None if the text itself must tell.
    """

    name: str
    languages: tuple[str, str]
    splits: Mapping[str, tuple[Side, Side]]
    digest: str
    marker: str | None = None


def read_pair(source: Path, target: Path) -> tuple[Side, Side]:
    """Both sides of a split.

    Raises:
        DataError: if a file is missing, empty or not UTF-8, or if one has more lines than the other.
    """
    sides = read(source), read(target)
    counts = [len(side.lines) for side in sides]
    if counts[0] != counts[1]:
        raise DataError(
            f"{source} has {counts[0]:,} lines, {target} has {counts[1]:,}: line {min(counts) + 1} has no counterpart; "
            "each line must be the translation of the same line in the other file"
        )
    return sides


def read(path: Path, *, advice: str = "a split is one text file per language") -> Side:
    """The lines of a text file; only a line feed ends a line.

    Args:
        path: of the file.
        advice: what to do if it cannot be read.

    Raises:
        DataError: if the file is missing, empty or not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; {advice}") from error
    try:
        lines = content.decode("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {number}: byte {content[error.start]:#04x} is not UTF-8; convert the file to UTF-8"
        ) from error
    if not any(map(str.strip, lines)):
        raise DataError(f"{path} is empty: at least one line is needed")
    return Side(str(path), lines)


def files(folder: Path, languages: tuple[str, str]) -> dict[str, tuple[Path, Path]]:
    """Split -> the files of its source and its target, whether they exist or not."""
    found = {}
    for split, names in NAMES.items():
        known = [name for name in names if any((folder / f"{name}.{language}").is_file() for language in languages)]
        name = known[0] if known else names[0]
        found[split] = (folder / f"{name}.{languages[0]}", folder / f"{name}.{languages[1]}")
    return found


def read_folder(name: str, folder: Path, languages: tuple[str, str], digest: str) -> Lines:
    """The corpus in a folder with `train.en`, `train.de`, `valid.en` (or `val`, `dev`) and so on.

    Raises:
        DataError: if a file is missing, empty or not UTF-8, or if the lines of a split are not pairs.
    """
    pairs = {split: read_pair(*paths) for split, paths in files(folder, languages).items()}
    return Lines(name, languages, pairs, digest)


def check_lengths(sentences: Sentences, *, most: int, where: str, numbers: list[int] | range) -> None:
    """See that a model has a position for every token.

    Args:
        sentences: encoded.
        most: positions of the model.
        where: the file that they are from.
        numbers: the number of each sentence's line, from 1.

    Raises:
        DataError: naming the first line that is too long.
    """
    lengths = sentences.lengths
    if len(lengths) and lengths.max() > most:
        first = int((lengths > most).argmax())
        raise DataError(
            f"{where}, line {numbers[first]}: the sentence has {lengths[first]:,} tokens with its end, the model has "
            f"{most:,} positions; shorten it, or raise max_positions in the task's corpus"
        )


def digest_of(parts: Mapping[str, str]) -> str:
    """One sha256 for the sha256 of several parts, by name."""
    return hashlib.sha256("".join(f"{parts[name]}  {name}\n" for name in sorted(parts)).encode()).hexdigest()
