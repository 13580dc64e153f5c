import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from bench.errors import DataError
from domains.vision import datasets
from domains.vision.datasets import svhn


@pytest.fixture
def provide(data_folder, monkeypatch):
    """Writes the two files, and makes their md5s the authors'."""

    def put(**changed):
        files = {}
        for split, count in (("train", 5), ("test", 3)):
            rng = np.random.default_rng(count)
            content = {
                "X": rng.integers(0, 256, (32, 32, 3, count), dtype=np.uint8),
                "y": np.array([[10], [1], [9], [10], [2]], np.uint8)[:count],
                **changed,
            }
            path = data_folder / "svhn" / f"{split}_32x32.mat"
            path.parent.mkdir(exist_ok=True)
            savemat(path, content)
            files[split] = (path.name, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest())
        monkeypatch.setattr(svhn, "FILES", files)
        return path

    return put


def read():
    return svhn.read("svhn", svhn.DIGEST)


def test_images_are_turned_and_the_label_ten_is_the_digit_zero(provide):
    provide()
    arrays = read()
    rng = np.random.default_rng(5)
    expected = rng.integers(0, 256, (32, 32, 3, 5), dtype=np.uint8)
    assert arrays["train-images"].shape == (5, 3, 32, 32)
    for index in range(5):
        np.testing.assert_array_equal(arrays["train-images"][index], expected[..., index].transpose(2, 0, 1))
    assert arrays["train-labels"].tolist() == [0, 1, 9, 0, 2]
    assert arrays["test-labels"].tolist() == [0, 1, 9]


def test_another_md5_is_refused(provide):
    path = provide()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="test_32x32.mat has md5"):
        read()


@pytest.mark.parametrize(
    "changed", [{"X": np.zeros((3, 32, 32, 3), np.uint8)}, {"X": np.zeros((32, 32, 3, 5))}, {"y": np.zeros((2, 1))}]
)
def test_other_content_is_refused_in_one_line(provide, changed):
    provide(**changed)
    with pytest.raises(DataError, match="is no MATLAB file of images and labels") as caught:
        read()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_matlab_file_is_refused(provide, monkeypatch):
    path = provide()
    path.with_name("train_32x32.mat").write_bytes(b"no")
    md5 = hashlib.md5(b"no", usedforsecurity=False).hexdigest()
    monkeypatch.setitem(svhn.FILES, "train", ("train_32x32.mat", md5))
    with pytest.raises(DataError, match="is no MATLAB file"):
        read()


@pytest.mark.usefixtures("data_folder")
def test_when_every_way_fails_the_error_names_all():
    with pytest.raises(DataError) as caught:
        read()
    for way in ("TICKETBENCH_DATA", "svhn/train_32x32.mat", "svhn/test_32x32.mat", "torchvision", "no route to host"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)


def test_torchvisions_download_is_the_last_resort(provide, data_folder, tmp_path, monkeypatch):
    provide()
    kept = (data_folder / "svhn").rename(tmp_path / "elsewhere")

    def fetch(url, folder, file, md5):
        assert url.endswith(file)
        assert (file, md5) in svhn.FILES.values()
        (folder / file).write_bytes((kept / file).read_bytes())

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)
    assert len(read()["train-labels"]) == 5


def test_a_closed_folder_is_told(data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    real = Path.is_file

    def shut(path):
        if path.parent.name == "svhn":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "is_file", shut)
    with pytest.raises(DataError, match=r"cannot read svhn: \S+svhn/train_32x32.mat is closed to you"):
        datasets.read("svhn", svhn.DIGEST)


def test_the_md5s_are_torchvisions():
    from torchvision.datasets import SVHN

    assert {split: tuple(SVHN.split_list[split][1:]) for split in ("train", "test")} == svhn.FILES
