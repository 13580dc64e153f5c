"""`ticketbench check`: what is asked of the process that checks, and what its findings make of the exit code."""

import json
from functools import partial

import pytest
from checked import FOUND

from bench import registry
from bench.runs.conformance import findings
from bench.tickets.methods import METHODS
from bench.verbs import conformance

FILE = """
import toy
from bench.tickets.columns import MaskColumn
from bench.tickets.methods import define

MASK = MaskColumn(function="mine:choose", layers="level")
def choose(inputs): ...
method = define("mine", "mine:MASK", "fresh", "full", "")
template = define("moved", "source", "fresh", "full", "")
digits = {"smoke": toy.task("toy/digits"), "quick": toy.task("toy/digits", scale="quick")}
"""


@pytest.fixture
def checked(command, brings, monkeypatch):
    """Run the verb where `mine.py` is; the process finds what is given."""
    monkeypatch.chdir(brings(mine=FILE))
    monkeypatch.setattr(conformance, "check", partial(conformance.check, serve="checked:serve"))

    def check(*words, wrong=(), notes=(), doing=(), found=None):
        monkeypatch.setenv(FOUND, found or json.dumps({"wrong": wrong, "notes": notes, "doing": doing}))
        return command("check", *words)

    return check


def test_no_finding_is_conformance_and_a_note_is_no_finding(checked):
    words = ("mine.py:method", "--task", "toy/chain@smoke")
    code, out, _ = checked(*words)
    assert (code, out) == (0, "mine on toy/chain@smoke: no findings\n")
    code, out, _ = checked(*words, notes=["note: the scores are of another network"])
    assert (code, out) == (0, "note: the scores are of another network\nmine on toy/chain@smoke: no findings\n")


def test_what_takes_the_minutes_is_told_on_standard_error(checked):
    _, out, err = checked("mine.py:method", "--task", "toy/chain", doing=["training a", "training b"])
    assert out == "mine on toy/chain@smoke: no findings\n"
    assert err.splitlines() == [
        f"ticketbench: checking mine on toy/chain@smoke: {doing}" for doing in ("starting", "training a", "training b")
    ]


def test_findings_are_sentences_and_exit_code_1(checked):
    code, out, _ = checked("mine.py:method", "--task", "toy/chain", wrong=["C5", "C9"], notes=["note: n"])
    assert code == 1
    assert out.splitlines() == [
        "mine on toy/chain, 0 brought: C5", "mine on toy/chain, 0 brought: C9", "note: n", "mine on toy/chain@smoke: 2 findings",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "on", "what"),
    [
        ("ticket", "toy/still@smoke", "ticket on toy/still, 0 brought"),
        ("transfer+slow", "toy/chain", "transfer+slow on toy/chain, 0 brought"),
        ("mine.py:template+slow", "toy/chain", "moved+slow on toy/chain, 0 brought"),
        ("reinit", "mine.py:digits@quick", "reinit on toy/digits, 2 brought"),
        ("toy/chain", None, "None on toy/chain, 0 brought"),
        ("toy/chain@quick", None, "None on toy/chain, 0 brought"),
        ("mine.py:digits@smoke", None, "None on toy/digits, 2 brought"),
    ],
)
def test_methods_and_tasks_are_checked_installed_or_in_a_file(checked, name, on, what):
    code, out, _ = checked(name, *(("--task", on) if on else ()), wrong=["C1"])
    assert (code, out.splitlines()[0]) == (1, f"{what}: C1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tickt", "--task", "toy/chain"), "unknown method 'tickt': did you mean 'ticket'"),
        (("toy/chian",), "unknown task 'toy/chian': did you mean 'toy/chain'"),
        (("toy/chain@paper",), "unknown scale of toy/chain 'paper'"),
        (("mine.py:digits",), "mine.py:digits gives a task of each scale, smoke, quick: choose one"),
        (("mine.py:nothing",), "unknown name of"),
        (("none.py:method",), "no file"),
        (("ticket", "--task", "toy/picky"), "toy/picky@smoke cannot run ticket: it has no weights to rewind; name another --task"),
        (("ticket",), "unknown task 'vision/lenet-mnist'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_exit_code_2(checked, words, said):
    code, out, err = checked(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_code_that_takes_the_process_down_is_a_finding(checked):
    code, out, _ = checked("mine.py:method", "--task", "toy/chain", found="die")
    assert code == 1
    assert out.startswith("C14: the process that checked it ended with exit code 7\n")


@pytest.mark.slow
def test_the_process_that_really_checks_finds_what_a_domain_raises(toys):
    from toy import TASKS

    (wrong,), notes = findings(TASKS[0], METHODS["ticket"], tell=print)
    assert notes == []
    assert wrong.startswith("C14: the process that checked it ended with"), "no process but this one knows the toys"


def test_a_task_that_a_run_would_refuse_is_refused(checked, monkeypatch):
    monkeypatch.setattr(registry, "refusal", lambda task: "it contradicts itself")
    code, _, err = checked("toy/chain")
    assert code == 2
    assert "toy/chain@smoke: it contradicts itself" in err
