"""LSTM language models: the paper's on Wikitext-2, and a small one on the bundled Bible."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from bench.spec import Scale, Task
from domains.nlp.corpora import declared
from domains.nlp.tasks.recipe import LSTM_GROUPS, NO_AVERAGE, pruning, unsupported


class Recipe(NamedTuple):
    """A language model and its training.

    Args:
        corpus: of running text.
        width: of embedding and layers.
        batch: columns read side by side.
        window: tokens of a column in an update.
        dropout: of embedding and layers.
        rate: of Adam.
        eps: of Adam.
        budget: updates.
        rewind_step: update; the paper rewinds to the end of the first of ten epochs.
        symbols: of the dictionary; knowing nothing costs the logarithm of this.
        deviations: from the paper.
        looks: evaluations in a training.
        limit: tokens of a held-out text that are read, from the first on; None for all.
    """

    corpus: dict[str, Any]
    width: int
    batch: int
    window: int
    dropout: float
    rate: float
    eps: float
    budget: int
    rewind_step: int
    symbols: int
    deviations: tuple[str, ...]
    looks: int = 10
    limit: int | None = None


WIKITEXT_EPOCH = 1_393
"""Updates of 30 columns and 50 tokens in an epoch of 2,088,628 tokens."""

COLUMNS = 20
"""Of a held-out text, each read from its begin to its end; the first tokens of each are read without what was before."""

UNSTATED = (
    "The paper states no clipping and not where an epoch begins: here a norm of 0.25, and another place each epoch."
)
DROPPED = "Dropout is before and behind the two layers, too, as in fairseq's LSTM; the paper has it between them."
SMALLER = (
    "Verses of the English Bible instead of Wikitext-2, word by word; perplexity is comparable within this task only.",
    "One epoch, an eighth of it before the rewind step, where the paper has ten; Adam's settings are for fewer.",
    UNSTATED,
)
BIBLE = {"kind": "bible", "min_count": 20}
BIBLE_SYMBOLS = 2_304
BIBLE_EPOCH = 1_168
"""Updates of 20 columns and 35 tokens in an epoch of 817,576 tokens."""

RECIPES: dict[tuple[str, Scale], Recipe] = {
    ("lstm-bible", "smoke"): Recipe(
        BIBLE, width=8, batch=4, window=8, dropout=0.1, rate=3e-3, eps=1e-8, budget=20, rewind_step=2, symbols=BIBLE_SYMBOLS,
        deviations=SMALLER, looks=2, limit=2_000,
    ),
    ("lstm-bible", "small"): Recipe(
        BIBLE, width=64, batch=20, window=35, dropout=0.0, rate=3e-3, eps=1e-8, budget=BIBLE_EPOCH,
        rewind_step=BIBLE_EPOCH // 8, symbols=BIBLE_SYMBOLS, deviations=SMALLER, looks=8,
    ),
    ("lstm-wikitext2", "paper"): Recipe(
        {"kind": "wikitext-2"}, width=650, batch=30, window=50, dropout=0.5, rate=1e-3, eps=1e-3,
        budget=10 * WIKITEXT_EPOCH, rewind_step=WIKITEXT_EPOCH, symbols=33_278, deviations=(UNSTATED, DROPPED),
    ),
}  # fmt: skip


def _task(name: str, scale: Scale, recipe: Recipe) -> Task:
    width = recipe.width
    return Task(
        name=f"nlp/{name}",
        scale=scale,
        config={
            "objective": "language",
            "corpus": recipe.corpus,
            "model": {
                "architecture": "lstm_lm",
                "decoder_embed_dim": width,
                "decoder_hidden_size": width,
                "decoder_out_embed_dim": width,
                "decoder_layers": 2,
                "dropout": recipe.dropout,
                "criterion": "cross_entropy",
            },
            "batch": recipe.batch,
            "window": recipe.window,
            "batches": 1,
            "schedule": "constant",
            "rate": recipe.rate,
            "betas": [0.9, 0.999],
            "eps": recipe.eps,
            "clip": 0.25,
            "precision": "fp32",
            "average": NO_AVERAGE,
        },
        data=declared(recipe.corpus),
        budget=recipe.budget,
        evaluate_every=recipe.budget // recipe.looks,
        rewind_step=recipe.rewind_step,
        pruning=pruning("all-with-biases"),
        metric="nll",
        directions={"nll": "min", "perplexity": "min"},
        evaluation={"columns": COLUMNS, "limit": recipe.limit},
        tolerance=0.02,
        chance=round(math.log(recipe.symbols), 3),
        constant_rate=True,
        groups=LSTM_GROUPS,
        unsupported=unsupported("nll"),
        source="Yu, Edunov, Tian & Morcos 2019 (1906.02768), the LSTM language model",
        deviations=recipe.deviations,
    )


def tasks() -> list[Task]:
    """Both; the paper's `data` are what lies in the user's data folder now."""
    return [_task(name, scale, recipe) for (name, scale), recipe in RECIPES.items()]
