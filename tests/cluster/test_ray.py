"""Two raylets: the same results as alone, whatever is killed."""

import asyncio
import json
import os
import signal
import time

import pytest
from cluster.slurm import wait_until

from bench.runs.job import Outcome
from bench.store.store import Store

pytestmark = pytest.mark.timeout(300)


def test_the_smoke_suite_ends_as_alone(runs, raylets, alone):
    raylets.begin()
    runs.finish(runs.command("smoke", *raylets.options))
    runs.check(alone("smoke"))
    assert not runs.processes("bench.runs.launch"), "no worker outlives the run"


def test_a_killed_worker_and_a_killed_node_cost_a_unit_each(runs, raylets, alone):
    raylets.begin()
    process = runs.begin(runs.command("toys", *raylets.options))
    wait_until(lambda: runs.done() >= 2)
    runs.kill("bench.runs.launch")
    wait_until(lambda: runs.done() >= 6)
    os.kill(raylets.pids[1], signal.SIGKILL)
    before = runs.finished()
    wait_until(lambda: len(runs.processes("bench.runs.launch")) <= 1)  # none, where the other node was quick
    assert process.wait(120) == 0, process.told()
    runs.check(alone("toys"), before=before, lost=2)
    assert "lost a worker on " in process.told()
    assert "raylet" not in process.told().lower(), "Ray keeps silent"


def test_what_is_left_of_the_stack_of_a_killed_node_goes_to_another(runs, raylets, alone):
    raylets.begin()
    process = runs.begin(runs.command("stacks", *raylets.options))
    wait_until(lambda: runs.done() >= 4)
    os.kill(raylets.pids[1], signal.SIGKILL)
    assert process.wait(150) == 0, process.told()
    runs.check(alone("stacks"), lost=1)
    assert " s in a stack of 4" in process.told()


def test_the_rest_of_a_stack_whose_worker_is_killed_is_tried_one_by_one(runs, raylets, alone):
    raylets.begin()
    process = runs.begin(runs.command("stacks", *raylets.options, "--methods", "dense"))
    wait_until(lambda: runs.done() >= 3)
    runs.kill("bench.runs.launch")
    assert process.wait(100) == 1, process.told()
    assert "killed by SIGKILL: out of memory? try fewer --workers or a smaller --stack; it was in" in process.told()
    before = runs.finished()
    assert 5 <= len(before) < 8
    runs.finish(runs.command("stacks", *raylets.options))
    runs.check(alone("stacks"), before=before, lost=1)
    alone_again = [each["provenance"]["stack"] for each in Store(runs.root).records() if each["unit_id"] not in before]
    assert alone_again.count(1) >= 8 - len(before)


def test_a_killed_driver_takes_its_workers_along_and_the_same_command_goes_on(runs, raylets, alone):
    raylets.begin()
    process = runs.begin(runs.command("toys", *raylets.options))
    wait_until(lambda: runs.done() >= 4)
    process.kill()
    process.wait()
    runs.wait_for_the_end("bench.runs.launch", seconds=10)
    before = runs.finished()
    assert len(before) < len(alone("toys"))
    runs.finish(runs.command("toys", *raylets.options))
    runs.check(alone("toys"), before=before, lost=2)


def test_a_cluster_of_its_own_ends_with_the_run(runs, alone):
    command = runs.command("few", "--launcher", "ray", "--address", "local")
    process = runs.begin(command)
    wait_until(lambda: runs.done() >= 1)
    process.terminate()
    assert process.wait(30) == 143, process.told()
    assert not list((runs.root / ".attempts").iterdir())
    runs.wait_for_the_end()
    before = runs.finished()
    runs.finish(command)
    runs.check(alone("few"), before=before, lost=2)


def test_a_node_that_runs_other_code_is_refused_and_a_unit_that_always_crashes_fails_alone(runs, raylets, alone):
    raylets.begin(env_vars={"PYTHONPATH": runs.other_code()})
    runs.trouble.write_text(json.dumps({"toy/second@smoke dense L0 s0": "die"}))
    process = runs.begin(runs.command("few", *raylets.options))
    assert process.wait(100) == 1, process.told()
    assert " is not used: it has ticketbench's source " in process.told()
    assert "killed by SIGKILL, 2 times" in process.told()
    assert runs.done() == len(alone("few")) - 1
    runs.trouble.unlink()
    runs.finish(runs.command("few", *raylets.options))
    runs.check(alone("few"), lost=2)


