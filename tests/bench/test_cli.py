"""The command as a user meets it: verbs, options, exit codes, and what it does not import."""

import csv
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
import toy
import typer.main
from nodes import build_layer

from bench import __version__, cli
from bench.store.store import Store
from bench.verbs import training
from bench.verbs.arguments import options
from bench.verbs.arguments.execution import Execution
from bench.verbs.arguments.request import Request

EXECUTION = [
    *("--workers", "--threads", "--device", "--stack", "--unit-timeout", "--unit-memory", "--launcher", "--address"),
    *("--gpus-per-unit", "--partition", "--nodes", "--time", "--progress", "--dry-run"),
]
FILTERS = ["--tasks", "--methods", "--levels", "--seeds", "--scale"]
OPTIONS = {
    "run": ["SUITE", "--store", *FILTERS, *EXECUTION],
    "plan": ["[SUITE]", "--store", *FILTERS, "--workers", "--stack"],
    "status": ["SUITE", "--store", *FILTERS],
    "clean": ["[SUITE]", "--store"],
    "table": ["[SUITE]", "--store", "--format", "--output", *FILTERS],
    "plot": ["[SUITE]", "--store", "--output", *FILTERS],
    "export": ["[SUITE]", "--tensorboard", "--store", *FILTERS],
    "publish": ["[SUITE]", "--store", "--output", "--name", "--replace", "--from", *FILTERS],
    "tasks": ["[PATTERN]", "--domain", "--scale"],
    "methods": [],
    "claims": ["[CLAIM]", "--scale", "--records", "--verdict", "--cost", "--format"],
    "reproduce": ["CLAIM", "--store", "--scale", "--plan", *EXECUTION],
    "compare": [
        *("BASELINE", "CANDIDATE", "--tasks", "--methods", "--levels", "--scale"),
        *("--allow-missing", "--strict", "--format"),
    ],
    "check": ["METHOD|TASK", "--task"],
    "site": ["--records", "--output"],
    "show": ["RECORD", "--store"],
    "speed": ["UNIT|SUITE", "--store", *FILTERS, "--rounds", "--threads", "--device", "--format", "--output"],
    "pack": ["SUITE", "--output", "--store", *FILTERS, "--weights"],
    "unpack": ["ARCHIVE", "--into"],
    "ticket": ["RECORD", "--output", "--store"],
    "import": ["FILE", "--store"],
    "verify": [
        *("[SUBMISSION]", "--replay", "--retrain", "--draw", "--measured", "--suites"),
        *("--workers", "--threads", "--device"),
    ],
}
"""Frozen: an option more is a decision, not an accident. What is no option is an edit of the suite's file."""


def test_verbs_and_options_are_frozen():
    group = typer.main.get_command(cli.app)
    found = {
        name: [each.metavar if each.param_type_name == "argument" else each.opts[0] for each in verb.params]
        for name, verb in group.commands.items()
    }
    assert found == OPTIONS
    assert [each.opts[0] for each in group.params] == ["--version", "--install-completion", "--show-completion"]


@pytest.mark.parametrize("verb", OPTIONS)
def test_every_verb_says_what_it_does_in_a_line_and_gives_an_example(command, verb):
    code, out, err = command(verb, "--help")
    assert (code, err) == (0, "")
    assert f"Example: ticketbench {verb}" in out
    says = typer.main.get_command(cli.app).commands[verb].help
    assert says.count("\n") == 0
    _, overview, _ = command("--help")
    assert says in overview, "short enough to stand in the list"


def test_version(command):
    assert command("--version") == (0, f"ticketbench {__version__}\n", "")


def test_a_suite_is_run_tabulated_and_run_again(command, suite_file, tmp_path):
    store = tmp_path / "runs"
    code, out, err = command("run", suite_file, "--store", store, "--workers", 2)
    assert (code, err) == (0, "")
    assert "[16/16]" in out
    assert "| ticket " in out
    assert f"16 of 16 units done, kept in {store}" in out
    assert f"again: ticketbench table {suite_file} --store {store}\n" in out
    code, again, _ = command("run", suite_file, "--store", store)
    assert code == 0
    assert again == out[out.index("toy/chain @ smoke, ") :], "nothing is left to do: the same sentences and table"


