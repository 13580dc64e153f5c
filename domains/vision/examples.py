"""A data set in memory: normalised images and their labels, split once per task."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from domains.vision import datasets


@dataclass(frozen=True, slots=True)
class Examples:
    """Images and what they show.

    Args:
        images: (n, channels, height, width), normalised float32.
        labels: (n,), int64.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The images and labels of `rows`: (batch,), int64."""
        return self.images.index_select(0, rows), self.labels.index_select(0, rows)


@cache
def load(
    name: str, digest: str, *, normalisation: tuple[float, float], validation: int, split_seed: int, device: str
) -> dict[str, Examples]:
    """The splits `train`, `val` and `test` of a data set, read once per process and shared: never write to them.

    Args:
        name: the data set.
        digest: sha256 of its content.
        normalisation: mean and standard deviation of the pixels, on a scale of 0 to 1.
        validation: how many of the training examples are held out; a random sample.
        split_seed: which sample; the same for all seeds of a task.
        device: where the tensors live.

    Raises:
        DataError: if the data are missing or are not what `digest` says.
    """
    arrays = datasets.read(name, digest)
    order = np.random.default_rng(split_seed).permutation(len(arrays["train-labels"]))
    train, val = np.sort(order[validation:]), order[:validation]
    mean, std = normalisation

    def examples(part: str, rows: NDArray[np.int64] | slice) -> Examples:
        pixels = torch.tensor(arrays[f"{part}-images"][rows]).to(device).unsqueeze(1)
        labels = torch.tensor(arrays[f"{part}-labels"][rows]).to(device)
        return Examples(pixels.float().div_(255).sub_(mean).div_(std), labels.long())

    return {"train": examples("train", train), "val": examples("train", val), "test": examples("t10k", slice(None))}
