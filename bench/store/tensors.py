"""Reads safetensors files from anybody: the header is parsed and checked here before any of the content is believed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.digests import tensors_digest
from bench.errors import SubmissionError
from bench.record import Record
from bench.store.attempt import read_record

MASK = "mask.safetensors"
LARGEST = 8 * 2**30
"""Bytes of one file; larger ones are not opened."""
LARGEST_HEADER = 16 * 2**20
MOST_TENSORS = 100_000
LONGEST_NAME = 300
MOST_DIMENSIONS = 8
TYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4",
    "I64": "<i8", "U64": "<u8", "F16": "<f2", "BF16": "<i2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
"""Name in the header -> numpy's; numpy has no bfloat16, which goes by its bits."""


class Tensors(NamedTuple):
    """What a file holds: name -> array, and its metadata."""

    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, str]


NOTHING = tensors_digest({})
Mask = Mapping[str, NDArray[np.bool_]]
"""Parameter name -> which of its weights are kept; parameters that are left out are kept whole."""


def read_tensors(path: Path) -> Tensors:
    """The arrays and the metadata of a safetensors file.

    Args:
        path: the file; a link is not followed.

    Raises:
        SubmissionError: if it is anything else than a well-formed file.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise SubmissionError(f"{path.name} is no plain file")
        if path.stat().st_size > LARGEST:
            raise SubmissionError(f"{path.name} is larger than {LARGEST} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror or error}") from error
    try:
        return _parse(data)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        told = ascii(str(error)[:200])[1:-1] or type(error).__name__
        raise SubmissionError(f"{path.name} is no safetensors file: {told}") from error


def read_mask(folder: Path) -> Mask:
    """The mask of a unit's folder; a unit that masks nothing has no file of it.

    Raises:
        SubmissionError: if it is none, or is missing.
    """
    if not (folder / MASK).exists() and masks_nothing(read_record(folder)):
        return {}
    mask = read_tensors(folder / MASK).arrays
    for name, kept in mask.items():
        if kept.dtype != np.bool_:
            raise SubmissionError(f"the mask of {name[:80]!a} is {kept.dtype}, not bool")
    return mask


def masks_nothing(record: Record | None) -> bool:
    """Whether a record is of a unit that keeps every weight."""
    return record is not None and record["digests"]["mask"] == NOTHING


def _parse(data: bytes) -> Tensors:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(LARGEST_HEADER, len(data) - 8):
        raise ValueError(f"its header would have {length} bytes")
    header = json.loads(data[8 : 8 + length].decode(), object_pairs_hook=_once, parse_constant=_refuse)
    metadata = header.pop("__metadata__", {})
    if not all(isinstance(each, str) for pair in metadata.items() for each in pair):
        raise ValueError("its metadata are not texts")
    if len(header) > MOST_TENSORS:
        raise ValueError(f"it has {len(header)} tensors")
    content = memoryview(data)[8 + length :]
    end, arrays = 0, {}
    for name, told in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = told["data_offsets"]
        if start != end or type(start) is not int or type(stop) is not int:
            raise ValueError(f"{name[:80]!a} leaves a gap or overlaps another")
        arrays[name] = _array(name, told, content[start:stop], stop - start)
        end = stop
    if end != len(content):
        raise ValueError(f"{len(content) - end} bytes follow the last tensor")
    return Tensors(arrays, metadata)


def _array(name: str, told: Mapping[str, Any], content: memoryview, size: int) -> NDArray[Any]:
    shape = told["shape"]
    if told.keys() != {"dtype", "shape", "data_offsets"} or len(name) > LONGEST_NAME or told["dtype"] not in TYPES:
        raise ValueError(f"{name[:80]!a} has an unknown type or form")
    if len(shape) > MOST_DIMENSIONS or not all(type(each) is int and each >= 0 for each in shape):
        raise ValueError(f"{name[:80]!a} has no shape")
    kind = np.dtype(TYPES[told["dtype"]])
    if math.prod(shape) * kind.itemsize != size or len(content) != size:
        raise ValueError(
            f"{name[:80]!a} has {len(content)} bytes, its shape asks for {math.prod(shape) * kind.itemsize}"
        )
    array = np.frombuffer(content, kind).reshape(shape)
    if kind == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise ValueError(f"{name[:80]!a} is not binary")
    return array


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
