"""A unit may take its process down, hang, fork, print and eat: it fails alone, with its own reason, and soon."""

import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import toy
from processes import MARK, in_proc, living, wait_until

from bench.errors import LaunchError
from bench.runs.launch import WorkerDied, process
from bench.runs.launch.child import THREAD_VARIABLES
from bench.runs.launch.process import Limits, Worker
from bench.runs.planning.plan import plan as make_plan

pytestmark = in_proc


@pytest.fixture
def job(store):
    (unit,) = make_plan(toy.suite(("dense",))).units.values()
    return toy.job(store.root, unit)


@pytest.fixture
def does(job, trouble):
    """Let the unit of `job` misbehave."""
    return lambda what: trouble({"toy/chain@smoke dense L0 s0": what} if what else {})


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """A worker whose processes are marked; they end with the test."""
    monkeypatch.setenv(MARK, str(tmp_path))
    begun = []

    def start(limits=None, threads=1):
        begun.append(Worker(threads=threads, limits=limits))
        return begun[-1]

    yield start
    for each in begun:
        each.kill()
    assert left(tmp_path) == []


def left(mark, seconds=10):
    """The processes of this test that live still when a killed one has had its time to end."""
    end = time.monotonic() + seconds
    while (found := living(mark)) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def quiet(*_):
    pass


def test_one_process_trains_job_after_job(job, worker, tmp_path):
    trains = worker()
    outcome, reports = toy.told(job, trains.train)
    assert outcome.commit == "committed"
    (pid,) = living(tmp_path)
    assert reports == [10, 20, 30]
    assert toy.told(job, trains.train)[0].commit == "kept"
    assert living(tmp_path) == [pid]
    trains.kill()
    assert left(tmp_path) == []
    with pytest.raises(WorkerDied, match="the run was stopped"):
        trains.train(job, tell=quiet)


def test_more_processes_than_the_system_gives_are_told_with_a_way_out(job, worker):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (sum(1 for _ in Path("/proc/self/fd").iterdir()), limits[1]))
    try:
        with pytest.raises(LaunchError, match="worker process: Too many open files; try fewer --workers, or raise"):
            worker().train(job, quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_libraries_of_a_process_use_the_threads_that_are_asked(job, worker, tmp_path, threads):
    worker(threads=threads).train(job, quiet)
    (pid,) = living(tmp_path)
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert {f"{name}={threads}" for name in THREAD_VARIABLES} <= set(variables)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("die", "the worker process was killed by SIGKILL, 2 times: out of memory? try fewer --workers"),
        ("fork", "the worker process was killed by SIGKILL, 2 times: out of memory? try fewer --workers"),
        ("exit", "the worker process was ended with exit code 3, 2 times"),
        ("end slowly", "the worker process was ended with exit code 3, 2 times"),
    ],
)
def test_a_unit_that_ends_its_process_is_tried_twice_and_told(job, worker, does, what, reason, tmp_path):
    does(what)
    trains, begun = worker(), time.monotonic()
    with pytest.raises(WorkerDied) as error:
        trains.train(job, tell=quiet)
    first, _, printed = str(error.value).partition("\n\n")
    assert first == reason
    assert "training toy/chain@smoke dense L0 s0" in printed
    assert left(tmp_path) == [], "its forked child, which holds every pipe, is gone too"
    assert time.monotonic() - begun < 60, "nobody waited for the child"
    does(None)
    assert toy.told(job, trains.train)[0].status == "ok", "the next unit has a new process"


@pytest.mark.parametrize(("device", "stays"), [("cpu", True), ("cuda:1", False)])
def test_what_failed_on_a_gpu_leaves_its_process_to_nobody(job, worker, does, tmp_path, device, stays):
    """After an illegal access or a failed assertion every call of CUDA fails in that process: it would fail unit after unit."""
    job, trains = replace(job, device=device), worker()
    assert toy.told(job, trains.train)[0].status == "ok"
    before = living(tmp_path)
    assert toy.told(job, trains.train)[0].status == "ok"
    assert living(tmp_path) == before
    does("fail")
    assert toy.told(job, trains.train)[0].status == "failed"
    does(None)
    assert toy.told(job, trains.train)[0].status == "ok"
    assert (living(tmp_path) == before) == stays


