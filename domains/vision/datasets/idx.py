"""The IDX format of MNIST and its relatives: a header of big-endian sizes, then the bytes; gzipped if the name says so."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

UNSIGNED_BYTES = 0x08
LARGEST = 2**28
"""More bytes than any data set here has: a header that asks for more is broken or hostile."""


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The unsigned bytes of an IDX file.

    Args:
        path: the file; gzipped if it ends in `.gz`.
        dimensions: how many dimensions it must have: 3 for images, 1 for labels.

    Returns:
        The array that the header describes, such as (60000, 28, 28).

    Raises:
        DataError: if the file cannot be read, or is not exactly what its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            shape = _shape(path, header, dimensions)
            size = math.prod(shape)
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, f"{error}") from error
    if len(content) != size:
        found = "more" if len(content) > size else f"{len(content):,}"
        raise _broken(path, f"the header promises {size:,} bytes of data, the file holds {found}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    if header[:4] != bytes((0, 0, UNSIGNED_BYTES, dimensions)):
        raise _broken(path, f"it starts with {header[:4].hex()}, not with 000008{dimensions:02x}")
    if len(header) != 4 + 4 * dimensions:
        raise _broken(path, f"it ends inside its header, after {len(header)} bytes")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    if math.prod(shape) > LARGEST:
        raise _broken(path, f"its header asks for {math.prod(shape):,} bytes")
    return shape


def _broken(path: Path, what: str) -> DataError:
    return DataError(f"cannot read {path} as an IDX file: {what}; replace it with a complete copy")