def test_units_share_a_gpu_and_those_without_see_none(runs, raylets, alone):
    raylets.begin(num_cpus=2, num_gpus=1)
    runs.finish(runs.command("few", *raylets.options, "--seeds", "0-1", "--device", "cuda", "--gpus-per-unit", "0.5"))
    runs.finish(runs.command("few", *raylets.options))
    runs.check(alone("few"))
    devices = {record["spec"]["seed"]: record["provenance"]["device"] for record in Store(runs.root).records()}
    assert devices == {0: "cuda:0", 1: "cuda:0", 2: "cuda:"}


def test_a_killed_head_ends_the_run_with_one_line_and_the_same_command_goes_on(runs, raylets, alone):
    raylets.begin()
    runs.trouble.write_text(json.dumps({"toy/second@smoke dense L0 s0": "hang"}))
    process = runs.begin(runs.command("few", *raylets.options))
    wait_until(lambda: runs.done() >= 2)
    runs.kill("gcs_server")
    assert process.wait(60) == 2, process.told()
    assert process.told().endswith(
        "ticketbench: the Ray cluster does not answer any more: "
        "what is finished stays, and the same command goes on from there\n"
    )
    runs.wait_for_the_end("bench.runs.launch")
    runs.trouble.unlink()
    before = runs.finished()
    runs.finish(runs.command("few"))
    runs.check(alone("few"), before=before, lost=2)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "no Ray cluster: "),
        ("127.0.0.1:99999999", "no Ray cluster: "),
        ("auto", "no Ray cluster: "),
        ("ray://127.0.0.1:10001", "write auto, local or HOST:PORT, as `ray start` prints it"),
        ("nowhere", "write auto, local or HOST:PORT, as `ray start` prints it"),
    ],
)
def test_there_is_no_cluster(runs, address, reason):
    runs.environment["RAY_ADDRESS"] = "127.0.0.1:1"  # where `auto` looks first
    process = runs.begin(runs.command("few", "--launcher", "ray", "--address", address))
    assert process.wait(100) == 2, process.told()
    assert process.told().startswith(f"ticketbench: --address {address}: {reason}")
    assert len(process.told().splitlines()) == 1


def test_progress_is_at_most_one_message_a_second_and_the_last_one_wins(monkeypatch):
    from bench.runs.launch.process import Limits
    from bench.runs.launch.ray import _Actor

    class Chatty:
        def train(self, job, tell):
            for step in range(1, 301):
                for unit in ("one", "two"):
                    tell(unit, (step, {"accuracy": 1.0}))
                time.sleep(0.01)
                if step == 150:
                    tell("three", Outcome(status="ok"))
            for unit in ("one", "two"):
                tell(unit, Outcome(status="ok"))

    async def told(actor):
        return [message async for message in actor.train(None)]

    monkeypatch.setattr(os, "environ", dict(os.environ))
    actor = _Actor(1, Limits(), {}, ())
    actor._worker = Chatty()
    messages = asyncio.run(told(actor))
    for unit in ("one", "two"):
        *progress, last, outcome = [what for each, what in messages if each == unit]
        assert 2 <= len(progress) <= 4
        assert last == (300, {"accuracy": 1.0})
        assert outcome == Outcome(status="ok")
    assert ("three", Outcome(status="ok")) in messages[:-4], "as it ended, and not in the end"


@pytest.mark.parametrize(
    ("resources", "threads", "gpus", "expected"),
    [
        ({"CPU": 16.0, "memory": 1.0}, 1, 0, 16),
        ({"CPU": 16.0}, 3, 0, 5),
        ({"memory": 1.0}, 1, 0, 0),
        ({"CPU": 16.0}, 1, 0.5, 0),
        ({"CPU": 16.0, "GPU": 2.0}, 1, 0.25, 8),
        ({"CPU": 4.0, "GPU": 2.0}, 1, 0.25, 4),
        ({"CPU": 16.0, "GPU": 2.0}, 1, 0.4, 4),
        ({"CPU": 16.0, "GPU": 3.0}, 1, 2, 1),
        ({"CPU": 16.0, "GPU": 10.0}, 1, 0.1, 16),
    ],
)
def test_a_node_has_room_for_whole_units(resources, threads, gpus, expected):
    from bench.runs.launch.ray import slots

    assert slots(resources, threads=threads, gpus=gpus) == expected
