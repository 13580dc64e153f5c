"""What the text tasks have in common: pruning scopes, groups of weights, metrics, and how translations are searched for."""

from __future__ import annotations

from typing import Any

from bench.errors import UnknownName
from bench.spec import Direction, Pruning
from domains.nlp.evaluation.scores import SIGNATURES, signatures_of

TRANSFORMER_GROUPS = {
    "*norm*": "norms",
    "*bias*": "biases",
    "*embed*": "embeddings",
    "*output_projection*": "embeddings",
    "*.encoder_attn.*": "cross-attention",
    "*.self_attn.*": "self-attention",
    "*.fc?.*": "feed-forward",
}
LSTM_GROUPS = {"*bias*": "biases", "*embed*": "embeddings", "*fc_out*": "output", "*.layers.*": "recurrent"}
"""Pattern of parameter names -> group; a tied embedding has its first name."""

EMBEDDINGS = ("*embed*", "*output_projection*", "*fc_out*")
SCOPES: dict[str, dict[str, Any]] = {
    "all-with-biases": {"biases": True},
    "matrices": {},
    "layers-only": {"biases": True, "exempt": EMBEDDINGS},
    "layer-matrices": {"exempt": EMBEDDINGS},
}
"""What is pruned: everything with the biases and gains pooled (1906.02768), or every matrix; all, or all but the embeddings."""

NO_ONES = "SynFlow sends an all-ones input through the network (2006.05467), and token ids have none."
UNSEARCHED = "Translations are searched for at the end of training only, so what is not trained has no score."

PLAIN_ADAM: dict[str, Any] = {"betas": [0.9, 0.98], "eps": 1e-8}
"""Of 1706.03762, but for its epsilon, which is fairseq's."""

NO_AVERAGE = {"last": 0, "every": 1}


def pruning(what: str) -> Pruning:
    """A fifth of the remaining weights a round, all pooled.

    Args:
        what: one of `SCOPES`.
    """
    if what not in SCOPES:
        raise UnknownName("pruning scope", what, SCOPES)
    return Pruning(rate=0.2, scope="global", **SCOPES[what])


def unsupported(metric: str) -> dict[str, str]:
    """Method -> why no text task that is scored by `metric` can run it."""
    untrained = {"one-shot-untrained": UNSEARCHED} if metric in SIGNATURES else {}
    return {"synflow": NO_ONES, **untrained}


def directions(*, tokenised: bool = False) -> dict[str, Direction]:
    """Metric of a translation -> whether more is better.

    Args:
        tokenised: whether `bleu_tok` is among them.
    """
    found: dict[str, Direction] = {"bleu": "max", "chrf": "max", "nll": "min"}
    return {**found, "bleu_tok": "max"} if tokenised else found


def search(
    *, target: str, beam: int, limit: int | None = None, tokenised: bool = False, max_tokens: int = 2_048
) -> dict[str, Any]:
    """How translations are searched for at the end, and how they are scored; on the way there is `nll` alone.

    Args:
        target: language of the translations.
        beam: 1 is greedy.
        limit: test sentences, from the first on; None for all.
        tokenised: whether `bleu_tok` is among the scores.
        max_tokens: of a batch of sources.
    """
    names = ("bleu", "chrf", *(("bleu_tok",) if tokenised else ()))
    known = signatures_of(target)
    return {
        "beam": beam,
        "length_penalty": 0.6,
        "max_tokens": max_tokens,
        "limit": limit,
        "signatures": {name: known[name] for name in names},
        "when": "translations are searched for at the end of training, on test",
    }
