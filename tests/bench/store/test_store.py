"""What a store reads, refuses, finds and sweeps away."""

import json
import os
import socket
import subprocess
import sys

import pytest
import toy

from bench.errors import StoreError
from bench.record import FORMAT
from bench.runs.plan import plan as make_plan
from bench.store.attempt import ATTEMPTS, Owner
from bench.store.store import Store, curve


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            json.dumps({"format": FORMAT + 1}),
            rf"newer ticketbench \(format {FORMAT + 1}, this one reads {FORMAT}\): upgrade",
        ),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
    ],
)
def test_a_store_that_this_version_cannot_read_is_refused(tmp_path, content, said):
    (tmp_path / "store.json").write_text(content)
    with pytest.raises(StoreError, match=said):
        Store(tmp_path)


def test_a_folder_of_other_things_is_no_store(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(StoreError, match=r"holds files but no store\.json"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "thesis.tex")


def test_an_absent_or_empty_folder_is_an_empty_store(tmp_path):
    for root in (tmp_path, tmp_path / "absent"):
        assert Store(root).records() == []
    assert not (tmp_path / "absent").exists(), "looking creates nothing"


def test_only_what_dead_processes_of_this_host_left_is_removed(store):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = socket.gethostname()
    names = {
        "dead": Owner("0123456789", host, ended.pid, "aa"),
        "alive": Owner("0123456789", host, os.getpid(), "bb"),
        "far": Owner("0123456789", "node-7.cluster", ended.pid, "cc"),
        "log": Owner("log", host, ended.pid, "dd"),
    }
    for what, owner in names.items():
        path = store.root / ATTEMPTS / str(owner)
        path.write_text("") if what == "log" else path.mkdir()
    (store.root / ATTEMPTS / "notes").mkdir()
    store.prepare()
    left = {path.name for path in (store.root / ATTEMPTS).iterdir()}
    assert left == {str(names["alive"]), str(names["far"]), "notes"}
    assert store.attempted() == {"0123456789"}


def test_units_are_found_by_id_and_by_folder(filled):
    store, plan = filled
    unit = next(iter(plan.units.values()))
    folder = store.folder(unit)
    for text in (unit.id, unit.id[:10], unit.id[:6], unit.id[:14], unit.path, str(folder), str(folder / "record.json")):
        assert store.find(text) == folder
    for text in ("zzzz", "", unit.id[:12] + "zz"):
        with pytest.raises(StoreError, match="no record"):
            store.find(text)


def test_an_ambiguous_id_lists_what_it_may_mean(store):
    seventeen = make_plan(toy.suite(("dense",), seeds=range(17))).units.values()  # more than there are first digits
    for unit in seventeen:
        toy.finish(unit, store, None)
    first = [unit.id[0] for unit in seventeen]
    digit = max(first, key=first.count)
    with pytest.raises(
        StoreError, match=rf"'{digit}' begins the ids of {first.count(digit)} records .toy/chain.*give more"
    ):
        store.find(digit)


@pytest.mark.parametrize("text", ["", "[]", '"text"', "{}", '{"spec": 1}', "NaN", "[" * 100_000, "\xff"])
def test_readers_skip_what_is_no_record(store, text):
    folder = store.root / "toy" / "L01-0123456789"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(text, encoding="latin-1")
    assert store.records() == []


def test_a_curve_that_cannot_be_read_says_so(filled):
    store, plan = filled
    folder = store.folder(next(iter(plan.units.values())))
    (folder / "curve.jsonl").write_text('{"step": NaN}\n')
    with pytest.raises(StoreError, match=r"curve\.jsonl cannot be read"):
        curve(folder)