def test_plan_status_and_clean(command, suite_file, tmp_path):
    store = ("--store", tmp_path / "runs")
    code, out, _ = command("plan", suite_file, *store, "--workers", 3)
    assert code == 0
    assert out.endswith("time left: unknown with 3 workers\n"), "nothing was tried"
    assert not (tmp_path / "runs").exists(), "looking creates nothing"
    _, out, _ = command("status", suite_file, *store)
    assert out.endswith(f"\n\n{tmp_path / 'runs'} holds no unit yet: run the suite, or name another --store\n")
    _, out, _ = command("run", suite_file, *store, "--seeds", 0)
    assert f"again: ticketbench table {suite_file} --seeds 0 --store" in out, "what was asked can be typed again"
    code, out, _ = command("status", suite_file, *store)
    assert code == 0
    assert [line.split()[1:] for line in out.splitlines()[2:4]] == [["method", "done", "todo"], ["dense", "1", "1"]]
    code, out, _ = command("clean", suite_file, *store)
    assert (code, out[:15]) == (0, "removed 6 files")
    command("clean", *store)
    assert command("verify", tmp_path / "runs")[0] == 0


def test_status_walks_a_store_once_and_reads_its_failures_once(command, suite_file, finished, monkeypatch, trouble):
    trouble({"toy/chain@smoke ticket L2 s2": "fail"})
    looked = []
    for name in ("folders", "failures"):
        plain = getattr(Store, name)
        monkeypatch.setattr(Store, name, lambda self, name=name, plain=plain: looked.append(name) or plain(self))
    suite_file.write_text(suite_file.read_text().replace("0-1", "0-2"))
    command("run", suite_file, "--store", finished)
    looked.clear()
    _, out, _ = command("status", suite_file, "--store", finished)
    assert "failed: toy/chain@smoke ticket L2 s2: RuntimeError" in out
    assert sorted(looked) == ["failures", "folders"]


CODES = "\x1b]0;pwned\x07\x1b[2J"
"""They rename a terminal's window, and clear it."""


@pytest.mark.parametrize(
    ("verb", "title", "key"), [("plan", CODES, "title"), ("status", CODES, "title"), ("plan", "", CODES)]
)
def test_no_code_of_a_suite_reaches_a_terminal(command, suite_file, finished, verb, title, key):
    quoted = json.dumps(key)
    suite_file.write_text(
        suite_file.read_text().replace('title = "a toy"', f"{quoted} = {json.dumps('a toy' + title)}")
    )
    _, out, err = command(verb, suite_file, "--store", finished)
    assert [line for line in (out + err).split("\n") if not line.isprintable()] == []
    assert "pwned" in out + err


def test_no_code_of_a_store_reaches_a_terminal(command, suite_file, finished):
    unit = next((finished / "toy/chain/ticket/s1").glob("L03-*"))
    shutil.rmtree(unit)
    why = finished / "failed" / f"{unit.name.partition('-')[2]}.00000000" / "reason.txt"
    why.parent.mkdir(parents=True)
    why.write_text(f"no memory{CODES}{'!' * 10_000}\n")
    _, out, _ = command("status", suite_file, "--store", finished)
    assert [line for line in out.split("\n") if not line.isprintable() or len(line) > 3_000] == []
    assert "no memory" in out
    (finished / f"evil{CODES}").symlink_to(finished.parent)
    code, _, err = command("table", "--store", finished)
    assert (code, err.rstrip("\n").isprintable()) == (2, True)


def test_no_code_of_a_table_that_is_compared_reaches_a_terminal(command, finished, tmp_path):
    _, text, _ = command("table", "--store", finished, "--format", "csv")
    mine, theirs = tmp_path / "mine.csv", tmp_path / "theirs.csv"
    mine.write_text(text)
    theirs.write_text(text.replace("random-ticket", f"random{CODES}"))
    for style in ("csv", "md", "json"):
        _, out, _ = command("compare", mine, theirs, "--format", style)
        assert "pwned" in out
        assert all(line.isprintable() for line in out.split("\n"))


