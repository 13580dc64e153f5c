"""`ticketbench speed` as a user meets it: what is measured of what is named, where it goes, and the exit codes."""

import json
import re
from functools import partial

import pytest
import toy
from timed import TROUBLE, build_speed

from bench.report.speed import read
from bench.store.store import Store
from bench.verbs import speed as verb


@pytest.fixture
def speed(command, monkeypatch):
    monkeypatch.setattr(verb, "speed", partial(verb.speed, serve="timed:serve"))
    return partial(command, "speed")


def records(root, method="ticket"):
    return [each for each in Store(root).records() if each["spec"]["method"]["name"] == method]


def test_of_a_suite_the_first_seed_of_every_pruned_arm_with_weights_is_measured(speed, suite_file, finished):
    code, out, err = speed(suite_file, "--store", finished, "--format", "json")
    assert (code, err) == (0, "")
    told = [(each["method"], each["level"], each["seed"]) for each in json.loads(out)]
    assert told == [("ticket", 1, 0), ("ticket", 3, 0)], "neither dense, nor those who leave no weights, nor level 2"


def test_the_first_seed_is_the_first_that_has_weights(speed, suite_file, finished):
    for record in records(finished):
        if (record["spec"]["level"], record["spec"]["seed"]) == (3, 0):
            (Store(finished).find(record["unit_id"]) / "final.safetensors").unlink()
    _, out, _ = speed(suite_file, "--store", finished, "--format", "json")
    assert [(each["level"], each["seed"]) for each in json.loads(out)] == [(1, 0), (3, 1)]


def test_options_choose_a_part_of_the_suite_and_how_it_is_measured(speed, suite_file, finished):
    chosen = ("--levels", "3", "--seeds", "1", "--rounds", "5", "--threads", "2")
    code, out, _ = speed(suite_file, "--store", finished, "--format", "jsonl", *chosen)
    (told,) = map(json.loads, out.splitlines())
    assert (code, told["level"], told["seed"], told["rounds"]) == (0, 3, 1, 5)
    assert told["provenance"]["threads"] == 2


def test_one_unit_is_named_by_its_id_or_folder_and_kept_in_the_store(speed, finished):
    record = records(finished)[0]
    folder = Store(finished).find(record["unit_id"])
    for name in (record["unit_id"][:8], folder):
        code, out, err = speed(name, "--store", finished)
        assert (code, err) == (0, "")
        assert out.startswith("## toy/chain@smoke\n\n| method | level |")
    (kept,) = (finished / "speed").iterdir()
    assert kept.name == f"{record['unit_id'][:10]}.jsonl"
    assert read(kept) == [build_speed(record)] * 2, "each time that it was measured"
    assert len(Store(finished).records()) == len(records(finished)) + sum(
        len(records(finished, name)) for name in ("dense", "reinit", "random-ticket")
    ), "and is still a store"


def test_the_table_goes_where_it_is_asked_to_in_the_style_of_its_name(speed, suite_file, finished, tmp_path):
    for name, begins in (("speed.jsonl", "{"), ("speed.csv", "task,"), ("speed.md", "## "), ("speed.json", "[\n")):
        code, out, _ = speed(suite_file, "--store", finished, "--output", tmp_path / name)
        assert (code, out) == (0, "")
        assert (tmp_path / name).read_text().startswith(begins)
    assert len(read(tmp_path / "speed.jsonl")) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nonsense",), "no record 'nonsense' in .*; or name a suite (.*smoke.*) or a TOML file"),
        (("nowhere.toml",), "no file nowhere.toml"),
        (("SUITE", "--format", "tex"), "unknown format 'tex': .*known are csv, json, jsonl, md"),
        (("SUITE", "--output", "speed.tex"), "unknown format 'tex'"),
        (
            ("SUITE", "--output", "/proc/nowhere/speed.md"),
            "cannot write /proc/nowhere/speed.md: No such file or directory",
        ),
        (("SUITE", "--output", "folder.md"), "cannot write folder.md: Is a directory"),
        (
            ("SUITE", "--methods", "reinit"),
            "no finished unit of .* is pruned and has its trained weights: run the suite",
        ),
        (("SUITE", "--seeds", "7"), "selects no unit|seed"),
        (("SUITE", "--store", "nowhere"), "no store nowhere"),
        (("SUITE", "--rounds", "2"), "--rounds.*greater than or equal to 3"),
        (("SUITE", "--device", "abacus"), "--device 'abacus' cannot be used on this machine"),
        (("dense",), "keeps every weight: name one that is pruned"),
        (
            ("reinit",),
            "has no trained weights here: name a unit of a method that prunes round by round, such as ticket",
        ),
        (("ticket", "--levels", "1"), "options choose among the units of a suite"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_line(speed, suite_file, finished, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.md").mkdir()
    first, *rest = words
    units = {name: records(finished, name)[0]["unit_id"] for name in ("dense", "reinit", "ticket")}
    asked = {"SUITE": suite_file, **units}.get(first, first)
    code, out, err = speed(asked, *(() if "--store" in rest else ("--store", finished)), *rest)
    assert (code, out) == (2, "")
    assert re.search(message.replace("(.*smoke.*)", r"\(.*smoke.*\)"), " ".join(err.split()).replace("│ ", "")), err
    assert not (finished / "speed").exists(), "and before anything is measured"


def test_a_diverged_unit_is_no_ticket(speed, store, suite_file, trouble, go):
    trouble({"toy/chain@smoke ticket L1 s0": "diverge"})
    go(toy.suite(("dense", "ticket"), levels=(1,)))
    record = next(each for each in store.records() if each["status"] == "diverged")
    code, _, err = speed(record["unit_id"], "--store", store.root)
    assert code == 2
    assert "diverged (loss is not finite at step 20): name one that did not" in err


@pytest.mark.parametrize(
    ("kind", "code"), [({"refused": "it has no linear layers"}, 0), ({"wrong": "outputs differ"}, 1), ("die", 1)]
)
def test_a_wrong_execution_is_told_and_never_listed(speed, suite_file, finished, monkeypatch, kind, code):
    monkeypatch.setenv(TROUBLE, json.dumps({"1": kind}))
    left, out, err = speed(suite_file, "--store", finished, "--format", "json")
    assert left == code
    assert [each["level"] for each in json.loads(out)] == [3]
    why = "the process that measured it ended with exit code 7" if kind == "die" else next(iter(kind.values()))
    assert err == f"ticketbench: nothing measured of toy/chain@smoke ticket L1 s0: {why}\n"
    assert len(list((finished / "speed").iterdir())) == 1


def test_where_nothing_could_be_measured_nothing_is_written(speed, suite_file, finished, monkeypatch, tmp_path):
    refused = {"refused": "torch 2.6 multiplies no sparse matrices on cpu: take another"}
    monkeypatch.setenv(TROUBLE, json.dumps({"1": refused, "3": refused}))
    code, _, err = speed(suite_file, "--store", finished, "--output", tmp_path / "speed.md")
    assert code == 2
    assert err.count("multiplies no sparse matrices") == 2
    assert "nothing in " in err.splitlines()[-1]
    assert not (tmp_path / "speed.md").exists()
