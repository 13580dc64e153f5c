"""The data sets: the one door to their images. Imports no torch."""

from collections.abc import Callable

from bench.code.pinned import is_code
from bench.digests import json_digest
from bench.errors import DataError
from domains.vision.datasets import cifar, images, large, mnist, own, svhn
from domains.vision.datasets.arrays import Arrays, shaped
from domains.vision.datasets.cache import cached

JPEG = "cifar10-jpeg"
"""All images of CIFAR-10, encoded again as JPEG: a folder or a zip like any user's, whose content is known."""

DIGESTS = {
    **mnist.DIGESTS,
    **cifar.DIGESTS,
    "svhn": svhn.DIGEST,
    **large.DIGESTS,
    JPEG: "f6a7feab85df9199981d6ae66be74d34ccf21c6d0b7f6b32ef0df31e7ed57714",
}
"""Data set -> sha256 that stands for its content: of decoded arrays (MNIST and Fashion-MNIST), of the names and md5s of its
authors' files (CIFAR, SVHN, ImageNet, Places365), or of the names and sha256s of all images (`domains.vision.datasets.images`)."""

READERS: dict[str, Callable[[str, str], Arrays]] = {
    **dict.fromkeys(mnist.DIGESTS, mnist.read),
    **dict.fromkeys(cifar.DIGESTS, cifar.read),
    "svhn": svhn.read,
}
"""Data set -> what reads it, given its name and digest; all others are images of the user's own."""

DECODED = 1
"""Raised when the same files come to be decoded or shaped to other arrays."""


def is_mixed(name: str) -> bool:
    """Whether the classes of a data set's examples are known to be mixed, so that the first of them are like all.

    What is streamed is listed class by class, and a function of the user's gives its examples in any order.
    """
    return name not in large.DIGESTS and not is_code(name)


def read(name: str, digest: str, *, channels: int | None = None, side: int | None = None) -> Arrays:
    """A data set as a task wants it; decoded once, and from then on mapped from the cache.

    Args:
        name: one of `DIGESTS`, or a folder or zip of the user's own.
        digest: what stands for its content.
        channels: grey images are repeated; None leaves them as they are.
        side: pixels a side; None leaves them as they are.

    Raises:
        DataError: if the files are missing, broken, or hold something else.
        UnknownName: if there is no such data set.
        SpecError: if images cannot be brought to these channels and sides.
    """
    if name in READERS:
        reader, decoder = READERS[name], ""
    else:
        reader, decoder = own.read, images.decoder()
    key = json_digest([name, digest, decoder, channels, side, DECODED])[:40]
    try:
        return cached(key, lambda: shaped(reader(name, digest), channels=channels, side=side))
    except PermissionError as error:
        raise DataError(
            f"cannot read {name}: {error.filename} is closed to you; open it, or move it elsewhere"
        ) from error
