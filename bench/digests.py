"""Canonical JSON and sha256 digests: what makes two specs, two tensors or two results the same.

Tensors are hashed by content and never by file, because the order of a safetensors header is not fixed.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    return ENCODER.encode(value)


def json_digest(value: Any) -> str:
    """sha256 of the canonical JSON, in hex."""
    return text_digest(canonical_json(value))


def text_digest(text: str) -> str:
    """sha256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def tensors_digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """sha256 over (name, dtype, shape, bytes) of every array, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(canonical_json([name, array.dtype.str, list(tensors[name].shape)]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
