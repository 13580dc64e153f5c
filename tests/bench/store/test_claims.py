"""Who works on what: one at a time, for as long as it lives, here or on another machine."""

import errno
import os
import resource
import threading
import time
from unittest.mock import ANY

import pytest

from bench.errors import StoreError
from bench.store import claims as claiming
from bench.store import files, owner
from bench.store.claims import ATTEMPTS, BEAT, CLAIM, STALE, Claims, claim_of, holders, sweep
from bench.store.owner import me

UNIT, OTHER = "0123456789" + "a" * 54, "9876543210" + "b" * 54
DEAD = {"pid": 2**22 + 1}  # beyond the largest number that Linux gives


@pytest.fixture
def root(tmp_path):
    (tmp_path / ATTEMPTS).mkdir()
    return tmp_path


def claimed(root, unit=UNIT, *, silent=0.0, **owner):
    """A claim of somebody else's."""
    claim, attempt = claim_of(root / ATTEMPTS, unit[:10]), root / ATTEMPTS / f"{unit[:10]}.fedcba98"
    claim.write_text(files.to_text({**me(), **owner}))
    attempt.mkdir()
    (attempt / "final.safetensors").write_text("half")
    now = time.time() - silent
    os.utime(claim, (now, now))
    return claim, attempt


def test_one_has_a_unit_and_the_others_are_told_who(root):
    mine, theirs = Claims(root), Claims(root)
    assert mine.take(UNIT) is None
    holder = theirs.take(UNIT)
    assert holder.owner["pid"] == os.getpid()
    assert holder.silent < BEAT
    assert theirs.take(OTHER) is None
    assert {each.what for each in holders(root)} == {UNIT[:10], OTHER[:10]}
    mine.release(UNIT)
    assert theirs.take(UNIT) is None


@pytest.mark.parametrize("dead", [False, True], ids=["nobody's", "a dead owner's"])
def test_of_many_who_ask_for_a_unit_at_once_one_gets_it(root, dead):
    for round_ in range(20):
        unit, got = f"{round_:010d}" + "c" * 54, []
        if dead:
            claimed(root, unit, **DEAD)
        at_once = threading.Barrier(8)

        def ask(unit=unit, got=got, at_once=at_once):
            at_once.wait()
            got.append(Claims(root).take(unit))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got.count(None) == 1


@pytest.mark.parametrize(
    ("owner", "silent", "has_it"),
    [
        ({}, 10 * STALE, True),  # on this machine a process that lives is at work, however silent
        (DEAD, 0, False),
        ({"started": "12345"}, 0, False),
        ({"host": "node-7"}, 0, True),
        ({"host": "node-7", **DEAD}, 0, True),  # its number says nothing here
        ({"host": "node-7"}, STALE + 10, False),
        ({"namespace": "1"}, 0, True),
        ({"namespace": "1", **DEAD}, STALE - 10, True),
        ({"namespace": "1"}, STALE + 10, False),
        ({"boot": "before"}, 0, True),
        ({"boot": "before"}, STALE + 10, False),
    ],
)
def test_a_unit_is_held_by_who_lives(root, owner, silent, has_it):
    _, attempt = claimed(root, silent=silent, **owner)
    assert [each.what for each in holders(root)] == [UNIT[:10]] * has_it
    holder = Claims(root).take(UNIT)
    assert (holder is not None) == has_it
    if has_it:
        assert holder.owner == {**me(), **owner, "since": holder.owner["since"]}
        assert holder.silent == pytest.approx(silent, abs=2)
    assert attempt.exists() == has_it, "of the dead nothing is left"


def test_another_users_process_that_the_system_hides_has_a_unit_while_its_heart_beats(root, monkeypatch):
    """`/proc` with `hidepid`: the kernel says that there is such a process, and no more."""

    def forbidden(pid, number):
        raise PermissionError

    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/stat").touch()
    claim, attempt = claimed(root)
    machine = me()
    monkeypatch.setattr(owner, "_machine", lambda: {part: machine[part] for part in ("host", "boot", "namespace")})
    monkeypatch.setattr(owner, "PROC", root / "proc")
    monkeypatch.setattr(os, "kill", forbidden)
    assert Claims(root).take(UNIT).owner == machine | {"since": ANY}
    assert attempt.exists()
    os.utime(claim, (0, 0))
    assert Claims(root).take(UNIT) is None
    assert not attempt.exists()


@pytest.mark.parametrize("text", ["", "{", '{"host": "node-7"}', "x" * 100])
def test_an_owner_that_cannot_be_read_has_it_while_it_is_fresh(root, text):
    claim, _ = claimed(root)
    claim.write_text(text)
    assert Claims(root).take(UNIT).owner is None
    os.utime(claim, (0, 0))
    assert Claims(root).take(UNIT) is None


def test_a_disk_that_takes_no_claim_keeps_nobody_from_the_unit_afterwards(root):
    theirs, ours = resource.getrlimit(resource.RLIMIT_FSIZE), Claims(root)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, theirs[1]))
    try:
        with pytest.raises(StoreError):
            ours.take(UNIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, theirs)
    assert not list((root / ATTEMPTS).iterdir())
    assert Claims(root).take(UNIT) is None


def test_a_heart_beats_while_a_unit_is_held(root, monkeypatch):
    monkeypatch.setattr(claiming, "BEAT", 0.02)
    with Claims(root) as claims:
        claims.take(UNIT)
        path = claim_of(root / ATTEMPTS, UNIT[:10])
        (root / ATTEMPTS / f"{UNIT[:10]}.fedcba98").mkdir()
        os.utime(path, (0, 0))
        end = time.monotonic() + 20
        while path.stat().st_mtime < time.time() - 10:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert not list((root / ATTEMPTS).iterdir()), "and what is held at the end is given back"


