"""What a record, an archive or a ticket file names is never imported; only the user's own suite brings code."""

import sys
from dataclasses import replace

import pytest
import toy

from bench import registry
from bench.code import own
from bench.spec import Method
from bench.store.store import Store
from bench.suitefile import load_suite

METHOD = """
from bench.tickets.columns import MaskColumn
from bench.tickets.methods import define

MASK = MaskColumn(function="mine:choose", drawn="network")
def choose(inputs): ...
method = define("mine", "mine:MASK", "fresh", "full", "")
"""
EVIL = "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n"
SUITE = (
    '[[task]]\nname = "toy/chain"\nscale = "smoke"\nmethods = ["dense", "mine.py:method"]\nlevels = [1]\nseeds = [0]\n'
)


@pytest.fixture
def folder(toys, brings, monkeypatch):
    """Where the user stands: a suite, its method, and a file that nobody may import."""
    folder = brings(mine=METHOD, evil=EVIL)
    (folder / "suite.toml").write_text(SUITE)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))  # as where the user works often is
    return folder


def finished(store, *methods):
    """Units of these methods that say that they were trained."""
    for method in methods:
        unit = replace(next(iter(toy_units())), method=method, level=1)
        assert toy.finish(unit, store, None) == "committed"
    return store.root


def toy_units():
    from bench.runs.planning.plan import plan

    return plan(toy.suite(("dense",))).units.values()


@pytest.mark.parametrize("mask", ["os:system", "evil:x", "evil.py:x", "evil:x.y", "mine:MASK"])
def test_a_record_that_names_code_imports_nothing(command, folder, store, mask, tmp_path):
    hostile = Method(
        name="mine", mask=mask, weights="fresh", training="evil:train", options={"code_sha256": {"evil.py": "0"}}
    )
    root = finished(store, hostile)
    record = Store(root).records()[0]
    before = set(sys.modules)
    commands = [
        ("verify", root), ("verify", root, "--retrain", "3"), ("verify", root, "--replay", "3"),
        ("verify", root, "--retrain", "3", "--suites", "smoke-free.toml"), ("table", "--store", root),
        ("plot", "--store", root, "--output", tmp_path / "plots"), ("show", record["unit_id"], "--store", root),
        ("clean", "--store", root), ("compare", root, root), ("table", "--store", root, "--methods", "mine"),
    ]  # fmt: skip
    (folder / "smoke-free.toml").write_text(SUITE.replace("mine.py:method", "ticket"))
    for words in commands:
        command(*words)
    assert not (folder / "imported").exists()
    assert not {"evil", "mine"} & (set(sys.modules) - before)


def test_only_the_users_suite_makes_its_method_an_installed_one(command, folder, store):
    method = next(each for each in load_suite("suite.toml").entries[0].methods if each.name == "mine")
    root = finished(store, method)
    registry._brought_methods.clear()
    code, out, _ = command("verify", root)
    assert code == 1
    assert "its method 'mine' version 1 is not installed here" in out
    assert "note: tasks and methods of your own suites count as installed with --suites mine.toml" in out
    _, out, _ = command("verify", root, "--suites", "suite.toml")
    assert "installed here" not in out


def test_the_same_name_and_columns_in_another_version_of_the_file_are_another_method(command, folder, store, brings):
    root = finished(store, next(each for each in load_suite("suite.toml").entries[0].methods if each.name == "mine"))
    brings(mine=METHOD + "# edited since\n")
    code, out, err = command("verify", root, "--suites", "suite.toml", "--retrain", "1")
    assert code == 1
    assert "its method 'mine' version 1 has another options than the installed one" in out
    assert "retrained" not in out + err


def test_a_hostile_record_is_no_more_believed_beside_the_users_own_method(command, folder, store):
    mine = next(each for each in load_suite("suite.toml").entries[0].methods if each.name == "mine")
    root = finished(store, replace(mine, weights="evil:x"))
    code, out, _ = command("verify", root, "--suites", "suite.toml", "--retrain", "1")
    assert code == 1
    assert "another weights than the installed one" in out
    assert not (folder / "imported").exists()
    assert str(folder) in own.folders()


def test_a_suite_that_is_no_suite_is_told_before_anything_is_looked_at(command, folder, store):
    code, out, err = command("verify", store.root, "--suites", "none.toml")
    assert (code, out, err.count("\n")) == (2, "", 1)
