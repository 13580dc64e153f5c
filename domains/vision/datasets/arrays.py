"""A data set as arrays of bytes: what every reader gives, and the form that a task wants them in. Imports no torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import SpecError

Arrays = dict[str, NDArray[Any]]
"""`train-images` and `test-images`: (n, channels, height, width), uint8; `train-labels` and `test-labels`: (n,), integers.
Where the data set has one, `val-images` and `val-labels` too."""

SPLITS = ("train", "val", "test")


def splits(arrays: Arrays) -> tuple[str, ...]:
    """Which of the splits there are."""
    return tuple(split for split in SPLITS if f"{split}-images" in arrays)


def shaped(arrays: Arrays, *, channels: int | None, side: int | None) -> Arrays:
    """The images with so many channels and of so many pixels a side.

    Images too large are averaged over squares of pixels, where need be after a black border has made them a multiple; images
    too small get a black border.

    Args:
        arrays: a whole data set.
        channels: grey images are repeated; None leaves them as they are.
        side: height and width; None leaves them as they are.

    Raises:
        SpecError: if colour is asked to be grey, or the images are not square.
    """
    found = dict(arrays)
    for name in (f"{split}-images" for split in splits(arrays)):
        images = found[name] if side is None else _sized(found[name], side)
        if channels not in (None, images.shape[1]):
            if images.shape[1] != 1:
                raise SpecError(f"channels is {channels}, but the images have {images.shape[1]}: only grey is repeated")
            images = np.repeat(images, channels, axis=1)
        found[name] = images
    return found


def _sized(images: NDArray[Any], side: int) -> NDArray[Any]:
    count, channels, height, width = images.shape
    if height != width:
        raise SpecError(f"side is {side}, but the images are {height}x{width}: leave it out, or make them square")
    if height == side:
        return images
    factor = -(-height // side)
    border = factor * side - height
    around = (border // 2, border - border // 2)
    padded = np.pad(images, ((0, 0), (0, 0), around, around))
    if factor == 1:
        return padded
    sums = np.zeros((count, channels, side, side), np.uint32)
    for row in range(factor):
        for column in range(factor):
            sums += padded[:, :, row::factor, column::factor]
    averaged: NDArray[Any] = ((sums + factor**2 // 2) // factor**2).astype(np.uint8)
    return averaged
