"""Everything works from a built wheel: bundled data, suites and entry points, with no checkout in sight."""

import sys
import zipfile
from pathlib import Path

import pytest
from wheels import ROOT, build, run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def test_the_wheel_holds_data_suites_and_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "bench/py.typed",
        "domains/py.typed",
        "bench/suites/quick.toml",
        "bench/claims/1803.03635.toml",
        "bench/report/site/page/index.html",
        "bench/report/site/page/page.css",
        "bench/report/site/page/vendor/LICENSES.txt",
        "bench/report/site/page/vendor/vega.min.js",
        "domains/vision/data/mnist/train-images-idx3-ubyte.gz",
        "domains/vision/data/mnist/README.md",
        "domains/nlp/data/bible/bible.en-es.tsv.gz",
        "domains/nlp/data/bible/README.md",
    ):
        assert wanted in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "results/"))]


@pytest.mark.slow
def test_from_a_run_to_the_leaderboard_in_an_empty_folder(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site), str(wheel), cwd=empty)
    where = run(sys.executable, "-c", "import bench; print(bench.__file__)", cwd=empty, PYTHONPATH=str(site))
    assert Path(where.strip()).is_relative_to(site)

    def ticketbench(*words):
        return run(sys.executable, "-m", "bench", *words, cwd=empty, PYTHONPATH=str(site))

    part = ("smoke", "--seeds", "0", "--methods", "dense,ticket,reinit")
    assert "| reinit " in ticketbench("run", *part)
    assert (empty / "results" / "runs" / "store.json").exists()
    ticketbench("pack", *part, "--output", "smoke.zip")
    for submission in ("results/runs", "smoke.zip"):
        assert "no findings" in ticketbench("verify", submission)
    ticketbench("publish", *part)
    ticketbench("site", "--output", "results/index.html")
    assert "vision/lenet-mnist@smoke" in (empty / "results" / "index.html").read_text(encoding="utf-8")
