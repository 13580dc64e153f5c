"""Images that are read from their files when a batch needs them, because all of them do not fit into memory."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.errors import DataError
from domains.vision.examples.augmentation import Augmentation

MIDDLE = 224 / 256
"""What of an image's shorter side a test sees."""
SMALLEST = 0.08
"""Share of an image's area that a random window has at least."""
RATIO = math.log(4 / 3)
"""Logarithm of the most that a random window is wider than high, or higher than wide."""
THREADS = 8
"""Files that are decoded at once; Pillow lets go of the interpreter meanwhile."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Streamed:
    """The examples of a split, in files.

    Args:
        folder: where they are.
        files: their names.
        labels: (n,), int64.
        rows: (examples,), int64: which of the files are these.
        side: pixels of what the network sees.
        mean: of the pixels on a scale of 0 to 1: (1, 3 or 1, 1, 1).
        std: their standard deviation.
        pool: threads that decode.
    """

    folder: Path
    files: tuple[str, ...]
    labels: Tensor
    rows: Tensor
    side: int
    mean: Tensor
    std: Tensor
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(3, side, side)."""
        return 3, self.side, self.side

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
            augmentation: if given, a random window of each image is seen, mirrored by chance if it says so; else its middle.
            generator: the chance in it; five numbers are drawn for every image.

        Raises:
            DataError: if a file cannot be read.
        """
        places = self.rows.index_select(0, rows)
        names = [self.files[place] for place in places.tolist()]
        if augmentation is None:
            pixels = list(self.pool.map(self._middle, names))
        else:
            assert generator is not None
            chance = generator.random((len(names), 5))
            chance[:, 4] *= augmentation.flip
            pixels = list(self.pool.map(self._window, names, chance))
        images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).to(self.mean.device)
        return images.float().div_(255).sub_(self.mean).div_(self.std), self.labels.index_select(0, places)

    def _middle(self, name: str) -> np.ndarray:
        with self._opened(name) as image:
            seen = MIDDLE * min(image.size)
            left, top = ((length - seen) / 2 for length in image.size)
            return self._cut(image, (left, top, left + seen, top + seen))

    def _window(self, name: str, chance: np.ndarray) -> np.ndarray:
        with self._opened(name) as image:
            width, height = image.size
            area = (SMALLEST + (1 - SMALLEST) * chance[0]) * width * height
            ratio = math.exp(RATIO * (2 * chance[1] - 1))
            wide, high = min(math.sqrt(area * ratio), width), min(math.sqrt(area / ratio), height)
            left, top = chance[2] * (width - wide), chance[3] * (height - high)
            cut = self._cut(image, (left, top, left + wide, top + high))
        return cut[:, ::-1] if chance[4] >= 0.5 else cut

    def _cut(self, image: Image.Image, box: Box) -> np.ndarray:
        return np.asarray(image.convert("RGB").resize((self.side, self.side), Image.Resampling.BILINEAR, box=box))

    def _opened(self, name: str) -> Image.Image:
        path = self.folder / name
        try:
            image = Image.open(path, formats=("JPEG", "PNG"))
            image.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"cannot read the image {path}: {error}; replace it with a complete copy") from error
        return image
