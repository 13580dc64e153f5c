"""The first fifteen minutes: what a run says before and after, and how what it shows is had again."""

import re
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import toy
import typer.main

from bench import cli, registry
from bench.errors import MissingPackage
from bench.report.sentences import sentences
from bench.report.table.rows import sections
from bench.runs.estimates.pace import steps_of
from bench.runs.estimates.timing import Timing
from bench.runs.planning.plan import plan
from bench.store.store import Store
from bench.suitefile import load_suite
from bench.verbs import claims, reports, speed, training

ESCAPES = re.compile("\x1b\\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def drawing(monkeypatch, tmp_path):
    """Figures are drawn, in a folder of the test's own."""
    monkeypatch.setattr(training, "draw", reports.draw)
    monkeypatch.chdir(tmp_path)


def test_the_first_suite_asks_the_same_of_two_kinds_of_learning():
    made = plan(load_suite("first"))
    assert [entry.task.name for entry in made.suite.entries] == ["vision/lenet-mnist", "rl/cartpole-a2c-steps"]
    for entry in made.suite.entries:
        assert [method.name for method in entry.methods] == ["dense", "ticket", "reinit", "random-ticket"]
        assert entry.seeds == (0, 1, 2), "the fewest that have an interval"


def test_how_long_it_will_take_is_said_before_anything_is_trained(command, suite_file, tmp_path, monkeypatch):
    asked = []

    def timings(tried, **_):
        asked.extend(tried)
        return {each.key: Timing(start=0.0, step=2.0, evaluation=0.0, worker=90.0) for each in tried}

    monkeypatch.setattr(training, "timings", timings)
    _, out, _ = command("run", suite_file, "--store", tmp_path / "runs", "--workers", 2)
    made = plan(load_suite(str(suite_file)))
    seconds = sum(2.0 * steps_of(unit) for unit in made.units.values()) / 2 + 90
    assert out.splitlines()[:2] == [f"16 units to train: about {seconds / 60:.0f} min with 2 workers", ""]
    assert [each.task.name for each in asked] == ["toy/chain"]
    _, out, _ = command("run", suite_file, "--store", tmp_path / "runs")
    assert "to train" not in out, "nothing is left"


def test_what_is_left_is_said_at_once_where_nothing_tells_how_long_it_takes(command, suite_file, tmp_path):
    _, out, _ = command("run", suite_file, "--store", tmp_path / "runs", "--workers", 2)
    assert out.startswith("16 units to train: nothing tells how long it takes with 2 workers\n\n")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_run_ends_in_sentences_table_and_figure(
    command, suite_file, finished, drawing, tmp_path, monkeypatch, is_terminal
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = command("run", suite_file, "--store", finished)
    assert code == 0
    out = ESCAPES.sub("", out)
    told = sentences(sections(Store(finished).records()))
    assert len(told) == 2
    flat, parts = " ".join(out.split()), (*told, "accuracy ↑ on test", "16 of 16 units done")
    places = [flat.index(" ".join(text.split())) for text in parts]
    assert places == sorted(places)
    assert "figure: plots/toy-toy-chain.svg\n" in out
    assert (tmp_path / "plots/toy-toy-chain.svg").stat().st_size > 1000
    assert not is_terminal or max(map(len, out.splitlines()[:-5])) <= 100


def test_a_run_with_failed_units_concludes_nothing(command, suite_file, tmp_path, trouble, drawing):
    trouble({"toy/chain@smoke ticket L2 s1": "fail"})
    code, out, _ = command("run", suite_file, "--store", tmp_path / "runs")
    assert code == 1
    assert "At smoke scale" not in out
    assert "figure: " not in out
    assert not (tmp_path / "plots").exists()


def test_a_place_where_no_figure_can_be_is_a_warning(command, suite_file, finished, drawing, tmp_path):
    (tmp_path / "plots").write_text("in the way")
    code, out, err = command("run", suite_file, "--store", finished)
    assert code == 0
    assert "figure: " not in out
    assert err.startswith("warning: no figures: cannot write to plots: ")
    assert err.count("\n") == 1


SHOWS = {
    "run": (["run", "SUITE", "--store", "STORE"], ["table SUITE", "plot SUITE"]),
    "table": (["table", "SUITE", "--store", "STORE"], ["table SUITE", "plot SUITE"]),
    "table of a store": (["table", "--store", "STORE"], ["table", "plot"]),
    "plot": (["plot", "SUITE", "--store", "STORE"], ["plot SUITE", "table SUITE"]),
    "publish": (["publish", "SUITE", "--store", "STORE"], ["publish SUITE"]),
    "claims": (["claims", "F1-4", "--records", "RECORDS"], ["claims F1-4 --records RECORDS"]),
    "reproduce": (["reproduce", "F1-4", "--store", "STORE"], ["reproduce F1-4"]),
    "compare": (["compare", "STORE", "STORE"], ["compare STORE STORE"]),
    "speed": (["speed", "SUITE", "--store", "STORE"], ["speed SUITE"]),
    "site": (["site", "--records", "RECORDS"], ["site --records RECORDS"]),
}
"""What shows tables or figures -> how it is called, and what its output says to call."""
SHOWS_NONE = {
    "check",
    "export",
    "plan",
    "status",
    "clean",
    "tasks",
    "methods",
    "show",
    "pack",
    "unpack",
    "ticket",
    "import",
    "verify",
}
"""Verbs that show neither: states, lists, one record, findings."""


def test_every_verb_that_shows_tables_or_figures_is_known():
    names = set(typer.main.get_command(cli.app).commands)
    assert {words[0] for words, _ in SHOWS.values()} | SHOWS_NONE == names


@pytest.mark.parametrize("shown", SHOWS)
def test_a_table_or_figure_on_a_terminal_says_how_to_have_it_again(
    command, suite_file, finished, tmp_path, drawing, monkeypatch, shown
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(speed, "speed", partial(speed.speed, serve="timed:serve"))
    monkeypatch.setattr(claims, "reproduce", partial(claims.reproduce, works=toy.WORKS))
    monkeypatch.setattr(claims, "suite", lambda *_: load_suite(str(suite_file)))
    store, records = Path("results/runs"), "results/records"
    shutil.copytree(finished, store)
    assert command("publish", suite_file)[0] == 0
    places = {"SUITE": str(suite_file), "RECORDS": records}
    for place in (store, finished):  # where it is taken from without being named, and elsewhere
        words, ways = SHOWS[shown]
        code, out, err = command(*({**places, "STORE": str(place)}.get(word, word) for word in words))
        assert (code, err) == (0, "")
        told = ESCAPES.sub("", out).splitlines()[-len(ways) :]
        assert told[0].startswith("again: ")
        for line, way in zip(told, ways, strict=True):
            assert line[7:].startswith("ticketbench ")
            again = shlex.split(line[7:])[1:]
            expected = [{**places, "STORE": str(place)}.get(word, word) for word in way.split()]
            assert again[: len(expected)] == expected
            assert ("--store" in again) == (place == finished and "--store" in words)
            code, repeated, _ = command(*again)
            assert code == 0, again
            if line == told[0] and shown != "run":
                assert repeated == out, "the same again"


def test_a_pipe_gets_tables_and_paths_alone(command, suite_file, finished, drawing):
    assert "again: " not in command("table", suite_file, "--store", finished)[1]
    assert all(Path(line).is_file() for line in command("plot", suite_file, "--store", finished)[1].split())
    assert "again: ticketbench table " in command("run", suite_file, "--store", finished)[1], "which is no data"


class Poor(toy.Toy):
    """A domain one of whose packages is not installed."""

    def check(self, task):
        raise MissingPackage(task.name, "somelib", install="ticketbench[rl]")


def test_without_its_extra_a_suite_is_refused_in_one_line_that_says_the_way_out(
    command, suite_file, tmp_path, monkeypatch
):
    reason = "toy/chain needs somelib, which is not installed: pip install 'ticketbench[rl]'"
    monkeypatch.setattr(registry, "missing", lambda task: reason if task.name == "toy/chain" else None)
    text = suite_file.read_text()
    suite_file.write_text(text + text[text.index("[[task]]") :].replace("toy/chain", "toy/still"))
    asked = ("run", suite_file, "--store", tmp_path / "runs")
    code, out, err = command(*asked)
    assert (code, out, err) == (2, "", f"ticketbench: {reason}; or leave them out: --tasks toy/still\n")
    assert not (tmp_path / "runs").exists()
    assert command(*asked, "--tasks", "toy/still")[0] == 0
    code, out, err = command(*asked, "--tasks", "toy/chain")
    assert (code, out, err) == (2, "", f"ticketbench: {reason}\n"), "there is nothing else"


def test_what_is_finished_is_shown_without_the_extra(command, suite_file, finished, monkeypatch):
    monkeypatch.setattr(registry, "domains", lambda: {"toy": Poor()})
    assert command("run", suite_file, "--store", finished)[0] == 0
    code, _, err = command("run", suite_file, "--store", finished.parent / "new")
    assert (code, "somelib, which is not installed" in err) == (2, True)


@pytest.mark.parametrize(("task", "package"), [("rl/cartpole-a2c", "gymnasium"), ("nlp/transformer-bible", "fairseq")])
def test_a_domain_knows_before_training_which_package_it_lacks(monkeypatch, task, package):
    asked = registry.task(task, "quick")
    assert registry.missing(asked) is None
    monkeypatch.setitem(sys.modules, package, None)
    extra = asked.domain
    assert registry.missing(asked) == (
        f"{task} needs {package}, which is not installed: pip install 'ticketbench[{extra}]'"
    )
    assert registry.missing(registry.task("vision/lenet-mnist", "quick")) is None
