"""Translations of a whole split by fairseq's beam search; nothing that training depends on is touched."""

import numpy as np
import torch
from torch import nn

from bench.learner import mode
from domains.nlp.batching import batches, padded
from domains.nlp.border import SequenceGenerator
from domains.nlp.corpora.sentences import Corpus, Pairs

LONGEST = (1.2, 10)
"""a, b: an output has at most a * source + b tokens before its `</s>`, where that of the source counts."""


def translate(
    model: nn.Module,
    corpus: Corpus,
    pairs: Pairs,
    *,
    beam: int,
    length_penalty: float,
    max_tokens: int,
    limit: int | None,
    device: str | torch.device,
) -> list[list[int]]:
    """The best translation of each source sentence, in the order of the corpus.

    Sentences are translated in batches of like length. As in `fairseq-generate`, the longest source of a batch sets how
    long its outputs may get, so `max_tokens` is part of an evaluation protocol: it can change an output that finds no end.

    Args:
        model: a translation model of fairseq on `device`; it is put back into the mode it was in.
        corpus: gives the target's dictionary.
        pairs: of which the source is read.
        beam: hypotheses kept; 1 is greedy.
        length_penalty: the exponent of the output's length that its log probability is divided by; 0 favours short
            outputs, more favours longer ones.
        max_tokens: of a batch's source, padding included, or the longest sentence if that is more.
        limit: how many sentences, from the first on; None for all.
        device: where the model is.

    Returns:
        A sentence each: target ids without `</s>`, at least one.
    """
    source = pairs.source
    lengths = source.lengths[:limit]
    found: list[list[int]] = [[]] * len(lengths)
    with mode(model, training=False):  # the generator leaves it in that mode
        a, b = LONGEST
        generator = SequenceGenerator(
            [model], corpus.target, beam_size=beam, len_penalty=length_penalty, max_len_a=a, max_len_b=b
        )
        for rows in batches(np.argsort(lengths, kind="stable"), lengths, max_tokens=max(max_tokens, lengths.max())):
            sample = {"net_input": {"src_tokens": padded(source, rows, left=True).to(device)}}
            for row, hypotheses in zip(rows, generator.generate([model], sample), strict=True):
                found[row] = hypotheses[0]["tokens"][:-1].tolist()
    return found
