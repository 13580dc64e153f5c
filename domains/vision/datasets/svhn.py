"""SVHN, the street-view house numbers (Netzer et al. 2011), cropped digits in MATLAB's format. Imports no torch."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import DataError
from domains.vision.datasets import places
from domains.vision.datasets.arrays import Arrays

FILES = {
    "train": ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test": ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
}
"""Split -> name and md5 of its file, as torchvision has them."""

DIGEST = places.identity(dict(FILES.values()))
"""What stands for the data set: its two files."""

ZERO = 10
"""The label of the digit 0."""


def read(name: str, digest: str) -> Arrays:
    """The images and labels of SVHN, without the extra images.

    Args:
        name: of the folder.
        digest: `DIGEST`; other content is refused by the md5 of its files.

    Raises:
        DataError: if the files are missing, or are not the authors'.
    """
    places.check_identity(name, digest, DIGEST)
    folder = _find(name)
    arrays = {}
    for split, (file, md5) in FILES.items():
        places.check_md5(folder / file, md5)
        arrays[f"{split}-images"], arrays[f"{split}-labels"] = _decoded(folder / file)
    return arrays


def _find(name: str) -> Path:
    files = tuple(file for file, _ in FILES.values())
    for folder in places.folders(name):
        if all((folder / file).is_file() for file in files):
            return folder
    ways = f"set {places.VARIABLE} to a folder that holds {name}/{files[0]} and {name}/{files[1]}"
    return places.download(name, _download, files, ways=ways)


def _decoded(path: Path) -> tuple[Any, Any]:
    from scipy.io import loadmat  # noqa: PLC0415  slow to import

    try:
        content = loadmat(path, variable_names=["X", "y"])
        images, labels = content["X"], content["y"].reshape(-1)
        if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
            raise ValueError(f"its images are {images.dtype} {images.shape}")
    except Exception as error:  # scipy raises what it stumbles over
        what = " ".join(str(error).split())
        raise DataError(f"{path} is no MATLAB file of images and labels: {what}; replace it by the original") from error
    return np.ascontiguousarray(images.transpose(3, 2, 0, 1)), np.where(labels == ZERO, 0, labels).astype(np.uint8)


def _download(folder: Path) -> None:
    from torchvision.datasets import SVHN, utils  # noqa: PLC0415  tasks are listed without torch

    for split, (file, md5) in FILES.items():
        utils.download_url(SVHN.split_list[split][0], folder, file, md5)
