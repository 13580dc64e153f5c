"""What `docs/extending.md` shows works as pasted: a method from outside goes through the whole suite like a built-in one."""

import json
import os
import re
import subprocess
import sys
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


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    """An installed package of the page's files, and one that brings the example domain."""
    folder = tmp_path_factory.mktemp("guest")
    for name, text in re.findall(r"```python\n# (movement/\w+\.py)\n(.*?)```", PAGE, re.DOTALL):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (entries,) = re.findall(r"```toml\n# pyproject.toml\n\[project.entry-points.\"(.*?)\"\]\n(.*?)```", PAGE, re.DOTALL)
    group, line = entries[0], entries[1].replace('"', "")
    info = folder / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{line}\n[ticketbench.domains]\nexample = example:domain\n")
    (folder / "guest.toml").write_text(SUITE)
    return folder


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
    assert "Nothing worse" in bench("compare", "results/records/guest.jsonl", "store")
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


def test_the_page_checks_it_as_pasted(guest):
    (check,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "check_method" in code]
    path = os.pathsep.join([str(guest), str(Path(__file__).parents[1])])
    command = [sys.executable, "-W", "error", "-c", check]
    subprocess.run(command, check=True, cwd=guest, env={**os.environ, "PYTHONPATH": path})


def test_planning_it_needs_no_torch(guest):
    code = "import sys; from bench import registry; assert 'movement' in registry.methods(); assert 'torch' not in sys.modules"
    path = os.pathsep.join([str(guest), str(Path(__file__).parent), str(Path(__file__).parents[1])])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
