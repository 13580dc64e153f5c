"""fairseq's Transformers and LSTMs by a task's `config["model"]`, at any width, from a stream of their own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import DataError, UnknownName
from bench.streams import drawing_from
from domains.nlp import border
from domains.nlp.corpora.sentences import PAD

WIDTHS = (
    *("encoder_embed_dim", "encoder_ffn_embed_dim", "decoder_embed_dim", "decoder_ffn_embed_dim"),
    *("decoder_hidden_size", "decoder_out_embed_dim"),
)
"""Options of fairseq's architectures that are widths of the network."""


def build(config: Mapping[str, Any], vocabularies: border.Vocabularies, *, width: float, seed: int) -> nn.Module:
    """A model at its initial weights.

    Args:
        config: `architecture` is a name of fairseq's; everything else is an option of it, and fills or overrides what it
            sets (`encoder_embed_dim`, `dropout`, `share_all_embeddings`, ...).
        vocabularies: of source and target.
        width: multiplies every width, to a multiple of what one attention head of each kind needs.
        seed: of the initial weights; no global generator is touched.

    Raises:
        UnknownName: if fairseq has no such architecture.
        DataError: if source and target are to share an embedding, but have a dictionary each.
    """
    architecture = config["architecture"]
    if architecture not in border.architectures():
        raise UnknownName("architecture of fairseq", architecture, border.architectures())
    if config.get("share_all_embeddings") and vocabularies.source_dictionary != vocabularies.target_dictionary:
        raise DataError(
            "the task shares all embeddings, but source and target have a dictionary each: run fairseq-preprocess with "
            "--joined-dictionary"
        )
    options = border.complete(architecture, {key: value for key, value in config.items() if key != "architecture"})
    with drawing_from(seed):
        model: nn.Module = border.build(architecture, _scaled(options, width), vocabularies)
    return model


def prunable(module: nn.Module) -> dict[str, Tensor]:
    """Parameter name -> which of its entries may be pruned: all but an embedding's row for padding, which is no weight.

    Args:
        module: of fairseq; a tied embedding is one parameter, under its first name.
    """
    entries = {name: torch.ones_like(each, dtype=torch.bool) for name, each in module.named_parameters()}
    padded = {
        id(each.weight) for each in module.modules() if isinstance(each, nn.Embedding) and each.padding_idx == PAD
    }
    for name, parameter in module.named_parameters():
        if id(parameter) in padded:
            entries[name][PAD] = False
    return entries


def _scaled(options: Namespace, width: float) -> Namespace:
    """The same options with every width times `width`, rounded to whole attention heads of at least one entry each."""
    if width == 1.0:
        return options
    heads = max(getattr(options, f"{side}_attention_heads", 1) for side in ("encoder", "decoder"))
    scaled = {}
    for name in WIDTHS:
        if getattr(options, name, None) is not None:
            scaled[name] = max(1, round(getattr(options, name) * width / heads)) * heads
    inner = {"decoder_input_dim", "decoder_output_dim"} & vars(options).keys()
    return Namespace(**{**vars(options), **scaled, **dict.fromkeys(inner, scaled.get("decoder_embed_dim"))})
