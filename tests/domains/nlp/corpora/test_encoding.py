"""Text becomes ids with a vocabulary that only the training split has made."""

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

from bench.errors import DataError
from domains.nlp.corpora import encoding
from domains.nlp.corpora.encoding import counted, encode, marker_of, sentences, trained
from domains.nlp.corpora.lines import Lines, Side

RAW = ("the red house", "a red dog sees the house", "the dog likes the tree", "a tree")
CUT = ("the ho@@ use is red .", "a b@@ ig dog &apos;s tail", "the dog", "b@@ ig b@@ ig ho@@ use")
PIECES = ("▁the ▁ho use ▁is ▁red .", "▁a ▁b ig ▁dog", "▁the ▁dog", "▁b ig ▁ho use")


def corpus_of(train, test=("the dog",), **config):
    def pair(split, text):
        return Side(f"{split}.en", list(text)), Side(f"{split}.de", [line.upper() for line in text])

    splits = {"train": pair("train", train), "val": pair("val", test), "test": pair("test", test)}
    return encode(Lines("tiny", ("en", "de"), splits, "digest"), config)


def test_sentences_end_with_eos():
    found = sentences([[5, 6], [], [7]])
    assert found.tokens.tolist() == [5, 6, 2, 2, 7, 2]
    assert found.tokens.dtype == np.int32
    assert found.starts.tolist() == [0, 3, 4, 6]
    assert found.lengths.tolist() == [3, 1, 2]
    assert [found[row].tolist() for row in range(len(found))] == [[5, 6, 2], [2], [7, 2]]
    assert found[-1].tolist() == [7, 2]
    assert [row.tolist() for row in found] == [[5, 6, 2], [2], [7, 2]]
    with pytest.raises(IndexError):
        found[3]


def test_training_gives_the_same_bytes_twice():
    lines = list(RAW) * 20
    assert encoding._train(lines, 60, "tiny") == encoding._train(lines, 60, "tiny")


