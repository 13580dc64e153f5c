"""Units on a Ray cluster: one actor for each slot of each node, which watches over the process that trains.

A unit that crashes takes down that process and never the actor; an actor that dies is a lost slot.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.code import own
from bench.errors import LaunchError
from bench.runs.job import Evaluation, Job, Outcome, Tell
from bench.runs.launch import Progress, WorkerDied
from bench.runs.launch.check import Probe
from bench.runs.launch.child import THREAD_VARIABLES
from bench.runs.launch.pool import Lost, Pool, Refused
from bench.runs.launch.process import Limits, Worker

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from bench.runs.launch import ray_head as head
except ImportError as error:
    raise LaunchError("--launcher ray: Ray is not installed; pip install 'ticketbench[ray]'") from error

SECOND = 1.0
"""Between two looks at what is new: of the evaluations of a unit only the last is sent."""
ENDING = 10.0
"""Seconds that an actor gets to end its process, and then to be killed; the process ends with it."""
OURS = "TICKETBENCH_"
"""Variables of this process that workers get, too."""


class RayLauncher(Pool):
    """Trains on the nodes of a Ray cluster, which may come and go.

    Args:
        root: of the store, which every node must see.
        address: `auto` (the cluster of this machine), `HOST:PORT`, or `local`: one of this machine alone, for this run.
        threads: torch threads, and cores, of each slot.
        gpus_per_unit: GPUs of each slot; several units share one if it is below 1.
        workers: at most so many slots; as many as the cluster has room for unless given.
        limits: what units may take.
        progress: called from one thread.
        say: told in one line of every node that is refused or lost.

    Raises:
        LaunchError: if there is no such cluster.
    """

    def __init__(
        self,
        root: Path,
        *,
        address: str = "auto",
        threads: int = 1,
        gpus_per_unit: float = 0.0,
        workers: int | None = None,
        limits: Limits | None = None,
        progress: Progress,
        say: Callable[[str], None],
    ) -> None:
        """Join the cluster."""
        cluster = Cluster(root, address, threads=threads, gpus=gpus_per_unit, limits=limits or Limits())
        super().__init__(cluster, workers=workers, progress=progress, say=say)


class Cluster:
    """The engine of the pool."""

    def __init__(self, root: Path, address: str, *, threads: int, gpus: float, limits: Limits) -> None:
        head.join(address)
        self._root, self._threads, self._gpus, self._limits = root, threads, gpus, limits
        self._names: dict[str, str] = {}
        self._is_gone = False

    async def nodes(self) -> Mapping[str, int]:
        try:
            alive = [node for node in await head.asked(ray.nodes, head.SILENCE) if node["Alive"]]
        except (RayError, TimeoutError) as error:
            self._is_gone = True
            raise Lost("the Ray cluster does not answer any more") from error
        self._names |= {node["NodeID"]: f"{node['NodeName']} (Ray node {node['NodeID'][:8]})" for node in alive}
        room = {node["NodeID"]: slots(node["Resources"], threads=self._threads, gpus=self._gpus) for node in alive}
        return {node: count for node, count in room.items() if count}

    def name(self, node: str) -> str:
        return self._names[node]

    async def check(self, node: str) -> None:
        task = ray.remote(Probe.objection).options(num_cpus=0, max_retries=0, scheduling_strategy=_pinned(node))
        probe = Probe.lay(self._root)
        try:
            objection = await task.remote(probe)
        except RayTaskError as error:
            raise Refused(f"ticketbench does not run there: {head.first_line(error.cause or error)}") from error
        except RayError as error:
            raise Lost(head.first_line(error)) from error
        finally:
            probe.remove()
        if objection:
            raise Refused(objection)

    def slot(self, node: str) -> _Slot:
        variables = {name: value for name, value in os.environ.items() if name.startswith(OURS)}
        if not self._gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ""  # Ray hides none of them from actors without GPUs
        actor = ray.remote(_Actor).options(
            num_cpus=self._threads, num_gpus=self._gpus, max_restarts=0, scheduling_strategy=_pinned(node)
        )
        return _Slot(actor.remote(self._threads, self._limits, variables, own.folders()))

    def close(self) -> None:
        head.leave(is_gone=self._is_gone)


class _Slot:
    """The driver's side of an actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def begin(self) -> None:
        with _losses():
            await self._actor.begin.remote()

    async def train(self, job: Job, tell: Tell) -> None:
        left = len(job.parts)
        with _losses():
            async for reference in self._actor.train.remote(_absolute(job)):
                message = await reference
                if isinstance(message, str):
                    raise WorkerDied(message)
                left -= isinstance(message[1], Outcome)
                tell(*message)
        if left:
            raise Lost("its actor ended without a word")

    async def end(self) -> None:
        with suppress(RayError, TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(self._actor.end.remote().future()), ENDING)
        with suppress(RayError, TimeoutError):
            await head.asked(lambda: ray.kill(self._actor), ENDING)


