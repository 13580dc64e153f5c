"""What a paired bootstrap of BLEU needs: how much of each test sentence matched (the test is in `bench.report`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.record import Items
from domains.nlp.evaluation.scores import SIGNATURES, metric

if TYPE_CHECKING:
    from domains.nlp.corpora.sentences import Corpus, Pairs


def bleu_items(
    hypotheses: Sequence[Sequence[int]],
    corpus: Corpus,
    pairs: Pairs,
    *,
    split: str,
    limit: int | None,
    signature: str = SIGNATURES["bleu"],
) -> Items:
    """The statistics of `bleu`, sentence by sentence, and its signature.

    Args:
        hypotheses: a sentence of target ids for each pair.
        corpus: turns ids into text.
        pairs: give the references.
        split: which they are.
        limit: how many pairs were translated, from the first on; None for all.
        signature: of `bleu`.
    """
    texts = list(map(corpus.text, hypotheses))
    return statistics(texts, pairs.references[:limit], split=split, signature=signature)


def statistics(
    hypotheses: Sequence[str], references: Sequence[str], *, split: str, signature: str = SIGNATURES["bleu"]
) -> Items:
    """The same of text.

    Args:
        hypotheses: at least one.
        references: as many.
        split: which they are.
        signature: of `bleu`.
    """
    bleu = metric("bleu", signature)
    found = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        score = bleu.corpus_score([hypothesis], [[reference]])
        found.append(" ".join(map(str, (score.sys_len, score.ref_len, *score.counts))))
    return {"metric": "bleu", "split": split, "signature": str(bleu.get_signature()), "statistics": found}
