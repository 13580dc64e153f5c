"""`docs/submissions.md` leads from a wheel with a method of its own to the board, in environments without a checkout."""

import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from wheels import ROOT, Environment, build, run

PAGES = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("extending.md", "submissions.md")]
FILES = dict(
    re.findall(
        r"^```(?:python|toml)\n# ((?:movement|pyproject|students)[\w/.]*)\n(.*?)^```",
        "\n".join(PAGES),
        re.DOTALL | re.MULTILINE,
    )
)
(SHORTEST,) = re.findall(r"^```console\n(.*?)^```", PAGES[1], re.DOTALL | re.MULTILINE)
SUBMITTER, KEEPER = re.findall(r"^```sh\n(.*?)^```", PAGES[1], re.DOTALL | re.MULTILINE)


def commands(block):
    """Those of ticketbench; the wheels are made and installed by the tests, without a network."""
    return [words for words in map(shlex.split, block.splitlines()) if words[0] == "ticketbench"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Ticket Bench's and the submitter's."""
    project = tmp_path_factory.mktemp("movement")
    for name, text in FILES.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    return build(ROOT, tmp_path_factory.mktemp("ours")), build(project, tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def submission(wheels, tmp_path_factory):
    """The archive, made where both wheels are installed; the environment; and what was printed."""
    folder = tmp_path_factory.mktemp("submitter")
    environment = Environment(folder / "environment", *wheels)
    (folder / "movement.toml").write_text(FILES["movement.toml"])
    told = [environment.run(*words, cwd=folder) for words in commands(SUBMITTER)]
    return folder / "movement.zip", environment, told


def test_the_page_has_the_files_of_the_package():
    assert set(FILES) >= {"movement/__init__.py", "movement/choose.py", "pyproject.toml", "movement.toml"}
    assert len(commands(SUBMITTER)) == 3
    assert len(commands(KEEPER)) == 4


def test_the_shortest_way_is_at_a_scale_that_carries_a_verdict():
    (entry,) = tomllib.loads(FILES["students.toml"])["task"]
    assert entry["scale"] in ("small", "paper")
    assert {"dense", "ticket", "reinit", "shuffled", "random-ticket"} < set(entry["methods"])


@pytest.mark.slow
def test_the_shortest_way_needs_nothing_but_a_suite(tmp_path):
    """At another scale and fewer seeds: the page's takes minutes."""
    suite = FILES["students.toml"].replace('"small"', '"smoke"').replace('"0-9"', '"0-2"')
    (tmp_path / "students.toml").write_text(suite, encoding="utf-8")
    arguments = {"cwd": tmp_path, "PYTHONPATH": str(ROOT)}
    ran, verify, pack = (run(sys.executable, "-m", "bench", *words[1:], **arguments) for words in commands(SHORTEST))
    assert "| one-shot " in ran
    assert "no findings" in verify
    assert "33 of 33 units" in pack


@pytest.mark.slow
def test_from_a_wheel_to_the_board(submission, tmp_path):
    archive, environment, told = submission
    where = environment.run(
        "python", "-c", "import bench, movement; print(bench.__file__, movement.__file__)", cwd=tmp_path
    )
    assert all(Path(each).is_relative_to(environment.bin.parent) for each in where.split()), (
        "the wheels', not a checkout's"
    )
    ran, verify, pack = told
    assert "| movement " in ran
    assert "no findings" in verify
    assert "21 of 21 units" in pack
    (tmp_path / archive.name).write_bytes(archive.read_bytes())
    _, verify, _, _ = (environment.run(*words, cwd=tmp_path) for words in commands(KEEPER))
    assert "no findings" in verify
    measured = (tmp_path / "results" / "measured" / "movement.jsonl").read_text().splitlines()
    assert measured
    assert all(json.loads(line)["equal"] for line in measured)
    page = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "movement" in page
    assert "Not installed here" not in page


@pytest.mark.slow
def test_without_the_wheel_it_stands_apart(submission, wheels, tmp_path):
    archive, _, _ = submission
    environment = Environment(tmp_path / "environment", wheels[0])
    told = environment.run("ticketbench", "verify", str(archive), cwd=tmp_path, code=1)
    assert "movement" in told
    assert "not installed" in told
    for words in commands(KEEPER):
        if "verify" not in words:
            environment.run(*(str(archive) if word == archive.name else word for word in words), cwd=tmp_path)
    page = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "Not installed here" in page
