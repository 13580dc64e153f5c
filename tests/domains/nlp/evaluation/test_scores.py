"""Scores of translations: against BLEU and chrF computed the long way round, and under the names that stand in records."""

import math
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import sacrebleu

from domains.nlp.border import Dictionary
from domains.nlp.corpora.sentences import Corpus as Real
from domains.nlp.evaluation.scores import SIGNATURES, metric, score, signatures_of, translation_scores

WORDS = ("<s>", "<pad>", "</s>", "⁇", "the", "sea", "was", "dark", ",", "and", "deep", ".", "God", "saw")


class Corpus:
    """Words by their place in `WORDS`; detokenised text has no space before a full stop or a comma."""

    def tokenised_text(self, tokens):
        return " ".join(WORDS[token] for token in tokens)

    def text(self, tokens):
        return self.tokenised_text(tokens).replace(" .", ".").replace(" ,", ",")


def pairs_of(references):
    corpus = Corpus()
    return SimpleNamespace(
        references=tuple(map(corpus.text, references)), tokenised=tuple(map(corpus.tokenised_text, references))
    )


@pytest.fixture(name="world")
def made_up_world():
    """Thirty references, and translations that are like them but for some words lost, changed or added."""
    rng = np.random.default_rng(0)
    references = [rng.integers(4, 14, rng.integers(5, 20)).tolist() for _ in range(30)]
    hypotheses = []
    for words in references:
        kept = [word if rng.random() < 0.8 else int(rng.integers(4, 14)) for word in words if rng.random() < 0.9]
        hypotheses.append(kept + rng.integers(4, 14, rng.integers(0, 2)).tolist())
    return hypotheses, references


def ngrams(items, order):
    return Counter(tuple(items[place : place + order]) for place in range(len(items) - order + 1))


def plain_bleu(hypotheses, references, *, smoothed):
    """Papineni et al. 2002 over lists of words: clipped precisions of orders 1 to 4, and the brevity penalty."""
    precisions, zeros = [], 0
    for order in (1, 2, 3, 4):
        pairs = [(ngrams(own, order), ngrams(other, order)) for own, other in zip(hypotheses, references, strict=True)]
        matched = sum((own & other).total() for own, other in pairs)
        possible = sum(own.total() for own, _ in pairs)
        if matched == 0 and smoothed and precisions:
            zeros += 1
            matched = 0.5**zeros
        if matched == 0:
            return 0.0
        precisions.append(matched / possible)
    length, wanted = sum(map(len, hypotheses)), sum(map(len, references))
    return 100 * min(1, math.exp(1 - wanted / length)) * math.exp(sum(map(math.log, precisions)) / 4)


def plain_chrf(hypotheses, references):
    """Popovic 2015: F2 of the mean precision and recall of character n-grams of orders 1 to 6, spaces left out.

    An output's n-grams are not counted where the reference is too short to have any of that order.
    """
    precision = recall = 0.0
    for order in range(1, 7):
        matched = own_total = other_total = 0
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            own, other = (ngrams(text.replace(" ", ""), order) for text in (hypothesis, reference))
            matched += (own & other).total()
            own_total += own.total() if other else 0
            other_total += other.total()
        precision += matched / own_total / 6
        recall += matched / other_total / 6
    return 100 * 5 * precision * recall / (4 * precision + recall)


def test_scores_are_those_of_the_long_way_round(world):
    hypotheses, references = world
    corpus = Corpus()
    found = translation_scores(hypotheses, corpus, pairs_of(references), limit=None, tokenised=True)
    # The tokeniser 13a parts the marks from the words again, so all three see the same words.
    assert found["bleu"] == pytest.approx(plain_bleu(hypotheses, references, smoothed=True), rel=1e-12)
    assert found["bleu_tok"] == pytest.approx(plain_bleu(hypotheses, references, smoothed=False), rel=1e-12)
    assert found["chrf"] == pytest.approx(plain_chrf(*(list(map(corpus.text, each)) for each in world)), rel=1e-9)
    assert all(20 < value < 95 for value in found.values())


def test_tokenised_bleu_is_given_only_where_it_is_asked_for(world):
    hypotheses, references = world
    assert set(translation_scores(hypotheses, Corpus(), pairs_of(references), limit=None)) == {"bleu", "chrf"}


def test_bleu_is_of_the_text_and_tokenised_bleu_of_its_words():
    """Marks that hang on words are parted by 13a and by nothing else."""
    assert score("bleu", ["so, it was good."], ["so , it was good ."]) == pytest.approx(100)
    assert score("bleu_tok", ["so, it was good."], ["so , it was good ."]) < 100


