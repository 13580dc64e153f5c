"""fairseq's own files are read as fairseq wrote them, and nothing in them is believed unchecked."""

import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

from bench.errors import DataError, SpecError
from domains.nlp import corpora
from domains.nlp.corpora import databin
from domains.nlp.corpora.databin import HEADER, read_sentences

EN = "the ho@@ use is red .\na b@@ ig dog &apos;s tail\nthe the dog\n\n"
DE = "das ha@@ us ist rot .\nein gro@@ ßer hund , x &quot;\nder der hund\nnichts\n"
TEXTS = {
    "train.en": EN,
    "train.de": DE,
    "valid.en": EN,
    "valid.de": DE,
    "test.en": "red zebra\n",
    "test.de": "rot ze@@ bra .\n",
}

PREPROCESS = """
import sys
from fairseq import options
from fairseq_cli.preprocess import main
for arguments in sys.argv[1:]:
    main(options.get_preprocessing_parser().parse_args(arguments.split()))
"""
COMMON = "--source-lang en --target-lang de --trainpref train --validpref valid --testpref test --workers 1"


@pytest.fixture(scope="module")
def binarised(tmp_path_factory):
    """What fairseq-preprocess writes: with a joint dictionary, with one for each language, and in another format."""
    folder = tmp_path_factory.mktemp("binarised")
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    runs = [
        f"{COMMON} --destdir joint --joined-dictionary",
        f"{COMMON} --destdir apart --thresholdsrc 2",
        f"{COMMON} --destdir lazy --dataset-impl lazy",
    ]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREPROCESS, *runs], cwd=folder, capture_output=True, check=True
    )
    return folder


@pytest.fixture
def joint(binarised, data_folder):
    """A copy that may be broken."""
    return shutil.copytree(binarised / "joint", data_folder / "joint")


def load(**config):
    config = {"kind": "data-bin", "name": "joint", **config}
    return corpora.parallel(corpora.declared(config), config)


def symbols(sentences, dictionary):
    return [" ".join(dictionary[token] for token in row[:-1]) for row in sentences]


def test_a_round_trip_through_fairseq_preprocess_changes_nothing(joint):
    corpus = load()
    assert corpus.languages == ("en", "de")
    assert corpus.source is corpus.target
    for split, name in (("train", "train"), ("val", "valid")):
        pairs = corpus.splits[split]
        assert symbols(pairs.source, corpus.source) == TEXTS[f"{name}.en"].split("\n")[:-1]
        assert symbols(pairs.target, corpus.target) == TEXTS[f"{name}.de"].split("\n")[:-1]
    assert symbols(corpus.splits["test"].target, corpus.target) == ["rot <unk> <unk> ."]


def test_ids_are_those_that_fairseq_reads(joint):
    from fairseq.data.indexed_dataset import MMapIndexedDataset

    from domains.nlp.border import Dictionary  # noqa: F401  it silences fairseq

    for name in ("train.en-de.en", "valid.en-de.de", "test.en-de.de"):
        theirs = MMapIndexedDataset(str(joint / name))
        ours = read_sentences(joint / name, symbols=40)
        assert len(ours) == len(theirs)
        assert [row.tolist() for row in ours] == [theirs[index].tolist() for index in range(len(theirs))]
        assert ours.tokens.dtype == np.int32


def test_a_text_folder_gets_the_dictionary_that_fairseq_preprocess_writes(joint, binarised, data_folder):
    shutil.copytree(binarised, data_folder / "text", ignore=shutil.ignore_patterns("joint", "apart", "lazy"))
    config = {"kind": "folder", "name": "text"}
    text = corpora.parallel(corpora.declared(config), config)
    binary = load()
    assert text.source.symbols == binary.source.symbols
    assert text.marker == binary.marker == "@@"
    for split, pairs in text.splits.items():
        np.testing.assert_array_equal(pairs.target.tokens, binary.splits[split].target.tokens)
        np.testing.assert_array_equal(pairs.source.starts, binary.splits[split].source.starts)
    assert text.splits["val"].references == binary.splits["val"].references


