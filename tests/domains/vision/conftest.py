"""Stand-ins for the data sets: random images of the right kind, so that no test needs a download."""

import functools
import gzip
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from bench.spec import Task
from domains.vision import datasets, domain
from domains.vision.datasets import places
from domains.vision.datasets.arrays import shaped
from domains.vision.examples import examples
from domains.vision.networks import models

DROPS = {
    "optimizer": "sgd",
    "rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-3,
    "schedule": "step",
    "milestones": [0.5, 0.75],
    "gamma": 0.1,
    "warmup": 4,
}
"""A recipe with all that the paper's LeNet lacks: momentum, weight decay, a warm-up and drops."""

Arrays = dict[str, np.ndarray]


@functools.lru_cache(maxsize=2)
def random_arrays(train: int, test: int, *, image: tuple[int, int, int] = (1, 28, 28), classes: int = 10) -> Arrays:
    """Random images, which other tests see too; every class has as many, but for the last one."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", train), ("test", test)):
        arrays[f"{part}-images"] = rng.integers(0, 256, (count, *image), dtype=np.uint8)
        arrays[f"{part}-labels"] = rng.permutation(np.arange(count, dtype=np.int64) % classes)
    return arrays


def idx_arrays(arrays: Arrays) -> Arrays:
    """Grey images as MNIST's files have them, which is what its digest is of."""
    return {
        name.replace("test", "t10k"): array[:, 0] if array.ndim == 4 else array.astype(np.uint8)
        for name, array in arrays.items()
    }


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty data folder of the user's, and an empty cache; nothing can be downloaded."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("TICKETBENCH_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(places, "DEBIAN", tmp_path / "debian")

    def offline(*_args, **_kwargs):
        raise RuntimeError("Error downloading:\nno route to host")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", offline)
    monkeypatch.setattr("torchvision.datasets.utils.download_url", offline)
    examples._load.cache_clear()
    yield folder
    examples._load.cache_clear()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Arrays]:
    """Call it with the numbers of training and test images (and what they are): every data set then holds these."""

    def install(train: int, test: int, **kind) -> Arrays:
        arrays = random_arrays(train, test, **kind)
        monkeypatch.setattr(datasets, "read", lambda _name, _digest, **shape: shaped(arrays, **shape))
        # A cache of its own, so that stand-ins never meet the real data of another test.
        monkeypatch.setattr(examples, "_load", functools.cache(examples._load.__wrapped__))
        return arrays

    return install


@pytest.fixture
def task(stand_in) -> Task:
    """LeNet on 600 training (10 updates an epoch), 100 validation and 1,250 test images."""
    stand_in(700, 1_250)
    lenet = domain.tasks()["vision/lenet-mnist@smoke"]
    return replace(lenet, config={**lenet.config, "validation": 100}, evaluation={})


@pytest.fixture
def write_files() -> Callable[[Path, Arrays], None]:
    """Writes arrays as the four IDX files of a data set, gzipped or `unpacked`."""

    def write(folder: Path, arrays: Arrays, *, unpacked: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in idx_arrays(arrays).items():
            header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            file = folder / f"{name}-idx{array.ndim}-ubyte"
            content = header + array.tobytes()
            if unpacked:
                file.write_bytes(content)
            else:
                file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(content))

    return write


@pytest.fixture
def tiny() -> Arrays:
    """A data set of five training and two test images."""
    return random_arrays(5, 2)


@pytest.fixture
def normed(task, monkeypatch) -> Task:
    """A task whose model has batch norm, so that there are buffers."""

    def model(width, classes, image):
        hidden = round(16 * width)
        layers = (nn.Linear(784, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes))
        return nn.Sequential(nn.Flatten(), *layers)

    monkeypatch.setitem(models.MODELS, "normed", model)
    return replace(task, config={**task.config, "model": "normed"}, pruning=replace(task.pruning, rates={}))


@pytest.fixture
def dropping(normed) -> Task:
    """The same with momentum, weight decay and a changing rate."""
    return replace(normed, config={**normed.config, **DROPS}, constant_rate=False)


@pytest.fixture(params=["lenet-adam", "normed-sgd-drops"])
def either(request, task, dropping) -> Task:
    """The paper's task, and one with all that it lacks: buffers, momentum, weight decay, a changing rate."""
    return task if request.param == "lenet-adam" else dropping


@pytest.fixture
def write_images() -> Callable[..., Path]:
    """Writes random images of two classes as `<split>/<class>/<number>.png` and gives the folder."""

    def write(
        folder: Path,
        *,
        train: int = 6,
        test: int = 3,
        size: tuple[int, int] = (16, 16),
        mode: str = "RGB",
        ending="png",
    ):
        rng = np.random.default_rng(0)
        for split, count in (("train", train), ("test", test)):
            for name in ("cat", "dog"):
                place = folder / split / name
                place.mkdir(parents=True, exist_ok=True)
                for number in range(count):
                    depth = () if mode == "L" else (3,)
                    pixels = rng.integers(0, 256, (size[1], size[0], *depth), dtype=np.uint8)
                    Image.fromarray(pixels).save(place / f"{number}.{ending}")
        return folder

    return write


@pytest.fixture
def zipped() -> Callable[[Path, Path], Path]:
    """Packs a folder."""

    def pack(folder: Path, target: Path, *, below: str = "") -> Path:
        with zipfile.ZipFile(target, "w") as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, below + file.relative_to(folder).as_posix())
        return target

    return pack
