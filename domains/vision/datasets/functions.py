"""Examples that a function of the user's gives: images, or any numbers that a network takes. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.code import pinned
from bench.digests import tensors_digest
from bench.errors import DataError, SpecError
from domains.vision.datasets import arrays as forms
from domains.vision.datasets.arrays import SPLITS, Arrays, splits
from domains.vision.examples.parts import classes_of, taken

FEWEST = 10
"""Examples to train with: fewer leave nothing to hold out."""
GIVES = (
    "give (examples, labels), or {'train': (examples, labels), 'test': (examples, labels)} and 'val', if there is one"
)


OF_IMAGES = ("channels", "side", "normalisation", "augment")
"""What a `config` asks of images alone."""


class Facts(NamedTuple):
    """What a task must know of its examples.

    Args:
        digest: sha256 that stands for their content.
        shape: of one example.
        classes: how many labels.
        counts: split -> number of examples; of those to train with, how many the task takes.
        chance: accuracy in per cent of whoever says the most frequent class, or superclass.
        are_images: whether they are bytes, which are normalised.
    """

    digest: str
    shape: tuple[int, ...]
    classes: int
    counts: Mapping[str, int]
    chance: float
    are_images: bool


def read(name: str, digest: str, modules: Mapping[str, str]) -> Arrays:
    """The examples that the function of that name gives.

    Args:
        name: `module:function`.
        digest: what stands for their content.
        modules: the task's digests of code (see `bench.code.pinned`).

    Raises:
        DataError: if they are no examples, or others than the task was made with.
        SpecError: if the function cannot be called.
    """
    arrays = examples(name, modules)
    if (found := tensors_digest(arrays)) != digest:
        raise DataError(
            f"{name} gives other examples than when the task was made: their sha256 is {found}, not {digest}; let it give "
            "the same at each call, or start again with what it gives now"
        )
    return arrays


def examples(name: str, modules: Mapping[str, str]) -> Arrays:
    """The same, whatever they are."""
    given = pinned.called(name, modules)
    parts = given if isinstance(given, Mapping) else {"train": given}
    if "train" not in parts or not parts.keys() <= {*SPLITS} or ("val" in parts and "test" not in parts):
        raise DataError(f"{name} gives the splits {', '.join(map(str, parts)) or 'none'}: {GIVES}")
    arrays: Arrays = {}
    for split in SPLITS:
        if split in parts:
            arrays[f"{split}-images"], arrays[f"{split}-labels"] = _pair(f"{name}, {split}", parts[split])
    _check(name, arrays)
    return arrays


def facts(arrays: Arrays, digest: str, config: Mapping[str, Any]) -> Facts:
    """What there is to know.

    Args:
        arrays: of any data set.
        digest: what stands for its content.
        config: of the task, which may group labels to `superclasses`, and take some of the training examples.

    Raises:
        SpecError: if its classes are not those of the data, or it takes more than there are.
    """
    train, labels = arrays["train-images"], arrays["train-labels"]
    classes = int(labels.max()) + 1
    given = {"classes": classes, "split_seed": 0, **config}
    tested = classes_of(arrays.get("test-labels", labels), given)
    frequencies = np.bincount(tested[tested >= 0])
    counts = {split: len(arrays[f"{split}-labels"]) for split in splits(arrays)}
    return Facts(
        digest=digest,
        shape=train.shape[1:],
        classes=classes,
        counts={**counts, "train": len(taken(labels, classes_of(labels, given), given))},
        chance=100 * int(frequencies.max()) / int(frequencies.sum()),
        are_images=train.dtype == np.uint8,
    )


def shaped(arrays: Arrays, config: Mapping[str, Any]) -> Arrays:
    """The examples with the channels and sides that a task asks for.

    Raises:
        SpecError: if it asks what is done to images alone of others, or images cannot be brought to these.
    """
    if arrays["train-images"].dtype != np.uint8 and (asked := [key for key in OF_IMAGES if config.get(key)]):
        raise SpecError(
            f"{asked[0]} is for images, which are bytes, and the examples are others: leave `{asked[0]}` out"
        )
    return forms.shaped(arrays, channels=config.get("channels"), side=config.get("side"))


def _pair(name: str, given: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Examples as bytes if they are images, else whole numbers as int64 and others as float32; and labels as int64."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise DataError(f"{name}: it gives {_told(given)}: {GIVES}")
    found, labels = (_array(name, each) for each in given)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(found):
        told = f"{labels.dtype} {labels.shape} for examples {found.shape}"
        raise DataError(f"{name}: its labels are {told}: give one integer for each example")
    if found.ndim < 2 or found.dtype.kind not in "biuf":
        raise DataError(f"{name}: its examples are {found.dtype} {found.shape}: give numbers (n, ...)")
    if not found.size:
        raise DataError(f"{name}: its examples are {found.shape}: give one or more, or leave the split out")
    if found.dtype == np.uint8:
        if found.ndim != 4:
            raise DataError(f"{name}: its bytes are {found.shape}: give images (n, channels, height, width), or floats")
        return np.ascontiguousarray(found), labels.astype(np.int64)
    if found.dtype.kind in "iu":
        if (most := int(found.max())) > np.iinfo(np.int64).max:
            raise DataError(f"{name}: its examples go up to {most}, beyond 64 bits: give floats")
        return np.ascontiguousarray(found, dtype=np.int64), labels.astype(np.int64)
    with np.errstate(over="ignore"):  # what overflows is told as infinite
        values = np.ascontiguousarray(found, dtype=np.float32)
    if len(wrong := np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))):
        raise DataError(f"{name}: example {wrong[0]} of {len(values):,} is not finite: leave it out, or fill it in")
    return values, labels.astype(np.int64)


def _array(name: str, given: Any) -> NDArray[Any]:
    """An array of a tensor, an array or a list."""
    try:
        return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{name}: it gives {_told(given)} that makes no array ({error}): give tensors or arrays"
        ) from error


def _check(name: str, arrays: Arrays) -> None:
    """The splits fit together, and there is something to learn."""
    train, labels = arrays["train-images"], arrays["train-labels"]
    if len(train) < FEWEST:
        raise DataError(f"{name} gives {len(train)} examples to train with: {FEWEST} or more are needed")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise DataError(f"{name}: every label is {classes[0]}: two classes or more are needed")
    if not np.array_equal(classes, np.arange(len(classes))):
        raise DataError(
            f"{name}: its {len(classes)} classes are labelled from {classes[0]} to {classes[-1]}: number them from 0 to "
            f"{len(classes) - 1}"
        )
    for split in splits(arrays):
        images, others = arrays[f"{split}-images"], arrays[f"{split}-labels"]
        if images.dtype != train.dtype or images.shape[1:] != train.shape[1:]:
            told = f"{images.dtype} {images.shape[1:]}, those of train {train.dtype} {train.shape[1:]}"
            raise DataError(f"{name}, {split}: its examples are {told}: make them alike")
        if len(strange := np.setdiff1d(others, classes)):
            raise DataError(
                f"{name}, {split}: label {strange[0]} is none of the {len(classes)} to train with: leave it out"
            )


def _told(given: Any) -> str:
    return f"{len(given)} things" if isinstance(given, tuple | list) else f"a {type(given).__name__}"
