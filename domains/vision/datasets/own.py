"""The user's own images: `NAME/` or `NAME.zip` in the data folder, or one zip in a folder `NAME`. Imports no torch."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from bench.cache import folder as cache_folder
from bench.digests import json_digest
from bench.errors import DataError
from domains.vision.datasets import images, places, sources
from domains.vision.datasets.arrays import SPLITS, Arrays

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MODEL = re.compile(r"[a-z0-9_]+")


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a set of images holds.

    Args:
        digest: `images.digest`.
        shape: (channels, height, width).
        classes: how many.
        train: number of training images of each class.
        test: number of test images of each class.
        has_val: whether there is a split `val`.
    """

    digest: str
    shape: tuple[int, int, int]
    classes: int
    train: list[int]
    test: list[int]
    has_val: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """A set of images of the user's.

    Args:
        name: of the folder, or of the zip without its ending.
        facts: what it holds.
        models: of torchvision, which the user wants tasks with.
    """

    name: str
    facts: Facts
    models: tuple[str, ...]


def read(name: str, digest: str) -> Arrays:
    """All images of the set of that name.

    Raises:
        DataError: if there is none, or it is damaged, or not what `digest` says.
    """
    return images.read(find(name), digest=digest)


def find(name: str) -> Path:
    """The folder or the zip.

    Raises:
        DataError: naming every way to provide it, if there is none; if there are two, or it cannot be read.
    """
    root = places.root()
    path = _place(root, name) if root and NAME.fullmatch(name) else None
    if path is None:
        raise DataError(
            f"{name} was not found: set {places.VARIABLE} to a folder that holds {name}/, {name}.zip or one zip in {name}/; "
            f"{images.LAYOUT}"
        )
    return path


def found(known: tuple[str, ...]) -> dict[str, Set]:
    """Name -> set of the user's own images; quick from the second time on, since what they hold is kept by size and time.

    What cannot be used is passed over with a line on standard error, so that other tasks are still listed.

    Args:
        known: names of built-in data sets, which are no own ones.
    """
    root = places.root()
    if root is None:
        return {}
    try:
        names = sorted({each.name.removesuffix(".zip") for each in root.iterdir() if _may_be(each)})
    except OSError:
        return {}  # the one who lists corpora in the same folder says so
    sets = {}
    for name in names:
        if name in known:
            continue
        try:
            if (path := _place(root, name)) is None:
                if classes := _misplaced(root / name):
                    warn(f"{root / name} is not listed: it holds classes{classes}; {images.LAYOUT}")
                continue
            if not NAME.fullmatch(name):
                raise DataError(f"{path} is not listed: name it with letters, digits, '.', '_' and '-' only")
            sets[name] = Set(name=name, facts=_facts(path), models=_models(root / f"{name}.models"))
        except DataError as error:
            warn(str(error))
    return sets


def facts(path: Path) -> Facts:
    """What a folder or a zip holds; every image is read, and one is decoded.

    Raises:
        DataError: if it is no set of images.
    """
    with sources.opened(path) as source:
        found = images.listing(source)
        counts = {
            split: [sum(label == number for _, label in files) for number in range(len(found.classes))]
            for split, files in found.files.items()
        }
        return Facts(
            digest=images.digest(source, found),
            shape=images.shape(source, found),
            classes=len(found.classes),
            train=counts["train"],
            test=counts["test"],
            has_val="val" in counts,
        )


def _place(root: Path, name: str) -> Path | None:
    folder = root / name
    try:
        zips = sorted(folder.glob("*.zip"))
        candidates = (folder if (folder / "train").is_dir() and _has_classes(folder / "train") else None, *zips[:2])
    except OSError as error:
        raise _unreadable(folder, error) from error
    inside = [each for each in candidates if each]
    if len(inside) > 1:
        told = "train/" if inside[0] == folder else inside[0].name
        raise DataError(f"{folder} holds two sets of images, {told} and {inside[1].name}: keep one of them there")
    if inside:
        return inside[0]
    packed = root / f"{name}.zip"
    return packed if packed.is_file() else None


def _may_be(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".zip"


def _has_classes(train: Path) -> bool:
    return any(each.is_dir() for each in train.iterdir())


def _misplaced(folder: Path) -> str | None:
    """What is wrong with the classes that a folder without train/ holds, if it holds some.

    Images lie in two folders or more beside each other, and none of these is called as a split; or in folders of folders.
    """
    with suppress(OSError):
        inside = [each for each in folder.iterdir() if each.is_dir()]
        if len(inside) > 1 and not any(each.name in SPLITS for each in inside) and all(map(_has_images, inside)):
            return " and no splits"
        if any(_has_images(below) for each in inside for below in each.iterdir() if below.is_dir()):
            return f", and none in {SPLITS[0]}/"
    return None


def _has_images(folder: Path) -> bool:
    return any(file.suffix.lower() in images.ENDINGS for file in folder.iterdir())


def _models(path: Path) -> tuple[str, ...]:
    try:
        names = path.read_text(encoding="utf-8-sig").split() if path.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    for odd in (name for name in names if not MODEL.fullmatch(name)):
        warn(f"{path} has {odd!a}: write names of torchvision's classification models, one a line")
    return tuple(dict.fromkeys(name for name in names if MODEL.fullmatch(name)))


def _facts(path: Path) -> Facts:
    try:
        return _facts_of(path, json_digest([_state(path), *map(_state, _below(path, images.DEPTH - 1))]))
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    """In a line that names the file, if the system does."""
    return DataError(f"cannot read {error.filename or path}: {error.strerror}")


@cache
def _facts_of(path: Path, _folders: str) -> Facts:
    """What is there; each file is looked at once in a process, unless one comes, goes or gets another name."""
    files = [_state(path), *map(_state, _below(path, images.DEPTH))]
    return _remembered(json_digest(files), lambda: facts(path))


def _below(folder: os.PathLike[str], depth: int) -> Iterator[os.DirEntry[str]]:
    """What lies so deep inside of a folder, in order; nothing inside of a file."""
    if not os.path.isdir(folder):  # noqa: PTH112  one of very many
        return
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        if depth == 1:
            yield entry
        else:
            yield from _below(entry, depth - 1)


def _state(file: Path | os.DirEntry[str]) -> list[object]:
    """What changes when a file does, or what lies in a folder: name, size, times and inode."""
    state = file.stat()
    return [ascii(os.fspath(file)), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def _remembered(key: str, make: Callable[[], Facts]) -> Facts:
    file = cache_folder("vision") / f"facts-{key[:40]}.json"
    with suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
        return msgspec.json.decode(file.read_bytes(), type=Facts)
    made = make()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
            written.write(msgspec.json.encode(made))
        Path(written.name).replace(file)
    return made


@cache
def warn(message: str) -> None:
    """Once per process, however often tasks are listed."""
    sys.stderr.write(f"warning: {message}\n")
