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

UNSPACED = {
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn", "th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bo", "bod"), "char"),
}
"""Language that is written without spaces between words -> sacreBLEU's tokeniser for it: to 13a a sentence of it is one word."""


def signatures_of(language: str) -> dict[str, str]:
    """`SIGNATURES` for translations into a language, such as `de` or `zh_TW`."""
    tokeniser = UNSPACED.get(language.replace("-", "_").partition("_")[0].lower(), "13a")
    return {**SIGNATURES, "bleu": SIGNATURES["bleu"].replace("tok:13a", f"tok:{tokeniser}")}


def translation_scores(
    hypotheses: Sequence[Sequence[int]],
    corpus: Corpus,
    pairs: Pairs,
    *,
    limit: int | None,
    tokenised: bool = False,
    signature: str = SIGNATURES["bleu"],
) -> dict[str, float]:
    """The scores of a split's translations, each from 0 to 100.

    Args:
        hypotheses: a sentence of target ids for each pair.
        corpus: turns ids into text.
        pairs: give the references.
        limit: how many pairs were translated, from the first on; None for all.
        tokenised: whether `bleu_tok` is among the scores.
        signature: of `bleu`.

    Returns:
        `bleu`: sacreBLEU of the detokenised text, cased. `chrf`: chrF2. `bleu_tok`: what multi-bleu.perl prints for the
        tokenised text; the tokeniser is the corpus's, so compare it within one corpus only.
    """
    texts = list(map(corpus.text, hypotheses))
    found = {
        "bleu": score("bleu", texts, pairs.references[:limit], signature=signature),
        "chrf": score("chrf", texts, pairs.references[:limit]),
    }
    if tokenised:
        words = list(map(corpus.tokenised_text, hypotheses))
        found["bleu_tok"] = score("bleu_tok", words, pairs.tokenised[:limit])
    return found


def score(name: str, hypotheses: Sequence[str], references: Sequence[str], *, signature: str | None = None) -> float:
    """One of `SIGNATURES`, from 0 to 100.

    Args:
        name: of the score.
        hypotheses: at least one, as text; tokenised for `bleu_tok`.
        references: as many.
        signature: see `metric`.
    """
    assert len(hypotheses) == len(references) > 0, f"{len(hypotheses)} hypotheses for {len(references)} references"
    return float(metric(name, signature).corpus_score(hypotheses, [references]).score)


def metric(name: str, signature: str | None = None) -> Any:
    """The object of sacreBLEU that computes one of `SIGNATURES`, or BLEU by another signature of that form."""
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415  tasks name signatures where it is not installed
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

    if name == "chrf":
        return CHRF()
    told = dict(fact.split(":") for fact in (signature or SIGNATURES[name]).split("|"))
    # Forced, or it would warn at every evaluation where a corpus has no detokenised form; the score is the same.
    return BLEU(tokenize=told["tok"], lowercase=False, smooth_method=told["smooth"], force=True)
