"""A node may train if it sees the store and runs the same code; else it says what differs."""

import pickle
import re
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.code import own
from bench.runs.launch.check import Probe
from bench.store.claims import ATTEMPTS


@pytest.fixture
def probe(store):
    return Probe.lay(store.root)


def test_the_same_store_and_code_are_no_objection(probe):
    assert pickle.loads(pickle.dumps(probe)).objection(patience=0) is None  # noqa: S301  our own


def test_a_probe_leaves_nothing(store, probe):
    assert probe.path.is_absolute()
    probe.remove()
    probe.remove()
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_relative_store_is_named_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    probe = Probe.lay(Path("new") / "runs")
    assert probe.path.is_relative_to(tmp_path / "new" / "runs")
    assert probe.objection(patience=0) is None


def test_another_store_at_the_same_place(store, probe):
    shutil.rmtree(store.root / ATTEMPTS)
    store.prepare()
    expected = f"it does not see {store.root}: mount the same folder there, at the same path"
    assert probe.objection(patience=0) == expected
    probe.path.write_text("another run's")
    assert probe.objection(patience=0) == expected


def test_a_file_system_may_take_its_time(probe):
    probe.path.unlink()
    threading.Timer(0.2, probe.path.write_text, [probe.text]).start()
    begun = time.monotonic()
    assert probe.objection(patience=5) is None
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({"torch": "1.0"}, "it has torch .*, the run 1.0: install the same on both"),
        ({"ticketbench's source": "0123456789"}, "it has ticketbench's source .*, the run 0123456789: install"),
        ({"a-plugin": "3"}, "it has a-plugin not at all, the run 3: install the same on both"),
    ],
)
def test_other_code(probe, there, expected):
    told = replace(probe, code={**probe.code, **there}).objection(patience=0)
    assert re.match(expected, told)


def test_a_package_that_only_the_node_has(probe):
    less = {name: version for name, version in probe.code.items() if name != "numpy"}
    assert "the run not at all" in replace(probe, code=less).objection(patience=0)


def test_a_node_that_does_not_see_the_users_own_files_as_they_are(store, brings):
    folder = brings(mine="import other\nthing = 1\n", other="")
    own.load("mine.py:thing", folder)
    probe = Probe.lay(store.root)
    assert set(probe.files) == {folder / "mine.py", folder / "other.py"}
    assert pickle.loads(pickle.dumps(probe)).objection(patience=0) is None  # noqa: S301  our own
    brings(other="edited = True\n")
    expected = f"it does not see {folder}/other.py as the run does: mount the same folder there, at the same path"
    assert probe.objection(patience=0) == expected
    (folder / "other.py").unlink()
    assert probe.objection(patience=0) == expected
