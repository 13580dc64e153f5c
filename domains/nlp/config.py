"""The keys that a task's `config` may have, checked before anything is trained. Imports neither torch nor fairseq."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import UnknownName
from domains.nlp.schedule import SCHEDULES

KEYS = frozenset(
    [
        "objective",
        "corpus",
        "model",
        "batches",
        "schedule",
        "rate",
        "warmup",
        "betas",
        "eps",
        "weight_decay",
        "clip",
        "precision",
        "average",
    ]
)
"""Read of every task."""
OBJECTIVES = {"translation": {"max_tokens", "label_smoothing"}, "language": {"batch", "window"}}
"""Objective -> the keys that it reads besides."""

TRANSFORMER = "transformer"
"""What fairseq's names of the architectures of a Transformer begin with."""
OPTIONS = frozenset(
    [
        "activation_dropout",
        "activation_fn",
        "adaptive_input",
        "adaptive_softmax_cutoff",
        "adaptive_softmax_dropout",
        "adaptive_softmax_factor",
        "attention_dropout",
        "base_layers",
        "base_shuffle",
        "base_sublayers",
        "char_inputs",
        "checkpoint_activations",
        "cross_self_attention",
        "decoder_attention_heads",
        "decoder_embed_dim",
        "decoder_embed_path",
        "decoder_ffn_embed_dim",
        "decoder_input_dim",
        "decoder_layerdrop",
        "decoder_layers",
        "decoder_layers_to_keep",
        "decoder_learned_pos",
        "decoder_normalize_before",
        "decoder_output_dim",
        "decoder_xformers_att_config",
        "dropout",
        "encoder_attention_heads",
        "encoder_embed_dim",
        "encoder_embed_path",
        "encoder_ffn_embed_dim",
        "encoder_layerdrop",
        "encoder_layers",
        "encoder_layers_to_keep",
        "encoder_learned_pos",
        "encoder_normalize_before",
        "encoder_xformers_att_config",
        "export",
        "layernorm_embedding",
        "max_source_positions",
        "max_target_positions",
        "merge_src_tgt_embed",
        "min_params_to_wrap",
        "no_cross_attention",
        "no_decoder_final_norm",
        "no_scale_embedding",
        "no_token_positional_embeddings",
        "offload_activations",
        "quant_noise_pq",
        "quant_noise_pq_block_size",
        "quant_noise_scalar",
        "relu_dropout",
        "share_all_embeddings",
        "share_decoder_input_output_embed",
        "tie_adaptive_proj",
        "tie_adaptive_weights",
    ]
)
"""Of fairseq's Transformer for translation, which knows no other option and passes over what it does not know."""


def misfit(config: Mapping[str, Any]) -> str | None:
    """What a `config` says that nothing reads or nobody can follow, in a sentence; None if there is no such thing.

    The options of other models than Transformers for translation are not looked at.
    """
    model, objective = config.get("model", {}), config.get("objective")
    unknown = UnknownName.among("key of a config", config, KEYS | OBJECTIVES.get(str(objective), set()))
    if unknown is None and objective == "translation" and str(model.get("architecture")).startswith(TRANSFORMER):
        unknown = UnknownName.among("option of a Transformer", model, OPTIONS | {"architecture"})
    if unknown is None:
        unknown = UnknownName.among("schedule", [str(config.get("schedule"))], SCHEDULES)
    if unknown:
        return str(unknown)
    warmup = config.get("warmup")
    if config.get("schedule") == "inverse-sqrt" and (type(warmup) is not int or warmup < 1):
        return (
            f"config.warmup is {warmup!r}, and inverse-sqrt falls from its last update on: write a whole number above 0"
        )
    return None
