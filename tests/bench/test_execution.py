"""Who trains, within which limits, and how that is shown: what `run` and `reproduce` take besides what is trained."""

import io
import os
import shlex
import subprocess
import sys
from collections import Counter

import pytest

from bench.errors import LaunchError
from bench.runs.launch import slurm
from bench.runs.launch.process import Limits
from bench.store.store import Store
from bench.verbs.arguments.execution import Execution


@pytest.mark.parametrize("how", [{"workers": -1}, {"workers": 0}, {"threads": 0}, {"stack": 0}, {"stack": "many"}])
def test_numbers_are_from_one_on_from_python_too(how):
    ((name, number),) = how.items()
    with pytest.raises(LaunchError, match=rf"--{name} '?{number}"):
        Execution(**how)
    assert Execution(workers=2, stack=5) == Execution(workers=2, stack=5)


@pytest.mark.parametrize(
    ("size", "count"),
    [("4G", 4 * 2**30), ("512M", 512 * 2**20), ("1.5 GiB", 3 * 2**29), ("800kb", 800 * 2**10), ("1000000", 1_000_000)],
)
def test_limits(size, count):
    assert Execution(unit_timeout=60.0, unit_memory=size).limits == Limits(seconds=60.0, memory=count)
    assert Execution().limits == Limits()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--launcher", "dask"], "unknown launcher 'dask': known are local, ray, slurm"),
        (["--progress", "loud"], "unknown progress 'loud': known are live, none, plain"),
        (["--address", "auto"], "--address is for --launcher ray, this is --launcher local: add --launcher ray, or"),
        (["--launcher", "ray", "--nodes", "2"], "--nodes is for --launcher slurm, this is --launcher ray"),
        (["--dry-run"], "--dry-run is for --launcher slurm"),
        (["--launcher", "slurm", "--gpus-per-unit", "1"], "--gpus-per-unit is for --launcher ray"),
        (["--launcher", "ray", "--device", "cuda"], "--device cuda with --gpus-per-unit 0: units on GPUs need both"),
        (["--launcher", "ray", "--gpus-per-unit", "0.5"], "--device cpu with --gpus-per-unit 0.5: units on GPUs need"),
        (["--unit-memory", "much"], "--unit-memory 'much' is no size: write 4G, 512M or a number of bytes"),
        (["--unit-memory", "0"], "--unit-memory '0' is no size"),
        (["--stack", "0"], "--stack '0': write auto, off, or a number from 1 on"),
        (["--stack", "-2"], "--stack '-2': write auto, off, or a number from 1 on"),
        (["--stack", "many", "--launcher", "slurm"], "--stack 'many': write auto, off, or a number from 1 on"),
        (["--stack", "\u0664"], "--stack '\u0664': write auto, off, or a number from 1 on"),
        (["--stack", "4"], "--stack 4: no task here stacks (toy/chain@smoke: it is a toy); leave --stack out"),
        (["--launcher", "slurm", "--time", "soon"], "--time 'soon' is no time of Slurm's"),
        (["--device", "gpu"], "--device 'gpu' cannot be used on this machine: Expected one of cpu, cuda"),
        (["--device", "meta"], "--device 'meta' cannot be used on this machine: "),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_trained(command, suite_file, tmp_path, options, said):
    code, _, err = command("run", suite_file, "--store", tmp_path / "runs", *options)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_unit_that_takes_too_long_or_too_much_fails_with_that_reason(command, suite_file, tmp_path, trouble):
    trouble({"toy/chain@smoke reinit L1 s0": "hang", "toy/chain@smoke reinit L3 s0": "eat"})
    asked = (suite_file, "--store", tmp_path / "runs", "--seeds", 0)
    code, out, _ = command("run", *asked, "--unit-timeout", 10, "--unit-memory", "300M", "--workers", 2)
    assert code == 1
    assert "6 of 8 units done, 2 failed" in out
    for told in (out, command("status", *asked)[1]):
        assert "failed: toy/chain@smoke reinit L1 s0: it took longer than the 10 s of --unit-timeout" in told
        assert "more than the 300 MiB of --unit-memory" in told


@pytest.mark.parametrize(("options", "seats"), [([], {4}), (["--stack", "off"], {None}), (["--stack", 3], {3, 1})])
def test_units_are_trained_together_as_is_asked(command, suite_file, tmp_path, options, seats):
    suite_file.write_text(suite_file.read_text().replace("toy/chain", "toy/stack"))
    asked = (suite_file, "--store", tmp_path / "runs", "--methods", "random-ticket", "--workers", 1)
    code, out, _ = command("run", *asked, *options)
    assert code == 0
    assert {record["provenance"].get("stack") for record in Store(tmp_path / "runs").records()} == seats
    assert (" s in a stack of " in out) == (seats != {None})
    assert command("plan", *asked, *(options or ["--stack", 4]))[0] == 0


def test_a_stack_that_crashes_is_told_and_the_same_command_tries_its_units_one_by_one(
    command, suite_file, tmp_path, trouble
):
    suite_file.write_text(suite_file.read_text().replace("toy/chain", "toy/stack"))
    trouble({"toy/stack@smoke random-ticket L1 s1": "die"})
    asked = (suite_file, "--store", tmp_path / "runs", "--methods", "random-ticket", "--workers", 1)
    code, out, _ = command("run", *asked)
    assert code == 1
    told = "failed: toy/stack@smoke random-ticket L3 s1: the worker process was killed by SIGKILL"
    assert told in out
    assert "it was in a stack of 4, whose units the next run tries one by one" in out
    trouble({})
    code, out, _ = command("run", *asked)
    assert code == 0
    assert Counter(record["provenance"]["stack"] for record in Store(tmp_path / "runs").records()) == {1: 2, 4: 2}


