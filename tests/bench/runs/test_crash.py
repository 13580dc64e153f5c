"""The whole command, killed at random moments and started again until it is done."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid

import pytest
import toy
from processes import MARK, SLOW, in_proc, living, wait_until

from bench.runs.planning.plan import plan as make_plan
from bench.store.attempt import read_record
from bench.store.claims import ATTEMPTS
from bench.store.integrity import verify
from bench.store.store import Store

KILLS = 15

pytestmark = in_proc


@pytest.fixture
def begin(tmp_path):
    """Start the command in a process group of its own; whatever it leaves behind ends with the test."""
    mark, begun = uuid.uuid4().hex, []
    # a run in the background ignores Ctrl-C, and its children would too
    answers = signal.signal(signal.SIGINT, signal.default_int_handler)
    (tmp_path / "slow.toml").write_text(SLOW)

    def start(*options):
        environment = {**os.environ, MARK: mark, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", "import toy; toy.main()", "run", str(tmp_path / "slow.toml"), *options]
        begun.append(
            subprocess.Popen(
                [*command, "--store", str(tmp_path / "runs"), "--workers", "2"],
                env=environment,
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return begun[-1]

    start.mark = mark
    yield start
    for process in begun:
        process.kill()
        process.stdout.close()
        process.wait()
    signal.signal(signal.SIGINT, answers)


def finished(root):
    return sum(1 for _ in Store(root).folders()) if (root / "store.json").exists() else 0


def digests(root):
    return {record["unit_id"]: record["digests"]["result"] for record in Store(root).records()}


def undisturbed(root):
    """The same suite, unit after unit in this process."""
    store = Store(root)
    store.prepare()
    names = ("dense", "ticket", "reinit", "random-ticket", "lr-rewind")
    still = toy.suite(names, levels=(1, 4, 7), seeds=(0, 1, 2), of=toy.TASKS[2])
    plan = make_plan(still)
    for unit in plan.units.values():
        toy.finish(unit, store, plan)
    return digests(root)


def test_killed_at_random_moments_it_ends_with_the_same_records(tmp_path, begin):
    chance, root = random.Random(0), tmp_path / "runs"
    kills = 0
    while True:
        process, before = begin(), finished(root)
        goal = before + chance.randint(0, 5)
        while process.poll() is None and finished(root) < goal:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        if kills < KILLS and process.poll() is None:
            process.kill()
            kills += 1
            process.wait()
            wait_until(lambda: not living(begin.mark))
            assert all(read_record(folder) for folder in Store(root).folders()), "nothing half-written is visible"
            continue
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        break
    assert kills >= 10
    assert verify(Store(root)) == []
    assert digests(root) == undisturbed(tmp_path / "undisturbed")
    assert not living(begin.mark)
    assert not list((root / ATTEMPTS).iterdir())


def test_ctrl_c_stops_at_once_and_the_same_command_goes_on(tmp_path, begin):
    process = begin("--seeds", "0")
    wait_until(lambda: finished(tmp_path / "runs") >= 2)
    asked = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130, out
    assert time.monotonic() - asked < 5
    assert "units done; the same command goes on from there" in out
    assert "Traceback" not in out
    wait_until(lambda: not living(begin.mark), seconds=5)
    assert not list((tmp_path / "runs" / ATTEMPTS).iterdir())
    before = finished(tmp_path / "runs")
    process = begin("--seeds", "0")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert finished(tmp_path / "runs") == 21 > before
    assert verify(Store(tmp_path / "runs")) == []


def test_terminated_it_leaves_no_worker_behind(tmp_path, begin):
    process = begin()
    wait_until(lambda: finished(tmp_path / "runs") >= 1)
    process.terminate()
    process.wait()
    wait_until(lambda: not living(begin.mark), seconds=5)
