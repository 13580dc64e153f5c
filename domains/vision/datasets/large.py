"""ImageNet and Places365 as folders of images, `train/<class>/` and `val/<class>/`, which are read as they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import DataError
from domains.vision.datasets import images, places, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Large:
    """A data set that does not fit into memory.

    Args:
        classes: how many.
        train: number of training images.
        val: number of validation images, which are what it is tested on: the labels of its test images are not public.
        archives: name and md5 of each file that its authors publish, as torchvision has them.
    """

    classes: int
    train: int
    val: int
    archives: Mapping[str, str]


LARGE = {
    "imagenet": Large(
        classes=1_000,
        train=1_281_167,
        val=50_000,
        archives={
            "ILSVRC2012_img_train.tar": "1d675b47d978889d74fa0da5fadfb00e",
            "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
        },
    ),
    "places365": Large(
        classes=365,
        train=1_803_460,
        val=36_500,
        archives={
            "train_256_places365standard.tar": "53ca1c756c3d1e7809517cc47c5561c5",
            "val_256.tar": "e27b17d8d44f4af9a78502beb927f808",
        },
    ),
}

DIGESTS = {name: places.identity(large.archives) for name, large in LARGE.items()}
"""Data set -> what stands for it: its archives."""


def find(name: str) -> tuple[Path, dict[str, list[tuple[str, int]]]]:
    """The folder, and (file, number of its class) of `train` and `test`.

    Raises:
        DataError: if it is not there, or has other numbers of classes or images than its authors'.
    """
    path = next(
        (folder / name for folder in (places.root(), places.DEBIAN) if folder and (folder / name).is_dir()), None
    )
    if path is None:
        raise DataError(
            f"{name} was not found: set {places.VARIABLE} to a folder that holds {name}/train/<class>/ and {name}/val/<class>/ "
            f"with the images of {' and '.join(LARGE[name].archives)}"
        )
    found = images.listing(sources.Folder(path), needed=("train", "val"))
    wanted, there = LARGE[name], {split: len(files) for split, files in found.files.items()}
    numbers = (len(found.classes), there["train"], there["val"])
    if numbers != (wanted.classes, wanted.train, wanted.val):
        raise DataError(
            "{} has {:,} classes, {:,} training and {:,} validation images".format(path, *numbers)
            + f", not {wanted.classes:,}, {wanted.train:,} and {wanted.val:,}: unpack the archives anew"
        )
    return path, {"train": found.files["train"], "test": found.files["val"]}
