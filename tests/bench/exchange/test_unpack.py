"""A store made of an archive: the same files, or nothing at all."""

import errno
import json
import shutil
import sys
import zipfile
from pathlib import Path

import older
import pytest
import toy

from bench.digests import file_digest
from bench.errors import SubmissionError
from bench.exchange import unpack as unpacking
from bench.exchange.pack import pack
from bench.exchange.unpack import unpack


@pytest.fixture
def archive(filled, tmp_path):
    """The filled store in an archive, with its weights; the store itself is gone."""
    store, plan = filled
    shutil.rmtree(store.root / ".attempts")
    pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=True)
    store.root.rename(tmp_path / "original")
    return tmp_path / "a.zip"


KEPT = {"name": "toy", "title": "", "tasks": []}


def content(root):
    """Of every file but `store.json`, which keeps the suite."""
    paths = (path for path in root.rglob("*") if path.is_file() and path.name != "store.json")
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_round_trip_gives_the_same_store(archive, tmp_path):
    made = unpack(archive, tmp_path / "new")
    assert made.missing == []
    assert content(tmp_path / "new") == content(tmp_path / "original")
    assert set(made.manifest.files) == set(content(tmp_path / "new"))


def test_an_archive_of_an_older_version_is_unpacked_as_it_is(filled, tmp_path):
    store, plan = filled
    older.store(store.root)
    shutil.rmtree(store.root / ".attempts")
    path = tmp_path / "a.zip"
    pack(plan.units.values(), store, path, suite=toy.suite(), weights=True)
    older.archive(path)
    unpack(path, tmp_path / "new")
    assert content(tmp_path / "new") == content(store.root)
    assert {name.rpartition("/")[2] for name in content(tmp_path / "new")} >= {"spec.json", "curve.jsonl"}


def test_units_of_both_formats_travel_together(filled, tmp_path):
    store, plan = filled
    for unit in list(plan.units.values())[:3]:
        older.unit(store.folder(unit))
    shutil.rmtree(store.root / ".attempts")
    pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=True)
    unpack(tmp_path / "a.zip", tmp_path / "new")
    assert content(tmp_path / "new") == content(store.root)


@pytest.mark.parametrize("name", ["spec.json", "curve.jsonl"])
def test_a_file_of_an_older_unit_is_not_smuggled_beside_a_newer_record(filled, tmp_path, name):
    """Nothing would read it, and nothing would check it."""
    store, plan = filled
    folder = store.folder(next(iter(plan.units.values())))
    (folder / name).write_text("{}")
    record = json.loads((folder / "record.json").read_text())
    record["digests"]["files"][name] = file_digest(folder / name)
    (folder / "record.json").write_text(json.dumps(record))
    pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=True)
    with pytest.raises(SubmissionError, match=f"{name} is no file of its format"):
        unpack(tmp_path / "a.zip", tmp_path / "new")