def test_a_stopped_run_ends_a_forked_child_and_one_that_hangs(job, worker, does, tmp_path):
    does("hang")
    trains = worker()
    helper = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env={**os.environ, MARK: "another"}
    )
    ended = []

    def train():
        try:
            trains.train(job, tell=quiet)
        except WorkerDied as error:
            ended.append(str(error))

    thread = Thread(target=train)
    thread.start()
    while not living(tmp_path):
        time.sleep(0.01)
    begun = time.monotonic()
    trains.kill()
    thread.join(20)
    assert time.monotonic() - begun < 5
    assert len(ended) == 1
    assert helper.poll() is None, "nobody else's processes are touched"
    helper.kill()
    helper.wait()


@pytest.mark.parametrize(
    ("what", "limits", "reason"),
    [
        ("hang", Limits(seconds=2.0), "it took longer than the 2 s of --unit-timeout"),
        ("eat", Limits(memory=200 * 2**20), "MiB, more than the 200 MiB of --unit-memory"),
        ("print", None, "it printed more than 2 MiB"),
    ],
)
def test_a_unit_that_takes_more_than_it_may_fails_at_once(job, worker, does, what, limits, reason, monkeypatch):
    monkeypatch.setattr(process, "LARGEST_LOG", 2 * 2**20)
    monkeypatch.setattr(process, "TICK", 0.05)
    does(what)
    trains, begun = worker(limits), time.monotonic()
    with pytest.raises(WorkerDied) as error:
        trains.train(job, tell=quiet)
    assert reason in str(error.value).partition("\n")[0]
    assert len(str(error.value)) < 20_000
    assert time.monotonic() - begun < 60
    does(None)
    assert toy.told(job, trains.train)[0].status == "ok"


@pytest.fixture
def stack(store):
    units = make_plan(toy.suite(("dense",), seeds=(0, 1, 2), of=toy.STACKED)).units.values()
    return toy.job(store.root, *units, stack=True)


def test_a_stack_that_ends_its_process_is_tried_once_and_who_ended_before_is_told(stack, worker, trouble, tmp_path):
    trouble({"toy/stack@smoke dense L0 s1": "die"})
    trains, told = worker(), []
    with pytest.raises(WorkerDied) as error:
        trains.train(stack, lambda *message: told.append(message))
    first, _, printed = str(error.value).partition("\n\n")
    assert first == (
        "the worker process was killed by SIGKILL: out of memory? try fewer --workers or a smaller --stack"
    )
    assert printed.count("training toy/stack@smoke dense L0 s1") == 1
    outcomes = [(unit, what.status) for unit, what in told if not isinstance(what, tuple)]
    assert outcomes == [(stack.parts[0].id, "ok")]
    assert left(tmp_path) == []
    trouble({})
    outcomes, steps = toy.told(stack, trains.train)
    assert [outcome.commit for outcome in outcomes] == ["kept", "committed", "committed"]
    assert steps == [10, 20, 30] * 3


def test_a_stack_has_the_time_of_all_its_units(stack, worker, trouble, monkeypatch):
    monkeypatch.setattr(process, "TICK", 0.05)
    trouble({"toy/stack@smoke dense L0 s2": "hang"})
    begun = time.monotonic()
    with pytest.raises(WorkerDied, match=r"^it took longer than the 3 x 2 s of --unit-timeout"):
        worker(Limits(seconds=2)).train(stack, quiet)
    assert time.monotonic() - begun >= 6


def test_a_unit_within_its_limits_is_left_alone(job, worker):
    limits = Limits(seconds=600, memory=2**40)
    assert toy.told(job, worker(limits).train)[0].status == "ok"


PARENT = """
import sys, toy
from pathlib import Path
from bench.runs.launch.process import Worker
from bench.runs.planning.plan import plan
unit, = plan(toy.suite(("dense",))).units.values()
Worker(threads=1).train(toy.job(Path(sys.argv[1]), unit), lambda *_: print("begun", flush=True))
"""


@pytest.mark.parametrize("what", ["hang", "fork-and-hang"])
def test_whoever_kills_the_parent_ends_the_worker_and_its_children(store, does, what, monkeypatch, tmp_path):
    monkeypatch.setenv(MARK, str(tmp_path))
    does(what)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(store.root)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline() == "begun\n"
    expected = 2 if what == "hang" else 3
    wait_until(lambda: len(living(tmp_path)) == expected)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert left(tmp_path) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_scheduler_sends_to_every_process_is_the_parents_to_answer(job, worker, stop, tmp_path):
    trains = worker()
    trains.train(job, tell=quiet)
    (pid,) = living(tmp_path)
    os.kill(pid, stop)
    assert toy.told(job, trains.train)[0].commit == "kept"
    assert living(tmp_path) == [pid]
