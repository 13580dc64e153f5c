"""Every file that `docs/own.md` shows is a task that conforms, as pasted."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
TASKS = {"my_points.py": "rings", "my_agents.py": "balance", "my_texts.py": "talks"}
CHECK = """
import sys
from importlib import import_module
from bench.registry import domain
from bench.tickets.conformance import check_learner
task = getattr(import_module(sys.argv[1]), sys.argv[2])
assert check_learner(domain(task.domain), task) == []
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's files, and the text that one of them is about."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (suite,) = re.findall(r"```toml\n# rings.toml\n(.*?)```", PAGE, re.DOTALL)
    (folder / "rings.toml").write_text(suite)
    chance = random.Random(0)
    words = [("cat", "katze"), ("dog", "hund"), ("sees", "sieht"), ("red", "rot"), ("tree", "baum"), ("old", "alt")]
    rows = [[chance.choice(words) for _ in range(5)] for _ in range(200)]
    for column, language in enumerate(("en", "de")):
        lines = [" ".join(word[column] for word in row) for row in rows]
        (folder / f"talks.{language}").write_text("\n".join(lines))
    return folder


def run(folder, *command):
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *command], check=False, capture_output=True, text=True, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_a_file_of_each_kind():
    assert FILES.keys() == TASKS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_each_file_is_a_task_that_conforms(folder, name):
    run(folder, "-W", "error", "-c", CHECK, name.removesuffix(".py"), TASKS[name])


@pytest.mark.slow
def test_random_play_scores_what_the_page_says(folder):
    (command,) = re.findall(r"^python (-m domains.rl.chance .*)", PAGE, re.MULTILINE)
    (said,) = re.findall(r"chance=(-?[\d.]+)", FILES["my_agents.py"])
    mean, error = re.match(r"\S+ (\S+) \+- (\S+)", run(folder, *command.split())).groups()
    assert abs(float(mean) - float(said)) < 4 * float(error)


@pytest.mark.slow
def test_the_suite_runs_as_pasted(folder):
    commands = re.findall(r"^ticketbench (.*)", PAGE, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["check", "run"]
    assert "no findings" in run(folder, "-m", "bench", *commands[0].split())
    assert "27 of 27 units done" in run(folder, "-m", "bench", *commands[1].split(), "--store", "runs")
    assert "no findings" in run(folder, "-m", "bench", "verify", "runs", "--suites", "rings.toml", "--retrain", "2")
