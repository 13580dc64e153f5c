"""What is cached is made once for all processes, and never trusted when it is damaged."""

import json
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest

from bench.digests import file_digest
from domains.vision import datasets
from domains.vision.datasets.cache import cached

ARRAYS = {
    "train-images": np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2),
    "train-labels": np.array([1, 0]),
}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ticketbench" / "vision"


class Maker:
    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return {name: array.copy() for name, array in ARRAYS.items()}


def same(found):
    return found.keys() == ARRAYS.keys() and all((found[name] == ARRAYS[name]).all() for name in ARRAYS)


def test_arrays_are_made_once_and_mapped_from_then_on(place):
    make = Maker()
    first, second = cached("key", make), cached("key", make)
    assert make.made == 1
    assert same(first)
    assert same(second)
    assert all(isinstance(array, np.memmap) for array in (*first.values(), *second.values()))
    assert sorted(path.name for path in place.iterdir()) == ["key", "key.lock"]


def test_what_a_process_writes_stays_in_it():
    make = Maker()
    cached("key", make)["train-images"][:] = 0
    assert same(cached("key", make))
    assert make.made == 1


def test_files_cannot_be_written_by_accident(place):
    cached("key", Maker())
    assert {path.stat().st_mode & 0o222 for path in (place / "key").glob("*.npy")} == {0}


@pytest.mark.parametrize(
    "damage", [lambda old: old[:-1], lambda old: old[:-1] + b"X", lambda _: b"", lambda old: old + b"X"]
)
@pytest.mark.parametrize("name", ["train-images.npy", "train-labels.npy", "digests.json"])
def test_a_damaged_file_is_made_again(place, damage, name):
    make = Maker()
    cached("key", make)
    file = place / "key" / name
    whole = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(damage(whole))
    assert same(cached("key", make))
    assert make.made == 2
    assert file.read_bytes() == whole
    assert same(cached("key", make))
    assert make.made == 2


def test_a_pickle_is_no_array_whatever_its_digest(place):
    make = Maker()
    cached("key", make)
    file = place / "key" / "train-labels.npy"
    file.chmod(0o644)
    file.write_bytes(pickle.dumps(ARRAYS["train-labels"]))  # numpy would load it, if it may
    digests = json.loads((place / "key" / "digests.json").read_text())
    (place / "key" / "digests.json").write_text(json.dumps({**digests, "train-labels": file_digest(file)}))
    assert same(cached("key", make))
    assert make.made == 2


def test_everybody_may_read_a_cache_that_is_shared(place):
    cached("key", Maker())
    assert (place / "key").stat().st_mode & 0o777 == 0o755


def test_a_missing_file_is_made_again(place):
    make = Maker()
    cached("key", make)
    (place / "key" / "train-labels.npy").unlink()
    assert same(cached("key", make))
    assert make.made == 2


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    make = Maker()
    assert same(cached("key", make))
    assert same(cached("key", make))
    assert make.made == 2


def test_a_read_only_folder_is_no_error(place, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    place.mkdir(parents=True)
    monkeypatch.setattr("pathlib.Path.open", refuse)  # of the lock
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert same(cached("key", Maker()))
    assert list(place.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(place, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    assert same(cached("key", Maker()))
    assert [path.name for path in place.iterdir()] == ["key.lock"]


def test_nothing_is_kept_of_what_failed(place):
    def fail():
        raise ValueError("no content")

    with pytest.raises(ValueError, match="no content"):
        cached("key", fail)
    assert [path.name for path in place.iterdir()] == ["key.lock"]


def make_slowly(path, started):
    os.environ["XDG_CACHE_HOME"] = str(path)

    def make():
        with (path / "made").open("a") as file:
            file.write("x")
        time.sleep(0.5)
        return ARRAYS

    started.wait()
    assert same(cached("key", make))


def test_of_two_processes_one_makes_what_both_read(tmp_path):
    context = multiprocessing.get_context("fork")
    started = context.Barrier(2)
    both = [context.Process(target=make_slowly, args=(tmp_path, started)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "made").read_text() == "x"


def test_one_folder_for_each_data_set_content_decoder_and_shape(place, monkeypatch):
    made = []
    monkeypatch.setitem(datasets.READERS, "mnist", lambda *asked: made.append(asked) or Maker()())
    monkeypatch.setattr(datasets.own, "read", lambda *asked: made.append(asked) or Maker()())
    asked = [
        lambda: datasets.read("mnist", "a"),
        lambda: datasets.read("mnist", "b"),
        lambda: datasets.read("mnist", "a", side=1),
        lambda: datasets.read("mine", "a"),
    ]
    for each in (*asked, *asked):
        each()
    assert made == [("mnist", "a"), ("mnist", "b"), ("mnist", "a"), ("mine", "a")]
    monkeypatch.setattr(datasets.images, "decoder", lambda: "another")
    datasets.read("mine", "a")
    datasets.read("mnist", "a")
    assert len(made) == 5
