"""One door to every kind of corpus: each in its papers' or users' format, and only as it was when the task was listed."""

import gzip

import numpy as np
import pytest

from bench import cache
from bench.errors import DataError, UnknownName
from domains.nlp import domain
from domains.nlp.corpora import declared, papers, parallel, text

MINE = {"kind": "folder", "name": "mine", "pieces": 60}

WIKI = {
    "train": " \n = A Title = \n \n The cat sat on the <unk> . \n The cat @-@ bird \n",
    "valid": " \n = The cat = \n",
    "test": " \n The dog sat on the <unk> \n",
}


@pytest.fixture
def wikitext(data_folder):
    folder = data_folder / "wikitext-2"
    folder.mkdir()
    for split, content in WIKI.items():
        (folder / f"wiki.{split}.tokens").write_text(content)
    return folder


def test_a_folder_of_plain_text_is_a_corpus(data_folder, write_text):
    write_text(data_folder / "mine")
    corpus = parallel(declared(MINE), MINE)
    assert corpus.name == "mine"
    assert corpus.languages == ("en", "de")
    assert {split: len(pairs) for split, pairs in corpus.splits.items()} == {"train": 40, "val": 6, "test": 7}
    assert len(corpus.target) <= 60
    references = (data_folder / "mine/test.de").read_text().splitlines()
    assert list(corpus.splits["test"].references) == references
    assert [corpus.text(row.tolist()) for row in corpus.splits["test"].target] == references
    for pairs in corpus.splits.values():
        for side in (pairs.source, pairs.target):
            assert (side.tokens[side.starts[1:] - 1] == 2).all()
            assert (side.tokens == 2).sum() == len(side) == len(pairs)


def test_a_corpus_is_read_once_per_process(data_folder, write_text):
    write_text(data_folder / "mine")
    data = declared(MINE)
    assert parallel(data, MINE) is parallel(dict(data), dict(reversed(MINE.items())))
    assert parallel(data, {**MINE, "max_words": 5}) is not parallel(data, MINE)


def test_data_that_changed_since_they_were_listed_are_refused(data_folder, write_text):
    folder = write_text(data_folder / "mine")
    data = declared(MINE)
    with (folder / "test.de").open("a") as file:
        file.write("x")
    with pytest.raises(
        DataError, match=f"mine is not what the task was listed with: it has sha256 .*, not {data['mine']}"
    ):
        parallel(data, MINE)
    with pytest.raises(DataError, match="mine is not what the task was listed with: it was not there then"):
        parallel({}, MINE)


@pytest.mark.parametrize("config", [{"kind": "bible", "max_words": 6, "pieces": 300}, {"kind": "reverse", "train": 50}])
def test_bundled_and_synthetic_corpora_are_checked_too(config):
    with pytest.raises(DataError, match="is not what the task was listed with: it has sha256"):
        parallel({config["kind"]: "0" * 64}, config)
    with pytest.raises(DataError, match="it was not there then"):
        parallel({}, config)


def test_nothing_is_declared_of_what_is_not_there(data_folder):
    for kind in papers.PAPERS:
        assert declared({"kind": kind}) == {}
    assert declared(MINE) == {}


def test_unknown_kinds_are_named():
    with pytest.raises(UnknownName, match="unknown parallel corpus 'bibel': did you mean 'bible'?"):
        parallel({}, {"kind": "bibel"})
    with pytest.raises(UnknownName, match="unknown running text 'wikitext2': did you mean 'wikitext-2'?"):
        text({}, {"kind": "wikitext2"})


@pytest.mark.parametrize("kind", ["wmt14-en-de", "iwslt14-de-en", "multi30k-en-de"])
def test_a_papers_corpus_that_is_not_there_says_how_to_get_it(data_folder, kind):
    config = {"kind": kind}
    with pytest.raises(DataError) as caught:
        parallel({}, config)
    assert (
        str(caught.value) == f"{kind} was not found: there is no folder {data_folder}/{kind}; {papers.PAPERS[kind].how}"
    )


def test_wikitext_that_is_not_there_says_how_to_get_it(data_folder):
    with pytest.raises(
        DataError, match="wikitext-2 was not found: .*; copy wiki.train.tokens, wiki.valid.tokens and wiki"
    ):
        text({}, {"kind": "wikitext-2"})


