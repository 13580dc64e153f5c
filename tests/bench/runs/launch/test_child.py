"""Whatever is run in a child process ends with its parent, in the middle of anything, and heeds no other signal."""

import os
import signal
import subprocess
import sys

import pytest
from processes import MARK, in_proc, living, wait_until

from bench.runs.launch.child import Child

pytestmark = in_proc
TRIAL = """
import toy
from bench.runs.estimates.timing import Tried, timings
timings([Tried(toy.TASKS[0])], trial="hanging:trial", trying=print, failed=print)
"""
HANGING = """
import time
from pathlib import Path

def trial(task, *, device, seats):
    Path("begun").touch()
    time.sleep(600)
"""


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A child of this process; it ends with the test."""
    monkeypatch.setenv(MARK, str(tmp_path))
    children = []

    def start(function, *words, **options):
        children.append(Child(function, *words, threads=2, **options))
        return children[-1]

    yield start
    for child in children:
        child.kill()
    wait_until(lambda: not living(tmp_path))


def test_a_function_is_called_with_the_pipe_the_threads_and_the_words(started):
    child = started("toy:echo", "one", "two")
    assert child.pipe.recv() == (2, "one", "two")
    child.pipe.send("anything")
    assert child.pipe.recv() == "anything"


def test_files_of_the_folder_where_it_is_begun_take_no_module_from_it(started, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise SystemExit('mine')")
    assert started("toy:echo").pipe.recv() == (2,)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_the_parents_to_answer(started, number):
    child = started("toy:echo")
    child.pipe.recv()
    os.kill(child.pid, number)
    child.pipe.send("still here")
    assert child.pipe.recv() == "still here"


def test_it_is_over_before_it_is_reaped_and_tells_how(started):
    child = started("toy:echo")
    assert not child.is_over
    child.pipe.recv()
    child.pipe.send(3)
    wait_until(lambda: child.is_over)
    assert not child.is_reaped
    assert child.kill() == 3
    assert child.is_reaped
    assert child.kill() == 3, "nobody's process is killed, though its number may be another's by now"


def test_a_trial_ends_with_whoever_asked_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv(MARK, str(tmp_path))
    (tmp_path / "hanging.py").write_text(HANGING)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    parent = subprocess.Popen([sys.executable, "-c", TRIAL], env=environment, cwd=tmp_path)
    wait_until((tmp_path / "begun").exists)
    assert len(living(tmp_path)) == 2
    parent.kill()
    parent.wait()
    wait_until(lambda: not living(tmp_path), seconds=5)
