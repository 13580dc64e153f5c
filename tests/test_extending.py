"""What `docs/extending.md` shows works as pasted: a method from outside goes through the whole suite like a built-in one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()


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
    return folder


def test_the_page_checks_it_as_pasted(guest):
    (check,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "check_method" in code]
    path = os.pathsep.join([str(guest), str(Path(__file__).parents[1])])
    command = [sys.executable, "-W", "error", "-c", check]
    subprocess.run(command, check=True, cwd=guest, env={**os.environ, "PYTHONPATH": path})


def test_planning_it_needs_no_torch(guest):
    code = "import sys; from bench import registry; assert 'movement' in registry.methods(); assert 'torch' not in sys.modules"
    path = os.pathsep.join([str(guest), str(Path(__file__).parent), str(Path(__file__).parents[1])])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