def test_clean_tells_of_a_suite_that_nothing_was_run_of_as_it_is(command, suite_file, finished):
    suite_file.write_text(suite_file.read_text().replace("0-1", "7"))
    code, out, err = command("clean", suite_file, "--store", finished)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(
        f"ticketbench: no finished unit of suite {suite_file} in {finished} at the suite's own scale: leave"
    )


def test_clean_of_a_store_that_cannot_be_written_is_one_line(command, suite_file, finished, monkeypatch):
    def refuse(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    for words in ((), (suite_file,)):
        code, out, err = command("clean", *words, "--store", finished)
        assert (code, out) == (2, "")
        assert err == f"ticketbench: cannot write {finished}: Read-only file system; name another --store\n"


def test_an_empty_word_is_no_word_left_out(command, suite_file, finished):
    """As a shell makes of a variable that is not set: nothing is removed, and nothing else is shown than was asked."""
    before = sorted(finished.rglob("*.safetensors"))
    code, _, err = command("clean", "", "--store", finished)
    assert (code, err.startswith("ticketbench: unknown suite ''")) == (2, True)
    assert sorted(finished.rglob("*.safetensors")) == before
    for option in ("--methods", "--levels", "--seeds", "--scale", "--tasks"):
        code, out, err = command("table", suite_file, "--store", finished, option, "")
        assert (code, out, err.count("\n")) == (2, "", 1), option


def test_a_scale_that_there_is_not_is_told(command, finished):
    code, _, err = command("table", "--store", finished, "--scale", "huge")
    assert (code, err) == (2, "ticketbench: unknown scale 'huge': known are paper, quick, small, smoke\n")


def test_table_of_a_store_or_a_suite(command, suite_file, finished, tmp_path):
    code, out, _ = command("table", "--store", finished, "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {(row["method"], row["level"]) for row in rows} >= {("dense", "0"), ("ticket", "2"), ("reinit", "3")}
    _, out, _ = command("table", suite_file, "--store", finished, "--format", "csv")
    listed = {(row["method"], row["level"]) for row in csv.DictReader(io.StringIO(out))}
    assert ("ticket", "3") in listed
    assert ("ticket", "2") not in listed, "the suite does not list the rounds between"
    _, out, _ = command(
        "table", suite_file, "--store", finished, "--format", "csv", "--methods", "reinit", "--seeds", 1
    )
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["method"] for row in rows} == {"reinit"}
    assert {row["n"] for row in rows} == {"1"}
    assert all(row["vs_dense"] and row["vs_random"] for row in rows), "opponents that are not shown still compare"


@pytest.mark.parametrize("verb", [("table", "--format", "csv"), ("plot", "--output", "plots")])
def test_what_is_shown_of_an_unfinished_suite_says_what_is_missing(command, suite_file, tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    store, (name, *options) = ("--store", tmp_path / "runs"), verb
    command("run", suite_file, *store, "--methods", "dense,ticket")
    command("run", suite_file, *store, "--methods", "reinit", "--seeds", 0, "--levels", 1)
    code, _, err = command(name, suite_file, *store, *options)
    lacks = f"7 of 16 units of {suite_file.stem} are not finished, none of random-ticket"
    see = f"see why: ticketbench status {suite_file} --store {tmp_path / 'runs'}"
    assert (code, err) == (0, f"warning: {lacks}; {see}\n")
    assert command(name, suite_file, *store, *options, "--methods", "dense,ticket")[2] == "", "all that is asked for"
    assert (
        "none of random-ticket; " in command(name, suite_file, *store, *options, "--methods", "dense,random-ticket")[2]
    )
    assert command(name, *store, *options)[2] == "", "no suite says what there should be"
    command("run", suite_file, *store)
    assert command(name, suite_file, *store, *options)[2] == ""


def test_a_table_of_methods_while_the_suite_is_running(command, suite_file, tmp_path):
    store = tmp_path / "runs"
    command("run", suite_file, "--store", store, "--methods", "dense,ticket")
    code, out, _ = command("table", suite_file, "--store", store, "--format", "csv", "--methods", "ticket,reinit")
    assert code == 0, "a method of the suite that has not finished is no mistake"
    assert {row["method"] for row in csv.DictReader(io.StringIO(out))} == {"ticket"}
    code, out, err = command("table", suite_file, "--store", store, "--methods", "reinit")
    assert (code, out) == (2, "")
    assert "no finished unit of suite" in err
    code, out, err = command("table", suite_file, "--store", store, "--methods", "rigl")
    assert (code, out) == (2, "")
    assert "unknown method of suite" in err


def test_a_terminal_gets_the_compact_table_and_a_pipe_gets_markdown(command, suite_file, finished, monkeypatch):
    asked = ("table", suite_file, "--store", finished)
    assert command(*asked)[1].startswith("## toy/chain @ smoke\n")
    assert command(*asked, "--format", "md")[1] == command(*asked)[1]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for words in (asked, ("run", suite_file, "--store", finished)):
        code, out, _ = command(*words)
        out = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", out)
        assert code == 0
        assert "toy/chain @ smoke\naccuracy ↑ on test" in out
        assert "\n| method" not in out
        table = out.partition("toy/chain")[2].partition("Brackets")[0]
        assert max(map(len, table.splitlines())) <= 100
    assert command(*asked, "--format", "md")[1].startswith("## toy/chain @ smoke\n")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_results_that_a_store_keeps_aside_are_told(command, suite_file, finished, tmp_path, count):
    (finished / "conflicts").mkdir()
    for place in range(count):
        (finished / "conflicts" / f"{place}.json").write_text("{}")
    told = ["", "another result of a unit of this store", "2 other results of units of this store"][count]
    for words in (("table",), ("publish", suite_file, "--output", tmp_path / "results")):
        code, _, err = command(*words, "--store", finished)
        assert code == 0
        assert err == (
            f"warning: {finished / 'conflicts'} holds {told}; what was there first is shown\n" if count else ""
        )


CONTRADICTIONS = {
    "a later copy": {"provenance": {"end": "2099-01-01"}},
    "an earlier copy": {"provenance": {"end": "1999-01-01"}},
    "a copy of the same digest": {"digests": {}},
    "a divergence": {"status": "diverged", "metrics": []},
    "a cheaper search": {"search_cost": 1},
    "a copy that was trained in a stack": {"provenance": {"stack": 2}, "digests": {"result": "0" * 64}},
}


@pytest.mark.parametrize("kind", [*CONTRADICTIONS, "no JSON", "no record", "another id", "a number beyond all bounds"])
def test_what_contradicts_or_cannot_be_read_is_one_line_for_every_verb(command, suite_file, finished, tmp_path, kind):
    results = tmp_path / "results"
    assert command("publish", suite_file, "--store", finished, "--output", results)[0] == 0
    path = results / "records" / "toy.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    if kind in CONTRADICTIONS:
        changes = {
            name: {**first[name], **part} if isinstance(part, dict) else part
            for name, part in CONTRADICTIONS[kind].items()
        }
        forged = {**first, **changes, "metrics": [{**each, "value": 0.5} for each in first["metrics"]]}
        forged["metrics"] = changes.get("metrics", forged["metrics"])
        line, says = json.dumps(forged), "has two results"
    else:
        says = "more.jsonl, line 3: not a record"
        forged = {**first, **({"unit_id": "0" * 64} if kind == "another id" else {"flops": 1.7e308})}
        line = {"no JSON": "{", "no record": "{}"}.get(kind) or json.dumps(forged)
    (results / "records" / "more.jsonl").write_text(f"{json.dumps(first)}\n\n{line}\n")
    before = {file: file.read_bytes() for file in results.rglob("*") if file.is_file()}
    for words in (
        ("publish", suite_file, "--store", finished, "--output", results),
        ("publish", "--output", results),
        ("claims", "F1-4", "--records", results / "records"),
        ("site", "--records", results / "records", "--output", tmp_path / "index.html"),
        ("compare", path, results / "records" / "more.jsonl"),
    ):
        code, out, err = command(*words)
        assert (code, out) == (2, "")
        assert err.startswith("ticketbench: ")
        assert says in err
        assert len(err.splitlines()) == 1
    assert {file: file.read_bytes() for file in results.rglob("*") if file.is_file()} == before
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(("name", "begins"), [("t.md", "## "), ("t.csv", "task,"), ("t.json", "["), ("t.tex", "")])
def test_a_table_goes_to_a_file_in_the_format_of_its_name(command, finished, tmp_path, name, begins):
    code, out, _ = command("table", "--store", finished, "--output", tmp_path / name)
    assert (code, out) == (0, "")
    assert (tmp_path / name).read_text().startswith(begins)


def test_figures(command, suite_file, finished, tmp_path):
    code, out, _ = command("plot", suite_file, "--store", finished, "--output", tmp_path / "figures")
    assert code == 0
    written = out.split()
    assert written
    assert all(os.path.getsize(path) > 1000 for path in written)  # noqa: PTH202  names as printed
    assert os.path.basename(written[0]).startswith("toy-")  # noqa: PTH119


@pytest.mark.parametrize("curved", [True, False])
def test_figures_of_nodes_draw_the_curves_of_the_store(command, suite_file, finished, tmp_path, curved):
    store = shutil.copytree(finished, tmp_path / "own")
    for path in store.rglob("record.json"):
        record = json.loads(path.read_text())
        for point in record["curve"] if curved else ():
            point["metrics"]["test"] |= {"best_correlation": 0.5, "recovered": 0.5}
        path.write_text(json.dumps({**record, "nodes": [build_layer()]}))
    code, out, _ = command("plot", suite_file, "--store", store, "--output", tmp_path / "figures")
    assert code == 0
    kinds = ("", "-lshape", "-recovery", "-training", "-ranks")
    assert [Path(line).name for line in out.split()] == [
        f"toy-toy-chain{kind}.{suffix}" for kind in kinds for suffix in ("svg", "png")
    ]
    told = (tmp_path / "figures" / "toy-toy-chain-training.svg").read_text()
    assert ("Marks: before training" in told) is not curved


def test_publish(command, suite_file, finished, tmp_path):
    code, out, _ = command("publish", suite_file, "--store", finished, "--output", tmp_path / "results")
    assert code == 0
    assert [Path(line).suffix for line in out.split()] == [".jsonl", ".csv", ".md", ".svg", ".png"]
    assert all(Path(line).exists() for line in out.split())


def test_show(command, finished):
    record = Store(finished).records()[0]
    code, out, _ = command("show", record["unit_id"][:10], "--store", finished)
    assert code == 0
    assert record["digests"]["result"] in out


def test_verify_finds_what_was_tampered_with(command, finished):
    assert command("verify", finished) == (0, f"{finished}: 16 units, no findings\n", "")
    folder = next(Store(finished).folders())
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, "curve": []}))
    code, out, _ = command("verify", finished)
    assert code == 1
    assert "its curve is not the one that the record was made with" in out
    assert "its training ends at step 0" in out
    assert out.endswith(f"{finished}: 16 units, 3 findings\n")


