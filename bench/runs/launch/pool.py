"""Slots on nodes that come and go: who trains what, and what is given away again when a node is lost.

Knows no engine. Everything but `submit`, `workers` and `close` runs in one thread, in an event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from bench.errors import LaunchError
from bench.runs.job import Job, Outcome, Tell
from bench.runs.launch import Progress, WorkerDied
from bench.runs.launch.futures import Futures

LOOK = 3.0
"""Seconds between two looks at the nodes."""
LOSSES = 5
"""How often a job is given away again whose slot was lost, and how often in a row a node may lose one."""
PATIENCE = 60.0
"""Seconds without any slot after which it is said, or after which a run ends whose nodes were all refused."""


class Lost(Exception):
    """A slot is gone through no fault of its job: with its node, or by its engine. The first line is the reason."""


class Refused(Exception):
    """A node that may not train, and why, in one line."""


class Slot(Protocol):
    """Room for one job on a node."""

    async def begin(self) -> None:
        """Wait until it can train. Raises `Lost`."""
        ...

    async def train(self, job: Job, tell: Tell) -> None:
        """Train a job and tell what comes of its units. Raises `Lost`, or `WorkerDied` if the job itself killed its process."""
        ...

    async def end(self) -> None:
        """End it at once, whatever it does; nothing of it lives afterwards."""
        ...


class Engine(Protocol):
    """Where slots come from."""

    async def nodes(self) -> Mapping[str, int]:
        """Node -> slots that it has room for, of every node that lives. Raises `Lost` if the engine is gone."""
        ...

    def name(self, node: str) -> str:
        """What people call a node."""
        ...

    async def check(self, node: str) -> None:
        """Return if a node may train. Raises `Refused` or `Lost`."""
        ...

    def slot(self, node: str) -> Slot:
        """A new slot on a node."""
        ...

    def close(self) -> None:
        """Let go of the engine."""
        ...


@dataclass(slots=True)
class _Given:
    job: Job
    futures: Futures
    losses: int = 0


class Pool:
    """A launcher on the slots of an engine.

    A node is checked when it appears; one that is refused stays so. A job whose slot is lost goes to another, without the units of which all is known.

    Args:
        engine: where slots come from; closed with the pool.
        workers: at most so many slots; as many as there is room for unless given.
        progress: called from one thread.
        say: told in one line of every node that is refused or lost.
    """

    def __init__(self, engine: Engine, *, workers: int | None, progress: Progress, say: Callable[[str], None]) -> None:
        """Begin to look for nodes."""
        self._engine, self._most, self._progress, self._say = engine, workers, progress, say
        self._jobs: asyncio.Queue[_Given] = asyncio.Queue()
        self._open: set[Futures] = set()
        self._slots: Counter[str] = Counter()  # of every node that was accepted; those that begin, too
        self._seen: set[str] = set()
        self._refused: dict[str, str] = {}
        self._losses: Counter[str] = Counter()  # of slots, in a row
        self._told: dict[str, float] = {}
        self._ready = 0
        self._idle_since = time.monotonic()
        self._broken: Exception | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pool", daemon=True)
        self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, self._look)

    @property
    def workers(self) -> int:
        """Slots that can train now.

        Raises:
            LaunchError: if there is none and none will come.
        """
        if self._broken:
            raise self._broken
        return self._ready

    def submit(self, job: Job) -> Mapping[str, Future[Outcome]]:
        """Train a job as soon as a slot is free; futures raise `WorkerDied`, or `LaunchError` if the engine is gone."""
        given = _Given(job, Futures(job, self._progress))
        self._loop.call_soon_threadsafe(self._take, given)
        return given.futures.by_unit

    def close(self) -> None:
        """End every slot at once, whatever it does; futures that are still open are cancelled."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._engine.close()

    def _begin(self, work: Callable[..., Coroutine[None, None, None]], *args: str) -> None:
        task = self._loop.create_task(work(*args))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._break(error)

    def _break(self, error: BaseException) -> None:
        self._broken = error if isinstance(error, Exception) else RuntimeError(repr(error))
        for futures in self._open:
            futures.fail(self._broken)

    def _take(self, given: _Given) -> None:
        if self._broken:
            given.futures.fail(self._broken)
        else:
            self._open.add(given.futures)
            self._jobs.put_nowait(given)

    async def _look(self) -> None:
        while True:
            try:
                room = await self._engine.nodes()
            except Lost as error:
                raise LaunchError(
                    f"{error}: what is finished stays, and the same command goes on from there"
                ) from error
            for node in room.keys() - self._refused.keys():
                self._use(node, room[node])
            self._wonder()
            await asyncio.sleep(LOOK)

    def _use(self, node: str, room: int) -> None:
        if self._losses[node] >= LOSSES * room:
            self._refuse(node, f"it lost its workers {LOSSES} times in a row")
        elif node not in self._seen:
            self._seen.add(node)
            self._begin(self._check, node)
        elif node in self._slots:
            most = room if self._most is None else min(room, self._slots[node] + self._most - self._slots.total())
            for _ in range(most - self._slots[node]):
                self._slots[node] += 1
                self._begin(self._serve, node)

    async def _check(self, node: str) -> None:
        try:
            await self._engine.check(node)
            self._slots[node] = 0
        except Refused as error:
            self._refuse(node, str(error))
        except Lost as error:
            self._seen.discard(node)
            self._lose(node, error)

    async def _serve(self, node: str) -> None:
        slot = self._engine.slot(node)
        try:
            await slot.begin()
            self._ready += 1
            try:
                while True:
                    await self._train(slot, await self._jobs.get())
                    self._losses[node] = 0
            finally:
                self._ready -= 1
        except Lost as error:
            self._lose(node, error)
        finally:
            self._slots[node] -= 1
            await slot.end()

    async def _train(self, slot: Slot, given: _Given) -> None:
        try:
            await slot.train(given.job, given.futures.tell)
        except WorkerDied as error:
            given.futures.fail(error)
        except Lost as error:
            self._give_again(given, error)
            raise
        finally:
            if not given.futures.left():
                self._open.discard(given.futures)

    def _give_again(self, given: _Given, error: Lost) -> None:
        left = given.futures.left()
        given.losses += 1
        if left and given.losses < LOSSES:
            given.job = left
            self._jobs.put_nowait(given)
        else:
            given.futures.fail(WorkerDied(f"lost with its node {LOSSES} times, the last time because {error}"))

    def _lose(self, node: str, error: Lost) -> None:
        self._losses[node] += 1
        now = time.monotonic()
        if now - self._told.get(node, -LOOK) >= LOOK:  # a lost node takes all its slots along
            self._told[node] = now
            self._say(f"lost a worker on {self._engine.name(node)}: {error}")

    def _refuse(self, node: str, reason: str) -> None:
        self._refused[node] = f"{self._engine.name(node)} is not used: {reason}"
        self._say(self._refused[node])

    def _wonder(self) -> None:
        """Tell of a long time without a worker; end the run if only refused nodes are there."""
        now = time.monotonic()
        if self._ready:
            self._idle_since = now
        if now - self._idle_since <= PATIENCE:
            return
        if self._refused and not self._slots.total():
            raise LaunchError(next(reversed(self._refused.values())))
        self._say(f"no node has had room for a unit for {PATIENCE:g} s: waiting for one")
        self._idle_since = now

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for futures in self._open:
            futures.cancel()
