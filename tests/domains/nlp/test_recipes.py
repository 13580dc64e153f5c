"""Every constant of every recipe, written down a second time: from the papers where they state it, else from our own choice.

Transformers: 1906.02768 with the settings of 1806.00187, fairseq's IWSLT'14 recipe, 2105.14462; LSTMs: 1906.02768.
"""

import pytest

from bench.spec import to_json
from domains.nlp import domain

TOLD = ("source", "deviations")
"""What a reader is told; other tests look at it."""

BIBLE = {"bible": "6302e1b594dac2433582da26efd6e338b5b50b0826759f3e440b72ff5f524ca3"}
REVERSE = {"reverse": "81c0fa85d8cdb5ac27103b9626695584687629350c15f4715cf0527ec30ad7fa"}

TEXT_SCORES = {
    "bleu": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp",
    "chrf": "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no",
}
DENSE = {"transformer-base": 27.6, "transformer-big": 29.3}
"""Tokenised BLEU of the dense network, in 1906.02768."""
TOKENISED_SCORE = {"bleu_tok": "nrefs:1|case:mixed|eff:no|tok:none|smooth:none"}


TRANSFORMER_GROUPS = {
    "*norm*": "norms", "*bias*": "biases", "*embed*": "embeddings", "*output_projection*": "embeddings",
    "*.encoder_attn.*": "cross-attention", "*.self_attn.*": "self-attention", "*.fc?.*": "feed-forward",
}  # fmt: skip
LSTM_GROUPS = {"*bias*": "biases", "*embed*": "embeddings", "*fc_out*": "output", "*.layers.*": "recurrent"}
"""What the densities of a record are told apart by; the first that matches counts."""
UNSUPPORTED = {
    "synflow": "SynFlow sends an all-ones input through the network (2006.05467), and token ids have none.",
    "one-shot-untrained": "Translations are searched for at the end of training only, so what is not trained has no score.",
}


def task(name, scale, *, budget, every, rewind, **more):
    common = {
        "version": 1, "unit": "updates", "schedule": "resume", "split": "test", "splits": ["val", "test"], "at": ["final"],
        "select": None, "reference": None, "fewest_seeds": 3,
        "unsupported": UNSUPPORTED if "bleu" in more["metric"] else {"synflow": UNSUPPORTED["synflow"]},
    }  # fmt: skip
    return {
        "name": name,
        "scale": scale,
        "budget": budget,
        "evaluate_every": every,
        "rewind_step": rewind,
        **common,
        **more,
    }


def pruned(*, biases, exempt=()):
    return {"rate": 0.2, "scope": "global", "biases": biases, "rates": {}, "exempt": list(exempt)}


def searched(beam, limit=None, *, tokenised=False):
    return {
        "beam": beam, "length_penalty": 0.6, "max_tokens": 2_048, "limit": limit,
        "signatures": TEXT_SCORES | (TOKENISED_SCORE if tokenised else {}),
        "when": "translations are searched for at the end of training, on test",
    }  # fmt: skip


def transformer(
    name, scale, *, corpus, model, beam, limit=None, data=None, paper=False, layers=False, score=None, **sizes
):
    """`sizes` are those of the training; `score` the metric with its tolerance and its chance."""
    tokenised = paper and corpus["kind"] != "multi30k-en-de"  # which comes as raw text
    metric, tolerance, chance = score or ("bleu_tok" if tokenised else "bleu", 0.5, 0.0)
    length = {key: sizes.pop(key) for key in ("budget", "every", "rewind")}
    config = {
        "objective": "translation", "corpus": corpus, "model": model, "batches": 1, "label_smoothing": 0.1,
        "schedule": "inverse-sqrt", "clip": 1.0, "precision": "fp32", "betas": [0.9, 0.98], "eps": 1e-8,
        "average": {"last": 0, "every": 1}, **sizes,
    }  # fmt: skip
    exempt = ("*embed*", "*output_projection*", "*fc_out*") if layers else ()
    directions = {"bleu": "max", "chrf": "max", "nll": "min"} | ({"bleu_tok": "max"} if tokenised else {})
    found = task(
        name, scale, **length, config=config, data=data or {}, pruning=pruned(biases=paper, exempt=exempt), metric=metric,
        directions=directions, evaluation=searched(beam, limit, tokenised=tokenised), tolerance=tolerance, chance=chance,
        constant_rate=False, groups=TRANSFORMER_GROUPS,
    )  # fmt: skip
    return found | {"reference": next((score for size, score in DENSE.items() if size in name), None)}


