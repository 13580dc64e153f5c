"""Nodes come, go, are refused and lost, by an engine that is only told so: every future ends, and with the right reason."""

import asyncio
import threading
import time
from concurrent.futures import CancelledError

import pytest
import toy

from bench.errors import LaunchError
from bench.runs.job import Outcome
from bench.runs.launch import WorkerDied, pool
from bench.runs.launch.pool import LOSSES, Lost, Pool, Refused
from bench.runs.planning.plan import plan as make_plan

OK = Outcome(status="ok")


class Engine:
    """Nodes as the test sets them; a slot trains what `does` says, node by node."""

    def __init__(self):
        self.room = {}
        self.given = []
        self.refuses, self.checked, self.begun, self.ended = {}, [], [], []
        self.does = {}
        self.is_gone = self.is_closed = False

    async def nodes(self):
        if self.is_gone:
            raise Lost("the engine is gone")
        return dict(self.room)

    def name(self, node):
        return f"node {node}"

    async def check(self, node):
        self.checked.append(node)
        if node in self.refuses:
            raise self.refuses[node]

    def slot(self, node):
        return Slot(self, node)

    def close(self):
        self.is_closed = True


class Slot:
    def __init__(self, engine, node):
        self.engine, self.node = engine, node

    async def begin(self):
        await self.answer("begin")
        self.engine.begun.append(self.node)

    async def train(self, job, tell):
        self.engine.given.append([part.id for part in job.parts])
        first, *others = [part.id for part in job.parts]
        tell(first, (10, {"accuracy": 1.0}))
        if others:
            tell(first, OK)
        await self.answer("train")
        for each in others or [first]:
            tell(each, OK)

    async def answer(self, to):
        what = self.engine.does.get((self.node, to))
        if isinstance(what, Exception):
            raise what
        if isinstance(what, threading.Event):
            while not what.is_set():  # noqa: ASYNC110  set by the test's thread
                await asyncio.sleep(0.001)
            what = self.engine.does[self.node, to]
            if isinstance(what, Exception):
                raise what
            return None
        return what

    async def end(self):
        self.engine.ended.append(self.node)


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(pool, "LOOK", 0.01)
    return Engine()


@pytest.fixture
def begin(engine):
    """Start a pool on the engine; what it says and what it reports are lists of it."""
    begun = []

    def start(**options):
        said, reports = [], []
        pool = Pool(
            engine, **{"workers": None, **options}, progress=lambda *told: reports.append(told), say=said.append
        )
        pool.said, pool.reports = said, reports
        begun.append(pool)
        return pool

    yield start
    for each in begun:
        each.close()


@pytest.fixture
def job(store):
    (unit,) = make_plan(toy.suite(("dense",))).units.values()
    return toy.job(store.root, unit)


def future_of(launcher, job):
    (future,) = launcher.submit(job).values()
    return future


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.002)


def test_workers_come_and_go_with_their_nodes(engine, begin):
    launcher = begin()
    assert launcher.workers == 0
    engine.room = {"a": 2}
    wait_until(lambda: launcher.workers == 2)
    engine.room = {"a": 2, "b": 1}
    wait_until(lambda: launcher.workers == 3)
    assert engine.checked == ["a", "b"], "each node is checked once, before its first slot"


def test_no_more_workers_than_asked_for(engine, begin):
    engine.room = {"a": 2, "b": 2}
    launcher = begin(workers=3)
    wait_until(lambda: launcher.workers == 3)
    time.sleep(0.05)
    assert launcher.workers == 3


def test_a_unit_is_trained_and_reported(engine, begin, job):
    engine.room = {"a": 1}
    launcher = begin()
    assert future_of(launcher, job).result(10) is OK
    assert [step for _, step, _ in launcher.reports] == [10]


def test_a_slot_takes_no_unit_before_it_has_begun(engine, begin, job):
    engine.room = {"a": 1, "b": 1}
    engine.does["a", "begin"] = threading.Event()
    launcher = begin()
    assert [future_of(launcher, job).result(10) for _ in range(3)] == [OK] * 3
    assert launcher.workers == 1
    engine.does["a", "begin"].set()
    wait_until(lambda: launcher.workers == 2)


