"""The sentences' statistics, and that the table's bootstrap of them is sacreBLEU's paired bootstrap of the texts."""

from types import SimpleNamespace

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest, estimate_ci

from bench.report.table import bootstrap
from domains.nlp.evaluation.scores import SIGNATURES, score, translation_scores
from domains.nlp.evaluation.significance import bleu_items, statistics

WORDS = np.array(["the", "sea", "was", "dark", "and", "deep", "so", "God", "saw", "it,", "good.", "<unk>"])


@pytest.fixture(name="world")
def made_up_world():
    """Sixty references, and two systems of which the second leaves more words right."""
    rng = np.random.default_rng(4)
    references = [" ".join(WORDS[rng.integers(0, len(WORDS), rng.integers(1, 16))]) for _ in range(60)]

    def spoilt(text, chance):
        return " ".join(word if rng.random() > chance else rng.choice(WORDS) for word in text.split())

    return references, [[spoilt(text, chance) for text in references] for chance in (0.4, 0.3)]


def scores(texts, references):
    counts = bootstrap.statistics(statistics(texts, references, split="test"))
    return bootstrap.bleu(counts.sum(0)), bootstrap.bleu(bootstrap.resampled_sums(counts))


def test_statistics_of_a_sentence():
    items = statistics(["the sea was, the the"], ["the sea was the deep."], split="val")
    assert items["statistics"] == ["6 6 4 2 1 0"]
    assert (items["metric"], items["split"]) == ("bleu", "val")


def test_the_signature_is_that_of_the_score_with_the_version():
    signature = statistics(["the sea"], ["the sea"], split="test")["signature"]
    assert signature.rpartition("|")[0] == SIGNATURES["bleu"]
    assert signature.rpartition("|")[2].startswith("version:")


def test_they_are_of_the_text_that_is_scored():
    texts = {(4, 3): "it was ⁇", (4,): "it was", (9,): "so deep"}
    corpus = SimpleNamespace(text=lambda tokens: texts[tuple(tokens)])
    pairs = SimpleNamespace(references=("it was so deep it", "it was not so", "no"))
    hypotheses = [[4, 3], [4]]
    items = bleu_items(hypotheses, corpus, pairs, split="test", limit=2)
    assert items["statistics"] == ["3 5 2 1 0 0", "2 4 2 1 0 0"]
    found = bootstrap.bleu(bootstrap.statistics(items).sum(0))
    assert found == pytest.approx(translation_scores(hypotheses, corpus, pairs, limit=2)["bleu"])


def test_bleu_from_statistics_is_the_score_of_the_text(world):
    references, systems = world
    for texts in systems:
        for part in (slice(None), slice(0, 1), slice(3, 9), slice(50, 60)):
            assert scores(texts[part], references[part])[0] == pytest.approx(
                score("bleu", texts[part], references[part]), rel=1e-12
            )


@pytest.mark.parametrize(
    "texts",
    [
        ["", ""],
        ["a b", "c"],
        ["deep", "x y z w v"],
        ["the sea", "was"],
        ["the sea was dark", ""],
        ["so so so so so", "x"],
    ],
)
def test_bleu_from_statistics_is_the_score_at_the_edges_too(texts):
    references = ["the sea was dark and deep", "so was it"]
    assert scores(texts, references)[0] == pytest.approx(score("bleu", texts, references), rel=1e-12)


def test_the_bootstrap_is_the_paired_bootstrap_of_sacrebleu(world, monkeypatch):
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    references, systems = world
    test = PairedTest(
        list(zip("ab", systems, strict=True)), {"BLEU": BLEU()}, [references], test_type="bs", n_samples=1_000
    )
    theirs = test()[1]["BLEU"]
    (own, many_own), (other, many_other) = (scores(texts, references) for texts in systems)
    assert [own, other] == pytest.approx([each.score for each in theirs])
    assert (many_other.mean(), estimate_ci(many_other)[1]) == pytest.approx((theirs[1].mean, theirs[1].ci))
    assert bootstrap.p_value(many_other - many_own, other - own) == theirs[1].p_value
    assert 0.001 < theirs[1].p_value < 0.2


def test_they_are_cut_as_the_signature_says():
    signature = SIGNATURES["bleu"].replace("13a", "char")
    items = statistics(["いい天気"], ["いい日"], split="test", signature=signature)
    assert items["statistics"] == ["4 3 2 1 0 0"]
    assert "|tok:char|" in items["signature"]
