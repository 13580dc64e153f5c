"""Sentences of like length in batches of at most so many tokens, by fairseq's rules; the same with and without its extension."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from domains.nlp.corpora.sentences import EOS, PAD, Pairs, Sentences

MULTIPLE = 8
"""Sentences of a batch, unless it has fewer or the tokens run out: fairseq's `required_batch_size_multiple`."""


def ordered(pairs: Pairs, generator: np.random.Generator) -> NDArray[np.int64]:
    """Rows by source length, then by target length, then by chance."""
    rows = generator.permutation(len(pairs.source))
    rows = rows[np.argsort(pairs.target.lengths[rows], kind="stable")]
    return rows[np.argsort(pairs.source.lengths[rows], kind="stable")]


def batches(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], *, max_tokens: int, multiple: int = MULTIPLE
) -> list[NDArray[np.int64]]:
    """Cut `rows` into batches whose size times longest sentence is at most `max_tokens`; none is empty.

    A batch is closed at the last size below `multiple`, or a multiple of it, that still fits; what came after begins
    the next one.

    Args:
        rows: (n,) in the order they are batched.
        lengths: of every sentence of the corpus, the longer of its two sides.
        max_tokens: with the padding; a longer sentence is a batch of its own.
        multiple: see `MULTIPLE`.
    """
    sizes = lengths[rows].tolist()
    cuts: list[int] = []
    start = good = 0  # the batch is rows[start:good]; rows[good:] is its tail, taken in as soon as the size is good
    widest = tail = 0
    for end, size in enumerate(sizes, 1):
        tail = max(tail, size)
        over = (end - start) * max(widest, tail) > max_tokens
        if over:
            cuts.append(good)
            start, widest = good, 0
            if end - 1 > start and (end - start) * tail > max_tokens:
                cuts.append(end - 1)
                start, tail = end - 1, size
        if over or end - start < multiple or (end - start) % multiple == 0:
            good, widest, tail = end, max(widest, tail), 0
    cuts = [cut for cut in (*cuts, good) if cut]
    return np.split(rows, [*cuts, len(rows)] if cuts[-1] != len(rows) else cuts)[:-1]


def padded(sentences: Sentences, rows: NDArray[np.int64], *, left: bool) -> Tensor:
    """Sentences as a rectangle (rows, longest) of int64 ids, `<pad>` on the left or on the right.

    Args:
        sentences: of the corpus.
        rows: which.
        left: as fairseq pads a source; else as it pads a target.
    """
    starts, lengths = sentences.starts[rows], sentences.lengths[rows]
    place = np.arange(lengths.max())[None, :]
    if left:
        place = place - (lengths.max() - lengths)[:, None]
    inside = (place >= 0) & (place < lengths[:, None])
    found = np.full(inside.shape, PAD, dtype=np.int64)
    found[inside] = sentences.tokens[(starts[:, None] + place)[inside]]
    return from_numpy(found)


def shifted(target: Tensor) -> Tensor:
    """What the decoder has read when it predicts `target`: `</s>`, then the target without its own end."""
    read = target.new_full(target.shape, EOS)
    read[:, 1:] = target[:, :-1]
    return read.masked_fill_(target == PAD, PAD)
