"""Masks and states as safetensors: what a unit leaves for its children, and reads of its parents.

They are written as any other file, since those that safetensors writes itself only their owner may read, and a store may be shared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from bench.digests import canonical_json, tensors_digest
from bench.learner import Mask, State
from bench.spec import task_from_json
from bench.store.integrity import read_file, read_parent
from bench.store.tensors import masks_nothing
from bench.tickets.inputs import Parent

MASK_FILE = "mask.safetensors"


def save_mask(mask: Mask, folder: Path) -> None:
    """Write `mask.safetensors`: a bool tensor per parameter; absent parameters are kept whole, and nothing is written of none."""
    if mask:
        content = save({name: each.cpu().contiguous() for name, each in mask.items()})
        (folder / MASK_FILE).write_bytes(content)


def save_state(state: State, name: str, folder: Path) -> None:
    """Write `<name>.safetensors`: tensors `weights/<parameter>` and `buffers/<name>`, the rest as metadata."""
    tensors = {f"weights/{key}": each for key, each in state.weights.items()}
    tensors |= {f"buffers/{key}": each for key, each in state.buffers.items()}
    rest = {key: getattr(state, key) for key in ("scalars", "step", "updates", "origin")}
    contiguous = {key: each.detach().cpu().contiguous() for key, each in tensors.items()}
    content = save(contiguous, metadata={"state": canonical_json(rest)})
    (folder / f"{name}.safetensors").write_bytes(content)


def state_of(data: bytes) -> State:
    """The state that a `<name>.safetensors` holds."""
    tensors, header = load(data), json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    weights = {key.removeprefix("weights/"): each for key, each in tensors.items() if key.startswith("weights/")}
    buffers = {key.removeprefix("buffers/"): each for key, each in tensors.items() if key.startswith("buffers/")}
    return State(weights=weights, buffers=buffers, **json.loads(header["__metadata__"]["state"]))


def load_parent(folder: Path, unit_id: str | None = None) -> Parent:
    """What a finished unit hands to its children; each state is read when it is asked for, once.

    Args:
        folder: the unit's, or that of an imported ticket which brought the weights of the unit, its parent.
        unit_id: the unit's.

    Raises:
        DamagedUnit: if its record or its mask is not what was committed; likewise each state, when it is asked for.
    """
    record = read_parent(folder)
    return Parent(
        mask={} if masks_nothing(record) else load(read_file(folder, MASK_FILE, record)),
        state=cache(lambda name: state_of(read_file(folder, f"{name}.safetensors", record))),
        search_cost=record["search_cost"],
        result=record["parents"].get(unit_id or "", record["digests"]["result"]),
        task=task_from_json(record["spec"]["task"]),
    )


def arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Tensors as arrays that can be hashed; types that numpy lacks go by their bytes."""
    return {name: _array(each.detach().cpu()) for name, each in tensors.items()}


def _array(tensor: Tensor) -> NDArray[Any]:
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.int16)
    return np.asarray(tensor.numpy())


def digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 of the tensors' names, types, shapes and values."""
    return tensors_digest(arrays(tensors))
