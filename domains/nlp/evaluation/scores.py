"""How good translations are: sacreBLEU and chrF of the text, and the tokenised BLEU that older papers print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domains.nlp.corpora.sentences import Corpus, Pairs

SIGNATURES = {
    "bleu": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp",
    "chrf": "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no",
    "bleu_tok": "nrefs:1|case:mixed|eff:no|tok:none|smooth:none",
}
"""sacreBLEU's own words for how each score is computed; its version stands in a record's provenance."""


def translation_scores(
    hypotheses: Sequence[Sequence[int]], corpus: Corpus, pairs: Pairs, *, limit: int | None, tokenised: bool = False
) -> dict[str, float]:
    """The scores of a split's translations, each from 0 to 100.

    Args:
        hypotheses: a sentence of target ids for each pair.
        corpus: turns ids into text.
        pairs: give the references.
        limit: how many pairs were translated, from the first on; None for all.
        tokenised: whether `bleu_tok` is among the scores.

    Returns:
        `bleu`: sacreBLEU of the detokenised text, cased. `chrf`: chrF2. `bleu_tok`: what multi-bleu.perl prints for the
        tokenised text; the tokeniser is the corpus's, so compare it within one corpus only.
    """
    texts = list(map(corpus.text, hypotheses))
    found = {name: score(name, texts, pairs.references[:limit]) for name in ("bleu", "chrf")}
    if tokenised:
        words = list(map(corpus.tokenised_text, hypotheses))
        found["bleu_tok"] = score("bleu_tok", words, pairs.tokenised[:limit])
    return found


def score(name: str, hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """One of `SIGNATURES`, from 0 to 100.

    Args:
        name: of the score.
        hypotheses: at least one, as text; tokenised for `bleu_tok`.
        references: as many.
    """
    assert len(hypotheses) == len(references) > 0, f"{len(hypotheses)} hypotheses for {len(references)} references"
    return float(metric(name).corpus_score(hypotheses, [references]).score)


def metric(name: str) -> Any:
    """The object of sacreBLEU that computes one of `SIGNATURES`."""
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415  tasks name signatures where it is not installed
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

    if name == "chrf":
        return CHRF()
    if name == "bleu_tok":
        return BLEU(tokenize="none", smooth_method="none", force=True)
    # Forced, or it would warn at every evaluation where a corpus has no detokenised form; the score is the same.
    return BLEU(tokenize="13a", lowercase=False, smooth_method="exp", force=True)
