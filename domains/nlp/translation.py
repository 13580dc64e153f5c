"""Translation with fairseq's Transformer: label-smoothed cross-entropy over batches of like length (1706.03762)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.errors import SpecError
from bench.spec import Task
from bench.streams import Streams
from domains.nlp import border, corpora, models
from domains.nlp.batching import batches, ordered, padded, shifted
from domains.nlp.corpora.sentences import PAD
from domains.nlp.evaluation.generation import translate
from domains.nlp.evaluation.scores import SIGNATURES, translation_scores
from domains.nlp.evaluation.significance import bleu_items
from domains.nlp.objective import Loss, Scores

BATCHES, EPOCH = 0, 1
"""Substreams of `data`: which sentences share a batch, and the order of the batches in an epoch."""


class Translation:
    """See `domains.nlp.objective.Objective`.

    Args:
        task: its `config` names the `corpus`, the `model`, `max_tokens` of a batch and the `label_smoothing`; its
            `evaluation` says how translations are searched for.
        streams: `init` gives the weights, `data` the batches and their order.
        device: where everything lives.
        width: multiplies every width of the model.

    Raises:
        SpecError: if a sentence is longer than a batch may be.
    """

    def __init__(self, task: Task, *, streams: Streams, device: str, width: float) -> None:
        self._task, self._streams, self._device = task, streams, device
        config = task.config
        self._corpus = corpora.parallel(task.data, config["corpus"])
        self._check_lengths()
        vocabularies = border.Vocabularies(self._corpus.source, self._corpus.target)
        model: Any = models.build(config["model"], vocabularies, width=width, seed=streams.integer("init"))
        self.module: nn.Module = model.to(device)
        self._output: Callable[[Tensor], Tensor] = model.decoder.output_layer
        self._criterion = border.LabelSmoothedCrossEntropyCriterion(
            vocabularies, sentence_avg=False, label_smoothing=config["label_smoothing"]
        )
        self._train = self._corpus.splits["train"]
        self._batches = self._cut(self._train, ordered(self._train, streams.numpy("data", BATCHES)))
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def loss(self, index: int) -> Loss:
        """The label-smoothed loss of a batch."""
        epoch, place = divmod(index, len(self._batches))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = self._streams.numpy("data", EPOCH, epoch).permutation(len(self._batches))
        return self._loss(self._batches[self._order[place]])

    def forget(self) -> None:
        """Nothing is carried from one batch to the next."""

    def drawn(self, generator: np.random.Generator, *, temperature: float) -> Loss:
        """The label-smoothed loss of any batch."""
        return self._loss(self._batches[generator.integers(len(self._batches))], temperature)

    def scores(self, split: str, *, at_end: bool) -> Scores:
        """`nll`: nats per target token, `</s>` included, without smoothing. At the end of `test` also those of the text."""
        pairs = self._corpus.splits[split]
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        tokens = 0
        for rows in self._cut(pairs, np.argsort(pairs.source.lengths, kind="stable")):
            logits, target = self._forward(pairs, rows)
            total += self._compare(logits, target)[1]
            tokens += len(target)
        metrics = {"nll": total.item() / tokens}
        if not (at_end and split == "test"):
            return Scores(metrics)
        search = self._task.evaluation
        found = translate(
            self.module,
            self._corpus,
            pairs,
            beam=search["beam"],
            length_penalty=search["length_penalty"],
            max_tokens=search["max_tokens"],
            limit=search["limit"],
            device=self._device,
        )
        limit, signature = search["limit"], search.get("signatures", SIGNATURES)["bleu"]
        tokenised = "bleu_tok" in self._task.directions
        metrics |= translation_scores(found, self._corpus, pairs, limit=limit, tokenised=tokenised, signature=signature)
        items = bleu_items(found, self._corpus, pairs, split=split, limit=limit, signature=signature)
        return Scores(metrics, items)

    def _loss(self, rows: NDArray[np.int64], temperature: float = 1.0) -> Loss:
        logits, target = self._forward(self._train, rows)
        total, _ = self._compare(logits if temperature == 1.0 else logits / temperature, target)
        return Loss(total, len(target))

    def _compare(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The smoothed loss of fairseq's criterion and its negative log-likelihood, both summed over the targets."""
        smoothed, nll = self._criterion.compute_loss(self.module, (logits,), {"target": target})
        return smoothed, nll

    def _forward(self, pairs: corpora.Pairs, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Logits (tokens, symbols) of the targets (tokens,) of some pairs; padding is left out before it costs anything."""
        target = padded(pairs.target, rows, left=False)
        with border.quietly():
            features, _ = self.module(
                src_tokens=padded(pairs.source, rows, left=True).to(self._device),
                src_lengths=torch.from_numpy(pairs.source.lengths[rows]).to(self._device),
                prev_output_tokens=shifted(target).to(self._device),
                features_only=True,
            )
        real = (target != PAD).flatten().nonzero()[:, 0].to(self._device)
        logits = self._output(features.flatten(0, 1).index_select(0, real))
        return logits, target.to(self._device).flatten()[real]

    def _check_lengths(self) -> None:
        """Every sentence fits into a batch."""
        most = self._task.config["max_tokens"]
        for split, pairs in self._corpus.splits.items():
            if (longest := int(_longer(pairs).max())) > most:
                raise SpecError(
                    f"task {self._task.name} has max_tokens {most}, yet a sentence of its {split} split has {longest} "
                    f"tokens: raise max_tokens to {longest}, or leave long sentences out by max_words"
                )

    def _cut(self, pairs: corpora.Pairs, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return batches(rows, _longer(pairs), max_tokens=self._task.config["max_tokens"])


def _longer(pairs: corpora.Pairs) -> NDArray[np.int64]:
    """(n,) tokens of the longer side of each pair, `</s>` included."""
    return np.maximum(pairs.source.lengths, pairs.target.lengths)
