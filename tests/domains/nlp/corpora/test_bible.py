"""The bundled Bible: the text that was published, split by books."""

import gzip

import numpy as np
import pytest

from bench.digests import json_digest
from bench.errors import DataError, UnknownName
from domains.nlp import corpora
from domains.nlp.corpora import bible, encoding

SHORT = {"kind": "bible", "max_words": 12, "pieces": 600}


@pytest.fixture(scope="module")
def short():
    return corpora.parallel(corpora.declared(SHORT), SHORT)


@pytest.fixture(scope="module")
def words():
    return bible.text({})


def test_splits_are_whole_books():
    verses = bible._verses()
    books = {split: {verse[0].rpartition(" ")[0] for verse in part} for split, part in verses.items()}
    assert {split: len(part) for split, part in verses.items()} == {"train": 27_734, "val": 1_470, "test": 1_841}
    assert {book: split for split, part in books.items() if split != "train" for book in part} == bible.BOOKS
    assert len(books["train"]) == 58
    assert not books["train"] & (books["val"] | books["test"])


def test_no_verse_of_another_split_is_trained_on():
    verses = bible._verses()
    for column in (1, 2):
        known = {verse[column] for verse in verses["train"]}
        assert not any(verse[column] in known for split in ("val", "test") for verse in verses[split])


def test_sides_are_verse_by_verse():
    source, target = bible.read({}).splits["train"]
    assert source.lines[0] == "In the beginning, God created the heavens and the earth."
    assert target.lines[0] == "EN el principio crió Dios los cielos y la tierra."
    source, target = bible.read({"source": "es", "target": "en"}).splits["train"]
    assert source.lines[0].startswith("EN el principio")
    assert target.lines[0].startswith("In the beginning")


def test_a_language_that_it_is_not_in_is_named():
    with pytest.raises(UnknownName, match="unknown language of the Bible 'fr'"):
        bible.read({"source": "fr"})


def test_short_verses_are_short_on_both_sides_of_every_split(short):
    for split, pairs in short.splits.items():
        sides = [[side.lines[row] for row in range(len(side.lines))] for side in bible.read({}).splits[split]]
        both = [max(len(en.split()), len(es.split())) for en, es in zip(*sides, strict=True)]
        assert len(pairs) == sum(count <= 12 for count in both)


def test_the_vocabulary_is_joint_and_as_large_as_asked(short):
    assert short.source is short.target
    assert len(short.target) == 600
    assert max(pairs.target.tokens.max() for pairs in short.splits.values()) == 599
    assert {pairs.source.tokens.min() for pairs in short.splits.values()} == {2}


def test_the_vocabulary_of_the_small_task_is_pinned():
    """Another release of sentencepiece that merged other pieces would make another task."""
    lines = bible.read({})
    rows = encoding.short(lines, "train", 24)
    text = [side.lines[row] for side in lines.splits["train"] for row in rows]
    assert json_digest(encoding.trained(text, 4_000, "bible")[0].symbols) == (
        "048b368842153c827dabf0e956072195da556bafa62b35f9816d67ecf8b17c55"
    )


def test_references_are_the_verses_and_come_back_from_their_pieces(short):
    pairs = short.splits["test"]
    assert pairs.references == pairs.tokenised
    assert all(len(reference.split()) <= 12 for reference in pairs.references)
    assert [short.text(pairs.target[row].tolist()) for row in range(len(pairs))] == list(pairs.references)


def test_another_file_is_refused(tmp_path, monkeypatch):
    verses = gzip.decompress(bible.FILE.read_bytes()).replace(b"God", b"god", 1)
    (tmp_path / "other.gz").write_bytes(gzip.compress(verses))
    (tmp_path / "cut.gz").write_bytes(bible.FILE.read_bytes()[:-9])
    for name, message in (("other", "another sha256"), ("cut", "Compressed file ended"), ("none", "No such file")):
        monkeypatch.setattr(bible, "FILE", tmp_path / f"{name}.gz")
        with pytest.raises(DataError, match=message):
            bible._verses.__wrapped__()


def test_the_language_model_reads_words_apart_from_punctuation(words):
    dictionary, tokens = words.dictionary, words.splits["train"]
    first = [dictionary[token] for token in tokens[:12]]
    assert first == ["In", "the", "beginning", ",", "God", "created", "the", "heavens", "and", "the", "earth", "."]
    assert tokens[12] == dictionary.eos()
    assert tokens.dtype == np.int64
    assert {split: int((part == 2).sum()) for split, part in words.splits.items()} == {
        "train": 27_734,
        "val": 1_470,
        "test": 1_841,
    }


def test_rare_words_are_unknown_as_in_wikitext(words):
    assert len(words.dictionary) == 7_000
    counts = np.bincount(words.splits["train"], minlength=7_000)
    known = [token for token in range(4, 7_000) if not words.dictionary[token].startswith("madeupword")]
    assert counts[known].min() == bible.RARE
    assert 0.005 < (words.splits["train"] == 3).mean() < 0.01
    assert 0.02 < (words.splits["test"] == 3).mean() < 0.04
