"""How the command ends: with which code, after which line, and with nothing left behind."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from processes import MARK, SLOW, in_proc, living, wait_until

from bench import cli
from bench.exchange import remeasure
from bench.stopping import ASKING, PATIENCE, Stopped, check, stoppable, undisturbed
from bench.store.store import Store

STARTED_LIKE_A_SHELL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background would ignore it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and one under nohup this
"""
LONG = "n" * 300
TOY = f"{STARTED_LIKE_A_SHELL}import toy; toy.main()"


@pytest.fixture
def begin():
    """Start Python on a piece of code, in a session of its own; whatever is left of it ends with the test."""
    begun, mark = [], uuid.uuid4().hex

    def start(code, *args, **options):
        environment = {**os.environ, MARK: mark, "PYTHONPATH": os.pathsep.join(sys.path)}
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        begun.append(
            subprocess.Popen([sys.executable, "-c", code, *map(str, args)], env=environment, **{**given, **options})
        )
        return begun[-1]

    start.mark = mark
    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def running(begin, tmp_path):
    """A run of the toy that has finished two units, and its store."""

    def start(code=TOY):
        (tmp_path / "slow.toml").write_text(SLOW)
        root = tmp_path / "runs"
        process = begin(code, "run", tmp_path / "slow.toml", "--store", root, "--workers", "2")
        wait_until(lambda: (root / "store.json").exists() and len(Store(root).records()) >= 2)
        return process, Store(root)

    return start


@in_proc
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_whoever_asks_a_run_to_end_gets_a_clean_store_and_no_worker_is_left(running, begin, number, code):
    process, store = running()
    process.send_signal(number)
    for _ in range(3):  # an impatient hand
        time.sleep(0.02)
        process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.count("\n")) == (code, 1), err
    assert err.startswith("ticketbench: stopped: ")
    assert err.endswith(" units done; the same command goes on from there\n")
    wait_until(lambda: not living(begin.mark), seconds=5)
    assert not list((store.root / ".attempts").iterdir())
    assert not list((store.root / "failed").glob("*")), "a unit that was stopped has not failed"


def test_nohup_holds(running):
    process, store = running(TOY.replace("SIG_DFL", "SIG_IGN"))
    process.send_signal(signal.SIGHUP)
    before = len(store.records())
    wait_until(lambda: len(store.records()) > before + 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_nobody_reads_the_progress_any_more(running, begin):
    """The terminal is gone: the run ends, and what it left is swept."""
    process, store = running()
    process.stdout.close()
    process.stdout = None
    process.wait(timeout=60)
    err = process.stderr.read()
    assert (process.returncode, err) == (141, ""), err
    wait_until(lambda: not living(begin.mark), seconds=5)
    assert not list((store.root / ".attempts").iterdir())


IMPORTS = """
import os, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "typer":
            {what}
sys.meta_path.insert(0, Finder())
from bench.__main__ import main
main()
"""


def test_ctrl_c_while_importing_is_one_line(begin):
    code = STARTED_LIKE_A_SHELL + IMPORTS.format(what="os.kill(os.getpid(), signal.SIGINT)")
    process = begin(code, "--version")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "ticketbench: stopped\n")


def test_a_mistake_of_ours_is_told_with_its_traceback_and_never_ends_with_1(begin):
    process = begin(IMPORTS.format(what="raise ArithmeticError('two and two')"), "--version")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (70, "")
    assert "Traceback" in err
    *_, error, line = err.splitlines()
    assert error == "ArithmeticError: two and two"
    assert line.startswith("ticketbench: this is a mistake in ticketbench")
    assert "issue tracker" in line


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError("deep"), MemoryError(), SystemExit(1), KeyError()])
def test_whatever_a_verb_raises_is_not_worse_or_findings(command, monkeypatch, error):
    def broken(_):
        raise error

    monkeypatch.setattr(cli, "_verbs", broken)
    code, out, err = command("tasks")
    assert (code, out) == (70, "")
    assert type(error).__name__ in err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP])
