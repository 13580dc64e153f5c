"""The head of a Ray cluster: how it is reached, and what becomes of this process when it is gone."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray._private.services import canonicalize_bootstrap_address
from ray.exceptions import RayError

from bench.errors import LaunchError

SILENCE = 30.0
"""Seconds without an answer after which the cluster is gone; Ray would end this process after 60, without a word."""
ANSWER = 10.0
"""Seconds that an address gets to answer."""
STARTS = 2
"""How often a start is tried: Ray's own waits of about 30 s are too short for a loaded machine."""


def join(address: str) -> None:
    """Connect this process to a cluster, quietly; its answers to signals stay its own."""
    address = _found(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # for each node that is lost it would print twenty lines of a log, and has no option against it
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # noqa: SLF001
    alone = {"include_dashboard": False} if address == "local" else {}
    with _same_signals():
        for left in reversed(range(STARTS)):
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **alone)
            except (OSError, RuntimeError, ValueError, RayError) as error:
                ray.shutdown()
                if not left:
                    raise LaunchError(f"--address {address}: no Ray cluster: {first_line(error)}") from error
            else:
                break


def _found(address: str) -> str:
    """Where to connect; refuses what does not answer: Ray would try for minutes, and then end this process."""
    if address == "local":
        return address
    try:
        found = address if address != "auto" else canonicalize_bootstrap_address(address)
        host, _, port = found.rpartition(":")
        if not host or "/" in host or not port.isdecimal():
            raise LaunchError(f"--address {address}: write auto, local or HOST:PORT, as `ray start` prints it")
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        raise LaunchError(f"--address {address}: no Ray cluster: {first_line(error)}") from error
    return found


def leave(*, is_gone: bool) -> None:
    """Disconnect; from a head that is gone, by the end of this process."""
    if not is_gone:
        ray.shutdown()
        return
    # both would wait for an answer, until Ray ends this process with exit code 1
    atexit.unregister(ray.shutdown)
    sys.excepthook = sys.__excepthook__
    atexit.register(_end)


def _end() -> None:
    """End this process before Ray's threads, which still wait, meet an interpreter that is gone: they crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)  # as after every `LaunchError`


@contextmanager
def _same_signals() -> Iterator[None]:
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for each, handler in handlers.items():
                signal.signal(each, handler)


async def asked(question: Callable[[], Any], seconds: float) -> Any:
    """Ask Ray's head; without one it would wait for a minute and then end the process.

    Raises:
        TimeoutError: if there is no answer.
    """
    answer: Future[Any] = Future()

    def ask() -> None:
        with suppress(InvalidStateError):  # nobody waits any more
            try:
                answer.set_result(question())
            except RayError as error:
                answer.set_exception(error)

    threading.Thread(target=ask, name="ask", daemon=True).start()  # a pool's threads would be waited for at the end
    return await asyncio.wait_for(asyncio.wrap_future(answer), seconds)


def first_line(error: BaseException) -> str:
    """What an error says, without the pages that Ray adds."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