def test_ids_are_those_of_sentencepiece_behind_the_special_symbols():
    lines = list(RAW) * 20
    dictionary, encoder = trained(lines, 40, "tiny")
    processor = SentencePieceProcessor(model_proto=encoding._train(lines, 40, "tiny"))
    assert len(dictionary) == 40
    assert dictionary.symbols[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    [ids] = encoder([RAW[1]])
    assert [dictionary[token] for token in ids] == processor.encode(RAW[1], out_type=str)
    assert next(encoder(["Ω"]))[-1] == dictionary.unk()


def test_a_second_training_comes_from_the_cache(monkeypatch):
    first = trained(RAW, 45, "tiny")[0]
    monkeypatch.setattr(encoding, "_train", None)
    assert trained(RAW, 45, "tiny")[0] == first


def test_the_cache_knows_text_and_size():
    assert len({tuple(trained(text, size, "tiny")[0].symbols) for text in (RAW, RAW[:3]) for size in (38, 40)}) == 4


def test_only_the_training_split_makes_the_vocabulary():
    assert corpus_of(RAW).target == corpus_of(RAW, test=["an unseen zebra"]).target
    assert corpus_of(RAW, max_words=3).target == corpus_of([RAW[0], RAW[3]]).target


def test_a_small_text_makes_a_small_vocabulary():
    assert len(corpus_of(RAW, pieces=4000).target) < 200


def test_fewer_pieces_than_characters_are_refused():
    with pytest.raises(
        DataError, match="no vocabulary of 10 pieces can be trained on tiny, which has 8 lines and 2. char"
    ):
        corpus_of(RAW, pieces=10)


def test_text_that_looks_like_a_special_symbol_is_none():
    dictionary, encoder = trained([f"{letter}</s> <pad>" for letter in "abcdefghij"] * 30, 60, "tiny")
    [ids] = encoder(["a</s> <pad>"])
    assert min(ids) > 3
    assert "".join(dictionary[token] for token in ids) == "▁a</s>▁<pad>"
    assert (dictionary.bos(), dictionary.pad(), dictionary.eos(), dictionary.unk()) == (0, 1, 2, 3)


def test_words_that_look_like_special_symbols_are_unknown():
    dictionary, encoder = counted(["a <pad> </s> <s> <unk> a b"])
    [ids] = encoder(["a <pad> </s> <s> <unk> c b"])
    assert ids == [4, 3, 3, 3, 3, 3, 5]
    assert dictionary.symbols[4:6] == ["a", "b"]


def test_rare_words_are_unknown_and_sizes_a_multiple_of_eight():
    dictionary, encoder = counted(["c b b a a a"], fewest=2)
    assert len(dictionary) == 8
    assert dictionary.symbols[4:6] == ["a", "b"]
    assert list(encoder(["a b c"])) == [[4, 5, 3]]


@pytest.mark.parametrize(
    ("lines", "marker"),
    [
        (RAW, None),
        (CUT, "@@"),
        (PIECES, "▁"),
        ([*RAW * 50, "write to me@@ home"], None),
        (["a line of underlined▁text"], None),
        ([], None),
    ],
)
def test_text_that_is_cut_is_recognised(lines, marker):
    assert marker_of(lines) == marker


@pytest.mark.parametrize("cut", [CUT, PIECES])
def test_cut_text_keeps_its_symbols(cut):
    corpus = corpus_of(cut)
    train = corpus.splits["train"].source
    assert [" ".join(corpus.source[token] for token in row[:-1]) for row in train] == list(cut)


def test_subwords_are_joined_and_text_detokenised():
    corpus = corpus_of(CUT, test=["the ho@@ use &apos;s tail , zebra"])
    pairs = corpus.splits["test"]
    assert pairs.tokenised == ("THE HOUSE &APOS;S TAIL , ZEBRA",)
    [source] = (row.tolist() for row in pairs.source)
    assert corpus.tokenised_text(source) == "the house &apos;s tail ⁇ ⁇"
    assert corpus.text([0, *source[:4], 1, 1]) == "the house's"
    assert corpus_of(CUT, test=CUT).splits["test"].references[0] == "THE HOUSE IS RED."
    train = corpus.splits["train"]
    assert train.references == train.tokenised == (), "nobody scores what was trained on"


def test_white_space_is_one_space():
    corpus = corpus_of(RAW, test=["  the \t red\u00a0dog\r"])
    assert corpus.splits["test"].references == ("THE RED DOG",)
    assert corpus.text(corpus.splits["test"].source[0].tolist()) == "the red dog"


def test_long_pairs_are_left_out_of_every_split():
    corpus = corpus_of(RAW, test=RAW, max_words=3)
    assert {split: len(pairs) for split, pairs in corpus.splits.items()} == {"train": 2, "val": 2, "test": 2}
    assert corpus.splits["test"].references == ("THE RED HOUSE", "A TREE")


def test_a_split_without_short_pairs_is_named():
    with pytest.raises(DataError, match="tiny: no pair of val has at most 2 words on both sides"):
        corpus_of(RAW, test=RAW[:3], max_words=2)


def test_a_sentence_beyond_the_positions_is_named_with_its_line():
    longest = ["the dog", "the b@@ ig b@@ ig b@@ ig"]
    assert corpus_of(CUT, test=longest, max_positions=8).splits["test"].source.lengths.tolist() == [3, 8]
    with pytest.raises(
        DataError, match="val.en, line 2: the sentence has 8 tokens with its end, the model has 7 posit"
    ):
        corpus_of(CUT, test=longest, max_positions=7)


def test_the_line_is_that_of_the_file_where_long_pairs_are_left_out():
    with pytest.raises(DataError, match="val.en, line 3: the sentence has 5 tokens"):
        corpus_of(CUT, test=["the dog", "a a a a a", "b@@ ig b@@ ig"], max_positions=4, max_words=4)


def test_nothing_is_printed(capfd):
    encoding._train(list(RAW), 50, "tiny")
    assert capfd.readouterr() == ("", "")
