"""The keys that a task's `config` and its network may have, checked before anything is trained. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import UnknownName

KEYS = frozenset(("algorithm", "hyperparameters", "optimizer", "network", "policy", "env", "n_envs", "normalise"))
"""Read of every task."""
REWARDED = frozenset(("reward_scale", "scope", "threshold", "episode_limit"))
"""Read besides where an agent learns from rewards."""
CLONED = frozenset(("batch", "demonstrations"))
"""Read besides where it learns from demonstrations."""


def misfit(config: Mapping[str, Any]) -> str | None:
    """What a `config` says that nothing reads, in a sentence; None if there is no such thing."""
    network = config.get("network", {})
    read = {"name", "hidden", *(("activation",) if network.get("name") == "towers" else ())}
    unknown = UnknownName.among(
        "key of a config", config, KEYS | (CLONED if "demonstrations" in config else REWARDED)
    ) or UnknownName.among(f"key of the network {network.get('name')!r}", network, read)
    return str(unknown) if unknown else None
