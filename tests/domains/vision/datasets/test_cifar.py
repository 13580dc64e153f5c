"""Both forms of both sets, made by the test with the md5s that it gives them."""

import hashlib
import io
import pickle
import tarfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bench.digests import json_digest
from bench.errors import DataError
from domains.vision import datasets
from domains.vision.datasets import cifar

NAMES = ("cifar-10", "cifar-100")
ROWS = 4
"""In a file."""


class Foreign:
    """What no pickle of images has: a call of something else."""

    def __reduce__(self):
        import os

        return os.getpid, ()


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return {
        file: (rng.integers(0, 256, (ROWS, 3072), dtype=np.uint8), rng.integers(0, 10, ROWS, dtype=np.uint8))
        for file in range(6)
    }


def contents(name, form, images):
    """File name -> content, of a form with the given images."""
    found = {}
    for number, (_, file, _) in enumerate(form.files):
        pixels, labels = images[number]
        if file.endswith(".bin"):
            coarse = np.full((ROWS, 1), 7, np.uint8) if name == "cifar-100" else np.empty((ROWS, 0), np.uint8)
            found[file] = np.hstack([coarse, labels[:, None], pixels]).tobytes()
        else:
            key = b"labels" if name == "cifar-10" else b"fine_labels"
            found[file] = old_pickle({b"data": pixels, key: labels.tolist(), b"filenames": [b"a.png"] * ROWS})
    return found


def old_pickle(value):
    """As Python 2 wrote it, with the module names of its numpy."""
    return pickle.dumps(value, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def packed(form, contents):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for file, content in contents.items():
            info = tarfile.TarInfo(f"{form.folder}/{file}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def provide(data_folder, monkeypatch):
    """Puts files of a form into the data folder, and makes their md5s the authors'."""

    def put(name, number, contents, *, how="archive", where=""):
        form = cifar.FORMS[name][number]
        files = tuple((part, file, md5(contents[file])) for part, file, _ in form.files)
        whole = packed(form, contents)
        known = list(cifar.FORMS[name])
        known[number] = replace(form, md5=md5(whole), files=files)
        monkeypatch.setitem(cifar.FORMS, name, tuple(known))
        place = data_folder / (where or name)
        place.mkdir(exist_ok=True)
        if how == "archive":
            (place / form.archive).write_bytes(whole)
            return place / form.archive
        folder = place / form.folder if how == "folder" else place
        folder.mkdir(exist_ok=True)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        return folder

    return put


def read(name):
    return cifar.read(name, cifar.DIGESTS[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [0, 1], ids=["binary", "python"])
@pytest.mark.parametrize("how", ["archive", "folder", "files"])
def test_every_form_gives_the_same_arrays(provide, images, name, number, how):
    form = cifar.FORMS[name][number]
    provide(name, number, contents(name, form, images), how=how)
    arrays = read(name)
    train = [number for number, (part, _, _) in enumerate(form.files) if part == "train"]
    expected = np.concatenate([images[each][0] for each in train]).reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(arrays["train-images"], expected)
    np.testing.assert_array_equal(arrays["train-labels"], np.concatenate([images[each][1] for each in train]))
    np.testing.assert_array_equal(arrays["test-images"].reshape(ROWS, -1), images[len(train)][0])
    np.testing.assert_array_equal(arrays["test-labels"], images[len(train)][1])


def test_the_binary_form_is_preferred(provide, images):
    for number in (1, 0):
        provide("cifar-10", number, contents("cifar-10", cifar.FORMS["cifar-10"][number], images))
    assert cifar._find("cifar-10")[1].name == "cifar-10-binary.tar.gz"


def test_a_truncated_archive_is_refused_by_its_md5(provide, images):
    path = provide("cifar-10", 0, contents("cifar-10", cifar.FORMS["cifar-10"][0], images))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(DataError, match=f"has md5 {md5(whole[:-10])}, not {md5(whole)}: it is truncated") as caught:
        read("cifar-10")
    assert "\n" not in str(caught.value)


def test_a_pickle_of_another_md5_is_never_opened(provide, images, monkeypatch):
    path = provide("cifar-10", 1, contents("cifar-10", cifar.FORMS["cifar-10"][1], images), how="folder")
    (path / "test_batch").write_bytes(old_pickle({b"data": Foreign()}))
    monkeypatch.setattr(cifar, "_Unpickler", None)
    with pytest.raises(DataError, match="test_batch has md5"):
        read("cifar-10")


@pytest.mark.parametrize("how", ["archive", "folder"])
def test_a_pickle_with_a_foreign_class_is_refused_even_under_the_right_md5(provide, images, how, tmp_path):
    found = contents("cifar-10", cifar.FORMS["cifar-10"][1], images)
    found["data_batch_2"] = pickle.dumps({b"data": Foreign(), b"labels": []}, protocol=2)
    provide("cifar-10", 1, found, how=how)
    with pytest.raises(
        DataError, match="data_batch_2 is no pickle of images and labels: it asks for posix.getpid"
    ) as caught:
        read("cifar-10")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "batch",
    [
        {},
        [1],
        {b"data": 3, b"labels": []},
        {b"data": np.zeros((2, 3072), np.float32), b"labels": [0, 1]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]},
        {b"data": np.zeros((2, 3071), np.uint8), b"labels": [0, 1]},
    ],
)
def test_a_pickle_of_something_else_is_refused(batch):
    with pytest.raises(DataError, match="test_batch is no pickle of images and labels"):
        cifar._unpickled("test_batch", old_pickle(batch), key=b"labels")


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3073 * 2 - 1)])
def test_binary_rows_that_do_not_add_up_are_refused(content):
    with pytest.raises(DataError, match="are no rows of 3,073"):
        cifar._rows("data_batch_1.bin", content, labels=1)


