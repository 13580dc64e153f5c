"""How a command is asked to end: Ctrl-C, SIGTERM and SIGHUP all do the same, and only once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

ASKING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
PATIENCE = 2.0
"""Seconds after a signal in which others do not count: they come in bursts, from shells, schedulers and impatient hands."""


class Stopped(KeyboardInterrupt):
    """Somebody asked this process to end.

    Args:
        number: of the signal.
        said: what was reached until then, one line.
    """

    def __init__(self, number: int = signal.SIGINT, said: str = "stopped") -> None:
        """Say how far it came."""
        super().__init__(said)
        self.number = number

    @classmethod
    def after(cls, interrupt: KeyboardInterrupt, said: str) -> Stopped:
        """The same interrupt, with what was reached."""
        return cls(getattr(interrupt, "number", signal.SIGINT), said)

    @property
    def code(self) -> int:
        """The exit code, as shells tell it."""
        return 128 + self.number


@dataclass
class _Asked:
    """What this process was asked, as its signal handler and its main thread share it."""

    number: int | None = None
    at: float = -PATIENCE
    is_undisturbed: bool = False


_asked = _Asked()


def _stop(number: int, _: FrameType | None) -> None:
    first = _asked.number is None or time.monotonic() - _asked.at >= PATIENCE
    _asked.number, _asked.at = _asked.number or number, time.monotonic() if first else _asked.at
    if first and not _asked.is_undisturbed:
        raise Stopped(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Signals that ask to end raise `Stopped` in the main thread; those that are ignored, as under nohup, stay so.

    A process that was asked to end ignores them afterwards: it is leaving.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ASKING}
    heeded = [number for number in ASKING if before[number] is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_IGN if _asked.number else before[number] or signal.SIG_DFL)
        _asked.number, _asked.at = None, -PATIENCE


def check() -> None:
    """Raise `Stopped` if this process was asked to end and goes on.

    It was asked in an undisturbed moment, or the exception is lost: code in C may do that, as msgspec does where it hashes a
    type (measured).
    """
    if _asked.number and not _asked.is_undisturbed:
        raise Stopped(_asked.number)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nothing interrupts the block, or the function that it decorates: it cleans up, or takes what must be given back.

    Only the main thread can be interrupted, so that in others there is nothing to hold off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _asked.is_undisturbed = _asked.is_undisturbed, True
    try:
        yield
    finally:
        _asked.is_undisturbed = before
