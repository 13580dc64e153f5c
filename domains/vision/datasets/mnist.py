"""MNIST, which is bundled, and Fashion-MNIST, as their authors, Debian and torchvision leave them. Imports no torch."""

import gzip
import shutil
from pathlib import Path
from typing import Any

from bench.digests import tensors_digest
from bench.errors import DataError
from domains.vision.datasets import places
from domains.vision.datasets.arrays import Arrays
from domains.vision.datasets.idx import read_idx

DIGESTS = {
    "mnist": "c40f5a58ae5edb81cbaa81ad2c5e91bc6196ffec3b49adb1ba325dc5bca58e68",
    "fashion-mnist": "2bb72cf4f0d46784f7b981b9571f08096daf4059620b6409f57bc881d6ab07df",
}
"""Data set -> sha256 of its four decoded arrays (`bench.digests.tensors_digest`)."""

ARRAYS = {"train-images": 3, "train-labels": 1, "t10k-images": 3, "t10k-labels": 1}
"""Array -> number of its dimensions."""

INSIDE = ("", "raw", "FashionMNIST/raw")
"""Where in its folder: as the authors leave it, and as torchvision does."""


def read(name: str, digest: str) -> Arrays:
    """The images and labels of `mnist` or `fashion-mnist`.

    Args:
        name: which.
        digest: what the `tensors_digest` of the four arrays must be.

    Raises:
        DataError: if the files are missing, broken, or hold something else.
    """
    files = find(name)
    arrays = {array: read_idx(files[array], dimensions) for array, dimensions in ARRAYS.items()}
    found = tensors_digest(arrays)
    if found != digest:
        raise DataError(
            f"the files in {files['train-images'].parent} are not the {name} that the task was defined on: "
            f"their content has sha256 {found}, not {digest}; replace them with the original files"
        )
    return {
        "train-images": arrays["train-images"][:, None],
        "train-labels": arrays["train-labels"],
        "test-images": arrays["t10k-images"][:, None],
        "test-labels": arrays["t10k-labels"],
    }


def find(name: str) -> dict[str, Path]:
    """The four files of a data set; Fashion-MNIST is downloaded as the last resort.

    Raises:
        DataError: naming every way to provide the files, if all fail.
    """
    if name == "mnist":
        return {array: places.BUNDLED / name / _file(array) for array in ARRAYS}
    for folder in places.folders(name):
        for inside in INSIDE:
            if files := _files(folder / inside):
                return files
    place = places.download(
        name,
        _download,
        tuple(map(_file, ARRAYS)),
        ways=f"set {places.VARIABLE} to a folder that holds {name}/{_file('train-images')} (or unpacked, or in raw/) and its "
        f"three companions, or install Debian's dataset-{name} (it fills {places.DEBIAN / name})",
    )
    return {array: place / _file(array) for array in ARRAYS}


def _files(folder: Path) -> dict[str, Path] | None:
    found = {}
    for array in ARRAYS:
        packed = folder / _file(array)
        found[array] = packed if packed.is_file() else packed.with_suffix("")
    return found if all(path.is_file() for path in found.values()) else None


def _file(array: str) -> str:
    return f"{array}-idx{ARRAYS[array]}-ubyte.gz"


def _download(folder: Path) -> None:
    from torchvision.datasets import FashionMNIST  # noqa: PLC0415  tasks are listed without torch

    raw: Any = Path(FashionMNIST(folder, download=True).raw_folder)
    for array in ARRAYS:
        packed = raw / _file(array)
        if not packed.is_file():  # torchvision may keep the unpacked file alone
            with packed.with_suffix("").open("rb") as file, gzip.open(packed, "wb") as target:
                shutil.copyfileobj(file, target)
        packed.replace(folder / _file(array))