def small(width, inner, layers, dropout):
    sides = [f"{side}_{what}" for what in ("embed_dim", "ffn_embed_dim", "layers") for side in ("encoder", "decoder")]
    sizes = dict(zip(sides, (width, width, inner, inner, layers, layers), strict=True))
    return {"architecture": "transformer_iwslt_de_en", "share_all_embeddings": True, "dropout": dropout, **sizes}


def verses(words, pieces):
    return {"kind": "bible", "source": "en", "target": "es", "max_words": words, "pieces": pieces}


def lstm(name, scale, *, corpus, width, batch, window, dropout, rate, eps, chance, limit=None, data=None, **length):
    model = {
        "architecture": "lstm_lm", "decoder_embed_dim": width, "decoder_hidden_size": width, "decoder_out_embed_dim": width,
        "decoder_layers": 2, "dropout": dropout, "criterion": "cross_entropy",
    }  # fmt: skip
    config = {
        "objective": "language", "corpus": corpus, "model": model, "batch": batch, "window": window, "batches": 1,
        "schedule": "constant", "rate": rate, "betas": [0.9, 0.999], "eps": eps, "clip": 0.25, "precision": "fp32",
        "average": {"last": 0, "every": 1},
    }  # fmt: skip
    return task(
        name, scale, **length, config=config, data=data or {}, pruning=pruned(biases=True), metric="nll",
        directions={"nll": "min", "perplexity": "min"}, evaluation={"columns": 20, "limit": limit}, tolerance=0.02,
        chance=chance, constant_rate=True, groups=LSTM_GROUPS,
    )  # fmt: skip


ROWS = {"kind": "reverse", "symbols": 20, "longest": 8, "train": 4_000, "val": 200, "test": 200}
OTT = {
    "max_tokens": 3_584, "batches": 128, "rate": 1e-3, "warmup": 4_000, "clip": 0.0, "average": {"last": 10, "every": 500},
    "budget": 50_000, "every": 1_000, "rewind": 1_000,
}  # fmt: skip
WMT = {"architecture": "transformer_wmt_en_de", "share_all_embeddings": True, "dropout": 0.1}
BIG = {"architecture": "transformer_vaswani_wmt_en_de_big", "share_all_embeddings": True, "dropout": 0.3}
IWSLT = {"architecture": "transformer_iwslt_de_en", "share_decoder_input_output_embed": True, "dropout": 0.3}
TINY = {
    "architecture": "transformer_wmt_en_de", "share_all_embeddings": True, "dropout": 0.3, "encoder_embed_dim": 128,
    "encoder_ffn_embed_dim": 256, "encoder_layers": 4, "decoder_layers": 4, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
}  # fmt: skip
PAPERS = {
    "transformer-base-wmt14": {"kind": "wmt14-en-de", "model": WMT, "beam": 4, **OTT},
    "transformer-big-wmt14": {"kind": "wmt14-en-de", "model": BIG, "beam": 4, **OTT},
    "transformer-iwslt14": {
        "kind": "iwslt14-de-en", "model": IWSLT, "beam": 5, "max_tokens": 4_096, "rate": 5e-4, "warmup": 4_000, "clip": 0.0,
        "weight_decay": 1e-4, "budget": 50_000, "every": 1_000, "rewind": 1_000,
    },
    "transformer-multi30k": {
        "kind": "multi30k-en-de", "model": TINY, "beam": 5, "max_tokens": 4_096, "rate": 5e-3, "warmup": 2_000, "clip": 0.0,
        "average": {"last": 10, "every": 500}, "budget": 20_000, "every": 400, "rewind": 1_000,
    },
}  # fmt: skip


def of_paper(name, *, layers):
    recipe = dict(PAPERS[name])
    corpus = {"kind": recipe.pop("kind"), "max_words": None, "max_positions": 1_024}
    name = f"nlp/{name}-layers" if layers else f"nlp/{name}"
    return transformer(name, "paper", corpus=corpus, paper=True, layers=layers, **recipe)