def test_lists(command):
    code, out, _ = command("methods")
    assert code == 0
    assert "small-dense" in out
    assert [line.split()[0] for line in out.splitlines()][-2:] == ["transfer+TASK", "transfer-reinit+TASK"]


def test_transfers_are_run_shown_and_chosen_like_any_method(command, suite_file, tmp_path):
    asked = "transfer+slow,transfer-reinit+slow"
    suite_file.write_text(suite_file.read_text().replace('"reinit"', '"transfer+slow", "transfer-reinit+slow"'))
    runs = ("--store", tmp_path / "runs")
    code, out, _ = command("run", suite_file, *runs, "--seeds", "0", "--workers", 2)
    assert (code, "14 of 14 units done" in out) == (0, True)
    code, out, _ = command("table", suite_file, *runs, "--methods", asked, "--format", "csv", "--seeds", "0")
    rows = list(csv.DictReader(out.splitlines()))
    assert code == 0
    assert [(row["task"], row["method"], row["level"]) for row in rows] == [
        ("toy/chain", name, level) for name in asked.split(",") for level in ("1", "3")
    ]
    assert all(row["vs_dense"] and row["vs_random"] for row in rows)
    assert command("plot", suite_file, *runs, "--output", tmp_path / "plots", "--seeds", "0")[0] == 0
    (figure,) = (tmp_path / "plots").glob("*chain*.svg")
    assert "transfer-reinit+slow" in figure.read_text()
    assert command("verify", *runs[1:])[:2] == (0, f"{tmp_path / 'runs'}: 14 units, no findings\n")
    assert command("publish", suite_file, *runs, "--output", tmp_path / "results", "--seeds", "0")[0] == 0
    page = tmp_path / "index.html"
    assert command("site", "--records", tmp_path / "results/records", "--output", page)[0] == 0
    assert "transfer-reinit+slow" in page.read_text()
    assert command("compare", tmp_path / "results/records/toy.jsonl", tmp_path / "runs")[0] == 0