def test_what_was_taken_over_is_neither_released_nor_harmed(root):
    mine = Claims(root)
    assert mine.take(UNIT) is None
    claim = claim_of(root / ATTEMPTS, UNIT[:10])
    claim.write_text(files.to_text({**me(), "host": "node-7"}))
    mine.release(UNIT)
    assert claim.exists()


def test_whoever_saw_a_dead_owner_looks_again_before_burying_him(root, monkeypatch):
    """Between the two looks another may have taken over, and begun."""
    claim, attempt = claimed(root, **DEAD)
    new = root / ATTEMPTS / f"{UNIT[:10]}.00000000"
    link, begun = os.link, []

    def late(draft, path):
        if path.suffix == ".lock" and not begun:
            begun.append(True)
            assert Claims(root).take(UNIT) is None
            new.mkdir()
            draft.touch()  # which the other has buried with the dead owner's attempts
        link(draft, path)

    monkeypatch.setattr(os, "link", late)
    assert Claims(root).take(UNIT) is not None
    assert not attempt.exists()
    assert set((root / ATTEMPTS).iterdir()) == {claim, new}


@pytest.mark.parametrize(
    ("digger", "age", "is_waited_for"),
    [
        (me(), 10 * STALE, True),
        ({**me(), **DEAD}, 0, False),
        ({**me(), "host": "node-7"}, STALE - 10, True),
        ({**me(), "host": "node-7"}, STALE + 10, False),
        ("", STALE - 10, True),
        ("", STALE + 10, False),
    ],
)
def test_one_buries_at_a_time_and_a_gravedigger_that_died_is_not_waited_for(root, digger, age, is_waited_for):
    claimed(root, **DEAD)
    lock = root / ATTEMPTS / f".{UNIT[:10]}.lock"
    lock.write_text(digger and files.to_text(digger))
    os.utime(lock, (time.time() - age,) * 2)
    assert Claims(root).take(UNIT).owner["pid"] == DEAD["pid"]
    assert (Claims(root).take(UNIT) is not None) == is_waited_for, "the next look finds the way free"


@pytest.mark.parametrize("suffix", [CLAIM, ".lock"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_whoever_is_killed_while_taking_is_not_waited_for(root, suffix, moment):
    claimed(root, **DEAD)
    link = os.link

    def fatal(draft, path):
        if path.suffix != suffix or moment == "after":
            link(draft, path)
        if path.suffix == suffix:
            os._exit(9)

    if (child := os.fork()) == 0:
        os.link = fatal
        Claims(root).take(UNIT)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert None in [Claims(root).take(UNIT), Claims(root).take(UNIT)], "by the second look at the latest"
    sweep(root)
    assert {path.name for path in (root / ATTEMPTS).iterdir()} == {f"{UNIT[:10]}{CLAIM}"}


def test_where_files_have_one_name_units_are_claimed_too(root, monkeypatch):
    def one_name(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", one_name)
    claimed(root, **DEAD)
    assert Claims(root).take(UNIT) is None
    assert Claims(root).take(UNIT).owner["pid"] == os.getpid()
    assert len(list((root / ATTEMPTS).iterdir())) == 1


def test_a_claim_that_a_network_file_system_made_and_denied_is_made(root, monkeypatch):
    link = os.link

    def asked_twice(draft, path):
        link(draft, path)
        link(draft, path)

    monkeypatch.setattr(os, "link", asked_twice)
    assert Claims(root).take(UNIT) is None
    assert Claims(root).take(UNIT).owner["pid"] == os.getpid()


def test_the_clock_is_the_file_systems(root, monkeypatch):
    """A machine whose clock is wrong by an hour sees the same ages."""
    claimed(root, silent=30, host="node-7")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert next(iter(holders(root))).silent == pytest.approx(30, abs=2)


def test_only_what_the_dead_left_is_swept_away(root):
    kept = claimed(root, "1" * 64, host="node-7")
    claimed(root, "2" * 64, silent=STALE + 10, host="node-7")
    claimed(root, "3" * 64, **DEAD)
    old, new = root / ATTEMPTS / "0123456789.host.17.aa", root / ATTEMPTS / "0123456789.host.17.bb"
    nobodys, probe = root / ATTEMPTS / "4444444444.01234567", root / ATTEMPTS / ".probe.01234567"
    for path in (old, new, nobodys, probe):
        path.mkdir()
    os.utime(old, (0, 0))
    sweep(root)
    assert set((root / ATTEMPTS).iterdir()) == {*kept, new, probe}


def test_whoever_leaves_takes_along_what_a_killed_worker_of_his_left(root):
    with Claims(root) as claims:
        claims.take(UNIT)
        (root / ATTEMPTS / f"{UNIT[:10]}.01234567").mkdir()
        claims.release(UNIT)  # the next worker has done it
        held = claimed(root, OTHER, host="node-7")
    assert set((root / ATTEMPTS).iterdir()) == set(held)


def test_what_an_attempt_left_is_cleared_while_its_unit_is_held(root):
    claims = Claims(root)
    claims.take(UNIT)
    claims.take(OTHER)
    for unit in (UNIT, OTHER):
        (root / ATTEMPTS / f"{unit[:10]}.fedcba98").mkdir()
    claims.clear(UNIT)
    assert {path.name for path in (root / ATTEMPTS).iterdir() if path.is_dir()} == {f"{OTHER[:10]}.fedcba98"}
    assert len(list(holders(root))) == 2


def test_a_pipe_in_the_place_of_a_claim_is_not_waited_for(root):
    os.mkfifo(claim_of(root / ATTEMPTS, UNIT[:10]))
    assert [each.owner for each in holders(root)] == [None]
