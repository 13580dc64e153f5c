"""Translation that two CPU cores can learn: the bundled Bible, and rows of symbols to be reversed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

from bench.spec import Scale, Task
from domains.nlp.corpora import declared
from domains.nlp.tasks.recipe import (
    NO_AVERAGE,
    PLAIN_ADAM,
    TRANSFORMER_GROUPS,
    directions,
    pruning,
    search,
    unsupported,
)


class Size(NamedTuple):
    """How large a task is at a scale.

    Args:
        width: of the model.
        inner: width of the feed-forward layers.
        layers: of encoder and decoder each.
        max_words: of a verse.
        pieces: of the vocabulary.
        max_tokens: of a batch.
        budget: updates.
        rate: the highest learning rate.
        warmup: updates until it is reached.
        dropout: of the model.
        beam: of the search; 1 is greedy.
        limit: test sentences that are translated; None for all.
    """

    width: int
    inner: int
    layers: int
    max_words: int
    pieces: int
    max_tokens: int
    budget: int
    rate: float
    warmup: int
    dropout: float
    beam: int
    limit: int | None


BIBLE: dict[Scale, Size] = {
    "smoke": Size(
        width=16, inner=64, layers=1, max_words=8, pieces=400, max_tokens=256, budget=20, rate=2e-3, warmup=5,
        dropout=0.1, beam=1, limit=20,
    ),
    "quick": Size(
        width=64, inner=128, layers=1, max_words=12, pieces=500, max_tokens=512, budget=300, rate=5e-3, warmup=60,
        dropout=0.0, beam=1, limit=200,
    ),
    "small": Size(
        width=128, inner=256, layers=3, max_words=24, pieces=2_000, max_tokens=1_024, budget=1_000, rate=3e-3, warmup=150,
        dropout=0.0, beam=4, limit=None,
    ),
}  # fmt: skip
UNPUBLISHED = "No paper has this task: the recipe of 1906.02768 at the size that two CPU cores train in minutes."
LAYER_MATRICES = "Attention and feed-forward matrices are pooled; the paper pools their biases and gains with them."
MATRICES = "Embeddings, attention and feed-forward matrices are pooled; the paper pools biases and gains with them."


def _model(size: Size) -> dict[str, Any]:
    return {
        "architecture": "transformer_iwslt_de_en",
        "share_all_embeddings": True,
        "encoder_embed_dim": size.width,
        "decoder_embed_dim": size.width,
        "encoder_ffn_embed_dim": size.inner,
        "decoder_ffn_embed_dim": size.inner,
        "encoder_layers": size.layers,
        "decoder_layers": size.layers,
        "dropout": size.dropout,
    }


def _settings(size: Size) -> dict[str, Any]:
    return {
        "objective": "translation",
        "model": _model(size),
        "max_tokens": size.max_tokens,
        "batches": 1,
        "label_smoothing": 0.1,
        "schedule": "inverse-sqrt",
        "rate": size.rate,
        "warmup": size.warmup,
        "clip": 1.0,
        "precision": "fp32",
        **PLAIN_ADAM,
        "average": NO_AVERAGE,
    }


def _task(name: str, scale: Scale, size: Size, corpus: dict[str, Any], *deviations: str) -> Task:
    return Task(
        name=f"nlp/{name}",
        scale=scale,
        config={"corpus": corpus, **_settings(size)},
        data=declared(corpus),
        budget=size.budget,
        evaluate_every=size.budget // (2 if scale == "smoke" else 10),
        rewind_step=size.budget // 10,
        pruning=pruning("matrices"),
        metric="bleu",
        directions=directions(),
        evaluation=search(target=corpus.get("target", ""), beam=size.beam, limit=size.limit),
        tolerance=0.5,
        chance=0.0,
        constant_rate=False,
        groups=TRANSFORMER_GROUPS,
        unsupported=unsupported("bleu"),
        source="this suite, after Yu et al. 2019 (1906.02768), the Transformer",
        deviations=(UNPUBLISHED, MATRICES, *deviations),
    )


def _bible(scale: Scale) -> Task:
    """At `quick` scale the score is nats per token: after 300 updates BLEU is below 1, and tells nothing apart."""
    size = BIBLE[scale]
    corpus = {"kind": "bible", "source": "en", "target": "es", "max_words": size.max_words, "pieces": size.pieces}
    verses = (
        f"English to Spanish, verses of at most {size.max_words} words; test text is of books that no training saw."
    )
    task = _task("transformer-bible", scale, size, corpus, verses)
    if scale == "quick":
        chance = round(math.log(size.pieces), 3)
        return replace(task, metric="nll", tolerance=0.02, chance=chance, unsupported=unsupported("nll"))
    return task


def _layers(scale: Scale) -> Task:
    """The same, but for the embeddings, which are kept (1906.02768, section 4.2)."""
    whole = _bible(scale)
    return replace(
        whole,
        name=f"{whole.name}-layers",
        pruning=pruning("layer-matrices"),
        deviations=(UNPUBLISHED, LAYER_MATRICES, *whole.deviations[2:]),
    )


REVERSE = Size(
    width=32, inner=128, layers=1, max_words=0, pieces=0, max_tokens=512, budget=600, rate=5e-3, warmup=150,
    dropout=0.1, beam=1, limit=200,
)  # fmt: skip
REVERSE_CORPUS = {"kind": "reverse", "symbols": 20, "longest": 8, "train": 4_000, "val": 200, "test": 200}


TASKS = [
    *(_bible(scale) for scale in BIBLE),
    *(_layers(scale) for scale in ("smoke", "small")),
    _task(
        "transformer-reverse",
        "smoke",
        REVERSE._replace(budget=20, warmup=5),
        REVERSE_CORPUS,
        "Synthetic: rows of symbols reversed.",
    ),
    _task("transformer-reverse", "quick", REVERSE, REVERSE_CORPUS, "Synthetic: rows of symbols reversed."),
]