def test_a_unit_that_failed_makes_exit_code_1(command, suite_file, tmp_path, trouble):
    trouble({"toy/chain@smoke ticket L2 s1": "fail"})
    code, out, err = command("run", suite_file, "--store", tmp_path / "runs")
    assert (code, err) == (1, "")
    assert "13 of 16 units done, 1 failed, 2 blocked" in out
    assert "failed: toy/chain@smoke ticket L2 s1: RuntimeError: the toy was told to fail" in out
    for told in (out, command("status", suite_file, "--store", tmp_path / "runs")[1]):
        line, below = told[told.index("failed: toy/chain") :].splitlines()[:2]
        assert re.search(r"\(.*/toy\.py:\d+\)$", line), "the frame that raised"
        assert "and has more to say" in Path(below.removeprefix("  all of it: ")).read_text()
    assert "blocked: 2 units: toy/chain@smoke ticket L2 s1 failed" in out
    assert f"again: ticketbench run {suite_file} --store " in out


def test_a_unit_that_diverged_does_not(command, suite_file, tmp_path, trouble):
    trouble({"toy/chain@smoke ticket L3 s1": "diverge"})
    code, out, _ = command("run", suite_file, "--store", tmp_path / "runs")
    assert code == 0
    assert "15 of 16 units done, 1 diverged, 1 blocked" in out


