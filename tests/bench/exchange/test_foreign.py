"""Records of tasks that name somebody's own code: read, shown, drawn and refused, and nothing of it is ever imported."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import toy

from bench import registry
from bench.code import pinned
from bench.exchange.draw import obstacle
from bench.exchange.installed import Catalogue
from bench.exchange.submission import read
from bench.runs.planning.plan import plan as make_plan
from bench.spec import Unit
from bench.store.attempt import Attempt
from bench.store.store import Store
from bench.tickets.methods import METHODS
from bench.tickets.units.work import work
from domains import rl, vision

LOUD = """
import pathlib
import torch
from torch import nn

with (pathlib.Path(__file__).parent / "imports").open("a") as file:
    file.write("imported\\n")

def net():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))

def data():
    labels = torch.arange(60) % 3
    return torch.randn(60, 6, generator=torch.Generator().manual_seed(0)) + labels[:, None], labels
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where somebody's file is, and a store of its task that was trained with it: dense and a ticket."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "loud.py").write_text(LOUD)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(os, "fsync", lambda _: None)
        task = vision.own("loud", network="loud:net", data="loud:data", budget=4, rate=1e-2, scale="smoke")
        plan = make_plan(toy.suite(("dense", "ticket"), (1,), of=task))
        store = Store(folder / "runs")
        store.prepare()
        for unit in plan.units.values():
            attempt = Attempt(store.root, unit)
            parents = {role: store.folder(plan.units[each]) for role, each in unit.parents.items()}
            attempt.commit(work(unit, parents=parents, folder=attempt.folder))
    sys.modules.pop("loud")
    return folder


@pytest.fixture
def imports(folder):
    return lambda: (folder / "imports").read_text().count("imported")


@pytest.fixture
def bench(folder):
    """Run the command line where the file could be imported; gives its code and all that it says."""
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[3])])

    def run(*args):
        command = [sys.executable, "-m", "bench", *map(str, args)]
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


def entries(folder):
    submission = read(Store(folder / "runs"))
    return submission, list(submission.entries.values())


def test_a_record_of_anothers_code_is_not_measured_again(folder, imports):
    before = imports()
    submission, found = entries(folder)
    assert len(found) == 2
    for entry in found:
        assert "is not installed here" in obstacle(submission, entry)
        assert any("names code, 'loud', which runs only for the suite" in doubt for doubt in entry.installed.doubts)
    assert imports() == before
    assert "loud" not in sys.modules


def test_the_file_of_ones_own_suite_makes_it_ones_own(folder, monkeypatch):
    """Whoever brings the very task, its code's digest included, may measure it again."""
    task = entries(folder)[1][0].unit.task
    tasks = registry.tasks()
    monkeypatch.setattr(registry, "tasks", lambda: {**tasks, task.key: task})
    assert all(obstacle(*pair) is None for pair in [(entries(folder)[0], each) for each in entries(folder)[1]])
    edited = replace(task, config={**task.config, "code": {"loud": "0" * 64}})
    monkeypatch.setattr(registry, "tasks", lambda: {**tasks, task.key: edited})
    assert all(entry.installed.task is None for entry in entries(folder)[1])
    assert registry.foreign_code(task)


@pytest.mark.slow
def test_no_command_imports_it(folder, imports, bench):
    before = imports()
    unit = next(entry.unit.id for entry in entries(folder)[1] if entry.unit.level)
    code, text = bench("verify", "runs", "--retrain", "2", "--replay", "2")
    assert code == 2
    assert text.count("names code, 'loud', which runs only for the suite or file of your own that brings it\n") == 2
    assert "not installed here" not in text
    assert bench("show", unit, "--store", "runs")[0] == 0
    code, text = bench("speed", unit, "--store", "runs")
    assert code == 2
    assert "names code, 'loud'" in text
    assert text.count("\n") == 1
    bench("publish", "--store", "runs", "--output", "published")
    assert imports() == before


HOSTILE = {
    "a module of Python's": ({"model": "shutil:which", "code": pinned.digests("shutil:which")}, None),
    "strange digests": ({"model": "os:getcwd", "code": 5}, None),
    "a list": ({"model": "os:getcwd", "code": ["os"]}, None),
    "no config of an agent": (None, {"env": "os:CartPole-v1"}),
    "an agent's": (
        None,
        {"env": {"kind": "gymnasium", "id": "shutil:CartPole-v1", "code": pinned.digests("shutil:x")}},
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_config_is_foreign_whatever_its_shape(case):
    image, agent = HOSTILE[case]
    domain, key = (vision.domain, "vision/lenet-mnist@smoke") if image else (rl.domain, "rl/cartpole-a2c@smoke")
    known = domain.tasks()[key]
    task = replace(known, config={**known.config, **(image or agent)})
    assert registry.foreign_code(task)
    installed = Catalogue().of(Unit(task=task, method=METHODS["dense"], level=0, seed=0))
    assert not installed.both
    assert installed.wrong
    assert registry.foreign_code(known) is None
