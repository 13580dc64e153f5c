"""The data classes: encoded sentences, pairs of them, a parallel corpus, and running text. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from domains.nlp.corpora.words import detokenise, join

if TYPE_CHECKING:
    from domains.nlp.border import Dictionary

BOS, PAD, EOS, UNK = 0, 1, 2, 3
"""The first ids of every dictionary of fairseq: `<s>`, `<pad>`, `</s>`, `<unk>`."""

UNKNOWN = "⁇"
"""An unknown symbol in a translation. A reference writes it otherwise, so that the two never match."""


@dataclass(frozen=True, eq=False)
class Sentences:
    """Encoded sentences, end to end.

    Args:
        tokens: (n_tokens,) ids of a dictionary; every sentence ends with `</s>`.
        starts: (n + 1,) where each sentence starts, and the end of the last.
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        """A view of sentence `index`, with its `</s>`."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self.tokens[self.starts[index] : self.starts[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of each sentence, `</s>` included."""
        return np.diff(self.starts)


@dataclass(frozen=True, eq=False)
class Pairs:
    """One split of a parallel corpus.

    Args:
        source: what is translated.
        target: as many translations.
        references: the target side as text, detokenised; none for `train`, which nobody scores.
        tokenised: the target side in the words of the corpus, subwords joined; the same as `references` where the
            corpus was never tokenised.
    """

    source: Sentences
    target: Sentences
    references: tuple[str, ...]
    tokenised: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, eq=False)
class Corpus:
    """A parallel corpus, encoded.

    Args:
        name: of the corpus.
        languages: source and target.
        source: fairseq's dictionary of the source.
        target: that of the target; the same object where the vocabulary is joint.
        splits: `train`, `val` and `test`.
        digest: sha256 of what was read.
        marker: how subwords are marked (see `domains.nlp.corpora.words.MARKERS`).
    """

    name: str
    languages: tuple[str, str]
    source: Dictionary
    target: Dictionary
    splits: Mapping[str, Pairs]
    digest: str
    marker: str

    def text(self, tokens: Sequence[int]) -> str:
        """Target ids as detokenised text; `<s>`, `<pad>` and `</s>` are passed over."""
        return detokenise(self.tokenised_text(tokens), self.marker)

    def tokenised_text(self, tokens: Sequence[int]) -> str:
        """Target ids as the words of the corpus, subwords joined; `<s>`, `<pad>` and `</s>` are passed over."""
        symbols = (UNKNOWN if token == UNK else self.target[token] for token in tokens if token not in (BOS, PAD, EOS))
        return join(symbols, self.marker)


@dataclass(frozen=True, eq=False)
class Text:
    """Running text for a language model.

    Args:
        name: of the corpus.
        dictionary: fairseq's.
        splits: `train`, `val` and `test` -> (n_tokens,) ids, `</s>` after each line or verse.
        digest: sha256 of what was read.
    """

    name: str
    dictionary: Dictionary
    splits: Mapping[str, NDArray[np.int64]]
    digest: str