def test_slurm_gets_the_same_command_for_every_node(command, suite_file, tmp_path):
    root = tmp_path / "a store"
    options = ["--workers", 4, "--threads", 2, "--unit-memory", "4G", "--stack", "off", "--methods", "dense,ticket"]
    allocation = ["--launcher", "slurm", "--nodes", 3, "--partition", "long", "--time", "4:00:00", "--dry-run"]
    code, out, err = command("run", suite_file, "--store", root, *options, *allocation)
    assert (code, err) == (0, "")
    assert not root.exists(), "a dry run writes nothing"
    for line in ("--array=0-2", "--partition=long", "--time=4:00:00", "--cpus-per-task=8"):
        assert f"#SBATCH {line}\n" in out
    words = shlex.split(out.splitlines()[-1])
    assert words[:6] == ["exec", sys.executable, "-m", "bench", "run", str(suite_file)]
    given = dict(zip(words[6::2], words[7::2], strict=True))
    assert given == {
        "--methods": "dense,ticket", "--store": str(root), "--workers": "4", "--threads": "2",
        "--unit-memory": "4G", "--stack": "off", "--launcher": "local", "--progress": "plain",
    }  # fmt: skip


def test_slurm_runs_this_command_where_the_user_has_a_bench_of_his_own(command, suite_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench").mkdir()
    for name in ("__init__", "__main__"):
        (tmp_path / "bench" / f"{name}.py").write_text("raise SystemExit('mine')")
    code, out, _ = command("run", suite_file, "--store", tmp_path / "runs", "--launcher", "slurm", "--dry-run")
    assert code == 0
    _, *words = shlex.split(out.splitlines()[-1])
    begin = [*words[: words.index("run")], "--version"]
    ours = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(begin, env=ours, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ticketbench ")


def test_a_submitted_run_says_how_to_follow_it(command, suite_file, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "submit", lambda text, root: "4711")
    code, out, _ = command("run", suite_file, "--store", tmp_path / "runs", "--launcher", "slurm", "--nodes", 2)
    assert code == 0
    assert out.startswith("submitted as job 4711 on 2 nodes\n")
    assert "scancel 4711" in out


def test_a_mistake_in_the_suite_is_told_before_it_waits_in_a_queue(command, suite_file, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "submit", None)
    code, _, err = command("run", suite_file, "--tasks", "toy/x", "--launcher", "slurm")
    assert code == 2
    assert "unknown task of suite toy 'toy/x'" in err


def test_options_of_ray_reach_its_launcher(monkeypatch, tmp_path):
    class Fake:
        def __init__(self, root, **options):
            self.options = options

    monkeypatch.setitem(sys.modules, "bench.runs.launch.ray", type(sys)("ray"))
    sys.modules["bench.runs.launch.ray"].RayLauncher = Fake
    execution = Execution(launcher="ray", address="head:6379", device="cuda", gpus_per_unit=0.5, threads=2)
    made = execution.launch(tmp_path, progress=None, tell=None)
    assert made.options == {
        "address": "head:6379", "threads": 2, "gpus_per_unit": 0.5, "workers": None,
        "limits": Limits(), "progress": None, "say": None,
    }  # fmt: skip
    execution.check()  # no GPU here, but perhaps there


def test_the_device_is_looked_at_once_and_the_cpu_not_at_all(monkeypatch):
    asked = []

    def run(words, **_):
        asked.append(words[-1])
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    Execution().check()
    assert asked == []
    Execution(device="cuda").check()
    assert asked == ["cuda"]
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, -11, "", "Fatal"))
    with pytest.raises(LaunchError, match="torch ended with exit code -11"):
        Execution(device="cuda").check()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("is_terminal", "options", "shows"),
    [
        (False, [], "[16/16]"),
        (True, ["--progress", "plain"], "[16/16]"),
        (False, ["--progress", "live"], "\x1b["),
        (True, [], "\x1b["),
    ],
)
def test_only_a_terminal_gets_colours_and_a_moving_table(
    command, suite_file, tmp_path, monkeypatch, is_terminal, options, shows
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    code, out, _ = command("run", suite_file, "--store", tmp_path / "runs", *options)
    assert code == 0
    before = out[: out.rindex("toy/chain @ smoke")]
    assert shows in before
    if not is_terminal and not options:
        assert "\x1b" not in out


def test_a_log_says_what_a_unit_may_take(command, suite_file, tmp_path):
    limits = ("--unit-timeout", 600, "--unit-memory", "4G")
    _, out, _ = command("run", suite_file, "--store", tmp_path / "runs", *limits, "--seeds", 0)
    said = "a unit that takes longer than 600 s or holds more than 4,096 MiB fails"
    assert said in out.splitlines()[:3]
    _, out, _ = command("run", suite_file, "--store", tmp_path / "runs", *limits, "--progress", "none")
    assert said not in out
    assert str(Limits(seconds=2.5)) == "a unit that takes longer than 2.5 s fails"
    assert str(Limits()) == "a unit may take what there is"
    _, out, _ = command("run", suite_file, "--store", tmp_path / "others", "--seeds", 0)
    assert out.splitlines()[2].startswith("["), "nothing is said of limits that nobody set"


def test_progress_can_be_left_out(command, suite_file, tmp_path, trouble):
    trouble({"toy/chain@smoke ticket L2 s1": "fail"})
    code, out, _ = command("run", suite_file, "--store", tmp_path / "runs", "--progress", "none")
    assert code == 1
    assert out.startswith("## toy/chain @ smoke")
    assert "failed: toy/chain@smoke ticket L2 s1" in out, "what failed is told in the end"
    assert len(Store(tmp_path / "runs").records()) == 13
