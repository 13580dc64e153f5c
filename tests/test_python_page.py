"""`docs/python.md` does what it says, from top to bottom, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "python.md"


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path):
    pytest.importorskip("pandas")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 8
    (tmp_path / "page.py").write_text("\n".join(blocks), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "page.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| ticket " in done.stdout
    _, shown = done.stdout.split("vs_random\n")
    arms = re.findall(r"^\d+ +([a-z-]+) +(\d) ", shown, re.MULTILINE)
    assert {method for method, _ in arms} == {"dense", "ticket", "reinit", "random-ticket"}
    assert len(arms) == len(set(arms)) == 7, "each arm once"
    assert re.search(r"^[\d.]+ % of the task's test images$", done.stdout, re.MULTILINE)
    assert (tmp_path / "plots" / "smoke-vision-lenet-mnist.svg").exists()