def test_a_refused_node_trains_nothing_and_the_others_go_on(engine, begin, job):
    engine.room = {"a": 1, "b": 1}
    engine.refuses["a"] = Refused("it has torch 1")
    launcher = begin()
    assert future_of(launcher, job).result(10) is OK
    time.sleep(0.05)
    assert launcher.said == ["node a is not used: it has torch 1"]
    assert engine.begun == ["b"]
    assert engine.checked.count("a") == 1


def test_a_run_ends_when_there_are_only_refused_nodes(engine, begin, job, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.1)
    engine.room = {"a": 1}
    engine.refuses["a"] = Refused("it has torch 1")
    launcher = begin()
    with pytest.raises(LaunchError, match="^node a is not used: it has torch 1$"):
        future_of(launcher, job).result(10)
    with pytest.raises(LaunchError, match="torch 1"):
        _ = launcher.workers
    with pytest.raises(LaunchError, match="torch 1"):
        future_of(launcher, job).result(10)


def test_a_run_ends_when_its_last_accepted_node_is_gone_and_refused_ones_are_left(engine, begin, job, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.1)
    engine.room = {"a": 1, "b": 1}
    engine.refuses["a"] = Refused("it has torch 1")
    launcher = begin()
    assert future_of(launcher, job).result(10) is OK
    engine.room = {"a": 1}
    engine.does["b", "train"] = Lost("the node died")
    with pytest.raises(LaunchError, match="^node a is not used: it has torch 1$"):
        future_of(launcher, job).result(10)


def test_a_run_with_workers_waits_for_nobody(engine, begin, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.02)
    engine.room = {"a": 1}
    launcher = begin()
    wait_until(lambda: launcher.workers)
    said = len(launcher.said)
    time.sleep(0.1)
    assert len(launcher.said) == said


def test_a_lost_node_is_told_of_once_whatever_it_had(engine, begin, job, monkeypatch):
    monkeypatch.setattr(pool, "LOOK", 0.5)
    engine.room = {"a": 4}
    died = engine.does["a", "train"] = threading.Event()
    launcher = begin()
    wait_until(lambda: launcher.workers == 4)
    futures = [future_of(launcher, job) for _ in range(4)]
    wait_until(lambda: len(launcher.reports) == 4)
    engine.room = {"b": 1}
    engine.does["a", "train"] = Lost("the node died")
    died.set()
    assert [future.result(10) for future in futures] == [OK] * 4
    assert launcher.said == ["lost a worker on node a: the node died"]


def test_a_run_waits_for_its_first_node_and_says_so(engine, begin, job, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.05)
    launcher = begin()
    future = future_of(launcher, job)
    wait_until(lambda: launcher.said)
    assert launcher.said[0].endswith("waiting for one")
    engine.room = {"a": 1}
    assert future.result(10) is OK


def test_a_unit_of_a_lost_slot_goes_to_another(engine, begin, job):
    engine.room = {"a": 1}
    engine.does["a", "train"] = Lost("the node died")
    launcher = begin()
    future = future_of(launcher, job)
    wait_until(lambda: launcher.said)
    assert launcher.said == ["lost a worker on node a: the node died"]
    engine.room = {"b": 1}
    assert future.result(10) is OK
    wait_until(lambda: launcher.workers == 1)
    assert "a" in engine.ended, "what may still live of a lost slot is ended"


@pytest.fixture
def stack(store):
    units = make_plan(toy.suite(("dense",), seeds=(0, 1, 2), of=toy.STACKED)).units.values()
    return toy.job(store.root, *units, stack=True)


def test_a_stack_is_told_of_unit_by_unit(engine, begin, stack):
    engine.room = {"a": 1}
    ended = engine.does["a", "train"] = threading.Event()
    futures = begin().submit(stack)
    assert list(futures) == [part.id for part in stack.parts]
    first, *others = futures.values()
    assert first.result(10) is OK
    assert not any(future.done() for future in others)
    engine.does.clear()
    engine.does["a", "train"] = None
    ended.set()
    assert [future.result(10) for future in others] == [OK] * 2


