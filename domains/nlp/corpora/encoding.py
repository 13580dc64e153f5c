"""From text to ids: the vocabulary is learned from the training split alone. Imports no torch but fairseq's own."""

from __future__ import annotations

import hashlib
import io
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.digests import json_digest
from bench.errors import DataError
from domains.nlp.corpora.cache import cached
from domains.nlp.corpora.lines import Lines, Side, check_lengths
from domains.nlp.corpora.sentences import EOS, UNK, Corpus, Pairs, Sentences
from domains.nlp.corpora.words import detokenise, join

if TYPE_CHECKING:
    from domains.nlp.border import Dictionary

Encode = Callable[[Iterable[str]], Iterator[list[int]]]
"""Lines -> the ids of each, without `</s>`."""

PIECES = 4000
POSITIONS = 256
SPECIAL = 4
"""How many symbols each dictionary of fairseq has before the first of the corpus."""


def encode(lines: Lines, config: Mapping[str, Any]) -> Corpus:
    """A parallel corpus with one vocabulary for both languages.

    Text that is cut into subwords already (subword-nmt's `@@`, sentencepiece's `▁`) keeps its symbols; other text is cut
    into sentencepiece's BPE pieces (1808.06226).

    Args:
        lines: the text.
        config: `max_words` of either side, by white space, in every split (null: any); `pieces`, the size of the
            dictionary that is trained; `max_positions`, the most tokens of a sentence.

    Raises:
        DataError: if a sentence is too long, a split is empty, or there is too little text for a vocabulary.
    """
    rows = {split: short(lines, split, config.get("max_words")) for split in lines.splits}
    train = [[_spaced(side.lines[row]) for row in rows["train"]] for side in lines.splits["train"]]
    marker = lines.marker
    if marker is None:
        marker = marker_of(chain(*(side.lines for side in lines.splits["train"])))
    if marker is None:
        dictionary, encoder = trained(train[0] + train[1], config.get("pieces", PIECES), lines.name)
    else:
        dictionary, encoder = counted(chain(*train))
    most = config.get("max_positions", POSITIONS)
    return Corpus(
        name=lines.name,
        languages=lines.languages,
        source=dictionary,
        target=dictionary,
        splits={split: _pairs(lines, split, rows[split], encoder, marker=marker, most=most) for split in lines.splits},
        digest=lines.digest,
        marker="▁" if marker is None else marker,
    )


def short(lines: Lines, split: str, most: int | None) -> list[int]:
    """The rows of a split whose sides have at most so many words, by white space.

    Raises:
        DataError: if there is none.
    """
    source, target = (side.lines for side in lines.splits[split])
    rows = list(range(len(source)))
    if most is not None:
        rows = [row for row in rows if max(len(source[row].split()), len(target[row].split())) <= most]
    if not rows:
        raise DataError(
            f"{lines.name}: no pair of {split} has at most {most} words on both sides; raise max_words in the task's corpus"
        )
    return rows


def marker_of(lines: Iterable[str]) -> str | None:
    """The marker of text that is cut into subwords, which ordinary text has in no line of a hundred; else None."""
    seen: Counter[str] = Counter()
    total = 0
    for line in lines:
        total += 1
        seen["@@"] += "@@ " in line
        seen["▁"] += line.startswith("▁")
    return next((marker for marker, count in seen.items() if count > total / 100), None)