def test_a_suite_that_was_run_again_is_published_in_one_line(command, suite_file, finished, tmp_path):
    results = ("--output", tmp_path / "results")
    publish = ("publish", suite_file, "--store", finished, *results)
    assert command(*publish)[0] == 0
    path = tmp_path / "results/records/toy.jsonl"
    ours = path.read_bytes()
    first, *rest = path.read_text().splitlines()
    earlier = json.loads(first)
    earlier["digests"]["result"] = "0" * 64
    path.write_text("\n".join([json.dumps(earlier), *rest]))
    code, out, err = command(*publish)
    assert (code, out) == (2, "")
    assert err.endswith("; or put these in the place of all that is published of toy: --replace\n")
    assert command(*publish, "--replace")[0] == 0
    assert path.read_bytes() == ours


OF_A_SUITE = {
    "--tasks": "nope", "--methods": "ticket", "--levels": "1", "--seeds": "0", "--scale": "bogus", "--store": "elsewhere"
}  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "more"),
    [("publish", {"--name": "x", "--replace": "", "--from": "x"}), ("plan", {"--workers": "1", "--stack": "off"})],
)
def test_what_is_of_a_suite_is_refused_where_none_is_asked_for(command, suite_file, finished, tmp_path, verb, more):
    results = ("--output", tmp_path / "results") if verb == "publish" else ()
    assert command("publish", suite_file, "--store", finished, "--output", tmp_path / "results")[0] == 0
    (tmp_path / "results/tables/toy.md").write_text("touched")
    for option, value in {**OF_A_SUITE, **more}.items():
        code, out, err = command(verb, *results, option, *([value] if value else []))
        assert (code, out) == (2, "")
        assert err.startswith(f"ticketbench: {option} is of a suite, and none is asked for: name one")
        assert len(err.splitlines()) == 1
    both = command(verb, *results, "--tasks", "nope", "--scale", "bogus")
    assert both[0] == 2
    assert "--tasks, --scale are of a suite, and none is asked for: name one" in both[2]
    assert (tmp_path / "results/tables/toy.md").read_text() == "touched"
    if verb == "publish":
        assert command(verb, *results)[0] == 0, "without any it does what it did"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "smok"), "ticketbench: unknown suite 'smok': did you mean 'smoke'?"),
        (
            ("run", "SUITE", "--methods", "tickt"),
            "ticketbench: unknown method of suite toy 'tickt': did you mean 'ticket'?",
        ),
        (("run", "SUITE", "--tasks", "toy/x"), "ticketbench: unknown task of suite toy 'toy/x'"),
        (("run", "SUITE", "--methods", "transfer+slow"), "ticketbench: unknown method of suite toy 'transfer+slow'"),
        (("import", "STORE/toy.toml", "--store", "EMPTY"), "toy.toml is no safetensors file"),
        (("plan", "SUITE", "--levels", "2"), "ticketbench: levels 2 asked, suite toy has 1, 3"),
        (("plan", "SUITE", "--seeds", "x"), "ticketbench: 'x' is not a choice of numbers"),
        (("run", "ZERO", "--levels", "0", "--methods", "ticket"), "--levels 0 selects no unit: `ticketbench plan "),
        (("plan", "SUITE", "--scale", "paper"), "ticketbench: unknown scale of toy/chain 'paper'"),
        (("table", "--store", "none"), "ticketbench: no store none: run a suite first"),
        (("verify", "none"), "ticketbench: no store none"),
        (("show", "abc", "--store", "none"), "ticketbench: no store none"),
        (("run", "SUITE", "--store", "STORE/toy.toml"), "toy.toml is a file, not a store"),
        (("run", "SUITE", "--store", "STORE"), "holds files but no store.json"),
        (("table", "--store", "EMPTY"), "ticketbench: no finished unit in "),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(command, suite_file, tmp_path, args, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.toml").write_text(suite_file.read_text().replace("[1, 3]", "[0, 1]"))
    places = {
        "ZERO": str(tmp_path / "zero.toml"),
        "SUITE": str(suite_file),
        "STORE": str(tmp_path),
        "EMPTY": str(tmp_path / "empty"),
    }
    code, out, err = command(*(places.get(each, each.replace("STORE", str(tmp_path))) for each in args))
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_formats_that_do_not_exist_and_places_that_cannot_be_written(command, finished, tmp_path):
    code, _, err = command("table", "--store", finished, "--format", "xlsx")
    assert (code, err) == (2, "ticketbench: unknown format 'xlsx': known are csv, html, json, md, rliable, tex\n")
    code, _, err = command("table", "--store", finished, "--output", tmp_path / "no" / "such.csv")
    assert code == 2
    assert "such.csv: No such file or directory; name another --output" in err


@pytest.mark.parametrize(
    "args", [("frobnicate",), ("run",), ("run", "toy", "--wrkers", "2"), ("run", "toy", "--workers", "0")]
)
def test_a_wrong_option_is_exit_code_2(command, args):
    code, _, err = command(*args)
    assert code == 2
    assert "Traceback" not in err
    assert "Error: " in err


def test_a_newer_store_is_refused(command, tmp_path, suite_file):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "store.json").write_text('{"format": 99}')
    code, _, err = command("run", suite_file, "--store", tmp_path / "new")
    assert code == 2
    assert "was written by a newer ticketbench (format 99, this one reads 2): upgrade" in err


