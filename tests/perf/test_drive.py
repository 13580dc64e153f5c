"""How many workers one drive keeps busy: a real plan, frontier and store, and workers that only take their time."""

import heapq
import threading
import time
from concurrent.futures import Future

import many
import pytest

from bench.runs.drive import drive
from bench.runs.job import Outcome
from bench.runs.planning.plan import plan as make_plan
from bench.spec import Entry, Suite
from bench.store.store import Store
from bench.tickets.methods import METHODS

WORKERS = 1024
SECONDS = 5.0
"""That a unit takes."""
ROUNDS = 4
"""Units that each worker gets, after the first."""


class Fake:
    """Workers that are busy for `SECONDS` with every unit; one thread ends them all in time."""

    workers = WORKERS

    def __init__(self):
        self.spans = []
        self._due, self._changed = [], threading.Condition()
        threading.Thread(target=self._end, daemon=True).start()

    def submit(self, job):
        future, now = Future(), time.monotonic()
        with self._changed:
            heapq.heappush(self._due, (now + SECONDS, id(future), future))
            self._changed.notify()
        self.spans.append((now, now + SECONDS))
        return {job.parts[0].id: future}

    def _end(self):
        while True:
            with self._changed:
                while not self._due:
                    self._changed.wait()
                left = self._due[0][0] - time.monotonic()
                future = heapq.heappop(self._due)[2] if left <= 0 else None
            if future:
                future.set_result(Outcome(status="ok"))
            else:
                time.sleep(min(left, 0.01))

    def close(self): ...


class Silent:
    def started(self, unit, seats): ...
    def ended(self, unit, outcome): ...
    def stands(self, frontier): ...
    def waits(self, holders): ...


def busy(spans, begin, end):
    """Share of the workers' time in which they had a unit."""
    return sum(max(0.0, min(stop, end) - max(start, begin)) for start, stop in spans) / (WORKERS * (end - begin))


@pytest.mark.slow
def test_a_thousand_workers_are_kept_busy(tmp_path, monkeypatch):
    """From the moment when all could have had their first unit until the last of the rounds begins."""
    arms = tuple(METHODS[name] for name in ("random-ticket", "snip", "grasp", "synflow", "random-erk"))
    entry = Entry(
        task=many.task(0), methods=arms, levels=tuple(range(1, 21)), seeds=tuple(range(WORKERS * (ROUNDS + 2) // 100))
    )
    plan = make_plan(Suite(name="many", title="", entries=(entry,)))
    store = Store(tmp_path)
    store.prepare()
    monkeypatch.setattr(
        "bench.runs.planning.frontier.Frontier._lacks", lambda *_: False
    )  # nothing is trained, so nothing is left
    launcher, begun, cpu = Fake(), time.monotonic(), time.process_time()

    class Stop(Exception):
        pass

    class Watch(Silent):
        def started(self, unit, seats):
            if time.monotonic() > begun + SECONDS * (ROUNDS + 1):
                raise Stop

    with pytest.raises(Stop):
        drive(plan, store, launcher, watch=Watch())
    first = launcher.spans[0][0]
    share = busy(launcher.spans, first + SECONDS, begun + SECONDS * (ROUNDS + 1))
    told = f"{share:.1%} busy; {time.process_time() - cpu:.1f} s of CPU in {time.monotonic() - begun:.1f} s"
    assert share >= 0.9, told