def test_an_archive_without_its_files_is_refused(provide, images, monkeypatch):
    form = cifar.FORMS["cifar-10"][0]
    found = contents("cifar-10", form, images)
    path = provide("cifar-10", 0, found)
    path.write_bytes(packed(form, {"data_batch_1.bin": found["data_batch_1.bin"]}))
    known = replace(cifar.FORMS["cifar-10"][0], md5=md5(path.read_bytes()))
    monkeypatch.setitem(cifar.FORMS, "cifar-10", (known, cifar.FORMS["cifar-10"][1]))
    with pytest.raises(DataError, match="data_batch_2.bin"):
        read("cifar-10")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_no_file_is_not_followed(kind, tmp_path):
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("x")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with tarfile.open(path) as archive, pytest.raises(KeyError, match="x is no file"):
        cifar._member(archive, "x")


def test_a_member_as_large_as_no_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "LARGEST", 10)
    path = tmp_path / "large.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("x")
        info.size = 11
        archive.addfile(info, io.BytesIO(bytes(11)))
    with tarfile.open(path) as archive, pytest.raises(KeyError, match="at most 10 bytes"):
        cifar._member(archive, "x")


@pytest.mark.usefixtures("data_folder")
@pytest.mark.parametrize("name", NAMES)
def test_when_every_way_fails_the_error_names_all(name):
    with pytest.raises(DataError) as caught:
        read(name)
    message = str(caught.value)
    for way in (
        "TICKETBENCH_DATA",
        f"{name}-binary.tar.gz",
        f"{name}-python.tar.gz",
        "torchvision",
        "no route to host",
    ):
        assert way in message
    assert "\n" not in message


@pytest.mark.parametrize("name", NAMES)
def test_torchvisions_download_is_the_last_resort_and_its_archive_is_read_here(data_folder, images, name, monkeypatch):
    form = cifar.FORMS[name][1]
    whole = packed(form, contents(name, form, images))
    monkeypatch.setitem(cifar.FORMS, name, (cifar.FORMS[name][0], replace(form, md5=md5(whole))))
    asked = []

    def fetch(url, folder, file, given):
        asked.append((url, given))
        (folder / file).write_bytes(whole)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)
    assert len(read(name)["test-labels"]) == ROWS
    assert asked == [(f"https://www.cs.toronto.edu/~kriz/{name}-python.tar.gz", md5(whole))]
    read(name)
    assert len(asked) == 1


def test_the_md5s_are_torchvisions():
    from torchvision.datasets import CIFAR10, CIFAR100

    for name, theirs in (("cifar-10", CIFAR10), ("cifar-100", CIFAR100)):
        python = cifar.FORMS[name][1]
        assert (python.archive, python.md5, python.folder) == (theirs.filename, theirs.tgz_md5, theirs.base_folder)
        assert [list(each[1:]) for each in python.files] == [*theirs.train_list, *theirs.test_list]
        assert python.decode.keywords == partial(cifar._unpickled, key=python.decode.keywords["key"]).keywords


@pytest.mark.parametrize("name", ["cifar-10", "cifar-100", "svhn"])
def test_a_task_that_was_defined_on_another_content_is_refused_before_anything_is_read(data_folder, name):
    with pytest.raises(DataError, match=f"on another {name} \\(0000\\) than the authors': use the task as installed"):
        datasets.READERS[name](name, "0000")
    with pytest.raises(DataError, match="was not found"):
        datasets.READERS[name](name, datasets.DIGESTS[name])


def test_no_published_name_or_md5_is_edited_by_accident():
    """Those of the binary forms are nowhere else in this environment: they were read off copies of the authors' files."""
    forms = {
        name: [(each.archive, each.md5, each.folder, each.files) for each in pair] for name, pair in cifar.FORMS.items()
    }
    assert json_digest(forms) == "eab368a2cb55e2cd6459990589c5477371323c33bdcd21f7ef98120ddcbc0f1e"