def python(code, *args, cwd=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


HEAVY = """
import atexit, sys
atexit.register(lambda: print("HEAVY", *sorted({"torch", "scipy", "matplotlib", "numpy"} & set(sys.modules)), file=sys.stderr))
"""


def test_help_imports_nothing_heavy_and_answers_at_once():
    seconds = []
    for _ in range(3):
        begun = time.monotonic()
        done = python(f"{HEAVY}\nfrom bench.__main__ import main; main()", "--help")
        seconds.append(time.monotonic() - begun)
        assert done.returncode == 0
        assert done.stderr.split() == ["HEAVY"]
    assert min(seconds) < 2, "0.2 s on an idle machine; the tests share theirs"


@pytest.mark.parametrize(
    ("args", "allowed"),
    [
        (("table", "--store", "STORE"), {"numpy", "scipy"}),
        (("plan", "smoke", "--store", "STORE"), {"numpy"}),
        (("status", "smoke", "--store", "STORE"), {"numpy"}),
        (("verify", "STORE"), {"numpy", "scipy"}),
        (("compare", "STORE", "STORE"), {"numpy", "scipy"}),
        (("claims", "F1-4"), {"numpy", "scipy"}),
        (("claims", "F1-4", "--records", str(Path(__file__).parents[2] / "results/records")), {"numpy", "scipy"}),
        (("plot", "--store", "STORE", "--output", "STORE/figures"), {"numpy", "scipy", "matplotlib"}),
    ],
)
def test_no_verb_but_run_needs_torch(filled, args, allowed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = str(filled[0].root)
    done = python(f"{HEAVY}\nfrom bench.__main__ import main; main()", *(each.replace("STORE", store) for each in args))
    assert done.returncode == (args[0] == "verify"), "toys are not installed there, which verify finds"
    loaded = [word for line in done.stderr.splitlines() if line.startswith("HEAVY") for word in line.split()[1:]]
    assert set(loaded) <= allowed, "nor does the parent of the workers"


NOBODY = """
import pwd

def nobody(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = nobody
"""


def test_nobody_without_a_home_can_do_everything(filled, suite_file, tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NOBODY)  # for the workers, too
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    store = ("--store", filled[0].root)
    for words in (
        ("run", suite_file, "--store", tmp_path / "new", "--seeds", "0"),
        ("plan", suite_file, *store),
        ("table", *store),
        ("plot", *store),
        ("publish", suite_file, *store),
        ("site",),
        ("pack", suite_file, *store, "--output", "toy.zip"),
    ):
        done = python("import toy; toy.main()", *words)
        assert done.returncode == 0, done.stderr
        told = [line for line in done.stderr.splitlines() if "atplotlib" not in line]  # which says where it caches
        assert told == [], words
    done = python("from pathlib import Path; Path.home()")
    assert "Could not determine home directory" in done.stderr, "it is as hard as it should be"


def test_the_parent_of_the_workers_needs_no_torch(suite_file, tmp_path):
    done = python(f"{HEAVY}\nimport toy; toy.main()", "run", suite_file, "--seeds", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(done.stderr.split()[1:]) <= {"numpy", "scipy"}


def test_nothing_is_printed_about_what_workers_leave(suite_file, tmp_path, trouble):
    trouble({"toy/chain@smoke dense L0 s0": "lock"})
    done = python("import toy; toy.main()", "run", suite_file, "--seeds", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_python_m_bench_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"ticketbench {__version__}\n")


@pytest.mark.slow
def test_the_smoke_suite_for_real(tmp_path):
    """Torch, MNIST and all: a ticket, its control and the table of both."""
    options = ["--methods", "dense,ticket,reinit", "--levels", "1", "--seeds", "0", "--store", tmp_path / "runs"]
    done = python("from bench.__main__ import main; main()", "run", "smoke", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 units done" in done.stdout
    done = python("from bench.__main__ import main; main()", "verify", tmp_path / "runs")
    assert done.returncode == 0, done.stdout


def test_the_toy_is_what_the_real_work_is():
    """The tests of the machinery stand on the toy's work: it must take what the launcher gives to the real one."""
    assert toy.work.__kwdefaults__ is None
    assert toy.work.__code__.co_varnames[:5] == ("unit", "parents", "folder", "device", "report")


def test_every_option_of_a_group_reaches_what_it_is_for(command, suite_file, monkeypatch):
    """One group, one place: an option that the command line offers is a field there, with the same value if it is left out."""
    for group, kind in ((options.Training, Execution), (options.Part, Request)):
        told = {each.name: each.default for each in fields(group)}
        assert told == {each.name: each.default for each in fields(kind) if each.name in told}
    assert {each.name for each in fields(options.Training)} == {each.name for each in fields(Execution)}
    asked = []
    monkeypatch.setattr(training, "run", lambda *given: asked.append(given) or 0)
    command(
        "run", suite_file, "--tasks", "a/b", "--methods", "m", "--levels", "1-2", "--seeds", "3", "--scale", "quick",
        "--threads", 2, "--workers", 3, "--progress", "none", "--unit-timeout", 5,
    )  # fmt: skip
    ((request, root, execution),) = asked
    assert request == Request(suite=str(suite_file), tasks="a/b", methods="m", levels="1-2", seeds="3", scale="quick")
    assert root == Path("results/runs")
    assert execution == Execution(threads=2, workers=3, progress="none", unit_timeout=5.0)
