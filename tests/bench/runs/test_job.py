import errno
import pickle

import pytest
import toy

from bench.errors import SpecError, UnknownName
from bench.runs import job as jobs
from bench.runs.job import Job, Outcome, resolve, run, summary
from bench.runs.plan import plan as make_plan
from bench.store.claims import ATTEMPTS


@pytest.fixture
def dense(store):
    (unit,) = make_plan(toy.suite(("dense",))).units.values()
    return Job(spec=unit.spec(), root=store.root, parents={}, work="toy:work")


def test_a_job_is_trained_and_committed(dense, store):
    reports = []
    outcome = run(pickle.loads(pickle.dumps(dense)), report=lambda step, metrics: reports.append(step))  # noqa: S301  own bytes
    assert outcome == Outcome(status="ok", commit="committed")
    assert reports == [10, 20, 30]
    assert len(store.records()) == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_while_training_halts(dense, store, error, monkeypatch):
    def work(*_, **__):
        raise error

    monkeypatch.setattr(jobs, "resolve", lambda _: work)
    assert run(dense, report=None).status == "halt"
    assert not list((store.root / ATTEMPTS).iterdir())


def test_a_store_that_cannot_be_written_halts(dense, store):
    (store.root / ATTEMPTS).rmdir()
    (store.root / ATTEMPTS).write_text("")
    outcome = run(dense, report=None)
    assert outcome.status == "halt"
    assert "cannot write toy/chain@smoke dense L0 s0" in outcome.reason


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UnknownName("task", "x", ["y"]), "unknown task 'x': known are y"),
        (ValueError("one\ntwo"), "ValueError: one"),
        (KeyError(), "KeyError"),
    ],
)
def test_an_error_is_told_in_one_line(error, line):
    assert summary(error) == line


@pytest.mark.parametrize("path", ["toy", "toy:none", "no.such:work", ":", "toy:work:more"])
def test_work_that_does_not_exist_is_named(path):
    with pytest.raises(SpecError, match=f"work '{path}' cannot be imported"):
        resolve(path)
