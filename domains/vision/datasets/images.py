"""Images in files, `<split>/<class>/<image>`, of a folder or a zip: which there are, what stands for them, their pixels.

The classes are the names of the folders, in order; a class has the same number in every split.
"""

from __future__ import annotations

import hashlib
import io
import struct
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from bench.digests import json_digest
from bench.errors import DataError
from domains.vision.datasets.arrays import SPLITS, Arrays
from domains.vision.datasets.sources import LARGEST, LARGEST_FILE, UNREADABLE, Source, is_passed_over, opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDINGS = (".jpg", ".jpeg", ".png")
FORMATS = ("JPEG", "PNG")
MODES = {"L": 1, "RGB": 3}
"""Pillow's name of an 8-bit image -> its channels."""
DEPTH = 3
"""Parts of `<split>/<class>/<image>`."""
LAYOUT = "images lie in <split>/<class>/, with the splits train and test (and val, if there is one)"
UNDECODABLE = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow raises of damaged files."""
BITS_OF_PNG = 24
"""Where a PNG file says how many bits a channel has."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Which images there are.

    Args:
        classes: their names, in order.
        files: split -> (name of the file, number of its class), in order of the names.
    """

    classes: tuple[str, ...]
    files: dict[str, list[tuple[str, int]]]


def listing(source: Source, *, needed: tuple[str, ...] = ("train", "test")) -> Listing:
    """What is where.

    Args:
        source: the files; those that are hidden or no images are passed over.
        needed: splits that must be there.

    Raises:
        DataError: if images lie elsewhere, names collide, or splits have other classes.
    """
    images = sorted((name for name in source.names() if not is_passed_over(name) and _is_image(name)), key=_composed)
    _refuse_collisions(source.path, images)
    found: dict[str, dict[str, list[str]]] = {}
    for name in images:
        parts = PurePosixPath(name).parts
        if len(parts) != DEPTH or parts[0] not in SPLITS:
            raise DataError(f"{source.path} has the image {name!a}: {LAYOUT}")
        found.setdefault(parts[0], {}).setdefault(parts[1], []).append(name)
    if missing := [split for split in needed if split not in found]:
        layout = (
            LAYOUT if "test" in needed else f"images lie in <split>/<class>/, with the splits {' and '.join(needed)}"
        )
        raise DataError(f"{source.path} has no images of the split {missing[0]}: {layout}")
    classes = tuple(sorted(found["train"], key=_composed))
    for split, inside in found.items():
        if odd := sorted(inside.keys() ^ set(classes)):
            where = f"the split {split} alone" if odd[0] in inside else f"train, not in {split}"
            raise DataError(f"{source.path} has the class {odd[0]!a} in {where}: every split has the same classes")
    return Listing(
        classes=classes,
        files={
            split: [(name, number) for number, each in enumerate(classes) for name in inside[each]]
            for split, inside in found.items()
        },
    )


def digest(source: Source, found: Listing) -> str:
    """sha256 over the names of all images and the sha256 of each file's bytes."""
    return _digest(
        (name, hashlib.sha256(_content(source, name)).hexdigest())
        for files in found.files.values()
        for name, _ in files
    )


def read(path: Path, *, digest: str) -> Arrays:
    """All images of a folder or a zip, in one fixed order in which the classes are mixed.

    Args:
        path: the folder or the zip.
        digest: what its `digest` must be.

    Raises:
        DataError: if a file is damaged, images differ in size or kind, or it is not what `digest` says.
    """
    with opened(path) as source:
        found = listing(source)
        digests: dict[str, str] = {}
        arrays: Arrays = {}
        shape = decode(path, *_first(source, found)).shape
        if (size := sum(map(len, found.files.values())) * int(np.prod(shape))) > LARGEST:
            raise DataError(f"the images of {path} take {size:,} bytes in memory: make them smaller")
        for split, files in found.files.items():
            order = np.random.default_rng(0).permutation(len(files))
            images = np.empty((len(files), *shape), np.uint8)
            for row, place in enumerate(order):
                name = files[place][0]
                content = _content(source, name)
                digests[name] = hashlib.sha256(content).hexdigest()
                images[row] = decode(path, name, content, like=shape)
            arrays[f"{split}-images"] = images
            arrays[f"{split}-labels"] = np.array([files[place][1] for place in order], np.int64)
    if (content_digest := _digest(digests.items())) != digest:
        raise DataError(
            f"{path} is not what the task was defined on: its images have sha256 {content_digest}, not {digest}; "
            "bring back the original files, or plan anew with these"
        )
    return arrays


