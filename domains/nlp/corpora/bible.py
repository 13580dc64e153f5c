"""The Bible in English and Spanish, verse by verse: bundled, in the public domain, split by whole books."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import DataError, UnknownName
from domains.nlp.corpora.encoding import counted, sentences
from domains.nlp.corpora.lines import Lines, Side
from domains.nlp.corpora.sentences import Text

FILE = Path(__file__).parents[1] / "data" / "bible" / "bible.en-es.tsv.gz"
DIGEST = "6302e1b594dac2433582da26efd6e338b5b50b0826759f3e440b72ff5f524ca3"
"""sha256 of the unpacked file: a reference such as `Genesis 1:1`, the English and the Spanish verse, between tabs."""

LANGUAGES = ("en", "es")
BOOKS = {
    "Ruth": "val",
    "Daniel": "val",
    "Hosea": "val",
    "Romans": "val",
    "Revelation of John": "val",
    "Judges": "test",
    "Ecclesiastes": "test",
    "Acts": "test",
}
"""Books that are not for training: each split has narrative, wisdom or prophecy, and the New Testament, and none that
another book retells at length (as Chronicles retells Kings); a dozen single verses have a near copy in training."""

WORD = re.compile(r"[\u2019']?\w+(?:-\w+)*|[^\w\s]")
RARE = 3


def read(config: Mapping[str, Any]) -> Lines:
    """The verses, 27,734 for training, 1,470 and 1,841 unseen.

    Args:
        config: `source` and `target`: `en` and `es` unless they say otherwise.

    Raises:
        DataError: if the bundled file is not the one that was published.
        UnknownName: if it is not in one of the languages.
    """
    languages = (str(config.get("source", "en")), str(config.get("target", "es")))
    for language in languages:
        if language not in LANGUAGES:
            raise UnknownName("language of the Bible", language, LANGUAGES)
    columns = [1 + LANGUAGES.index(language) for language in languages]
    splits = {
        split: (_side(split, languages[0], columns[0]), _side(split, languages[1], columns[1]))
        for split in ("train", "val", "test")
    }
    return Lines("bible", languages, splits, DIGEST)


def text(config: Mapping[str, Any]) -> Text:
    """The English verses word by word, punctuation apart, for a small language model.

    Words and not pieces, as in Wikitext-2 and with its rule: case is kept, and what the training books have fewer than
    three times is `<unk>`. That makes a vocabulary of 7,000; perplexities are per word.

    Args:
        config: `min_count`: how often a word must occur (3).

    Raises:
        DataError: if the bundled file is not the one that was published.
    """
    words = {split: [" ".join(WORD.findall(verse[1])) for verse in verses] for split, verses in _verses().items()}
    dictionary, encoder = counted(words["train"], fewest=config.get("min_count", RARE))
    splits = {split: sentences(encoder(lines)).tokens.astype(np.int64) for split, lines in words.items()}
    return Text("bible", dictionary, splits, DIGEST)


def _side(split: str, language: str, column: int) -> Side:
    return Side(f"bible, {split}.{language}", [verse[column] for verse in _verses()[split]])


@lru_cache(maxsize=1)
def _verses() -> Mapping[str, list[list[str]]]:
    """Split -> (reference, English, Spanish) of each verse."""
    try:
        content = gzip.decompress(FILE.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {FILE}: {error}; install ticketbench again") from error
    if hashlib.sha256(content).hexdigest() != DIGEST:
        raise DataError(f"{FILE} is not the Bible that was published: its content has another sha256; install again")
    splits: dict[str, list[list[str]]] = {"train": [], "val": [], "test": []}
    for line in content.decode().splitlines():
        verse = line.split("\t")
        book = verse[0].rpartition(" ")[0]
        splits[BOOKS.get(book, "train")].append(verse)
    return splits