def test_what_is_left_of_a_stack_goes_to_another_slot(engine, begin, stack):
    """Each slot that is lost has ended a unit before: three slots do all of it."""
    engine.room = {"a": 1}
    engine.does["a", "train"] = Lost("the node died")
    launcher = begin()
    futures = launcher.submit(stack)
    wait_until(lambda: len(engine.given) == 2)
    engine.room = {"b": 1}
    assert [future.result(10) for future in futures.values()] == [OK] * 3
    ids = [part.id for part in stack.parts]
    assert [ids, ids[1:], ids[2:]] == engine.given[:3]


def test_a_stack_that_kills_its_process_fails_those_that_have_not_ended(engine, begin, stack):
    engine.room = {"a": 1}
    engine.does["a", "train"] = WorkerDied("killed by SIGKILL")
    first, *others = begin().submit(stack).values()
    assert first.result(10) is OK
    for future in others:
        with pytest.raises(WorkerDied, match="SIGKILL"):
            future.result(10)
    assert len(engine.given) == 1


def test_a_unit_that_is_lost_too_often_fails(engine, begin, job):
    engine.room = {f"n{number}": 1 for number in range(LOSSES + 3)}
    engine.does = {(node, "train"): Lost("the node died") for node in engine.room}
    launcher = begin()
    with pytest.raises(WorkerDied, match=f"^lost with its node {LOSSES} times, the last time because the node died"):
        future_of(launcher, job).result(10)
    assert len(launcher.reports) == LOSSES


def test_a_node_that_only_loses_is_given_up(engine, begin, job):
    engine.room = {"a": 2, "b": 1}
    engine.does["a", "begin"] = Lost("it has no memory")
    launcher = begin()
    wait_until(lambda: f"node a is not used: it lost its workers {LOSSES} times in a row" in launcher.said)
    assert future_of(launcher, job).result(10) is OK
    assert 2 * LOSSES <= engine.ended.count("a") <= 2 * LOSSES + 1


def test_a_check_that_was_lost_is_made_again(engine, begin, job):
    engine.room = {"a": 1}
    engine.refuses["a"] = Lost("the node stumbled")
    launcher = begin()
    wait_until(lambda: engine.checked)
    del engine.refuses["a"]
    assert future_of(launcher, job).result(10) is OK
    assert engine.checked.count("a") >= 2


def test_a_unit_that_kills_its_processes_is_not_tried_elsewhere(engine, begin, job):
    engine.room = {"a": 1}
    engine.does["a", "train"] = WorkerDied("killed by SIGKILL")
    launcher = begin()
    with pytest.raises(WorkerDied, match="SIGKILL"):
        future_of(launcher, job).result(10)
    assert len(launcher.reports) == 1
    assert launcher.workers == 1
    engine.does.clear()
    assert future_of(launcher, job).result(10) is OK, "its slot goes on"


def test_when_the_engine_is_gone_every_future_ends(engine, begin, job):
    engine.room = {"a": 1}
    engine.does["a", "train"] = threading.Event()
    launcher = begin()
    futures = [future_of(launcher, job) for _ in range(2)]
    wait_until(lambda: launcher.reports)
    engine.is_gone = True
    for future in futures:
        with pytest.raises(LaunchError, match="the engine is gone: what is finished stays"):
            future.result(10)


def test_a_mistake_in_an_engine_ends_the_run_and_is_not_hidden(engine, begin, job):
    engine.room = {"a": 1}
    engine.does["a", "train"] = ZeroDivisionError("a mistake")
    with pytest.raises(ZeroDivisionError):
        future_of(begin(), job).result(10)


def test_closing_ends_every_slot_in_mid_training(engine, begin, job):
    engine.room = {"a": 2}
    engine.does["a", "train"] = threading.Event()
    launcher = begin()
    futures = [future_of(launcher, job) for _ in range(3)]
    wait_until(lambda: len(launcher.reports) == 2)
    launcher.close()
    launcher.close()
    assert engine.ended == ["a", "a"]
    assert engine.is_closed
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "pool"]
