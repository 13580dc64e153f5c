"""How fast a task trains, tried on a real learner."""

from types import SimpleNamespace

import pytest

from bench import registry
from bench.tickets.units import trial as trials
from bench.tickets.units.trial import trial


class Clock:
    """It stands while nobody sleeps, so that a busy machine is no slower than another."""

    now = 0.0

    def sleep(self, seconds):
        self.now += seconds


CLOCK = Clock()


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(trials, "time", SimpleNamespace(perf_counter=lambda: CLOCK.now))


class Slow:
    """A learner of ten milliseconds a step that fills its memory for 16 steps before it learns, and its domain."""

    def __init__(self):
        self.step = self.updates = 0
        self.chunks, self.evaluated = [], 0

    def train(self, until):
        self.chunks.append(until - self.step)
        for step in range(self.step, until):
            if step >= 16:
                CLOCK.sleep(0.01)
                self.updates += 1
        self.step = until

    def evaluate(self, split):
        self.evaluated += 1
        CLOCK.sleep(0.05)
        return {"accuracy": 1.0}

    def snapshot(self):
        return None

    def load(self, state):
        pass

    def learner(self, task, **_):
        CLOCK.sleep(0.03)
        return self


@pytest.fixture
def slow(monkeypatch, clock):
    learner = Slow()
    monkeypatch.setattr(trials, "domain", lambda _: learner)
    monkeypatch.setattr(trials, "ENOUGH", 0.1)
    return learner


def test_only_the_pace_of_learning_counts(slow):
    task = registry.task("vision/lenet-mnist", "smoke")
    found = trial(task, device="cpu")
    assert found["step"] == pytest.approx(0.01 * 15 / 16), "of the last sixteen, the first of which fills"
    assert slow.chunks == [1, 2, 4, 8, 16], "twice as long again and again"
    assert slow.evaluated == len(task.splits)
    assert found["evaluation"] == pytest.approx(0.05 * len(task.splits))
    assert found["start"] == found["worker"] == pytest.approx(0.03)


def test_what_the_first_step_takes_besides_is_no_part_of_the_pace(slow, monkeypatch):
    """An optimizer that is made when training begins imports for a second or two."""
    real = Slow.train

    def train(self, until):
        if self.step == 0:
            CLOCK.sleep(0.2)
            self.updates += 1
        real(self, until)

    monkeypatch.setattr(Slow, "train", train)
    assert trial(registry.task("vision/lenet-mnist", "smoke"), device="cpu")["step"] < 0.01 + 1e-9
    assert slow.chunks == [1, 2, 4, 8, 16]


def test_nothing_is_trained_beyond_the_budget_or_for_ever(slow, monkeypatch):
    task = registry.task("vision/lenet-mnist", "smoke")
    monkeypatch.setattr(trials, "ENOUGH", 1e9)
    trial(task, device="cpu")
    assert slow.step == task.budget
    slow.step, slow.chunks = 0, []
    monkeypatch.setattr(trials, "LONGEST", 0.05)
    trial(task, device="cpu")
    assert slow.chunks == [1, 2, 4, 8, 16]


class SlowStack:
    """Seats of which each advance takes ten milliseconds for all; the first advances half as often as the others."""

    def __init__(self, count):
        self.seats, self.untils = [Slow() for _ in range(count)], []

    def train(self, until):
        assert list(until) == list(range(len(self.seats)))
        self.untils.append(until[0])
        while all(seat.step < until[0] for seat in self.seats):
            CLOCK.sleep(0.01)
            for number, seat in enumerate(self.seats):
                seat.updates += 1
                seat.step += 1 if number else seat.updates % 2


def test_a_seat_has_its_share_of_the_time_of_its_stack(monkeypatch, clock):
    task = registry.task("vision/lenet-mnist", "smoke")
    made = []

    class Stacking(Slow):
        def tasks(self): ...
        def seats(self, task, device): ...

        def stack(self, task, *, streams, device):
            made.append(SlowStack(len(streams)))
            assert [each.seed for each in streams] == list(range(len(streams)))
            return made[-1]

    monkeypatch.setattr(trials, "domain", lambda _: Stacking())
    monkeypatch.setattr(trials, "ENOUGH", 0.1)
    found = trial(task, device="cpu", seats=4)
    first, *others = (seat.step for seat in made[-1].seats)
    assert first == (others[0] + 1) // 2
    assert found["step"] == pytest.approx(0.01 / 3.5, rel=0.05), "3.5 steps at each advance"
    assert [seat.evaluated for seat in made[-1].seats] == [len(task.splits)] * 4
    assert found["evaluation"] == pytest.approx(0.05 * len(task.splits))
    monkeypatch.setattr(trials, "ENOUGH", 1e9)
    trial(task, device="cpu", seats=2)
    assert max(made[-1].untils) == task.budget == max(seat.step for seat in made[-1].seats)


class Waves(SlowStack):
    """Episodes that began together end together, thirty in every seat at each thirtieth advance; one early."""

    advances = 0

    def train(self, until):
        while all(seat.step < until[0] for seat in self.seats):
            CLOCK.sleep(0.002)
            self.advances += 1
            self.seats[0].step += self.advances == 28
            for seat in self.seats:
                seat.updates += 1
                seat.step += 30 * (self.advances % 30 == 0)


def test_episodes_that_end_in_waves_are_timed_from_the_beginning(monkeypatch, clock):
    class Stacking(Slow):
        def tasks(self): ...
        def seats(self, task, device): ...

        def stack(self, task, *, streams, device):
            return Waves(len(streams))

    monkeypatch.setattr(trials, "domain", lambda _: Stacking())
    monkeypatch.setattr(trials, "ENOUGH", 0.01)
    monkeypatch.setattr(trials, "LONGEST", 0.03)  # before the first wave
    found = trial(registry.task("rl/cartpole-a2c", "quick"), device="cpu", seats=4)
    assert found["step"] == pytest.approx(0.002 / 4, rel=0.05), "an episode of each seat takes an advance"


def test_a_real_stack():
    task = registry.task("rl/cartpole-a2c", "smoke")
    found = trial(task, device="cpu", seats=3)
    assert 0 < found["step"] < 1
    assert 0 < found["start"] < 10


def test_a_real_task():
    found = trial(registry.task("vision/lenet-mnist", "smoke"), device="cpu")
    assert 0 < found["step"] < 1
    assert 0 < found["evaluation"] < 10
