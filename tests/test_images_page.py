"""What `docs/images.md` shows of images of one's own works as pasted, and what is said of downloads is true on every page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from domains.vision.datasets import READERS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "images.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
COMMANDS = "".join(re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)).splitlines()
SAID = re.compile(
    r"come with the packages\. ([^.]*) are\s+read from your own copies .*?nothing else is downloaded", re.DOTALL
)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/images.md"])
def test_every_page_names_the_data_sets_that_may_be_downloaded(page):
    (named,) = SAID.findall((ROOT / page).read_text(encoding="utf-8"))
    assert {name.lower() for name in re.split(", | and ", named)} == READERS.keys() - {"mnist"}


@pytest.mark.slow
def test_from_images_to_a_table_as_pasted(tmp_path):
    assert set(FILES) == {"flowers.py", "flowers.toml"}
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "ticketbench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m bench "$@"\n')
    (tmp_path / "ticketbench").chmod(0o755)
    lines = [line + (" --seeds 0" if " run " in line else "") for line in COMMANDS]
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": path,
        "XDG_CACHE_HOME": str(tmp_path),
        "COLUMNS": "200",
    }
    environment.pop("TICKETBENCH_DATA", None)
    script = "\n".join(["set -e", *lines])
    done = subprocess.run(
        ["sh", "-c", script], check=False, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 units done" in done.stdout
    assert "| random-ticket " in done.stdout
    assert "vision/resnet18-flowers" in done.stdout
