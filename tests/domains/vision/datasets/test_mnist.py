from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.digests import tensors_digest
from bench.errors import DataError
from bench.streams import Streams
from domains.vision import datasets, domain
from domains.vision.datasets import mnist, places

FASHION = "fashion-mnist"
FILES = {
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
}


@pytest.fixture
def folders(data_folder, tmp_path):
    """Every folder that is searched, in order."""
    return [
        data_folder / FASHION,
        data_folder,
        tmp_path / "debian" / FASHION,
        tmp_path / "cache" / "ticketbench" / FASHION,
    ]


def idx_arrays(arrays):
    return {
        name.replace("test", "t10k"): array[:, 0] if array.ndim == 4 else array.astype(np.uint8)
        for name, array in arrays.items()
    }


def found(name):
    """The folder in which all four files were found."""
    (folder,) = {path.parent for path in mnist.find(name).values()}
    return folder


def test_the_bundled_mnist_is_what_its_tasks_were_defined_on():
    arrays = datasets.read("mnist", mnist.DIGESTS["mnist"])
    assert {name: array.shape for name, array in arrays.items()} == {
        "train-images": (60_000, 1, 28, 28),
        "train-labels": (60_000,),
        "test-images": (10_000, 1, 28, 28),
        "test-labels": (10_000,),
    }
    assert arrays["train-labels"][:5].tolist() == [5, 0, 4, 1, 9]


def test_the_bundled_mnist_is_named_with_its_licence():
    note = (places.BUNDLED / "mnist" / "README.md").read_text(encoding="utf-8")
    assert "CC BY-SA 3.0" in note
    assert "6bbc9ace898e44ae57da46a324031adb" in note


def test_fashion_is_searched_in_the_documented_order(folders, tiny, write_files):
    for place in reversed(folders):
        write_files(place, tiny)
        assert found(FASHION) == place


@pytest.mark.parametrize("inside", ["", "raw", "FashionMNIST/raw"])
@pytest.mark.parametrize("unpacked", [False, True])
def test_every_layout_gives_the_same(folders, tiny, write_files, inside, unpacked):
    write_files(folders[0] / inside, tiny, unpacked=unpacked)
    arrays = mnist.read(FASHION, tensors_digest(idx_arrays(tiny)))
    assert all((arrays[name] == tiny[name]).all() for name in tiny)


def test_a_folder_without_all_four_files_is_passed_over(folders, tiny, write_files):
    write_files(folders[0], tiny)
    write_files(folders[2], tiny)
    (folders[0] / "t10k-labels-idx1-ubyte.gz").unlink()
    assert found(FASHION) == folders[2]


def test_without_the_variable_the_other_folders_are_searched(folders, tiny, write_files, monkeypatch):
    write_files(folders[0], tiny)
    write_files(folders[2], tiny)
    monkeypatch.delenv("TICKETBENCH_DATA")
    assert found(FASHION) == folders[2]


@pytest.mark.usefixtures("folders")
def test_when_every_way_fails_the_error_names_all_three():
    with pytest.raises(DataError) as caught:
        found(FASHION)
    message = str(caught.value)
    for way in ("TICKETBENCH_DATA", "dataset-fashion-mnist", "torchvision"):
        assert way in message
    assert "no route to host" in message
    assert "\n" not in message


def test_a_download_moves_whole_files_into_the_cache_and_keeps_standard_output_clean(
    folders, tiny, write_files, monkeypatch, capsys
):
    class Online:
        def __init__(self, root, *, download):
            assert download
            self.raw_folder = str(Path(root) / "FashionMNIST" / "raw")
            print("100 %")  # noqa: T201  as torchvision's progress does
            write_files(Path(self.raw_folder), tiny)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", Online)
    assert found(FASHION) == folders[3]
    assert {path.name for path in folders[3].iterdir()} == FILES
    assert capsys.readouterr().out == ""
    arrays = mnist.read(FASHION, tensors_digest(idx_arrays(tiny)))
    np.testing.assert_array_equal(arrays["train-images"], tiny["train-images"])


def test_a_failed_download_leaves_nothing_behind(folders):
    with pytest.raises(DataError):
        found(FASHION)
    assert list(folders[3].iterdir()) == []


def test_another_content_is_refused_with_both_digests(folders, tiny, write_files):
    write_files(folders[0], tiny)
    wanted = mnist.DIGESTS[FASHION]
    with pytest.raises(DataError, match=f"sha256 {tensors_digest(idx_arrays(tiny))}, not {wanted}") as caught:
        mnist.read(FASHION, wanted)
    assert str(folders[0]) in str(caught.value)


def test_one_changed_pixel_is_another_content(folders, tiny, write_files):
    digest = tensors_digest(idx_arrays(tiny))
    tiny["test-images"][1, 0, 27, 27] ^= 1
    write_files(folders[0], tiny)
    with pytest.raises(DataError):
        mnist.read(FASHION, digest)


@pytest.mark.usefixtures("folders")
def test_a_learner_of_a_task_without_its_data_says_so():
    task = domain.tasks()["vision/lenet-fashion@smoke"]
    with pytest.raises(DataError, match="fashion-mnist was not found"):
        domain.learner(task, streams=Streams(0), device="cpu")


def test_a_learner_reads_the_files_that_its_task_names(folders, tiny, write_files):
    write_files(folders[0], tiny)
    task = domain.tasks()["vision/lenet-fashion@smoke"]
    config = {**task.config, "validation": 1, "batch": 2}
    task = replace(task, data={FASHION: tensors_digest(idx_arrays(tiny))}, config=config)
    domain.learner(task, streams=Streams(0), device="cpu").train(2)
