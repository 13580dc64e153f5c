"""What a shell is offered: it calls the command as its completion scripts do."""

import os
import resource
import shutil
import subprocess
import sys

import pytest

from bench import registry, suitefile
from bench.verbs.arguments import completion

COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'ticketbench'; from bench.__main__ import main; main()"]


def ask(words, shell="bash", **environment):
    """The lines that come back for a command line whose last word is being typed."""
    asked = {
        "_TICKETBENCH_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": " ".join(words),
        **environment,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(COMMAND, env={**os.environ, **asked}, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["pl"], ["plan", "plot"]),
        (["run", "lev"], ["levels"]),
        (["table", "l"], ["language-modelling", "lenet-paper", "lenet-seeds", "levels", "lth-mnist"]),
        (["run", "first", "--tasks", "vision/lenet-m"], ["vision/lenet-mnist"]),
        (["run", "first", "--methods", "reinit"], ["reinit", "reinit-signed"]),
        (["run", "first", "--methods", "ticket,dense,re"], ["ticket,dense,reinit", "ticket,dense,reinit-signed"]),
        (["run", "first", "--methods", "reinit,reinit"], ["reinit,reinit-signed"]),
        (["run", "first", "--methods", "transfer-"], ["transfer-reinit+"]),
        (["tasks", "--scale", ""], ["smoke", "quick", "small", "paper"]),
        (["tasks", "--domain", ""], ["nlp", "rl", "teacher", "vision"]),
        (["claims", "F1-15"], ["F1-15", "F1-15-began"]),
        (["reproduce", "1905.1"], ["1905.13405"]),
        (["claims", "--verdict", "no"], ["no verdict", "not run"]),
        (["run", "first", "--stor"], ["--store"]),
    ],
    ids=" ".join,
)
def test_names_are_offered_where_they_are_taken(typed, offered):
    assert ask(["ticketbench", *typed]) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_in_their_own_way(shell):
    told = "\n".join(ask(["ticketbench", "run", "fir"], shell, _TYPER_COMPLETE_FISH_ACTION="get-args"))
    assert "first" in told
    assert "smoke" not in told


def test_everything_that_exists_is_offered():
    assert set(completion.suites()) == set(suitefile.names())
    assert set(completion.tasks()) == {task.name for task in registry.tasks().values()}
    assert set(completion.methods()) >= set(registry.methods())
    assert list(completion.domains()) == list(registry.domains())


def test_a_shell_is_answered_soon_and_without_torch():
    code = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); " + COMMAND[-1]
    words = {"_TICKETBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "ticketbench run f", "COMP_CWORD": "2"}
    environment = {**os.environ, **words, "PYTHONPATH": os.pathsep.join(sys.path)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.split() == ["first", "False"]
    assert after.ru_utime - before.ru_utime < 2, "0.3 s of an idle processor; the tests share theirs"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_script_that_is_shown_works_in_bash(tmp_path):
    (tmp_path / "ticketbench").write_text(f'#!/bin/sh\nexec {sys.executable} -m bench "$@"\n')
    (tmp_path / "ticketbench").chmod(0o755)
    script = """
        source <(ticketbench --show-completion bash)
        COMP_WORDS=(ticketbench run f) COMP_CWORD=2
        _ticketbench_completion ticketbench
        echo "offered: ${COMPREPLY[*]}"
    """
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "offered: first\n", done.stderr