def test_languages_may_have_a_dictionary_each(binarised, data_folder):
    shutil.copytree(binarised / "apart", data_folder / "joint")
    corpus = load()
    assert corpus.source is not corpus.target
    assert corpus.source.symbols[4:6] == ["the", "dog"]
    assert symbols(corpus.splits["train"].source, corpus.source)[2] == "the the dog"
    assert symbols(corpus.splits["train"].target, corpus.target)[0] == DE.split("\n", maxsplit=1)[0]


def test_references_are_joined_and_detokenised(joint):
    pairs = load().splits["val"]
    assert pairs.tokenised == ("das haus ist rot .", "ein großer hund , x &quot;", "der der hund", "nichts")
    assert pairs.references[:2] == ("das haus ist rot.", 'ein großer hund, x "')
    assert load().splits["train"].references == ()


def test_an_unknown_word_never_matches(joint):
    corpus = load()
    pairs = corpus.splits["test"]
    assert pairs.references == ("rot <<unk>> <<unk>>.",)
    assert corpus.text(pairs.target[0].tolist()) == "rot ⁇ ⁇."
    assert not set(corpus.tokenised_text([3]).split()) & set(pairs.tokenised[0].split())


def test_a_direction_may_be_turned_round(joint):
    corpus = load(source="de", target="en")
    assert corpus.languages == ("de", "en")
    assert symbols(corpus.splits["train"].source, corpus.source)[0] == DE.split("\n", maxsplit=1)[0]


def test_words_cannot_be_counted_any_more(joint):
    with pytest.raises(SpecError, match="max_words is 24, but .*joint is binarised"):
        load(max_words=24)


def test_a_sentence_beyond_the_positions_is_named(joint):
    with pytest.raises(DataError, match=r"train.en-de.en.bin, line 1: the sentence has 7 tokens .* 6 positions"):
        load(max_positions=6)


def test_the_older_format_is_named(binarised, data_folder):
    shutil.copytree(binarised / "lazy", data_folder / "joint")
    with pytest.raises(
        DataError, match="train.en-de.en.idx as fairseq's data: it does not start as an index of `--dataset-"
    ):
        load()


