"""Wikitext-2 (1609.07843), from the user's data folder: words and `<unk>` as its authors prepared them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from domains.nlp.corpora import lines
from domains.nlp.corpora.encoding import counted, sentences
from domains.nlp.corpora.folders import files_digest, place
from domains.nlp.corpora.papers import PAPERS
from domains.nlp.corpora.sentences import Text

NAME = "wikitext-2"
FILES = {"train": "wiki.train.tokens", "val": "wiki.valid.tokens", "test": "wiki.test.tokens"}


def digest(*, remembered: bool = False) -> str:
    """sha256 over the three files that exist.

    Args:
        remembered: whether the digests of unchanged files may come from the cache.

    Raises:
        DataError: saying how to get them, if there is no such folder.
    """
    return files_digest(_paths().values(), remembered=remembered)


def text(config: Mapping[str, Any]) -> Text:
    """Every line with `</s>` at its end, empty ones too: 2,088,628 training tokens and 33,278 words, with `<unk>` and `</s>`.

    Args:
        config: `min_count`: how often a word must occur (1).

    Raises:
        DataError: if a file is missing, empty or not UTF-8.
    """
    found = {split: lines.read(path, advice=PAPERS[NAME].how).lines for split, path in _paths().items()}
    dictionary, encoder = counted(found["train"], fewest=config.get("min_count", 1))
    splits = {split: sentences(encoder(part)).tokens.astype(np.int64) for split, part in found.items()}
    return Text(NAME, dictionary, splits, digest())


def _paths() -> dict[str, Path]:
    folder = place(NAME, how=PAPERS[NAME].how)
    return {split: folder / name for split, name in FILES.items()}
