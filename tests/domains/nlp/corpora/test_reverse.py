"""Rows of symbols and the same backwards, the same on every machine."""

import pytest

from bench.errors import SpecError
from domains.nlp import corpora
from domains.nlp.corpora import reverse

SMALL = {"kind": "reverse", "symbols": 10, "longest": 8, "train": 300, "val": 20, "test": 30}


def test_the_content_is_pinned():
    assert reverse.read({}).digest == "84abf826de9c22b326112ccdac62ce57038ddbe659a78e939731c6ad3ddf359d"
    assert reverse.read(SMALL).digest == "41d94886881ae7a85b9857062c4a22c676b5eaab5ff3f65319a69156cf4765aa"


def test_targets_are_sources_backwards():
    for source, target in reverse.read(SMALL).splits.values():
        for forward, backward in zip(source.lines, target.lines, strict=True):
            assert backward.split() == forward.split()[::-1]


def test_rows_have_every_length_and_symbol():
    source, _ = reverse.read(SMALL).splits["train"]
    rows = [line.split() for line in source.lines]
    assert {len(row) for row in rows} == set(range(1, 9))
    assert {symbol for row in rows for symbol in row} == set(map(str, range(10)))


def test_what_is_tested_was_not_trained_on():
    splits = {split: set(source.lines) for split, (source, _) in reverse.read(SMALL).splits.items()}
    assert not splits["train"] & splits["test"]
    assert not splits["train"] & splits["val"]
    assert not splits["val"] & splits["test"]


def test_sizes_are_as_asked():
    corpus = corpora.parallel(corpora.declared(SMALL), SMALL)
    assert {split: len(pairs) for split, pairs in corpus.splits.items()} == {"train": 300, "val": 20, "test": 30}
    assert len(corpus.target) == 16  # 4 special symbols, 10 digits, padded to a multiple of 8


def test_too_few_possible_rows_are_refused():
    with pytest.raises(SpecError, match="2 symbols in rows of at most 3, too few for 350 rows"):
        reverse.read({**SMALL, "symbols": 2, "longest": 3})
