"""The papers' corpora: none may be shipped, so each says how to get it, and what to put where."""

from __future__ import annotations

from typing import NamedTuple


class Paper(NamedTuple):
    """A corpus of a paper, in a folder of its name in the user's data folder.

    Args:
        languages: source and target; empty for running text.
        how: to get it, as the end of a sentence.
    """

    languages: tuple[str, ...]
    how: str


PAPERS = {
    "wmt14-en-de": Paper(
        ("en", "de"),
        "run `bash prepare-wmt14en2de.sh --icml17` of fairseq's examples/translation and copy train, valid and test "
        ".en and .de of its wmt14_en_de, or copy what fairseq-preprocess made of them",
    ),
    "iwslt14-de-en": Paper(
        ("de", "en"),
        "run `bash prepare-iwslt14.sh` of fairseq's examples/translation and copy train, valid and test .de and .en of "
        "its iwslt14.tokenized.de-en, or copy what fairseq-preprocess made of them",
    ),
    "multi30k-en-de": Paper(
        ("en", "de"),
        "copy and unpack train, val and test_2016_flickr .en.gz and .de.gz of data/task1/raw from "
        "github.com/multi30k/dataset (its terms are non-commercial)",
    ),
    "wikitext-2": Paper(
        (),
        "copy wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens of wikitext-2-v1.zip, the version with words "
        "and <unk> (CC BY-SA)",
    ),
}