def test_bleu_and_chrf_are_of_the_detokenised_text():
    """Moses's tokenisation of a hyphen and an apostrophe: its own words and ordinary text have other n-grams."""
    dictionary = Dictionary()
    for word in ["a", "well", "@-@", "known", "man", "did", "n't", "see", "the", "sea", "&apos;s", "end", "."]:
        dictionary.add_symbol(word)
    corpus = Real("tiny", ("de", "en"), dictionary, dictionary, {}, "", marker="@@")
    hypothesis = dictionary.encode_line(
        "a well @-@ known man did n't see the end .", append_eos=True, add_if_not_exist=False
    )
    reference = "a well @-@ known man did n't see the sea &apos;s end ."
    plain, printed = "a well-known man didn't see the end.", "a well-known man didn't see the sea's end."
    pairs = SimpleNamespace(references=(printed,), tokenised=(reference,))
    found = translation_scores([hypothesis.tolist()], corpus, pairs, limit=None, tokenised=True)
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu([plain], [[printed]]).score)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf([plain], [[printed]]).score)
    tokenised = "a well @-@ known man did n't see the end ."
    multi_bleu = sacrebleu.corpus_bleu([tokenised], [[reference]], tokenize="none", smooth_method="none", force=True)
    assert found["bleu_tok"] == pytest.approx(multi_bleu.score)
    assert len({round(value, 6) for value in found.values()}) == 3
    wrong = (
        sacrebleu.corpus_bleu([tokenised], [[reference]]).score,
        sacrebleu.corpus_bleu([tokenised], [[printed]]).score,
    )
    assert found["bleu"] not in [pytest.approx(value) for value in wrong]


def test_case_counts():
    for name in SIGNATURES:
        assert score(name, ["GOD saw the dark deep sea"], ["God saw the dark deep sea"]) < 100


def test_a_limit_takes_as_many_references_from_the_first_on(world):
    hypotheses, references = world
    whole = translation_scores(hypotheses[:7], Corpus(), pairs_of(references[:7]), limit=None, tokenised=True)
    assert translation_scores(hypotheses[:7], Corpus(), pairs_of(references), limit=7, tokenised=True) == whole


def test_the_references_themselves_score_100(world):
    _, references = world
    found = translation_scores(references, Corpus(), pairs_of(references), limit=None, tokenised=True)
    assert found == pytest.approx(dict.fromkeys(("bleu", "chrf", "bleu_tok"), 100.0))


@pytest.mark.parametrize("hypotheses", [[[], [], []], [[13], [13], [13]]], ids=["empty", "nothing-right"])
def test_outputs_of_which_nothing_matches_score_zero(hypotheses):
    references = [[4, 5, 6, 7, 11]] * 3
    found = translation_scores(hypotheses, Corpus(), pairs_of(references), limit=None, tokenised=True)
    assert (found["bleu"], found["bleu_tok"]) == (0.0, 0.0)
    assert found["chrf"] < 20


def test_some_empty_outputs_only_cost_length(world):
    hypotheses, references = world
    some = [words if place % 3 else [] for place, words in enumerate(hypotheses)]
    found = translation_scores(some, Corpus(), pairs_of(references), limit=None, tokenised=True)
    assert found["bleu"] == pytest.approx(plain_bleu(some, references, smoothed=True), rel=1e-12)
    assert 0 < found["bleu"] < translation_scores(hypotheses, Corpus(), pairs_of(references), limit=None)["bleu"]


def test_a_single_sentence_has_a_score():
    """Without a match of four words, smoothing makes the difference between the two kinds of BLEU."""
    hypothesis, reference = [4, 5, 6, 10, 11], [4, 5, 6, 7, 11]
    found = translation_scores([hypothesis], Corpus(), pairs_of([reference]), limit=None, tokenised=True)
    assert found["bleu"] == pytest.approx(plain_bleu([hypothesis], [reference], smoothed=True))
    assert found["bleu"] > 0 == found["bleu_tok"]


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_signature_is_the_one_that_sacrebleu_gives(name):
    scorer = metric(name)
    scorer.corpus_score(["God saw the sea ."], [["God saw the sea ."]])
    assert str(scorer.get_signature()) == f"{SIGNATURES[name]}|version:{sacrebleu.__version__}"


def test_naming_the_signatures_imports_neither_torch_nor_sacrebleu():
    code = "import sys, domains.nlp.evaluation.scores; print({'torch', 'fairseq', 'sacrebleu'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_no_outputs_or_too_few_are_a_mistake_of_the_caller():
    for hypotheses, references in (([], []), (["one"], ["one", "two"])):
        with pytest.raises(AssertionError, match="references"):
            score("bleu", hypotheses, references)


def test_text_that_looks_tokenised_gives_no_warning(caplog):
    score("bleu", ["the end ."] * 200, ["the end ."] * 200)
    assert not caplog.records


@pytest.mark.parametrize(("language", "tokeniser"), [("zh", "zh"), ("zh_TW", "zh"), ("jpn", "char"), ("th-TH", "char")])
def test_a_language_without_spaces_has_a_score(language, tokeniser):
    """To 13a a sentence of it is one word, so that all but a perfect translation of it scored 0."""
    signature = signatures_of(language)["bleu"]
    assert f"|tok:{tokeniser}|" in signature
    hypotheses, references = ["我们今天去公园玩因为天气很好。"], ["我们今天去公园散步因为天气很好。"]
    assert score("bleu", hypotheses, references) == 0
    assert score("bleu", hypotheses, references, signature=signature) > 50
    scorer = metric("bleu", signature)
    scorer.corpus_score(hypotheses, [references])
    assert str(scorer.get_signature()) == f"{signature}|version:{sacrebleu.__version__}"


def test_a_language_with_spaces_keeps_its_signature():
    assert signatures_of("de") == signatures_of("pt_BR") == SIGNATURES