EXPECTED = [
    transformer(
        "nlp/transformer-bible", "smoke", data=BIBLE, corpus=verses(8, 400), model=small(16, 64, 1, 0.1), beam=1, limit=20,
        max_tokens=256, rate=2e-3, warmup=5, budget=20, every=10, rewind=2,
    ),
    transformer(
        "nlp/transformer-bible", "quick", data=BIBLE, corpus=verses(12, 500), model=small(64, 128, 1, 0.0), beam=1,
        limit=200, max_tokens=512, rate=5e-3, warmup=60, budget=300, every=30, rewind=30, score=("nll", 0.02, 6.215),
    ),
    transformer(
        "nlp/transformer-bible", "small", data=BIBLE, corpus=verses(24, 2_000), model=small(128, 256, 3, 0.0), beam=4,
        max_tokens=1_024, rate=3e-3, warmup=150, budget=1_000, every=100, rewind=100,
    ),
    transformer(
        "nlp/transformer-bible-layers", "smoke", data=BIBLE, corpus=verses(8, 400), model=small(16, 64, 1, 0.1), beam=1,
        limit=20, layers=True, max_tokens=256, rate=2e-3, warmup=5, budget=20, every=10, rewind=2,
    ),
    transformer(
        "nlp/transformer-bible-layers", "small", data=BIBLE, corpus=verses(24, 2_000), model=small(128, 256, 3, 0.0), beam=4,
        layers=True, max_tokens=1_024, rate=3e-3, warmup=150, budget=1_000, every=100, rewind=100,
    ),
    transformer(
        "nlp/transformer-reverse", "smoke", data=REVERSE, corpus=ROWS, model=small(32, 128, 1, 0.1), beam=1, limit=200,
        max_tokens=512, rate=5e-3, warmup=5, budget=20, every=10, rewind=2,
    ),
    transformer(
        "nlp/transformer-reverse", "quick", data=REVERSE, corpus=ROWS, model=small(32, 128, 1, 0.1), beam=1, limit=200,
        max_tokens=512, rate=5e-3, warmup=150, budget=600, every=60, rewind=60,
    ),
    lstm(
        "nlp/lstm-bible", "smoke", data=BIBLE, corpus={"kind": "bible", "min_count": 20}, width=8, batch=4, window=8,
        dropout=0.1, rate=3e-3, eps=1e-8, chance=7.742, limit=2_000, budget=20, every=10, rewind=2,
    ),
    lstm(
        "nlp/lstm-bible", "small", data=BIBLE, corpus={"kind": "bible", "min_count": 20}, width=64, batch=20, window=35,
        dropout=0.0, rate=3e-3, eps=1e-8, chance=7.742, budget=1_168, every=146, rewind=146,
    ),
    lstm(
        "nlp/lstm-wikitext2", "paper", corpus={"kind": "wikitext-2"}, width=650, batch=30, window=50, dropout=0.5, rate=1e-3,
        eps=1e-3, chance=10.413, budget=13_930, every=1_393, rewind=1_393,
    ),
    *(of_paper(name, layers=layers) for name in PAPERS for layers in (False, True)),
]  # fmt: skip


def asked(found):
    return {key: value for key, value in to_json(found).items() if key not in TOLD}


def test_groups_are_looked_up_in_their_order():
    orders = {tuple(found.groups.items()) for found in domain.tasks().values()}
    assert orders == {tuple(TRANSFORMER_GROUPS.items()), tuple(LSTM_GROUPS.items())}


def test_these_are_all_tasks():
    assert [f"{expected['name']}@{expected['scale']}" for expected in EXPECTED] == list(domain.tasks())


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: f"{expected['name']}@{expected['scale']}")
def test_the_recipe_is_what_was_written_down(expected):
    assert asked(domain.tasks()[f"{expected['name']}@{expected['scale']}"]) == expected


def test_a_corpus_of_the_users_has_the_recipe_of_its_own(data_folder, write_text):
    write_text(data_folder / "mine")
    found = domain.tasks()["nlp/transformer-mine@small"]
    corpus = {"kind": "folder", "name": "mine", "source": "en", "target": "de", "max_words": None}
    model = {"share_decoder_input_output_embed": True, **small(256, 512, 3, 0.2)}
    del model["share_all_embeddings"]  # a data-bin folder may have a dictionary a side
    assert asked(found) == transformer(
        "nlp/transformer-mine", "small", corpus=corpus, model=model, beam=4, data=dict(found.data), max_tokens=4_096,
        rate=2e-3, warmup=1_000, clip=0.0, budget=10_000, every=500, rewind=500,
    )  # fmt: skip


def test_both_sides_of_a_transformer_are_as_large(data_folder, write_text):
    """An architecture of fairseq fills in what a task leaves open, and not always from the encoder's."""
    from domains.nlp import border

    write_text(data_folder / "mine")
    models = [found.config["model"] for found in domain.tasks().values() if found.config["objective"] == "translation"]
    for model in models:
        filled = vars(border.complete(model["architecture"], model))
        for what in ("embed_dim", "ffn_embed_dim", "layers", "attention_heads"):
            assert filled[f"encoder_{what}"] == filled[f"decoder_{what}"], (model, what)
