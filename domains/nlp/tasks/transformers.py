"""Transformers on the papers' corpora, and on any of the user's own."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.spec import Task
from domains.nlp.corpora import declared, folders
from domains.nlp.corpora.papers import PAPERS
from domains.nlp.tasks.recipe import (
    NO_AVERAGE,
    PLAIN_ADAM,
    TRANSFORMER_GROUPS,
    directions,
    pruning,
    search,
    unsupported,
)


class Recipe(NamedTuple):
    """A published way to train a Transformer.

    Args:
        name: of the task, without the domain.
        corpus: one of `domains.nlp.corpora.papers.PAPERS`.
        model: architecture and options of fairseq.
        settings: of the optimizer and the batches.
        budget: updates.
        rewind_step: update.
        beam: of the search.
        metric: `bleu_tok` where the corpus comes tokenised; of raw text it would take `end.` for another word than `end`.
        reference: that metric of the dense network, if the source prints it.
        source: paper and section.
        deviations: from it.
    """

    name: str
    corpus: str
    model: dict[str, Any]
    settings: dict[str, Any]
    budget: int
    rewind_step: int
    beam: int
    metric: str
    reference: float | None
    source: str
    deviations: tuple[str, ...]


YU = "Yu, Edunov, Tian & Morcos 2019 (1906.02768), the Transformer; trained as in Ott et al. 2018 (1806.00187)"
ONE_DEVICE = (
    "One device adds up 128 batches of 3,584 tokens an update, where the paper has 8 devices of 16 batches; "
    "precision is fp32 unless the task's config says fp16."
)
AVERAGED = "The paper averages its last checkpoints and does not say how many: here 10, one every 500 updates."
ONE_DICTIONARY = (
    "Plain text gets one dictionary for both sides, where fairseq's recipe has one a side (a data-bin folder keeps its two); "
    "of the embeddings only the decoder's two are tied, as there."
)
PREPARED = (
    "Text as fairseq's script prepares it, in 40,000 merges of its own and with a hundredth for validation, where the paper has "
    "Google's in 32,000."
)
LAST_CHECKPOINT = (
    "Its budget, the last checkpoint where the recipe takes the best on validation text, and a length penalty of 0.6 where it "
    "has 1 are ours."
)
RAW = (
    "Raw text in 4,000 pieces and sacreBLEU, where the paper has tokenised text in 10,000 merges and multi-bleu's BLEU."
)
JOINT = {"share_all_embeddings": True}


def _ott(rate: float) -> dict[str, Any]:
    return {
        "max_tokens": 3_584,
        "batches": 128,
        "label_smoothing": 0.1,
        "rate": rate,
        "warmup": 4_000,
        "clip": 0.0,
        "average": {"last": 10, "every": 500},
        **PLAIN_ADAM,
    }


RECIPES = (
    Recipe(
        name="transformer-base-wmt14",
        corpus="wmt14-en-de",
        model={"architecture": "transformer_wmt_en_de", **JOINT, "dropout": 0.1},
        settings=_ott(1e-3),
        budget=50_000,
        rewind_step=1_000,
        beam=4,
        metric="bleu_tok",
        reference=27.6,
        source=YU,
        deviations=(ONE_DEVICE, AVERAGED, PREPARED),
    ),
    Recipe(
        name="transformer-big-wmt14",
        corpus="wmt14-en-de",
        model={"architecture": "transformer_vaswani_wmt_en_de_big", **JOINT, "dropout": 0.3},
        settings=_ott(1e-3),
        budget=50_000,
        rewind_step=1_000,
        beam=4,
        metric="bleu_tok",
        reference=29.3,
        source=YU,
        deviations=(ONE_DEVICE, AVERAGED, PREPARED),
    ),
    Recipe(
        name="transformer-iwslt14",
        corpus="iwslt14-de-en",
        model={
            "architecture": "transformer_iwslt_de_en",
            "share_decoder_input_output_embed": True,
            "dropout": 0.3,
        },
        settings={
            "max_tokens": 4_096,
            "batches": 1,
            "label_smoothing": 0.1,
            "rate": 5e-4,
            "warmup": 4_000,
            "clip": 0.0,
            **PLAIN_ADAM,
            "weight_decay": 1e-4,
            "average": NO_AVERAGE,
        },
        budget=50_000,
        rewind_step=1_000,
        beam=5,
        metric="bleu_tok",
        reference=None,
        source="fairseq's recipe for IWSLT'14 German-English (its examples/translation)",
        deviations=(ONE_DICTIONARY, LAST_CHECKPOINT),
    ),
    Recipe(
        name="transformer-multi30k",
        corpus="multi30k-en-de",
        model={
            "architecture": "transformer_wmt_en_de",
            **JOINT,
            "encoder_embed_dim": 128,
            "encoder_ffn_embed_dim": 256,
            "encoder_layers": 4,
            "decoder_layers": 4,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "dropout": 0.3,
        },
        settings={
            "max_tokens": 4_096,
            "batches": 1,
            "label_smoothing": 0.1,
            "rate": 5e-3,
            "warmup": 2_000,
            "clip": 0.0,
            **PLAIN_ADAM,
            "average": {"last": 10, "every": 500},
        },
        budget=20_000,
        rewind_step=1_000,
        beam=5,
        metric="bleu",
        reference=None,
        source="Wu et al. 2021 (2105.14462), the text-only Transformer-Tiny on Multi30k",
        deviations=(RAW, "Its budget, its number of averaged checkpoints and a length penalty of 0.6 are ours."),
    ),
)


def _paper(recipe: Recipe, *, layers: bool) -> Task:
    corpus = {"kind": recipe.corpus, "max_words": None, "max_positions": 1_024}
    tokenised = recipe.metric == "bleu_tok"
    return Task(
        name=f"nlp/{recipe.name}" + ("-layers" if layers else ""),
        scale="paper",
        config={
            "objective": "translation",
            "corpus": corpus,
            "model": recipe.model,
            "schedule": "inverse-sqrt",
            "precision": "fp32",
            **recipe.settings,
        },
        data=declared(corpus),
        budget=recipe.budget,
        evaluate_every=recipe.budget // 50,
        rewind_step=recipe.rewind_step,
        pruning=pruning("layers-only" if layers else "all-with-biases"),
        metric=recipe.metric,
        directions=directions(tokenised=tokenised),
        evaluation=search(target=PAPERS[recipe.corpus].languages[1], beam=recipe.beam, tokenised=tokenised),
        tolerance=0.5,
        chance=0.0,
        reference=recipe.reference,
        constant_rate=False,
        groups=TRANSFORMER_GROUPS,
        unsupported=unsupported(recipe.metric),
        source=recipe.source,
        deviations=recipe.deviations,
    )


def _own(folder: folders.Folder) -> Task:
    corpus = {
        "kind": folder.kind,
        "name": folder.name,
        "source": folder.languages[0],
        "target": folder.languages[1],
        "max_words": None,
    }
    return Task(
        name=f"nlp/transformer-{folder.name}",
        scale="small",
        config={
            "objective": "translation",
            "corpus": corpus,
            "model": {
                "architecture": "transformer_iwslt_de_en",
                "share_decoder_input_output_embed": True,
                "encoder_embed_dim": 256,
                "decoder_embed_dim": 256,
                "encoder_ffn_embed_dim": 512,
                "decoder_ffn_embed_dim": 512,
                "encoder_layers": 3,
                "decoder_layers": 3,
                "dropout": 0.2,
            },
            "max_tokens": 4_096,
            "batches": 1,
            "label_smoothing": 0.1,
            "schedule": "inverse-sqrt",
            "rate": 2e-3,
            "warmup": 1_000,
            "clip": 0.0,
            "precision": "fp32",
            **PLAIN_ADAM,
            "average": NO_AVERAGE,
        },
        data={folder.name: folder.digest},
        budget=10_000,
        evaluate_every=500,
        rewind_step=500,
        pruning=pruning("matrices"),
        metric="bleu",
        directions=directions(),
        evaluation=search(target=folder.languages[1], beam=4),
        tolerance=0.5,
        chance=0.0,
        constant_rate=False,
        groups=TRANSFORMER_GROUPS,
        unsupported=unsupported("bleu"),
        source="this suite",
        deviations=("A corpus of your own: nothing is published to compare with.",),
    )


def paper_tasks() -> list[Task]:
    """The papers' tasks; their `data` are what lies in the user's data folder now."""
    return [_paper(recipe, layers=layers) for recipe in RECIPES for layers in (False, True)]


def own_tasks() -> list[Task]:
    """A task for each of the user's corpora that there are now."""
    return [_own(folder) for folder in folders.found().values()]
