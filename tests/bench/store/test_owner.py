"""Which process somebody is, and whether it still runs: a number that was given again is not enough."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.schema import decode
from bench.store import files, owner
from bench.store.owner import Owner, is_alive, is_here, me

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture
def process():
    """A process that does nothing until it is killed."""
    begun = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield begun
    begun.kill()
    begun.wait()


def owner_of(process):
    return {**me(), "pid": process.pid, "started": owner._started(process.pid) or "0"}


def test_a_process_is_itself():
    assert is_here(me())
    assert is_alive(me())
    assert decode(files.to_text(me()), Owner) == me() | {"since": me()["since"]}


def test_a_process_lives_until_it_ends(process):
    told = owner_of(process)
    assert is_alive(told)
    process.kill()
    process.wait()
    assert not is_alive(told)


@linux
def test_a_process_that_nobody_buried_is_dead(process):
    told = owner_of(process)
    process.kill()
    while owner._started(process.pid) is not None:  # until the kernel has ended it
        time.sleep(0.01)
    os.kill(process.pid, 0)  # its number is taken still
    assert not is_alive(told)


@linux
def test_a_number_that_was_given_again_is_somebody_else(process):
    assert not is_alive({**owner_of(process), "started": "12345"})


@pytest.mark.parametrize("part", ["host", "boot", "namespace"])
def test_another_machine_boot_or_container_cannot_be_looked_at(part):
    assert not is_here({**me(), part: "other"})


def test_where_the_system_tells_less_the_number_decides(process, monkeypatch):
    monkeypatch.setattr(owner, "PROC", Path("/nonexistent"))
    told = me() | {"pid": process.pid}
    assert told["started"] == "0"
    assert is_here(told)
    assert is_alive(told)
    process.kill()
    process.wait()
    assert not is_alive(told)


def test_a_number_beyond_all_numbers_is_nobody():
    assert not is_alive({**me(), "pid": 2**50})
