"""Random crops and flips of a batch, as a function of a random generator alone."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to every image of a training batch, before it is normalised.

    Args:
        crop: width of the black border out of which a window of the image's own size is cut.
        flip: whether every other image is mirrored left to right, by chance.
    """

    crop: int = 0
    flip: bool = False

    def __call__(self, images: Tensor, generator: np.random.Generator) -> Tensor:
        """Images of the same shape.

        Args:
            images: (n, channels, height, width), bytes.
            generator: of the batch; three numbers are drawn for every image, whatever is done to it.
        """
        count, channels, height, width = images.shape
        down, right = generator.integers(2 * self.crop + 1, size=(2, count))
        flipped = generator.integers(2, size=count) * int(self.flip)
        rows = torch.from_numpy(down)[:, None] + torch.arange(height)
        columns = torch.arange(width).expand(count, width)
        columns = torch.where(torch.from_numpy(flipped)[:, None] == 1, width - 1 - columns, columns)
        columns = columns + torch.from_numpy(right)[:, None]
        places = rows[:, :, None] * (width + 2 * self.crop) + columns[:, None, :]
        index = places.flatten(1)[:, None].expand(count, channels, height * width).to(images.device)
        return F.pad(images, (self.crop,) * 4).flatten(2).gather(2, index).view_as(images)
