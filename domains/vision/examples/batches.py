"""How a batch of examples that are in memory comes to the network."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from bench.errors import SpecError
from domains.vision.examples.augmentation import Augmentation


class Batches(Protocol):
    """The examples of a split."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what the network sees: (channels, height, width) of images."""
        ...

    @property
    def are_whole(self) -> bool:
        """Whether the network sees whole numbers, int64, which may stand for words, say; else float32."""
        ...

    def __len__(self) -> int:
        """How many."""
        ...

    def at(
        self, rows: Tensor, augmentation: Augmentation | None = None, generator: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The images and labels of `rows`: (batch,), int64."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Examples in memory that are seen as they are; never write to them.

    Args:
        values: (n, ...), float32, or int64 if they are whole numbers: those of all splits that share them.
        labels: (n,), int64.
        rows: (examples,), int64: which of the values are these.
    """

    values: Tensor
    labels: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return tuple(self.values.shape[1:])

    @property
    def are_whole(self) -> bool:
        """Whether they are whole numbers."""
        return not self.values.is_floating_point()

    def at(
        self, rows: Tensor, augmentation: Augmentation | None = None, _: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The values and labels of some examples.

        Args:
            rows: (batch,), int64: which.
            augmentation: none: it is for images.

        Raises:
            SpecError: if they are to be augmented.
        """
        if augmentation is not None:
            raise SpecError("the task augments its examples, which are no images: leave `augment` out of its config")
        places = self.rows.index_select(0, rows)
        return self.values.index_select(0, places), self.labels.index_select(0, places)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Images in memory and what they show; never write to them.

    Args:
        images: (n, channels, height, width), bytes: those of all splits that share them.
        labels: (n,), int64.
        rows: (examples,), int64: which of the images are these.
        mean: of the pixels on a scale of 0 to 1, for each channel or for all: (1, channels or 1, 1, 1).
        std: their standard deviation.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def are_whole(self) -> bool:
        """Normalised pixels are not."""
        return False

    def at(
        self, rows: Tensor, augmentation: Augmentation | None = None, generator: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The normalised images and labels of some examples.

        Args:
            rows: (batch,), int64: which.
            augmentation: what is done to the images.
            generator: the chance in it.
        """
        places = self.rows.index_select(0, rows)
        images = self.images.index_select(0, places)
        if augmentation is not None:
            assert generator is not None
            images = augmentation(images, generator)
        return images.float().div_(255).sub_(self.mean).div_(self.std), self.labels.index_select(0, places)
