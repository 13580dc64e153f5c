"""Stores, plans and commands on the toy domain."""

import json
import shutil
import sys
from functools import partial

import pytest
import toy

from bench import registry
from bench.__main__ import main
from bench.code import own
from bench.runs.drive import drive
from bench.runs.launch.local import LocalLauncher
from bench.runs.planning.plan import plan as make_plan
from bench.runs.planning.stacking import Stacking
from bench.store.store import Store
from bench.verbs import training

SUITE = """\
title = "a toy"

[[task]]
name = "toy/chain"
scale = "smoke"
methods = ["dense", "ticket", "reinit", "random-ticket"]
levels = [1, 3]
seeds = "0-1"
"""


class Silent:
    """A watch that only remembers."""

    def __init__(self):
        self.labels, self.seats, self.outcomes = [], [], []

    def started(self, unit, seats):
        self.labels.append(unit.label)
        self.seats.append(seats)

    def ended(self, unit, outcome):
        self.outcomes.append(outcome)

    def waits(self, holders):
        pass

    def stands(self, frontier):
        pass


@pytest.fixture
def toys(monkeypatch):
    """The registry knows the toy domain and nothing else."""
    monkeypatch.setattr(registry, "domains", lambda: {"toy": toy.Toy()})


@pytest.fixture
def brings(monkeypatch, tmp_path):
    """Write files of the user's own below a folder, name -> text; what was imported is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(own, "_imported", {})
    monkeypatch.setattr(own, "_folders", [])
    monkeypatch.setattr(sys, "path", list(sys.path))

    def bring(**texts):
        for name, text in texts.items():
            path = tmp_path / "own" / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path / "own"

    yield bring
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "runs")
    store.prepare()
    return store


@pytest.fixture
def trouble(tmp_path, monkeypatch):
    """Make units fail, diverge, die or differ: the function takes {label: trouble}, and may be called again."""
    path = tmp_path / "trouble.json"
    monkeypatch.setenv(toy.TROUBLE, str(path))
    return lambda labels: path.write_text(json.dumps(labels))


@pytest.fixture
def suite_file(tmp_path, toys):
    path = tmp_path / "toy.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Finished stores are made once and copied: flushing files takes its time."""
    made = {}

    def copy(suite, to):
        if repr(suite) not in made:
            store, plan = Store(tmp_path_factory.mktemp("template")), make_plan(suite)
            store.prepare()
            for unit in plan.units.values():
                assert toy.finish(unit, store, plan) == "committed"
            made[repr(suite)] = store.root, plan
        root, plan = made[repr(suite)]
        shutil.copytree(root, to)
        return Store(to), plan

    return copy


@pytest.fixture
def filled(template, tmp_path):
    """A store with every unit of a small plan, and the plan."""
    return template(toy.suite(), tmp_path / "runs")


@pytest.fixture
def finished(template, suite_file, tmp_path):
    """A store with every unit of the suite file."""
    names = ("dense", "ticket", "reinit", "random-ticket")
    return template(toy.suite(names, seeds=(0, 1)), tmp_path / "runs")[0].root


@pytest.fixture
def go(store):
    """Drive a suite in real worker processes; gives the frontier and what was run."""

    def run(suite, workers=2, stack=None):
        watch = Silent()
        launcher = LocalLauncher(workers=workers, progress=lambda *_: None)
        try:
            stacking = Stacking(stack)
            return drive(make_plan(suite), store, launcher, watch=watch, stacking=stacking, works=toy.WORKS), watch
        finally:
            launcher.close()

    return run


@pytest.fixture
def command(monkeypatch, capsys, toys):
    """Run the command line in this process; gives exit code, standard output and standard error."""
    monkeypatch.setattr(training, "run", partial(training.run, works=toy.WORKS))
    monkeypatch.setattr(training, "timings", lambda *_, **__: {})  # a process each time; `test_timing` has them
    monkeypatch.setattr(training, "draw", lambda *_: [])  # a second each time; `test_first` has them

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["ticketbench", *map(str, args)])
        capsys.readouterr()  # what fixtures printed
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return run
