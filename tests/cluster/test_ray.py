"""Two raylets: the same results as alone, whatever is killed."""

import os
import signal

import pytest
from cluster.slurm import wait_until

pytestmark = pytest.mark.timeout(300)


def test_the_smoke_suite_ends_as_alone(runs, raylets, alone):
    runs.finish(runs.command("smoke", raylets["address"]))
    runs.check(alone("smoke"))
    assert set(runs.trainings().values()) == {1}
    assert not runs.processes("bench.runs.launch"), "no worker outlives the run"


def test_a_killed_worker_and_a_killed_node_cost_a_unit_each(runs, raylets, alone):
    process = runs.begin(runs.command("toys", raylets["address"]))
    wait_until(lambda: runs.done() >= 2)
    os.kill(runs.processes("bench.runs.launch")[0], signal.SIGKILL)
    wait_until(lambda: runs.done() >= 6)
    os.kill(raylets["raylets"][1], signal.SIGKILL)
    assert process.wait(120) == 0, process.told()
    runs.check(alone("toys"))
    assert "said lost a worker on " in process.told()
    assert "raylet" not in process.told().lower(), "Ray keeps silent"
    assert runs.trainings().total() <= len(alone("toys")) + 1


def test_a_killed_driver_takes_its_workers_along_and_the_same_command_goes_on(runs, raylets, alone):
    process = runs.begin(runs.command("toys", raylets["address"]))
    wait_until(lambda: runs.done() >= 4)
    process.kill()
    process.wait()
    wait_until(lambda: not runs.processes("bench.runs.launch"), seconds=10)
    assert runs.done() < len(alone("toys"))
    runs.finish(runs.command("toys", raylets["address"]))
    runs.check(alone("toys"))
    assert set(runs.trainings().values()) == {1}


def test_a_terminated_driver_leaves_nothing(runs, raylets):
    process = runs.begin(runs.command("toys", raylets["address"]))
    wait_until(lambda: runs.done() >= 2)
    process.terminate()
    assert process.wait(20) == 143, process.told()
    assert not runs.processes("bench.runs.launch")
    assert not list((runs.root / ".attempts").iterdir())
