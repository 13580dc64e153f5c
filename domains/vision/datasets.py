"""The data sets: where their files are found, and what must be in them. Imports no torch."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.digests import tensors_digest
from bench.errors import DataError, UnknownName
from domains.vision.idx import read_idx

DIGESTS = {
    "mnist": "c40f5a58ae5edb81cbaa81ad2c5e91bc6196ffec3b49adb1ba325dc5bca58e68",
    "fashion-mnist": "2bb72cf4f0d46784f7b981b9571f08096daf4059620b6409f57bc881d6ab07df",
}
"""Data set -> sha256 of its four decoded arrays (`bench.digests.tensors_digest`)."""

ARRAYS = {"train-images": 3, "train-labels": 1, "t10k-images": 3, "t10k-labels": 1}
"""Array -> number of its dimensions."""

BUNDLED = Path(__file__).parent / "data"
DEBIAN = Path("/usr/share/datasets")
VARIABLE = "TICKETBENCH_DATA"


def read(name: str, digest: str) -> dict[str, NDArray[np.uint8]]:
    """The four arrays of a data set.

    Args:
        name: `mnist` or `fashion-mnist`.
        digest: what their `tensors_digest` must be.

    Returns:
        `train-images` and `t10k-images`: (n, 28, 28); `train-labels` and `t10k-labels`: (n,).

    Raises:
        DataError: if the files are missing, broken, or hold something else.
    """
    folder = find(name)
    arrays = {array: read_idx(folder / _file(array), dimensions) for array, dimensions in ARRAYS.items()}
    found = tensors_digest(arrays)
    if found != digest:
        raise DataError(
            f"the files in {folder} are not the {name} that the task was defined on: "
            f"their content has sha256 {found}, not {digest}; replace them with the original files"
        )
    return arrays


def find(name: str) -> Path:
    """The folder that holds the files of a data set; Fashion-MNIST is downloaded as the last resort.

    Raises:
        DataError: naming every way to provide the files, if all fail.
    """
    if name not in DIGESTS:
        raise UnknownName("data set", name, DIGESTS)
    if name == "mnist":
        return BUNDLED / name
    cache = _cache() / name
    for folder in (*_own(name), DEBIAN / name, cache):
        if all((folder / _file(array)).is_file() for array in ARRAYS):
            return folder
    try:
        _download(cache)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{name} was not found and could not be downloaded ({reason}): set {VARIABLE} to a folder that holds "
            f"{name}/{_file('train-images')} and its three companions, or install Debian's dataset-{name} "
            f"(it fills {DEBIAN / name}), or run once where torchvision can download it to {cache}"
        ) from error
    return cache


def _file(array: str) -> str:
    return f"{array}-idx{ARRAYS[array]}-ubyte.gz"


def _own(name: str) -> tuple[Path, ...]:
    root = os.environ.get(VARIABLE)
    return (Path(root) / name, Path(root)) if root else ()


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ticketbench"


def _download(cache: Path) -> None:
    from torchvision.datasets import FashionMNIST  # noqa: PLC0415  tasks are listed without torch

    cache.mkdir(parents=True, exist_ok=True)
    # Workers may come here at the same time: each downloads for itself, and moves whole files into place.
    with tempfile.TemporaryDirectory(dir=cache) as folder, contextlib.redirect_stdout(sys.stderr):
        raw: Any = Path(FashionMNIST(folder, download=True).raw_folder)
        for array in ARRAYS:
            (raw / _file(array)).replace(cache / _file(array))