class _Actor:
    """The node's side: one slot, with the process that trains."""

    def __init__(self, threads: int, limits: Limits, variables: Mapping[str, str], folders: tuple[str, ...]) -> None:
        own.add_folders(folders)
        os.environ.update(variables)
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        self._worker = Worker(threads=threads, limits=limits)
        threading.Thread(target=_die_with_node, args=(os.getppid(),), daemon=True).start()

    async def begin(self) -> None:
        """Answer as soon as there is somebody to answer."""

    async def train(self, job: Job) -> AsyncIterator[tuple[str, Outcome | Evaluation] | str]:
        """Id of a unit and what is new of it, its evaluations about once a second; or why nothing more will come."""
        evaluations: dict[str, Evaluation] = {}
        outcomes: deque[tuple[str, Outcome]] = deque()
        loop, has_ended = asyncio.get_running_loop(), asyncio.Event()

        def tell(unit: str, told: Outcome | Evaluation) -> None:
            if isinstance(told, Outcome):
                outcomes.append((unit, told))
                loop.call_soon_threadsafe(has_ended.set)
            else:
                evaluations[unit] = told

        training = asyncio.ensure_future(asyncio.to_thread(self._worker.train, job, tell))
        training.add_done_callback(lambda _: has_ended.set())
        is_over = False
        while not is_over:
            with suppress(TimeoutError):
                await asyncio.wait_for(has_ended.wait(), SECOND)
            has_ended.clear()
            is_over, ended = training.done(), len(outcomes)  # first: what comes later is for the next look
            for unit in list(evaluations):
                yield unit, evaluations.pop(unit)
            for _ in range(ended):
                yield outcomes.popleft()
        try:
            training.result()
        except WorkerDied as error:
            yield str(error)

    async def end(self) -> None:
        """Kill the process."""
        await asyncio.to_thread(self._worker.kill)


def _absolute(job: Job) -> Job:
    """The job as every node understands it."""
    parts = tuple(
        replace(part, parents={role: path.absolute() for role, path in part.parents.items()}) for part in job.parts
    )
    return replace(job, root=job.root.absolute(), parts=parts)


@contextmanager
def _losses() -> Iterator[None]:
    """Whatever Ray says of an actor is a lost slot."""
    try:
        yield
    except RayError as error:
        raise Lost(head.first_line(error)) from error


def _die_with_node(raylet: int) -> None:
    """An actor whose raylet was killed would live on, with a process that trains for nobody."""
    while os.getppid() == raylet:
        time.sleep(SECOND)
    os._exit(1)


def slots(resources: Mapping[str, float], *, threads: int, gpus: float) -> int:
    """How many units a node has room for.

    Args:
        resources: of the node, as Ray tells them.
        threads: cores of a unit.
        gpus: of a unit; a part of one is never made of two.
    """
    by_cores = int(resources.get("CPU", 0)) // threads
    if not gpus:
        return by_cores
    there = int(resources.get("GPU", 0))
    return min(by_cores, int(there // gpus) if gpus >= 1 else there * int(1 / gpus))


def _pinned(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node_id=node, soft=False)