@pytest.mark.parametrize("name", ["dict.de.txt", "valid.en-de.en.idx", "train.en-de.de.bin", "test.en-de.de.idx"])
def test_a_missing_file_is_named(joint, name):
    (joint / name).unlink()
    with pytest.raises(DataError, match=f"cannot read .*/{name}: No such file or directory; "):
        load()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("word", "line 3: 'word' is not `symbol count`"),
        ("word x", "line 3: 'word x' is not `symbol count`"),
        ("word -1", "line 3: 'word -1' is not `symbol count`"),
        (" 3", "line 3: ' 3' is not `symbol count`"),
        ("", "line 3: '' is not `symbol count`"),
        ("a 1\na 1", "line 4: 'a' is there twice"),
        ("<pad> 1", "line 3: '<pad>' is fairseq's own: end the line with #fairseq:overwrite"),
        ("\udcff 1", "line 3: byte 0xff is not UTF-8"),
    ],
)
def test_a_broken_dictionary_is_named_with_its_line(tmp_path, line, said):
    (tmp_path / "dict.en.txt").write_bytes(f"x 5\ny 4\n{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(DataError) as caught:
        databin.dictionary(tmp_path / "dict.en.txt")
    assert f"dict.en.txt, {said}" in str(caught.value)


def test_a_dictionary_may_have_flags_and_symbols_with_spaces(tmp_path):
    (tmp_path / "dict.en.txt").write_text("x 5\na b 4\n<pad> 3 #fairseq:overwrite\n")
    found = databin.dictionary(tmp_path / "dict.en.txt")
    assert found.symbols[4:] == ["x", "a b", "<pad>"]
    assert found.count[4:] == [5, 4, 3]
    assert (found.index("<pad>"), found.pad()) == (6, 1)


def write(
    folder, *, magic=databin.MAGIC, version=1, code=8, count=None, sizes=(3, 2), offsets=(0, 6), ids=(4, 5, 2, 6, 2)
):
    """A split by hand."""
    count = len(sizes) if count is None else count
    index = HEADER.pack(magic, version, code, count) + struct.pack(f"<{len(sizes)}i{len(offsets)}q", *sizes, *offsets)
    (folder / "x.idx").write_bytes(index)
    (folder / "x.bin").write_bytes(np.array(ids).astype({8: "<u2", 4: "<i4", 9: "<u4", 5: "<i8"}[code]).tobytes())
    return folder / "x"


@pytest.mark.parametrize(("code", "size"), [(8, 2), (4, 4), (9, 4), (5, 8)])
def test_ids_may_have_any_type_of_fairseq(tmp_path, code, size):
    found = read_sentences(write(tmp_path, code=code, offsets=(0, 3 * size)), symbols=7)
    assert [row.tolist() for row in found] == [[4, 5, 2], [6, 2]]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"magic": b"TNTIDX\0\0\0"}, "x.idx as fairseq's data: it does not start as an index"),
        ({"version": 2}, "its version is 2 and its type 8"),
        ({"count": 3}, "it has 50 bytes, 62 belong to 3 sentences"),
        ({"count": 1}, "it has 50 bytes, 38 belong to 1 sentences"),
        ({"count": 2**60}, "bytes, 13,835,058,055,282,163,738 belong to"),
        ({"count": 0, "sizes": (), "offsets": ()}, "x.idx is empty: at least one sentence is needed"),
        ({"sizes": (3, 0)}, "sentence 2 has 0 tokens, not even its end"),
        ({"sizes": (-3, 8)}, "sentence 1 has -3 tokens"),
        ({"sizes": (3, 3)}, "x.bin as fairseq's data: it has 10 bytes, its index promises 12"),
        ({"sizes": (2**31 - 1, 2**31 - 1), "offsets": (0, 2**32 - 2)}, "its index promises 8,589,934,588"),
        ({"offsets": (0, 4)}, "its offsets are not those of sentences end to end"),
        ({"offsets": (0, -6)}, "its offsets are not"),
        ({"offsets": (2, 8)}, "its offsets are not"),
        ({"ids": (4, 5, 2, 7, 2)}, "sentence 2 has an id beyond the dictionary's 7 symbols"),
        ({"ids": (-1, 5, 2, 6, 2), "code": 4, "offsets": (0, 12)}, "sentence 1 has an id beyond"),
        ({"ids": (4, 5, 2, 1, 2)}, "sentence 2 has `<s>` or `<pad>` inside"),
        ({"ids": (4, 0, 2, 6, 2)}, "sentence 1 has `<s>` or `<pad>` inside"),
        ({"ids": (4, 5, 6, 6, 2)}, "sentence 1 has no `</s>` at its end"),
        ({"ids": (4, 2, 2, 6, 2)}, "sentence 1 has no `</s>` at its end, or one before it"),
    ],
)
def test_a_broken_file_is_named(tmp_path, changed, said):
    stem = write(tmp_path, **changed)
    with pytest.raises(DataError) as caught:
        read_sentences(stem, symbols=7)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_type_is_named(tmp_path):
    stem = write(tmp_path)
    content = (tmp_path / "x.idx").read_bytes()
    (tmp_path / "x.idx").write_bytes(content[:17] + b"\x07" + content[18:])
    with pytest.raises(DataError, match="its version is 1 and its type 7"):
        read_sentences(stem, symbols=7)


def test_every_cut_of_a_file_is_refused(tmp_path):
    stem = write(tmp_path)
    for ending in ("idx", "bin"):
        path = tmp_path / f"x.{ending}"
        whole = path.read_bytes()
        for size in range(len(whole)):
            path.write_bytes(whole[:size])
            with pytest.raises(DataError):
                read_sentences(stem, symbols=7)
        path.write_bytes(whole)
    assert len(read_sentences(stem, symbols=7)) == 2


def test_sides_with_different_counts_are_named(joint):
    for ending in ("idx", "bin"):
        shutil.copy(joint / f"test.en-de.en.{ending}", joint / f"valid.en-de.en.{ending}")
    with pytest.raises(
        DataError, match=r"valid.en-de.en.idx has 1 sentences, .*de.idx has 4: sentence 2 has no counterpart"
    ):
        load()
