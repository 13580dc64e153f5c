"""Everything works from a built wheel: bundled data, suites and entry points, with no checkout in sight."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words, cwd, **environment):
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_data_suites_and_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "bench/suites/quick.toml",
        "bench/claims/1803.03635.toml",
        "domains/vision/data/mnist/train-images-idx3-ubyte.gz",
        "domains/vision/data/mnist/README.md",
        "domains/nlp/data/bible/bible.en-es.tsv.gz",
        "domains/nlp/data/bible/README.md",
    ):
        assert wanted in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "results/"))]


@pytest.mark.slow
def test_a_smoke_suite_runs_from_the_wheel_in_an_empty_folder(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site), str(wheel), cwd=empty)
    where = run(sys.executable, "-c", "import bench; print(bench.__file__)", cwd=empty, PYTHONPATH=str(site))
    assert Path(where.strip()).is_relative_to(site)
    command = (sys.executable, "-m", "bench", "run", "smoke", "--seeds", "0", "--methods", "dense,ticket,reinit")
    table = run(*command, cwd=empty, PYTHONPATH=str(site))
    assert "| reinit " in table
    assert (empty / "results" / "runs" / "store.json").exists()
    assert "no findings" in run(sys.executable, "-m", "bench", "verify", cwd=empty, PYTHONPATH=str(site))
