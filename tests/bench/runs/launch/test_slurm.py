"""The batch script: what stands in it, how it is quoted, and what is refused before sbatch sees it."""

import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from bench.errors import LaunchError
from bench.runs.launch.slurm import Allocation, advice, script, submit


def options(text):
    """As sbatch reads them."""
    lines = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")]
    return dict(shlex.split(line)[0].removeprefix("--").partition("=")[::2] for line in lines)


@pytest.fixture
def text():
    def write(command=("true",), *, root=Path("/shared/runs"), name="ticketbench", folder=None, **asked):
        return script(command, root=root, name=name, folder=folder, allocation=Allocation(**asked))

    return write


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """A program of that name which does what the test says; gives what it was called with."""
    called = tmp_path / "called"
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def does(shell):
        path = tmp_path / "bin" / "sbatch"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(called))}\n{shell}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return lambda: called.read_text().split("\n")[:-1]

    return does


def test_an_array_of_drives_on_a_node_each(text):
    asked = options(text(partition="gpu", nodes=4, time="1-00:00:00", folder=Path("/home/a")))
    assert asked == {
        "job-name": "ticketbench", "partition": "gpu", "time": "1-00:00:00", "array": "0-3", "nodes": "1", "ntasks": "1",
        "exclusive": "", "requeue": "", "open-mode": "append", "signal": "B:TERM@60", "chdir": "/home/a",
        "output": "/shared/runs/.slurm/%A_%a.log",
    }  # fmt: skip


def test_what_is_not_asked_is_the_clusters_default(text):
    asked = options(text(cores=8))
    assert not {"partition", "time", "exclusive"} & asked.keys()
    assert asked["cpus-per-task"] == "8"
    assert asked["chdir"] == str(Path.cwd())


def test_whatever_is_in_a_path_reaches_the_command(tmp_path, text):
    odd = tmp_path / 'it\'s 100% "odd" $HOME `id`'
    (odd / "runs").mkdir(parents=True)
    written = text(["printf", "%s\n", str(odd), "a b", "*", "c\nd"], root=odd / "runs", name="it's odd")
    done = subprocess.run(["sh"], input=written, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == [str(odd), "a b", "*", "c", "d"]
    assert options(written)["output"] == str(odd).replace("%", "%%") + "/runs/.slurm/%A_%a.log"
    assert options(written)["job-name"] == "it's odd"


def test_a_relative_store_is_named_whole(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert options(text(root=Path("runs")))["output"].startswith(f"{tmp_path}/runs/")


@pytest.mark.parametrize("where", [{"name": "a\nb"}, {"root": Path("/a\nb")}, {"partition": "a\n"}])
def test_a_line_break_is_refused(text, where):
    with pytest.raises(LaunchError, match="line break"):
        text(**where)


@pytest.mark.parametrize("time", ["30", "4:00:00", "2-12", "1-00:00:00", "90:00", "UNLIMITED"])
def test_times_of_slurm(time):
    assert Allocation(time=time).time == time


@pytest.mark.parametrize("time", ["4h", "1:2", "", "tomorrow", "1-", "-1", "30\n"])
def test_what_is_no_time(time):
    with pytest.raises(LaunchError, match="no time of Slurm's"):
        Allocation(time=time)


def test_no_nodes():
    with pytest.raises(LaunchError, match="--nodes 0: .* at least one"):
        Allocation(nodes=0)


def test_a_script_is_kept_and_submitted(tmp_path, sbatch):
    called = sbatch("echo '4711;cluster'")
    root = tmp_path / "runs"
    assert submit("#!/bin/sh\n", root=root) == "4711"
    assert called() == ["--parsable", str(root / ".slurm" / "run.sbatch")]
    assert (root / ".slurm" / "run.sbatch").read_text() == "#!/bin/sh\n"
    assert submit("#!/bin/bash\n", root=root) == "4711", "as often as asked"
    watch, cancel = advice("4711", root=root)
    assert watch == f"watch:  squeue --job 4711; tail -f {root}/.slurm/4711_*.log"
    assert cancel.startswith("cancel: scancel 4711;")


def test_a_store_may_begin_with_the_scripts_folder(tmp_path, sbatch):
    from bench.store.store import Store

    sbatch("echo 1")
    submit("#!/bin/sh\n", root=tmp_path / "runs")
    Store(tmp_path / "runs").prepare()
    assert Store(tmp_path / "runs").records() == []


def test_sbatch_refuses(tmp_path, sbatch):
    sbatch("echo 'sbatch: error: invalid partition specified: x' >&2; echo 'sbatch: error: Batch job' >&2; exit 1")
    with pytest.raises(LaunchError) as caught:
        submit("", root=tmp_path / "runs")
    assert str(caught.value).endswith("run.sbatch: invalid partition specified: x sbatch: error: Batch job")


def test_there_is_no_sbatch(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="no sbatch here; run it on a login node, or print the script with --dry-run"):
        submit("", root=tmp_path / "runs")


def test_a_store_that_cannot_be_written(tmp_path, sbatch):
    sbatch("echo 1")
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(LaunchError, match="cannot submit"):
        submit("", root=tmp_path / "runs")
