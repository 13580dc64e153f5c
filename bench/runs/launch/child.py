"""A process that runs what may take its process down: how it is begun and ended, and what it does first."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from bench.code.named import named
from bench.stopping import ASKING

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
COMMAND = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from bench.runs.launch.child import main; main()"


class Child:
    """Another Python in a process group of its own: its children end with it, no key of the terminal reaches it.

    It ends with this process, however that ends.

    Args:
        function: `package.module:function`, called with the other end of `pipe`, and with the number of threads that
            numerical libraries may use.
        threads: that number.
        words: more that the function is called with.
        output: descriptor of the file for all that it prints.
    """

    def __init__(self, function: str, *words: str, threads: int, output: int = subprocess.DEVNULL) -> None:
        """Begin it."""
        self.pipe, theirs = Pipe()
        life, ours = os.pipe()  # ends with this process: nothing else holds our end
        weakref.finalize(self, os.close, ours)
        numbers = map(str, (theirs.fileno(), life, threads))
        self._popen = subprocess.Popen(  # noqa: S603  our own words
            [sys.executable, "-P", "-c", COMMAND, json.dumps(sys.path), function, *numbers, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))},
            pass_fds=(theirs.fileno(), life),
            process_group=0,
        )
        theirs.close()
        os.close(life)

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._popen.pid

    @property
    def is_over(self) -> bool:
        """Whether the process has ended; it is not reaped yet, so that its group keeps its number."""
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return True

    @property
    def is_reaped(self) -> bool:
        """Whether it was killed before, and its number may be another's by now."""
        return self._popen.returncode is not None

    def kill(self) -> int:
        """End the process, and the children that it may have left; its exit code."""
        if not self.is_reaped:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._popen.wait()


def main() -> None:
    """What the process does: see to its end, then call the function."""
    function, pipe, life, threads, *words = sys.argv[2:]
    for stop in ASKING:  # the parent answers: schedulers of clusters send them to every process of a job
        signal.signal(stop, lambda *_: None)
    os.register_at_fork(after_in_child=_answer_stops)
    threading.Thread(target=_die_with_parent, args=(int(life),), daemon=True).start()
    faulthandler.enable()
    named(function, "function")(Connection(int(pipe)), int(threads), *words)


def limit_torch(threads: int) -> None:
    """Let torch, if it is imported by now, use so many threads."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _answer_stops() -> None:
    """Children that a library forks must end when it asks them to."""
    for stop in ASKING:
        signal.signal(stop, signal.SIG_DFL)


def _die_with_parent(life: int) -> None:
    os.read(life, 1)
    os.killpg(0, signal.SIGKILL)
