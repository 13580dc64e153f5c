"""fairseq's data-bin folders, read with numpy alone: what fairseq-preprocess wrote (`--dataset-impl mmap`, its default).

`dict.xx.txt` has `symbol count` lines, the first with id 4. `train.xx-yy.xx.idx` has a magic word, a version, a code for
the type of an id, the number of sentences, their sizes (int32) and byte offsets (int64); `.bin` has the ids, end to end.
Nothing in a file is believed before it is checked.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError, SpecError
from domains.nlp.corpora.folders import Folder, binaries
from domains.nlp.corpora.lines import check_lengths, read
from domains.nlp.corpora.sentences import BOS, EOS, PAD, UNK, Corpus, Pairs, Sentences
from domains.nlp.corpora.words import MARKERS, detokenise, join

if TYPE_CHECKING:
    from domains.nlp.border import Dictionary

MAGIC = b"MMIDIDX\0\0"
HEADER = struct.Struct("<9sQBQ")
TYPES: dict[int, np.dtype[Any]] = {4: np.dtype("<i4"), 5: np.dtype("<i8"), 8: np.dtype("<u2"), 9: np.dtype("<u4")}
OVERWRITE = " #fairseq:overwrite"

DICTIONARIES = "fairseq-preprocess writes a dictionary for each language: copy it too"

UNKNOWN = "<<unk>>"
"""An unknown word in a reference, as fairseq writes it: a translation's is another, so that they never match."""


def read_folder(folder: Folder, config: Mapping[str, Any]) -> Corpus:
    """The corpus in a data-bin folder.

    Args:
        folder: where it is.
        config: `max_positions`, the most tokens of a sentence (256).

    Raises:
        DataError: if a file is missing, or is not what fairseq writes, or a sentence is too long.
        SpecError: if the task asks for at most so many words: they are no longer there to count.
    """
    if config.get("max_words") is not None:
        raise SpecError(
            f"max_words is {config['max_words']}, but {folder.path} is binarised: filter before, or write null"
        )
    paths = [folder.path / f"dict.{language}.txt" for language in folder.languages]
    source, target = map(dictionary, paths)
    if source.symbols == target.symbols:
        target = source
    marker = _marker(target)
    splits = {}
    for split, stems in binaries(folder.path, folder.languages).items():
        sides = read_pair(stems, (source, target), most=config.get("max_positions", 256))
        tokenised = () if split == "train" else tuple(_words(sides[1], target, marker))
        references = tuple(detokenise(line, marker) for line in tokenised)
        splits[split] = Pairs(*sides, references, tokenised)
    return Corpus(folder.name, folder.languages, source, target, splits, folder.digest, marker)


def dictionary(path: Path) -> Dictionary:
    """A `dict.xx.txt`.

    Raises:
        DataError: naming the line that is not `symbol count`.
    """
    from domains.nlp.border import Dictionary  # noqa: PLC0415  tasks are listed without fairseq

    found = Dictionary()
    for number, line in enumerate(read(path, advice=DICTIONARIES).lines, start=1):
        entry = line.rstrip()
        overwrite = entry.endswith(OVERWRITE)
        symbol, space, count = entry.removesuffix(OVERWRITE).rpartition(" ")
        if not space or not symbol or not count.isascii() or not count.isdigit():
            raise DataError(f"{path}, line {number}: {line[:60]!r} is not `symbol count`; run fairseq-preprocess again")
        if symbol in found and not overwrite:
            own = found.index(symbol) < found.nspecial
            raise DataError(
                f"{path}, line {number}: {symbol!r} is "
                + (
                    f"fairseq's own: end the line with{OVERWRITE}"
                    if own
                    else "there twice; run fairseq-preprocess again"
                )
            )
        found.add_symbol(symbol, n=int(count), overwrite=overwrite)
    return found


def read_pair(
    stems: tuple[Path, Path], dictionaries: tuple[Dictionary, Dictionary], *, most: int
) -> tuple[Sentences, Sentences]:
    """Both sides of a split.

    Args:
        stems: source and target, without `.idx` and `.bin`.
        dictionaries: of source and target.
        most: positions of the model.

    Raises:
        DataError: if a file is missing or broken, or if one side has more sentences than the other.
    """
    source, target = (
        read_sentences(stem, symbols=len(symbols)) for stem, symbols in zip(stems, dictionaries, strict=True)
    )
    if len(source) != len(target):
        raise DataError(
            f"{stems[0]}.idx has {len(source):,} sentences, {stems[1]}.idx has {len(target):,}: sentence "
            f"{min(len(source), len(target)) + 1} has no counterpart; run fairseq-preprocess again"
        )
    for stem, side in zip(stems, (source, target), strict=True):
        check_lengths(side, most=most, where=f"{stem}.bin", numbers=range(1, len(side) + 1))
    return source, target


