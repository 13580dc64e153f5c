"""What `docs/extending.md` shows works as pasted: a method from outside goes through the whole suite like a built-in one."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
SUITE = """
title = "a guest"

[[task]]
name = "example/moons"
scale = "smoke"
methods = ["dense", "ticket", "reinit", "shuffled", "random-ticket", "movement"]
levels = [1, 3]
seeds = "0-2"
"""


ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = BLOCK.findall(PAGE)
HEAD = re.compile(r"# (\S+\.(?:py|toml|yml))\n")


def written(folder):
    """Put every file of the page where its first line says, and make it installed; gives the names."""
    names = [HEAD.match(text)[1] for kind, text in BLOCKS if kind != "console"]
    for kind, text in BLOCKS:
        if kind != "console":
            path = folder / HEAD.match(text)[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (folder / "ticketbench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m bench "$@"\n')
    (folder / "ticketbench").chmod(0o755)
    return names


def install(folder, *more):
    groups = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in each.items())
        for group, each in groups.items()
    ]
    info = folder / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join([*lines, *more]))


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    """The page's package, installed, and one that brings the example domain."""
    folder = tmp_path_factory.mktemp("guest")
    written(folder)
    install(folder, "[ticketbench.domains]\nexample = example:domain\n")
    (folder / "guest.toml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A folder with the page's files, where a line of the page can be typed; gives code and output."""
    folder = tmp_path_factory.mktemp("page")
    written(folder)
    site = folder / "site"
    pip = f'"{sys.executable}" -m pip "$@" --quiet --no-deps --no-index --no-build-isolation --target "{site}"'
    (folder / "pip").write_text(f"#!/bin/sh\nexec {pip}\n")
    (folder / "pip").chmod(0o755)
    path = os.pathsep.join([str(site), str(ROOT)])
    found = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": path, "PATH": found, "COLUMNS": "200"}

    def typed(line):
        done = subprocess.run(
            ["sh", "-c", line], check=False, capture_output=True, text=True, cwd=folder, env=environment
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    typed.folder = folder
    typed("git init -q")
    return typed


@pytest.fixture(scope="module")
def bench(guest):
    """Run the command line where the package is installed; gives code and output."""
    path = os.pathsep.join([str(guest), str(Path(__file__).parent), str(Path(__file__).parents[1])])

    def run(*args, code=0):
        command = [sys.executable, "-m", "bench", *map(str, args)]
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=guest, env=environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_a_method_from_outside_passes_through_everything(bench, guest):
    assert "units" in bench("plan", "guest.toml", "--store", "store")
    assert "movement" in bench("run", "guest.toml", "--store", "store")
    assert "movement" in bench("table", "guest.toml", "--store", "store", "--format", "csv")
    assert "no findings" in bench("verify", "store")
    retrained = bench("verify", "store", "--retrain", "60", "--draw", "1")
    again = [line for line in retrained.splitlines() if " movement L" in line]
    assert again
    assert all("equal to the bit" in line and "not equal" not in line for line in again)
    bench("pack", "guest.toml", "--store", "store", "--output", "guest.zip")
    assert "no findings" in bench("verify", "guest.zip")
    bench("publish", "guest.toml", "--store", "store", "--output", "results")
    bench("plot", "guest.toml", "--store", "store", "--output", "plots")
    assert "Nothing worse or missing" in bench("compare", "results/records/guest.jsonl", "store")
    bench("site", "--records", "results/records", "--output", "index.html")
    assert "movement" in (guest / "index.html").read_text()


@pytest.mark.slow
def test_a_tampered_unit_of_it_is_found_like_a_built_in_ones(bench, guest):
    (folder,) = (guest / "store" / "example" / "moons" / "movement" / "s0").glob("L03-*")
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, "steps": record["steps"] + 1}))
    findings = bench("verify", "store", code=1)
    (folder / "record.json").write_text(json.dumps(record))
    assert "its training has" in findings


def test_every_block_of_the_page_is_a_file_or_is_typed():
    assert {kind for kind, _ in BLOCKS} == {"toml", "python", "console", "yaml"}
    assert all(HEAD.match(text) for kind, text in BLOCKS if kind != "console")
    assert PAGE.count("```") == 2 * len(BLOCKS)


@pytest.mark.slow
def test_every_line_of_the_page_can_be_typed_in_its_order(page):
    lines = [line for kind, text in BLOCKS if kind == "console" for line in text.splitlines()]
    told = {}
    for line in lines:
        code, told[line] = page(line)
        assert code == 0, f"{line}\n{told[line]}"
    assert len(lines) > 12
    table = told["ticketbench table later.toml --store runs --tasks vision/lenet-mnist-late"]
    assert "- Deviation: Rewind step 10 instead of 0." in table
    for method in ("moved", "salient", "rounds"):
        assert any(f"{method} on vision/lenet-mnist@smoke: no findings" in out for out in told.values())
    assert "equal to the bit" in next(out for line, out in told.items() if "--retrain" in line)
    assert "baseline/records/mine.jsonl" in page("git status --short")[1]


@pytest.mark.slow
def test_the_recipe_for_continuous_integration_passes_a_change_that_keeps_the_scores_and_stops_a_broken_one(page):
    steps = re.findall(r"- run: (.*)", next(text for kind, text in BLOCKS if kind == "yaml"))
    assert steps[0] == "pip install ticketbench"
    for line in (
        "ticketbench run mine.toml --store runs",
        "ticketbench publish mine.toml --store runs --output baseline",
    ):
        assert page(line)[0] == 0
    file = page.folder / "mine.py"
    good = file.read_text()
    file.write_text(good + "\n# told better\n")
    outputs = [page(step) for step in steps[1:]]
    assert [code for code, _ in outputs] == [0, 0, 0], outputs
    assert "Nothing worse" in outputs[-1][1]
    assert "protocol changed" not in outputs[-1][1], "another version of the file is what is in question"
    file.write_text(good.replace(": (after", ": -(after"))
    outputs = [
        page(step.replace("--store new", "--store negated").replace("jsonl new", "jsonl negated")) for step in steps[1:]
    ]
    assert [code for code, _ in outputs] == [0, 0, 1], "it keeps to the protocol, and what moved least"
    assert "Nothing is shown to be worse in 1 cell (1 inconclusive); 1 is undecided" in outputs[-1][1]
    file.write_text(good.replace("inputs.keep)", "{name: n - 1 for name, n in inputs.keep.items()})"))
    outputs = [
        page(step.replace("--store new", "--store broken").replace("jsonl new", "jsonl broken")) for step in steps[1:]
    ]
    assert [code for code, _ in outputs] == [1, 1, 1], outputs
    assert "C5: " in outputs[0][1]
    assert "missing" in outputs[2][1]
    file.write_text(good)


def test_planning_it_needs_no_torch(guest):
    code = "import sys; from bench import registry; assert 'movement' in registry.methods(); assert 'torch' not in sys.modules"
    path = os.pathsep.join([str(guest), str(Path(__file__).parent), str(Path(__file__).parents[1])])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
