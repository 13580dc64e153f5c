"""A task of the user's own: a Transformer on any parallel text, in either direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bench.errors import SpecError
from bench.spec import Scale, Task, sentences
from domains.nlp.config import misfit
from domains.nlp.corpora import encoding, texts
from domains.nlp.tasks.recipe import (
    NO_AVERAGE,
    PLAIN_ADAM,
    TRANSFORMER_GROUPS,
    directions,
    pruning,
    search,
    unsupported,
)

MODEL: dict[str, Any] = {
    "architecture": "transformer_iwslt_de_en",
    "share_all_embeddings": True,
    "encoder_embed_dim": 256,
    "decoder_embed_dim": 256,
    "encoder_ffn_embed_dim": 512,
    "decoder_ffn_embed_dim": 512,
    "encoder_layers": 3,
    "decoder_layers": 3,
    "dropout": 0.2,
}
"""fairseq's architecture and the options of it that the task sets."""
UNPUBLISHED = "A text of your own: nothing is published to compare with."


def own(
    name: str,
    *,
    files: Sequence[str],
    languages: Sequence[str],
    source: str | None = None,
    budget: int,
    rate: float = 2e-3,
    warmup: int | None = None,
    model: Mapping[str, Any] = MappingProxyType({}),
    pieces: int = 4_000,
    max_words: int | None = None,
    max_tokens: int = 4_096,
    rewind_step: int = 0,
    evaluate_every: int | None = None,
    beam: int = 4,
    limit: int | None = None,
    tolerance: float = 0.5,
    scope: str = "matrices",
    scale: Scale = "small",
    version: int = 1,
    config: Mapping[str, Any] = MappingProxyType({}),
    deviations: str | tuple[str, ...] = (),
) -> Task:
    """A translation of your own, as a task `nlp/NAME`. The text is read and parted now; its subwords are learned later.

    Args:
        name: of the task, without `nlp/`.
        files: two of aligned lines, or one with a sentence, a tab and its translation in each line: UTF-8, named as seen
            from the folder of your file or from the data folder.
        languages: of the files, or of the two columns, by their ISO codes (`de`, `zh_TW`), which decide how BLEU cuts a
            target without spaces between words.
        source: the one that is translated from; the first.
        budget: updates.
        rate: the highest learning rate.
        warmup: updates until it is reached; a tenth of the budget, at most 1,000.
        model: options of fairseq's `architecture`, where they are not those of `MODEL`.
        pieces: of the vocabulary of both languages, learned from the training part alone.
        max_words: of a sentence, on either side; longer pairs are left out.
        max_tokens: of a batch.
        rewind_step: the update whose weights tickets return to.
        evaluate_every: updates; a tenth of the budget.
        beam: of the search; 1 is greedy.
        limit: test sentences that are translated, from the first on; None for all.
        tolerance: BLEU that counts as no worse.
        scope: of pruning: `matrices`, `all-with-biases` or `layers-only`.
        scale: `smoke`, `quick`, `small` or `paper`.
        version: raise it when you change what the digests do not see.
        config: more of what a `config` may say: `label_smoothing`, `clip`, `batches`, ...; what nothing reads is refused.
        deviations: sentences of yours, or one, to be printed under every table.

    Raises:
        DataError: if a file is not there, empty, not UTF-8 or not aligned, or if there are too few pairs.
        SpecError: if the task contradicts itself.
    """
    source = languages[0] if source is None and languages else source
    if len(set(languages)) != 2 or len(languages) != 2 or source not in languages or len(files) not in (1, 2):
        raise SpecError(
            f"nlp/{name}: {len(files)} files in the languages {', '.join(languages) or 'none'} from {source}: name one file "
            "or two, two languages, and as source one of them"
        )
    (target,) = set(languages) - {source}
    corpus = {
        "kind": texts.KIND,
        "name": name,
        "files": list(files),
        "languages": list(languages),
        "source": source,
        "target": target,
        "max_words": max_words,
        "pieces": pieces,
    }
    lines = texts.read_text(corpus)
    counts = {split: len(encoding.short(lines, split, max_words)) for split in lines.splits}
    settings = {
        "objective": "translation",
        "corpus": corpus,
        "model": {**MODEL, **model},
        "max_tokens": max_tokens,
        "batches": 1,
        "label_smoothing": 0.1,
        "schedule": "inverse-sqrt",
        "rate": rate,
        "warmup": min(1_000, max(1, budget // 10)) if warmup is None else warmup,
        "clip": 0.0,
        "precision": "fp32",
        **PLAIN_ADAM,
        "average": NO_AVERAGE,
        **config,
    }
    if reason := misfit(settings):
        raise SpecError(f"nlp/{name}: {reason}")
    return Task(
        name=f"nlp/{name}",
        scale=scale,
        version=version,
        config=settings,
        data={name: lines.digest},
        budget=budget,
        evaluate_every=evaluate_every or max(1, budget // 10),
        rewind_step=rewind_step,
        pruning=pruning(scope),
        metric="bleu",
        directions=directions(),
        evaluation=search(target=target, beam=beam, limit=limit),
        tolerance=tolerance,
        chance=0.0,
        constant_rate=settings["schedule"] == "constant",
        groups=TRANSFORMER_GROUPS,
        unsupported=unsupported("bleu"),
        source=f"own task of {' and '.join(files)}, {source} to {target}",
        deviations=(UNPUBLISHED, _told(counts, max_words), *sentences(deviations)),
    )


def _told(counts: Mapping[str, int], max_words: int | None) -> str:
    pairs = "pairs" if max_words is None else f"pairs of at most {max_words} words"
    held = f"{counts['val']:,} for validation and {counts['test']:,} for test"
    return (
        f"Of {sum(counts.values()):,} {pairs} {held} are held out, chosen by their own text; equal pairs stay together."
    )
