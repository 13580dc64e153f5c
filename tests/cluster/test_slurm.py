"""Two nodes of a real Slurm: an array of drives, whatever is killed."""

import re

import pytest
from cluster.slurm import wait_until

from bench.errors import LaunchError
from bench.runs.launch.slurm import Allocation, script, submit

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def submitted(runs, slurm, monkeypatch):
    """Submit a suite, as two elements of one core; gives the job's id."""
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)

    def run(suite):
        allocation = Allocation(nodes=2, partition="main", time="10", cores=1)
        text = script(
            runs.command(suite, "--workers", "1"), root=runs.root, name=f"it's a {suite}", allocation=allocation
        )
        return submit(text, root=runs.root)

    return run


def told(runs):
    return "".join(path.read_text() for path in sorted((runs.root / ".slurm").glob("*.log")))


def test_the_smoke_suite_ends_as_alone(runs, slurm, alone):
    command = runs.command("smoke", "--launcher", "slurm", "--partition", "main", "--nodes", "2", "--time", "10")
    process = runs.begin([*command, "--workers", "1"], env=slurm.environment)
    assert process.wait(60) == 0, process.told()
    assert "submitted as job 1 on 2 nodes" in process.told()
    wait_until(slurm.is_idle, seconds=280)
    runs.check(alone("smoke"))
    assert {path.name for path in (runs.root / ".slurm").glob("*.log")} == {"1_0.log", "1_1.log"}
    assert re.search(r"\b(\d+) of \1 units done", told(runs))
    assert "Traceback" not in told(runs)


def test_a_killed_worker_node_and_driver_cost_a_unit_each(runs, slurm, submitted, alone):
    submitted("toys")
    wait_until(lambda: runs.done() >= 2)
    runs.kill("bench.runs.launch")
    wait_until(lambda: runs.done() >= 6)
    slurm.kill("slurmd.n2")
    wait_until(lambda: runs.done() >= 10)
    runs.kill("cluster.counted")
    runs.wait_for_the_end("cluster.counted", seconds=100)
    slurm.begin_node("n2")
    before = runs.finished()
    submitted("toys")
    wait_until(slurm.is_idle, seconds=100)
    runs.check(alone("toys"), before=before, lost=3)  # the worker, the node and the driver
    assert "Traceback" not in told(runs)


def test_a_requeued_element_goes_on(runs, slurm, submitted, alone):
    job = submitted("toys")
    wait_until(lambda: runs.done() >= 4)
    assert slurm.ask("scontrol", "requeue", f"{job}_1") == ""
    wait_until(slurm.is_idle, seconds=200)
    runs.check(alone("toys"), lost=1)


def test_a_cancelled_job_leaves_nothing(runs, slurm, submitted):
    job = submitted("toys")
    wait_until(lambda: runs.done() >= 2)
    slurm.ask("scancel", job)
    wait_until(slurm.is_idle)
    runs.wait_for_the_end("cluster.counted")
    assert not runs.processes("bench.runs.launch")
    assert not list((runs.root / ".attempts").iterdir())


def test_sbatch_says_why_it_refuses(runs, slurm, submitted):
    with pytest.raises(LaunchError, match="invalid partition specified: nowhere"):
        submit(script(["true"], root=runs.root, name="x", allocation=Allocation(partition="nowhere")), root=runs.root)