def shape(source: Source, found: Listing) -> tuple[int, int, int]:
    """(channels, height, width) of the first training image, which all others must have."""
    channels, height, width = decode(source.path, *_first(source, found)).shape
    return channels, height, width


def decode(path: Path, name: str, content: bytes, *, like: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    """The pixels of an image file: (channels, height, width).

    Args:
        path: where it lies, for errors.
        name: the file.
        content: its bytes.
        like: the shape that it must have.

    Raises:
        DataError: if it is damaged, of another kind or of another size.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  tasks are listed without it

    refuse = partial(_refusal, path, name)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.mode not in MODES:
                raise refuse(f"is of mode {image.mode}: save it as 8-bit grey or RGB")
            if image.format == "PNG" and content[BITS_OF_PNG] > 8:
                raise refuse(f"has {content[BITS_OF_PNG]} bits a channel: save it with 8")
            shape = (MODES[image.mode], image.height, image.width)
            if like is None and int(np.prod(shape)) > LARGEST_FILE:
                raise refuse(f"has {image.width}x{image.height} pixels: make it smaller")
            if like is not None and shape != like:
                raise refuse(f"is {_described(shape)} among {_described(like)}: make all images alike")
            pixels = np.asarray(image)
    except UnidentifiedImageError as error:
        raise refuse("is neither JPEG nor PNG, whatever its name says: replace it, or leave it out") from error
    except (*UNDECODABLE, Image.DecompressionBombError) as error:
        raise refuse(f"cannot be decoded ({error}): replace it with a complete copy") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def decoder() -> str:
    """What turns files into pixels here: JPEG's are equal to the bit for one version only."""
    from PIL import __version__, features  # noqa: PLC0415  tasks are listed without it

    return f"pillow-{__version__}-jpeg-{features.version('libjpeg_turbo') or features.version('jpg')}"


def _first(source: Source, found: Listing) -> tuple[str, bytes]:
    name = found.files["train"][0][0]
    return name, _content(source, name)


def _content(source: Source, name: str) -> bytes:
    try:
        return source.read(name)
    except UNREADABLE as error:
        raise _refusal(source.path, name, f"cannot be read ({error}): replace it with a complete copy") from error


def _digest(digests: Iterable[tuple[str, str]]) -> str:
    return json_digest(sorted([_composed(name), digest] for name, digest in digests))


def _composed(name: str) -> str:
    """As its digest has it, however a system writes its accents: the order of classes follows from it, too."""
    return unicodedata.normalize("NFC", name)


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _refuse_collisions(path: Path, names: list[str]) -> None:
    """Names that one filesystem tells apart and another does not would be two data sets under one name."""
    seen: dict[str, str] = {}
    for name in names:
        if not name.isprintable():
            raise DataError(f"{path} has an image with the unprintable name {name!a}: rename it")
        *folders, _ = PurePosixPath(name).parts
        for part in ("/".join(folders), name):
            same = seen.setdefault(_composed(part).casefold(), part)
            if same != part:
                raise DataError(f"{path} has {same!a} and {part!a}, which some systems take for one: rename one")


def _described(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'colour'}"


def _refusal(path: Path, name: str, what: str) -> DataError:
    return DataError(f"the image {name!a} of {path} {' '.join(what.split())}")
