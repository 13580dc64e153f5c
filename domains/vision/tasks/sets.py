"""What the tasks need to know of each data set."""

from dataclasses import dataclass

from domains.vision.datasets import JPEG

CHANCE_SVHN = 19.6
"""Per cent of the test images that are of the most frequent digit: the set is not balanced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A data set.

    Args:
        data: its name as data.
        train: number of its training images.
        classes: how many.
        chance: accuracy in per cent of whoever says the most frequent class.
        mean: of the training pixels, per channel, on a scale of 0 to 1.
        std: their standard deviation.
        flips: whether a mirrored image shows the same.
    """

    data: str
    train: int
    classes: int
    chance: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flips: bool = True

    @property
    def normalisation(self) -> list[list[float]]:
        """Mean and standard deviation, as a `config` has them."""
        return [list(self.mean), list(self.std)]


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

SETS = {
    "cifar10": Facts(
        data="cifar-10",
        train=50_000,
        classes=10,
        chance=10.0,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
    ),
    "cifar10-jpeg": Facts(
        data=JPEG,
        train=50_000,
        classes=10,
        chance=10.0,
        mean=(0.4913, 0.4821, 0.4465),
        std=(0.2452, 0.2428, 0.2606),
    ),
    "cifar100": Facts(
        data="cifar-100",
        train=50_000,
        classes=100,
        chance=1.0,
        mean=(0.5071, 0.4865, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
    ),
    "svhn": Facts(
        data="svhn",
        train=73_257,
        classes=10,
        chance=CHANCE_SVHN,
        mean=(0.4377, 0.4438, 0.4728),
        std=(0.1980, 0.2010, 0.1970),
        flips=False,
    ),
    "fashion": Facts(
        data="fashion-mnist", train=60_000, classes=10, chance=10.0, mean=(0.2860,) * 3, std=(0.3530,) * 3
    ),
    "imagenet": Facts(
        data="imagenet", train=1_281_167, classes=1_000, chance=0.1, mean=IMAGENET_MEAN, std=IMAGENET_STD
    ),
    "places365": Facts(
        data="places365", train=1_803_460, classes=365, chance=100 / 365, mean=IMAGENET_MEAN, std=IMAGENET_STD
    ),
}
"""Name in a task -> data set."""

JPEG_COPY = "The images are those of CIFAR-10 encoded again as JPEG, which is lossy: not the original pixels."
