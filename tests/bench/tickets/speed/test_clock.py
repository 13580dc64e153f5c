"""Everything is timed in turn, and told as median and quartiles."""

import time

import pytest
import torch

from bench.tickets.speed import clock
from bench.tickets.speed.clock import Clock, clock_of, rounds, spread

WALL = Clock(name="wall", now=time.perf_counter)


def test_every_round_has_everything_once_and_every_second_round_goes_backwards(monkeypatch):
    done, prepared = [], []
    monkeypatch.setattr(clock, "SAMPLE", 0.0)
    things = {name: lambda name=name: done.append(name) for name in "abc"}
    seconds = rounds(things, 3, prepare=lambda: prepared.append(len(done)), clock=WALL)
    warm = len(done) - 9
    assert done[warm:] == [*"abc", *"cba", *"abc"]
    assert prepared == [warm, warm + 3, warm + 6]
    assert {name: len(each) for name, each in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_what_is_faster_than_the_clock_is_done_several_times():
    calls = []
    ticks = Clock(name="wall", now=lambda: 1e-4 * len(calls))
    seconds = rounds({"a": lambda: calls.append(None)}, 2, prepare=lambda: None, clock=ticks)
    assert len(calls) >= clock.WARM + 2 * clock.SAMPLE / 1e-4
    assert seconds["a"] == pytest.approx([1e-4, 1e-4]), "of one time, not of all"


def test_a_device_is_waited_for_before_and_after():
    told = []

    def now():
        told.append("now")
        return len(told) * clock.SAMPLE

    waits = Clock(name="wall", now=now, wait=lambda: told.append("wait"))
    rounds({"a": lambda: told.append("a")}, 1, prepare=told.clear, clock=waits)
    assert told == ["wait", "now", "a", "wait", "now"]


def test_other_programs_slow_down_the_clock_on_the_wall_only(monkeypatch):
    """A sleeping thread is one that another program keeps from computing."""
    alone = clock_of(torch.device("cpu"))
    assert (alone.name, clock_of(torch.device("cuda")).name) == ("processor", "wall")
    seconds = rounds({"a": lambda: time.sleep(0.01)}, 2, prepare=lambda: None, clock=alone)
    assert max(seconds["a"]) < 0.005
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    several = clock_of(torch.device("cpu"))
    assert several.name == "wall", "of several threads one tells nothing"
    assert min(rounds({"a": lambda: time.sleep(0.01)}, 2, prepare=lambda: None, clock=several)["a"]) >= 0.01


def test_a_spread_is_the_median_between_quartiles():
    assert spread([4.0, 1.0, 2.0, 3.0, 100.0]) == {"median": 3.0, "low": 2.0, "high": 4.0}
    assert spread([1.0, 2.0]) == pytest.approx({"median": 1.5, "low": 1.25, "high": 1.75})
