"""Tasks and methods of the user's own, at the command line: everything that takes a suite knows them."""

import csv
import io
import json

import pytest

from bench import registry
from bench.errors import UnknownName
from bench.store.store import Store

METHOD = """
from bench.tickets.columns import MaskColumn
from bench.tickets.methods import define

MASK = MaskColumn(function="mine:choose", layers="level")
def choose(inputs): ...
method = define("mine", "mine:MASK", "fresh", "full", "somebody's own")
template = define("moved", "source", "fresh", "full", "")
"""
SUITE = """
[[task]]
base = "toy/chain"
scale = "smoke"
name = "toy/late"
rewind_step = 20
methods = ["dense", "ticket", "mine.py:method"]
levels = [1, 3]
seeds = "0-1"

[[task]]
name = "toy/slow"
scale = "smoke"
methods = ["dense", "transfer+late"]
levels = [1]
seeds = [0]
"""


@pytest.fixture
def own(toys, brings, monkeypatch, tmp_path):
    """A suite with a method in a file beside it; commands are typed somewhere else."""
    folder = brings(mine=METHOD)
    (folder / "own.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return folder / "own.toml"


def rows(out):
    return {(row["task"], row["method"], row["level"]) for row in csv.DictReader(io.StringIO(out))}


def test_every_verb_that_takes_a_suite_knows_what_it_brings(command, own, tmp_path):
    store = ("--store", tmp_path / "runs")
    assert "toy/late@smoke" in command("plan", own, *store)[1]
    code, out, err = command("run", own, *store, "--workers", 2)
    assert (code, err) == (0, "")
    assert "- Deviation: Rewind step 20 instead of 10." in out
    assert "Deviation: Made from" not in out[out.index("## toy/slow") :], "of that task alone"
    code, out, _ = command("table", own, *store, "--format", "csv")
    assert {("toy/late", "mine", "3"), ("toy/slow", "transfer+late", "1")} <= rows(out)
    assert rows(command("table", *store, "--format", "csv")[1]) >= rows(out), "records tell all that a table needs"
    status = command("status", own, *store)[1].split()
    assert status[-3:] == ["transfer+late", "1", "0"] or "mine" in status
    assert command("publish", own, *store, "--output", tmp_path / "results")[0] == 0
    assert command("compare", tmp_path / "results/records/own.jsonl", tmp_path / "runs")[0] == 0
    assert command("pack", own, *store, "--output", tmp_path / "own.zip")[0] == 0
    assert command("plot", own, *store, "--output", tmp_path / "plots")[0] == 0
    assert command("clean", own, *store)[0] == 0


def test_the_record_tells_the_whole_task_and_the_digest_of_the_file(command, own, tmp_path):
    command("run", own, "--store", tmp_path / "runs", "--seeds", "0", "--workers", 2)
    specs = [record["spec"] for record in Store(tmp_path / "runs").records()]
    (method,) = {json.dumps(spec["method"]) for spec in specs if spec["method"]["name"] == "mine"}
    assert json.loads(method)["options"]["code_sha256"].keys() == {"mine.py"}
    assert {spec["task"]["rewind_step"] for spec in specs if spec["task"]["name"] == "toy/late"} == {20}


def test_a_method_that_is_typed_joins_every_task_of_the_suite(command, own, suite_file, tmp_path):
    asked = (suite_file, "--methods", "own/mine.py:method,reinit", "--store", tmp_path / "runs")
    code, out, err = command("run", *asked, "--workers", 2, "--seeds", "0")
    assert (code, err) == (0, "")
    assert f"ticketbench table {suite_file} --methods own/mine.py:method,reinit --seeds 0" in out
    assert {(record["spec"]["method"]["name"]) for record in Store(tmp_path / "runs").records()} == {
        "dense", "ticket", "reinit", "mine",
    }  # fmt: skip
    _, out, _ = command("table", *asked, "--format", "csv")
    assert {method for _, method, _ in rows(out)} == {"mine", "reinit"}
    _, out, _ = command("table", *asked[1:], "--format", "csv")
    assert {method for _, method, _ in rows(out)} == {"mine", "reinit"}, "of a store alone, too"


def test_a_method_that_is_typed_is_the_one_that_the_suite_lists(command, own, tmp_path):
    words = ("--tasks", "toy/late", "--store", tmp_path / "runs")
    both = [command("plan", own, "--methods", name, *words)[1] for name in ("mine", "own/mine.py:method")]
    assert both[0] == both[1]
    code, _, err = command("plan", own, "--methods", "moved", *words)
    assert code == 2
    assert "unknown method of suite own 'moved'" in err


def test_a_template_that_is_typed_makes_an_arm(command, own, suite_file, tmp_path):
    code, out, _ = command("plan", suite_file, "--methods", "own/mine.py:template+slow", "--store", tmp_path / "runs")
    assert code == 0
    assert "toy/slow@smoke" in out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own/mine.py:methd", "unknown name of"),
        ("mine.py:method", "no file "),
        ("own/mine.py:choose", "function is no method"),
        ("own/botched.py:method", "botched.py:1: not Python: invalid syntax"),
    ],
)
def test_what_cannot_be_had_is_told_in_a_line(command, own, suite_file, name, said, brings):
    brings(botched="a b\n")
    for verb in ("run", "plan", "status", "table"):
        code, out, err = command(verb, suite_file, "--methods", name, "--store", "nowhere")
        if verb == "table":
            assert code == 2
            continue
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err


def test_another_method_of_the_suite_has_that_name(command, own, brings, tmp_path):
    brings(other=METHOD.replace("mine:", "other:"))
    code, _, err = command("plan", own, "--methods", "own/other.py:method", "--store", tmp_path / "runs")
    assert code == 2
    assert "the suite has another method 'mine' than the one of --methods" in err


def test_a_scale_that_the_task_does_not_have(command, own, tmp_path):
    code, _, err = command("plan", own, "--tasks", "toy/late", "--scale", "quick", "--store", tmp_path / "runs")
    assert (code, err.count("\n")) == (2, 1)
    assert "unknown scale of toy/late 'quick'" in err


def test_what_was_never_brought_is_unknown(toys, brings):
    with pytest.raises(UnknownName):
        registry.method("mine")
