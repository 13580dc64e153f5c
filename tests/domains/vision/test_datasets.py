from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.digests import tensors_digest
from bench.errors import DataError, UnknownName
from bench.streams import Streams
from domains.vision import datasets, domain, examples

FASHION = "fashion-mnist"
FILES = {
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
}


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Every place that is searched, empty and inside `tmp_path`; the download fails."""
    monkeypatch.setenv("TICKETBENCH_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "DEBIAN", tmp_path / "debian")

    def offline(*_args, **_kwargs):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nno route to host")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", offline)
    return [
        tmp_path / "own" / FASHION,
        tmp_path / "own",
        tmp_path / "debian" / FASHION,
        tmp_path / "cache" / "ticketbench" / FASHION,
    ]


def test_the_bundled_mnist_is_what_its_tasks_were_defined_on():
    arrays = datasets.read("mnist", datasets.DIGESTS["mnist"])
    assert {name: array.shape for name, array in arrays.items()} == {
        "train-images": (60_000, 28, 28),
        "train-labels": (60_000,),
        "t10k-images": (10_000, 28, 28),
        "t10k-labels": (10_000,),
    }
    assert arrays["train-labels"][:5].tolist() == [5, 0, 4, 1, 9]


def test_the_bundled_mnist_is_named_with_its_licence():
    note = (datasets.BUNDLED / "mnist" / "README.md").read_text(encoding="utf-8")
    assert "CC BY-SA 3.0" in note
    assert "6bbc9ace898e44ae57da46a324031adb" in note


def test_fashion_is_searched_in_the_documented_order(places, tiny, write_files):
    for place in reversed(places):
        write_files(place, tiny)
        assert datasets.find(FASHION) == place


def test_a_folder_without_all_four_files_is_passed_over(places, tiny, write_files):
    write_files(places[0], tiny)
    write_files(places[2], tiny)
    (places[0] / "t10k-labels-idx1-ubyte.gz").unlink()
    assert datasets.find(FASHION) == places[2]


def test_without_the_variable_the_other_places_are_searched(places, tiny, write_files, monkeypatch):
    write_files(places[0], tiny)
    write_files(places[2], tiny)
    monkeypatch.delenv("TICKETBENCH_DATA")
    assert datasets.find(FASHION) == places[2]


@pytest.mark.usefixtures("places")
def test_when_every_way_fails_the_error_names_all_three():
    with pytest.raises(DataError) as caught:
        datasets.find(FASHION)
    message = str(caught.value)
    for way in ("TICKETBENCH_DATA", "dataset-fashion-mnist", "torchvision"):
        assert way in message
    assert "no route to host" in message
    assert "\n" not in message


def test_a_download_moves_whole_files_into_the_cache_and_keeps_standard_output_clean(
    places, tiny, write_files, monkeypatch, capsys
):
    class Online:
        def __init__(self, root, *, download):
            assert download
            self.raw_folder = str(Path(root) / "FashionMNIST" / "raw")
            print("100 %")  # noqa: T201  as torchvision's progress does
            write_files(Path(self.raw_folder), tiny)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", Online)
    assert datasets.find(FASHION) == places[3]
    assert {path.name for path in places[3].iterdir()} == FILES
    assert capsys.readouterr().out == ""
    arrays = datasets.read(FASHION, tensors_digest(tiny))
    np.testing.assert_array_equal(arrays["train-images"], tiny["train-images"])


def test_a_failed_download_leaves_nothing_behind(places):
    with pytest.raises(DataError):
        datasets.find(FASHION)
    assert list(places[3].iterdir()) == []


def test_another_content_is_refused_with_both_digests(places, tiny, write_files):
    write_files(places[0], tiny)
    wanted = datasets.DIGESTS[FASHION]
    with pytest.raises(DataError, match=f"sha256 {tensors_digest(tiny)}, not {wanted}") as caught:
        datasets.read(FASHION, wanted)
    assert str(places[0]) in str(caught.value)


def test_one_changed_pixel_is_another_content(places, tiny, write_files):
    digest = tensors_digest(tiny)
    tiny["t10k-images"][1, 27, 27] ^= 1
    write_files(places[0], tiny)
    with pytest.raises(DataError):
        datasets.read(FASHION, digest)


def test_an_unknown_data_set_is_named():
    with pytest.raises(UnknownName, match="did you mean 'fashion-mnist'"):
        datasets.find("fashion_mnist")


@pytest.mark.usefixtures("places")
def test_a_learner_of_a_task_without_its_data_says_so():
    task = domain.tasks()["vision/lenet-fashion@smoke"]
    examples.load.cache_clear()
    with pytest.raises(DataError, match="fashion-mnist was not found"):
        domain.learner(task, streams=Streams(0), device="cpu")


def test_a_learner_reads_the_files_that_its_task_names(places, tiny, write_files):
    write_files(places[0], tiny)
    task = domain.tasks()["vision/lenet-fashion@smoke"]
    config = {**task.config, "validation": 1, "batch": 2}
    task = replace(task, data={FASHION: tensors_digest(tiny)}, config=config)
    domain.learner(task, streams=Streams(0), device="cpu").train(2)


def split(arrays, monkeypatch, seed):
    monkeypatch.setattr(datasets, "read", lambda _name, _digest: arrays)
    return examples.load.__wrapped__(
        "any", "digest", normalisation=(0.25, 0.5), validation=2, split_seed=seed, device="cpu"
    )


def test_the_splits_hold_every_example_once(tiny, monkeypatch):
    splits = split(tiny, monkeypatch, 0)
    assert {name: len(each) for name, each in splits.items()} == {"train": 3, "val": 2, "test": 2}
    both = torch.cat([splits["train"].images, splits["val"].images])
    pixels = {image.numpy().tobytes() for image in both}
    wanted = ((torch.tensor(tiny["train-images"]) / 255 - 0.25) / 0.5).unsqueeze(1)
    assert both.shape == wanted.shape
    assert pixels == {image.numpy().tobytes() for image in wanted}


def test_images_keep_their_labels(tiny, monkeypatch):
    splits = split(tiny, monkeypatch, 0)
    known = {image.tobytes(): label for image, label in zip(tiny["train-images"], tiny["train-labels"], strict=True)}
    for part in ("train", "val"):
        for image, label in zip(splits[part].images, splits[part].labels, strict=True):
            pixels = ((image * 0.5 + 0.25) * 255).round().to(torch.uint8)
            assert known[pixels.numpy().tobytes()] == label
    np.testing.assert_array_equal(splits["test"].labels, tiny["t10k-labels"])


def test_the_split_is_fixed_by_its_seed(tiny, monkeypatch):
    first, again = split(tiny, monkeypatch, 0), split(tiny, monkeypatch, 0)
    assert torch.equal(first["val"].images, again["val"].images)
    assert any(
        not torch.equal(first["val"].images, split(tiny, monkeypatch, seed)["val"].images) for seed in range(1, 4)
    )


def test_data_are_read_once_per_process(monkeypatch, tiny):
    reads = []
    monkeypatch.setattr(datasets, "read", lambda *asked: reads.append(asked) or tiny)
    asked = {"normalisation": (0.1, 0.2), "validation": 2, "split_seed": 0, "device": "cpu"}
    one = examples.load("once", "digest", **asked)
    assert examples.load("once", "digest", **asked)["train"].images is one["train"].images
    assert examples.load("once", "digest", **{**asked, "normalisation": (0.3, 0.2)}) is not one
    assert len(reads) == 2