def trained(lines: Sequence[str], pieces: int, name: str) -> tuple[Dictionary, Encode]:
    """A BPE vocabulary of sentencepiece for these lines: the same bytes each time, so that a cache may keep it.

    Args:
        lines: the training split, both languages.
        pieces: the most symbols of the dictionary, fairseq's four included.
        name: of the corpus, for messages.

    Raises:
        DataError: if so few pieces cannot spell the text.
    """
    from sentencepiece import SentencePieceProcessor, __version__  # noqa: PLC0415  tasks are listed without it

    from domains.nlp.border import Dictionary  # noqa: PLC0415  see above

    text = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = json_digest({"text": text, "pieces": pieces, "sentencepiece": __version__})
    model = cached(f"pieces-{key}.model", lambda: _train(lines, pieces, name))
    processor: Any = SentencePieceProcessor(model_proto=model)
    dictionary = Dictionary()
    for index in range(1, processor.get_piece_size()):
        dictionary.add_symbol(processor.id_to_piece(index))
    # Brackets and letters never share a piece, so none is a special symbol of fairseq, whose id would be another.
    assert len(dictionary) == processor.get_piece_size() + SPECIAL - 1, "a piece is there twice"

    def encoder(lines: Iterable[str]) -> Iterator[list[int]]:
        for line in lines:
            yield [piece + SPECIAL - 1 if piece else UNK for piece in processor.encode(line)]

    return dictionary, encoder


def counted(lines: Iterable[str], *, fewest: int = 1) -> tuple[Dictionary, Encode]:
    """A dictionary of the symbols between white space, the most frequent first, as fairseq-preprocess builds it.

    Args:
        lines: the training split.
        fewest: how often a symbol must occur; others are `<unk>`.
    """
    from domains.nlp.border import Dictionary  # noqa: PLC0415  tasks are listed without fairseq

    dictionary = Dictionary()
    special = set(dictionary.symbols)
    counts = Counter(chain.from_iterable(line.split() for line in lines))
    for symbol in sorted(counts.keys() - special):
        dictionary.add_symbol(symbol, n=counts[symbol])
    dictionary.finalize(threshold=fewest, padding_factor=8)
    # A word that spells `<pad>` or `</s>` must not act as one.
    ids = {**dictionary.indices, **dict.fromkeys(special, UNK)}

    def encoder(lines: Iterable[str]) -> Iterator[list[int]]:
        for line in lines:
            yield [ids.get(symbol, UNK) for symbol in line.split()]

    return dictionary, encoder


def sentences(rows: Iterable[Sequence[int]]) -> Sentences:
    """Rows of ids end to end, `</s>` after each."""
    tokens, starts = array("i"), array("q", [0])
    for row in rows:
        tokens.extend(row)
        tokens.append(EOS)
        starts.append(len(tokens))
    return Sentences(np.array(tokens, dtype=np.int32), np.array(starts, dtype=np.int64))


def _train(lines: Sequence[str], pieces: int, name: str) -> bytes:
    from sentencepiece import SentencePieceTrainer  # noqa: PLC0415  see `trained`

    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type="bpe",
            vocab_size=pieces - SPECIAL + 1,  # it has `<unk>` of its own
            hard_vocab_limit=False,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            unk_id=0,
            character_coverage=1.0,
            normalization_rule_name="identity",
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        characters = len(set(chain.from_iterable(lines)))
        raise DataError(
            f"no vocabulary of {pieces:,} pieces can be trained on {name}, which has {len(lines):,} lines and "
            f"{characters:,} characters: choose more pieces than characters"
        ) from error
    return model.getvalue()


def _pairs(lines: Lines, split: str, rows: list[int], encoder: Encode, *, marker: str | None, most: int) -> Pairs:
    def encoded(side: Side) -> Sentences:
        found = sentences(encoder(_spaced(side.lines[row]) for row in rows))
        check_lengths(found, most=most, where=side.where, numbers=[side.number(row) for row in rows])
        return found

    source, target = lines.splits[split]
    texts = [] if split == "train" else [_spaced(target.lines[row]) for row in rows]
    tokenised = texts if marker is None else [join(text.split(), marker) for text in texts]
    references = texts if marker is None else [detokenise(text, marker) for text in tokenised]
    return Pairs(encoded(source), encoded(target), tuple(references), tuple(tokenised))


def _spaced(line: str) -> str:
    """The line with one space wherever it had white space."""
    return " ".join(line.split())