def test_iwslt_as_its_script_writes_it(data_folder):
    folder = data_folder / "iwslt14-de-en"
    folder.mkdir()
    for split in ("train", "valid", "test"):
        (folder / f"{split}.de").write_text("und das ist ein hau@@ s .\nja ! &apos; s geht\n")
        (folder / f"{split}.en").write_text("and this is a hou@@ se .\nyes ! it &apos;s o@@ k\n")
    config = {"kind": "iwslt14-de-en"}
    corpus = parallel(declared(config), config)
    assert corpus.languages == ("de", "en")
    assert corpus.splits["test"].tokenised == ("and this is a house .", "yes ! it &apos;s ok")
    assert corpus.splits["test"].references == ("and this is a house.", "yes! it's ok")


def test_multi30k_as_its_repository_has_it(data_folder):
    folder = data_folder / "multi30k-en-de"
    folder.mkdir()
    sides = {"en": "A dog runs.\nTwo men.\n", "de": "Ein Hund läuft.\nZwei Männer.\n"}
    for split in ("train", "val", "test_2016_flickr"):
        for language, content in sides.items():
            (folder / f"{split}.{language}").write_text(content)
    config = {"kind": "multi30k-en-de", "pieces": 60}
    corpus = parallel(declared(config), config)
    assert corpus.splits["test"].references == ("Ein Hund läuft.", "Zwei Männer.")
    assert corpus.marker == "▁"


def test_raw_text_has_no_tokenised_bleu(data_folder):
    """Of Multi30k as it comes, `läuft.` would be another word than `läuft`, and the score far below any published one."""
    test_multi30k_as_its_repository_has_it(data_folder)
    for name in ("nlp/transformer-multi30k@paper", "nlp/transformer-multi30k-layers@paper"):
        task = domain.tasks()[name]
        corpus = parallel(task.data, {**task.config["corpus"], "pieces": 60})
        assert corpus.splits["test"].tokenised == corpus.splits["test"].references
        assert task.metric == "bleu"
        assert "bleu_tok" not in task.directions


def test_a_papers_corpus_that_is_still_packed_says_so(data_folder):
    folder = data_folder / "multi30k-en-de"
    folder.mkdir()
    (folder / "train.en.gz").write_bytes(gzip.compress(b"A dog runs.\n"))
    with pytest.raises(
        DataError, match="has no training files of two languages: .*; copy and unpack train, val and test_2016"
    ):
        parallel({}, {"kind": "multi30k-en-de"})


@pytest.mark.usefixtures("wikitext")
def test_wikitext_has_an_end_after_every_line():
    config = {"kind": "wikitext-2"}
    found = text(declared(config), config)
    dictionary = found.dictionary
    assert {split: len(part) for split, part in found.splits.items()} == {"train": 20, "val": 6, "test": 8}
    words = {split: " ".join(dictionary[token] for token in part) for split, part in found.splits.items()}
    assert words["test"] == "</s> The <unk> sat on the <unk> </s>"
    assert words["train"].startswith("</s> = A Title = </s> </s> The cat sat on the <unk> . </s>")
    assert found.splits["train"].dtype == np.int64


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("wiki.valid.tokens", None, "cannot read .*wiki.valid.tokens: No such file"),
        ("wiki.test.tokens", b"a b\nc \xff\n", "wiki.test.tokens, line 2: byte 0xff is not UTF-8"),
        ("wiki.train.tokens", b"", "wiki.train.tokens is empty"),
    ],
)
def test_broken_wikitext_is_named_with_its_line(wikitext, name, content, said):
    (wikitext / name).unlink()
    if content is not None:
        (wikitext / name).write_bytes(content)
    config = {"kind": "wikitext-2"}
    with pytest.raises(DataError, match=said):
        text(declared(config), config)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"train_de": b"ein\n"}, "train.en has 40 lines, .*train.de has 1: line 2 has no counterpart"),
        ({"valid_en": b"ok\n\xff\xfe\n"}, "valid.en, line 2: byte 0xff is not UTF-8"),
        ({"test_en": b"", "test_de": b""}, "test.en is empty"),
        ({"test_en": b"word " * 400 + b"\n" * 7}, "test.en, line 1: the sentence has .* the model has 256 positions"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(data_folder, write_text, tmp_path, monkeypatch, changed, said):
    write_text(data_folder / "mine", **changed)
    data = declared(MINE)
    before = {path.name for path in cache.folder("nlp").iterdir()}
    with pytest.raises(DataError, match=said) as caught:
        parallel(data, MINE)
    assert "\n" not in str(caught.value)
    # Only a whole training split has made a vocabulary, which any run may use.
    added = {path.name.partition("-")[0] for path in cache.folder("nlp").iterdir() if path.name not in before}
    assert added <= ({"pieces"} if "positions" in said else set())
