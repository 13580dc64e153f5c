"""One archive of a suite's finished units: the same bytes for the same store, all of it or nothing."""

import os
import shutil
import time
import zipfile

import pytest
import toy

from bench.digests import file_digest
from bench.errors import StoreError
from bench.exchange import pack as packing
from bench.exchange.manifest import NAME, Manifest
from bench.exchange.pack import pack
from bench.runs.planning.plan import plan as make_plan
from bench.store.store import Store

PACKED = {"record.json", "mask.safetensors"}
KEPT = {
    "name": "toy",
    "title": "",
    "tasks": [
        {"task": "toy/chain@smoke", "methods": ["dense", "ticket", "reinit"], "levels": [1, 3], "seeds": [0]},
    ],
}
STATES = {"initial.safetensors", "rewind.safetensors", "final.safetensors"}


@pytest.fixture
def packed(filled, tmp_path):
    """Pack the filled store; gives the archive."""
    store, plan = filled

    def run(name="a.zip", *, weights=False, store=store):
        pack(plan.units.values(), store, tmp_path / name, suite=toy.suite(), weights=weights)
        return tmp_path / name

    return run


def names(archive):
    return {name.rpartition("/")[2] for name in zipfile.ZipFile(archive).namelist()} - {NAME}


def test_an_archive_holds_every_finished_unit_and_no_weights_unless_asked(packed, filled):
    units = filled[1].units.values()
    archive = packed()
    assert names(archive) == PACKED
    found = zipfile.ZipFile(archive).namelist()
    paths = [f"{unit.path}/{name}" for unit in units for name in PACKED]
    without = [f"{unit.path}/mask.safetensors" for unit in units if unit.method.name == "dense"]
    assert found == [NAME, *sorted(set(paths) - set(without))]
    assert names(packed("b.zip", weights=True)) == PACKED | STATES


def test_the_same_store_gives_the_same_bytes(packed, filled, tmp_path, monkeypatch):
    first = packed(weights=True).read_bytes()
    shutil.copytree(filled[0].root, tmp_path / "copy", copy_function=shutil.copyfile)
    for path in (tmp_path / "copy").rglob("*"):
        os.utime(path, (10**9, 10**9))
        path.chmod(0o700)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert packed("b.zip", weights=True, store=Store(tmp_path / "copy")).read_bytes() == first


def test_the_manifest_seals_every_file(packed, filled):
    archive = zipfile.ZipFile(packed())
    manifest = Manifest.of(archive.read(NAME))
    assert manifest.suite == KEPT
    assert set(manifest.files) == set(archive.namelist()) - {NAME}
    for path, sealed in manifest.files.items():
        on_disk = filled[0].root / path
        assert (sealed.size, sealed.sha256) == (on_disk.stat().st_size, file_digest(on_disk))


def test_what_is_not_finished_is_left_out(filled, tmp_path):
    store, plan = filled
    first = next(iter(plan.units.values()))
    gone = [unit for unit in plan.units.values() if unit.method.name == "reinit"]
    for unit in gone:
        shutil.rmtree(store.folder(unit))
    done = pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=False)
    assert done.units == len(plan.units) - len(gone)
    assert done.bytes == (tmp_path / "a.zip").stat().st_size
    found = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert any(first.path in name for name in found)
    assert not any(unit.path in name for unit in gone for name in found)


def test_nothing_finished_is_one_clear_line(store, tmp_path):
    plan = make_plan(toy.suite())
    with pytest.raises(StoreError, match="^no finished unit of suite toy in .*runs: run it, or name another --store$"):
        pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=False)
    assert not (tmp_path / "a.zip").exists()


def test_a_changed_store_is_not_packed(packed, filled, tmp_path):
    unit = next(unit for unit in filled[1].units.values() if unit.method.name == "ticket")
    mask = filled[0].folder(unit) / "mask.safetensors"
    mask.write_bytes(mask.read_bytes() + b" ")
    with pytest.raises(StoreError, match="mask.safetensors was changed since it was recorded"):
        packed()
    mask.unlink()
    with pytest.raises(StoreError, match="mask.safetensors cannot be read"):
        packed()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_failure_leaves_the_old_archive_and_no_draft(packed, tmp_path, monkeypatch):
    old = packed().read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing.shutil, "copyfileobj", full)
    with pytest.raises(StoreError, match="cannot write .*a.zip: No space left on device; name another --output"):
        packed()
    assert (tmp_path / "a.zip").read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "runs"]


def test_nobody_ever_sees_half_an_archive(packed, tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(b"old")
    seen = []
    copy = shutil.copyfileobj

    def look(*args):
        seen.append((tmp_path / "a.zip").read_bytes())
        copy(*args)

    monkeypatch.setattr(packing.shutil, "copyfileobj", look)
    assert packed().read_bytes() != b"old"
    assert set(seen) == {b"old"}


@pytest.mark.parametrize("output", ["no/where/a.zip", "file/a.zip", "runs", ".", "/"])
def test_an_output_that_cannot_be_written_is_one_line(filled, tmp_path, output, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    store, plan = filled
    with pytest.raises(StoreError, match="cannot write .*name another --output"):
        pack(plan.units.values(), store, packing.Path(output), suite=toy.suite(), weights=False)


def test_more_files_than_an_archive_may_hold(packed, monkeypatch):
    monkeypatch.setattr(packing, "MOST_FILES", 10)
    with pytest.raises(StoreError, match="are more than 10: pack some --tasks at a time"):
        packed()


# The command.


def test_pack_and_unpack_say_what_they_did(command, suite_file, finished, tmp_path):
    code, out, err = command("pack", suite_file, "--store", finished, "--output", tmp_path / "a.zip", "--seeds", 0)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'a.zip'}: 8 of 8 units, 0.0 MB")
    code, out, err = command("unpack", tmp_path / "a.zip", "--into", tmp_path / "new")
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'new'}: 8 units of suite toy, checked; next: ticketbench publish --store ")
    assert command("verify", tmp_path / "new")[0] == 0
    assert command("table", "--store", tmp_path / "new")[0] == 0


def test_pack_of_an_empty_store_is_one_line_and_exit_code_2(command, suite_file, store, tmp_path):
    code, out, err = command("pack", suite_file, "--store", store.root, "--output", tmp_path / "a.zip")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "no finished unit of suite" in err
