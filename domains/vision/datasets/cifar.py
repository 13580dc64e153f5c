"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), in the binary or the Python form; nothing is unpickled before its md5 is checked.

Both forms hold the same images in the same order, so they give the same arrays. Imports no torch.
"""

import io
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import DataError
from domains.vision.datasets import places
from domains.vision.datasets.arrays import Arrays

PIXELS = 3 * 32 * 32
LARGEST = 2**28
"""More bytes than any file of these data sets has."""

ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]  # noqa: SLF001
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
}
"""All that a pickled array of bytes is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One of the forms in which a data set is published.

    Args:
        archive: the name of the file.
        md5: of the archive.
        folder: what it unpacks to.
        files: (part, name of the file, its md5), in order.
        decode: the file's name and content -> images (n, 3072) and labels (n,).
    """

    archive: str
    md5: str
    folder: str
    files: tuple[tuple[str, str, str], ...]
    decode: Callable[[str, bytes], tuple[Any, Any]]


def _rows(name: str, content: bytes, *, labels: int) -> tuple[Any, Any]:
    """Rows of so many labels, the finest last, and the planes of red, green and blue."""
    if not content or len(content) % (labels + PIXELS):
        raise DataError(f"{name} has {len(content):,} bytes, which are no rows of {labels + PIXELS:,}: replace it")
    rows = np.frombuffer(content, np.uint8).reshape(-1, labels + PIXELS)
    return rows[:, labels:], rows[:, labels - 1]


class _Unpickler(pickle.Unpickler):
    """Makes arrays of bytes and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """One of `ALLOWED`."""
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def _unpickled(name: str, content: bytes, *, key: bytes) -> tuple[Any, Any]:
    try:
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        images, labels = np.asarray(batch[b"data"]), np.asarray(batch[key], np.uint8)
        if images.dtype != np.uint8 or images.shape != (len(labels), PIXELS):
            raise ValueError(f"its images are {images.dtype} {images.shape}")
    except Exception as error:  # a pickle may raise anything
        what = " ".join(str(error).split())
        raise DataError(f"{name} is no pickle of images and labels: {what}; replace it by the original") from error
    return images, labels


FORMS: dict[str, tuple[Form, Form]] = {
    "cifar-10": (
        Form(
            archive="cifar-10-binary.tar.gz",
            md5="c32a1d4ab5d03f1284b67883e8d87530",
            folder="cifar-10-batches-bin",
            files=(
                ("train", "data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25"),
                ("train", "data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692"),
                ("train", "data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421"),
                ("train", "data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb"),
                ("train", "data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d"),
                ("test", "test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d"),
            ),
            decode=partial(_rows, labels=1),
        ),
        Form(
            archive="cifar-10-python.tar.gz",
            md5="c58f30108f718f92721af3b95e74349a",
            folder="cifar-10-batches-py",
            files=(
                ("train", "data_batch_1", "c99cafc152244af753f735de768cd75f"),
                ("train", "data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
                ("train", "data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
                ("train", "data_batch_4", "634d18415352ddfa80567beed471001a"),
                ("train", "data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
                ("test", "test_batch", "40351d587109b95175f43aff81a1287e"),
            ),
            decode=partial(_unpickled, key=b"labels"),
        ),
    ),
    "cifar-100": (
        Form(
            archive="cifar-100-binary.tar.gz",
            md5="03b5dce01913d631647c71ecec9e9cb8",
            folder="cifar-100-binary",
            files=(
                ("train", "train.bin", "6172c7755cfe09b2fe270c85cebc1b15"),
                ("test", "test.bin", "4499cfba6c016c1be1438163640a0898"),
            ),
            decode=partial(_rows, labels=2),
        ),
        Form(
            archive="cifar-100-python.tar.gz",
            md5="eb9058c3a382ffc7106e4002c42a8d85",
            folder="cifar-100-python",
            files=(
                ("train", "train", "16019d7e3df5f24257cddd939b257f8d"),
                ("test", "test", "f0ef6b0ae62326f3e7ffdfab6717acfc"),
            ),
            decode=partial(_unpickled, key=b"fine_labels"),
        ),
    ),
}
"""Data set -> its binary form, which is preferred, and its Python form.

The md5s of archives are the authors', those of pickles torchvision's, those of binary files of public copies of them.
"""

DIGESTS = {name: places.identity({python.archive: python.md5}) for name, (_, python) in FORMS.items()}
"""Data set -> what stands for it: its Python archive."""


def read(name: str, digest: str) -> Arrays:
    """The images and labels of `cifar-10` or `cifar-100` (the 100 fine ones).

    Args:
        name: which.
        digest: the one of `DIGESTS`; other content is refused by the md5 of its files.

    Raises:
        DataError: if the files are missing, or are not the authors'.
    """
    places.check_identity(name, digest, DIGESTS[name])
    form, path = _find(name)
    contents = _unpacked(form, path) if path.is_dir() else _archived(form, path)
    parts: dict[str, list[tuple[Any, Any]]] = {"train": [], "test": []}
    for part, file, _ in form.files:
        parts[part].append(form.decode(f"{path}: {file}", contents[file]))
    arrays = {}
    for part, batches in parts.items():
        images, labels = (np.concatenate(each) for each in zip(*batches, strict=True))
        arrays[f"{part}-images"], arrays[f"{part}-labels"] = images.reshape(-1, 3, 32, 32), labels
    return arrays


def _find(name: str) -> tuple[Form, Path]:
    for folder in places.folders(name):
        for form in FORMS[name]:
            if (archive := folder / form.archive).is_file():
                return form, archive
            for unpacked in (folder / form.folder, folder):
                if all((unpacked / file).is_file() for _, file, _ in form.files):
                    return form, unpacked
    binary, python = FORMS[name]
    place = places.download(
        name,
        partial(_download, python),
        (python.archive,),
        ways=f"set {places.VARIABLE} to a folder that holds {name}/{binary.archive} or {name}/{python.archive} "
        f"(or the folder that it unpacks to)",
    )
    return python, place / python.archive


def _unpacked(form: Form, path: Path) -> dict[str, bytes]:
    for _, file, md5 in form.files:
        places.check_md5(path / file, md5)
    return {file: (path / file).read_bytes() for _, file, _ in form.files}


def _archived(form: Form, path: Path) -> dict[str, bytes]:
    """The files, read in memory: nothing is unpacked."""
    places.check_md5(path, form.md5)
    try:
        with tarfile.open(path, "r:gz") as archive:
            return {file: _member(archive, f"{form.folder}/{file}") for _, file, _ in form.files}
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        raise DataError(f"cannot read {path}: {' '.join(str(error).split())}; replace it by the original") from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.getmember(name)
    file = archive.extractfile(member) if member.isfile() and member.size <= LARGEST else None
    if file is None:
        raise KeyError(f"{name} is no file of at most {LARGEST:,} bytes")
    return file.read()


def _download(form: Form, folder: Path) -> None:
    from torchvision.datasets import cifar, utils  # noqa: PLC0415  tasks are listed without torch

    kind = cifar.CIFAR10 if form.archive == cifar.CIFAR10.filename else cifar.CIFAR100
    utils.download_url(kind.url, folder, form.archive, form.md5)  # its own loader would unpickle