@pytest.mark.parametrize(("limit", "files"), [(10_000, 65_535), (2**31 - 1, 5), (100, 5)])
def test_archives_that_are_too_large_for_the_usual_zip(filled, tmp_path, monkeypatch, limit, files):
    """Larger than 2 GB, or more than 65,535 files: the zip ends otherwise."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", files)
    store, plan = filled
    pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=True)
    monkeypatch.undo()
    assert b"PK\x06\x07" in (tmp_path / "a.zip").read_bytes()[-100:]
    unpack(tmp_path / "a.zip", tmp_path / "new")
    shutil.rmtree(store.root / ".attempts")
    assert content(tmp_path / "new") == content(store.root)


def test_without_weights_only_the_states_are_missing(filled, tmp_path):
    store, plan = filled
    pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=False)
    unpack(tmp_path / "a.zip", tmp_path / "new")
    states = {"initial.safetensors", "rewind.safetensors", "final.safetensors"}
    whole = content(store.root)
    assert content(tmp_path / "new") == {name: each for name, each in whole.items() if Path(name).name not in states}


def test_into_an_empty_folder(archive, tmp_path):
    (tmp_path / "new").mkdir()
    unpack(archive, tmp_path / "new")
    assert content(tmp_path / "new") == content(tmp_path / "original")


def test_into_the_working_folder(archive, tmp_path, monkeypatch):
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    unpack(archive, Path())
    assert content(tmp_path / "new") == content(tmp_path / "original")


@pytest.mark.parametrize("what", ["file", "full", "link", "dangling"])
def test_nothing_is_unpacked_over_what_is_there(archive, tmp_path, what):
    new = tmp_path / "new"
    if what == "file":
        new.write_text("mine")
    if what == "full":
        new.mkdir()
        (new / "mine").touch()
    if what in ("link", "dangling"):
        new.symlink_to(tmp_path / ("empty" if what == "link" else "nowhere"))
        (tmp_path / "empty").mkdir()
    before = listing(tmp_path)
    with pytest.raises(SubmissionError, match="exists already: name a new folder with --into"):
        unpack(archive, new)
    assert listing(tmp_path) == before


def damaged(archive):
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("into", ["new", "deep/er/new"])
def test_a_refusal_leaves_nothing_behind(archive, tmp_path, into):
    damaged(archive)
    before = listing(tmp_path)
    with pytest.raises(SubmissionError):
        unpack(archive, tmp_path / into)
    assert listing(tmp_path) == before


def test_a_finding_is_a_refusal(archive, forge, tmp_path, filled):
    """Well packed, every digest right, and still not believed."""
    _, plan = filled
    shutil.copytree(tmp_path / "original", tmp_path / "forged")

    def better(units):
        units["ticket", 1, 0].curve[-1]["step"] += 1

    forge(tmp_path / "forged", better)
    store = unpacking_store(tmp_path / "forged")
    pack(plan.units.values(), store, tmp_path / "b.zip", suite=toy.suite(), weights=True)
    before = listing(tmp_path)
    with pytest.raises(
        SubmissionError, match="is not believed: .*its training ends at step 31.*see `ticketbench verify"
    ):
        unpack(tmp_path / "b.zip", tmp_path / "new")
    assert listing(tmp_path) == before


def unpacking_store(root):
    from bench.store.store import Store

    return Store(root)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_an_interruption_leaves_nothing_behind(archive, tmp_path, monkeypatch, error):
    before = listing(tmp_path)

    def fail(*_):
        raise error

    write, count = unpacking._write, iter(range(100))
    monkeypatch.setattr(unpacking, "_write", lambda *args: fail() if next(count) == 5 else write(*args))
    with pytest.raises((SubmissionError, KeyboardInterrupt)):
        unpack(archive, tmp_path / "new")
    assert listing(tmp_path) == before


def test_the_store_appears_at_once(archive, tmp_path, monkeypatch):
    seen, write = [], unpacking._write
    monkeypatch.setattr(unpacking, "_write", lambda *args: (write(*args), seen.append((tmp_path / "new").exists())))
    unpack(archive, tmp_path / "new")
    assert seen
    assert not any(seen)


@pytest.mark.parametrize("path", ["nothing.zip", "."])
def test_what_is_no_file_is_one_line(tmp_path, path):
    with pytest.raises(SubmissionError, match="cannot be unpacked"):
        unpack(tmp_path / path, tmp_path / "new")


@pytest.mark.parametrize("into", [".", "file/new", "/proc/new"])
def test_an_into_that_cannot_be_made_is_one_line(archive, tmp_path, monkeypatch, into):
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd" / "file").touch()
    monkeypatch.chdir(tmp_path / "cwd")
    with pytest.raises(SubmissionError, match="--into"):
        unpack(archive, Path(into))
    assert listing(tmp_path / "cwd") == ["file"]


def test_an_archive_without_a_unit_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("manifest.json", unpacking.Manifest(suite=KEPT, files={}).text())
    with pytest.raises(SubmissionError, match="holds no unit: fetch it again"):
        unpack(tmp_path / "a.zip", tmp_path / "new")


def test_the_caps_are_looked_at_before_anything_is_written(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "LARGEST_FILE", 100)
    with pytest.raises(SubmissionError, match="more than 100: nothing was unpacked"):
        unpack(archive, tmp_path / "new")
    monkeypatch.undo()
    monkeypatch.setattr("bench.packed.FREE", 100)
    monkeypatch.setattr("bench.packed.HIGHEST_RATIO", 1)
    monkeypatch.setattr(unpacking, "_write", lambda *_: sys.exit("it wrote"))
    with pytest.raises(SubmissionError, match="no suite does, so nothing was unpacked"):
        unpack(archive, tmp_path / "new")