def read_sentences(stem: Path, *, symbols: int) -> Sentences:
    """The sentences of one language of a split.

    Args:
        stem: the path without `.idx` and `.bin`.
        symbols: how many the dictionary has.

    Raises:
        DataError: if a file is missing, or is not exactly what its header says, or an id is not in the dictionary.
    """
    path = stem.with_name(f"{stem.name}.idx")
    kind, sizes, offsets = _index(path, _bytes(path))
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    if not np.array_equal(offsets, starts[:-1] * kind.itemsize):
        raise _broken(path, "its offsets are not those of sentences end to end")
    path = stem.with_name(f"{stem.name}.bin")
    content = _bytes(path)
    if len(content) != starts[-1] * kind.itemsize:
        raise _broken(path, f"it has {len(content):,} bytes, its index promises {starts[-1] * kind.itemsize:,}")
    tokens = np.frombuffer(content, kind)
    _check_ids(path, tokens, starts, symbols)
    return Sentences(tokens.astype(np.int32), starts)


def _index(path: Path, content: bytes) -> tuple[np.dtype[Any], NDArray[np.int32], NDArray[np.int64]]:
    """Type of an id, sizes and byte offsets of the sentences."""
    if not content.startswith(MAGIC) or len(content) < HEADER.size:
        raise _broken(path, "it does not start as an index of `--dataset-impl mmap` does")
    _, version, code, count = HEADER.unpack_from(content)
    if version != 1 or code not in TYPES:
        raise _broken(path, f"its version is {version} and its type {code}, known are version 1 and types {[*TYPES]}")
    if count == 0:
        raise DataError(f"{path} is empty: at least one sentence is needed")
    if len(content) != HEADER.size + 12 * count:
        raise _broken(
            path, f"it has {len(content):,} bytes, {HEADER.size + 12 * count:,} belong to {count:,} sentences"
        )
    sizes = np.frombuffer(content, "<i4", count, HEADER.size)
    if sizes.min() < 1:
        raise _broken(path, f"sentence {int(sizes.argmin()) + 1} has {sizes.min()} tokens, not even its end")
    return TYPES[code], sizes, np.frombuffer(content, "<i8", count, HEADER.size + 4 * count)


def _check_ids(path: Path, tokens: NDArray[Any], starts: NDArray[np.int64], symbols: int) -> None:
    ends = np.zeros(len(tokens), dtype=bool)
    ends[starts[1:] - 1] = True
    faults = {
        f"an id beyond the dictionary's {symbols:,} symbols": (tokens < 0) | (tokens >= symbols),
        "`<s>` or `<pad>` inside": (tokens == BOS) | (tokens == PAD),
        "no `</s>` at its end, or one before it": (tokens == EOS) != ends,
    }
    for what, wrong in faults.items():
        if wrong.any():
            sentence = int(np.searchsorted(starts, wrong.argmax(), side="right"))
            raise _broken(path, f"sentence {sentence} has {what}")


def _marker(symbols: Dictionary) -> str:
    """How subwords are marked, by what a hundredth of the symbols look like."""
    few = len(symbols) / 100
    cut = {
        "▁": sum(symbol.startswith("▁") for symbol in symbols.symbols),
        "@@": sum(symbol.endswith("@@") for symbol in symbols.symbols),
    }
    return next((marker for marker in MARKERS if cut.get(marker, 0) > few), "")


def _words(side: Sentences, symbols: Dictionary, marker: str) -> list[str]:
    rows = (side[index][:-1].tolist() for index in range(len(side)))
    return [join((UNKNOWN if token == UNK else symbols[token] for token in row), marker) for row in rows]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror}; a data-bin folder has .idx and .bin for every split and language"
        ) from error


def _broken(path: Path, what: str) -> DataError:
    return DataError(f"cannot read {path} as fairseq's data: {what}; run fairseq-preprocess again")