def test_a_path_that_leads_nowhere_for_this_user_is_one_line(command, monkeypatch, number):
    def closed(self, **_):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "is_file", closed)
    told = "name another path, or give yourself access to this one"
    assert command("verify", "closed/runs") == (2, "", f"ticketbench: closed/runs: {os.strerror(number)}: {told}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("verify", LONG), ("compare", LONG, LONG), ("plan", f"{LONG}.toml"), ("table", "--store", LONG),
        ("site", "--records", LONG, "--output", "x.html"), ("unpack", LONG, "--into", LONG),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_an_overlong_name_is_one_line(command, words):
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert err.startswith("ticketbench: ")
    assert "File name too long" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error", "x"), PermissionError(errno.EPERM, "no")])
def test_other_errors_of_the_system_are_not_called_the_users(command, monkeypatch, error):
    """A disk that breaks is none, nor is a process that may not be asked: no path was named."""

    def broken(_):
        raise error

    monkeypatch.setattr(cli, "_verbs", broken)
    code, _, err = command("tasks")
    assert code == 70
    assert type(error).__name__ in err


def test_a_reader_who_leaves_is_no_error(begin):
    process = begin("from bench.__main__ import main; main()", "--help", stdout=os.open("/dev/null", os.O_RDONLY))
    assert process.communicate(timeout=20)[1] != ""  # what cannot be written at all is told
    reading, writing = os.pipe()
    os.close(reading)
    process = begin("from bench.__main__ import main; main()", "methods", stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_output_that_finds_no_room_is_one_line(begin):
    with Path("/dev/full").open("w") as full:
        process = begin("from bench.__main__ import main; main()", "methods", stdout=full)
    err = process.communicate(timeout=20)[1]
    assert process.returncode == 2
    assert err.startswith("ticketbench: no room left")
    assert err.count("\n") == 1


@pytest.fixture
def handlers():
    """The handlers of a process that a shell has just started; those of this one are put back after the test."""
    before = {number: signal.getsignal(number) for number in ASKING}
    usual = {**dict.fromkeys(ASKING, signal.SIG_DFL), signal.SIGINT: signal.default_int_handler}
    for number, handler in usual.items():
        signal.signal(number, handler)
    yield usual
    for number, handler in before.items():
        signal.signal(number, handler)


def test_only_the_first_of_many_signals_counts_until_patience_ends(monkeypatch, handlers):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with stoppable():
        with pytest.raises(Stopped) as first:
            os.kill(os.getpid(), signal.SIGTERM)
        assert first.value.code == 143
        os.kill(os.getpid(), signal.SIGINT)
        now += PATIENCE
        with pytest.raises(Stopped) as later:
            os.kill(os.getpid(), signal.SIGINT)
        assert later.value.code == 130


def test_an_interrupt_that_c_code_loses_is_raised_again(handlers):
    with stoppable():
        check()
        with suppress(Stopped):  # as msgspec does, where it hashes a type
            os.kill(os.getpid(), signal.SIGHUP)
        with undisturbed():
            check()
        with pytest.raises(Stopped) as again:
            check()
        assert again.value.code == 129
    check()


def test_an_undisturbed_moment_is_over_before_the_process_stops(handlers):
    @undisturbed()
    def clean():
        os.kill(os.getpid(), signal.SIGTERM)
        return "clean"

    with stoppable():
        assert clean() == "clean"
        with pytest.raises(Stopped) as later:
            check()
        assert later.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_threads_disturb_nobody(handlers):
    """One that enters while another is inside, and leaves after it, must not leave its mark."""
    inside, leave = threading.Event(), threading.Event()

    def linger():
        with undisturbed():
            inside.set()
            leave.wait()

    with stoppable():
        thread = threading.Thread(target=linger)
        with undisturbed():
            thread.start()
            inside.wait()
        leave.set()
        thread.join()
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_verification_that_is_stopped_says_how_to_measure_the_same_units(command, finished, monkeypatch, handlers):
    monkeypatch.setattr(remeasure, "remeasure", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    code, _, err = command("verify", finished, "--retrain", 1, "--draw", 7)
    assert code == 143
    assert err.splitlines()[-1] == "ticketbench: stopped: --draw 7 measures the same units from the start"


def test_a_verification_looks_at_its_device_first(command, finished):
    code, out, err = command("verify", finished, "--replay", 1, "--device", "gpu")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--device 'gpu' cannot be used" in err


def test_handlers_are_put_back(handlers):
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) != handlers[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in ASKING} == handlers
    with suppress(Stopped), stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, "it is leaving, and a second one must not tear that"
