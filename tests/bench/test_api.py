"""`import bench`: the functions behind the command line, from a script and from a notebook."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import toy

import bench
from bench import api
from bench.errors import LaunchError, SpecError, StoreError, TicketBenchError, UnitFailed, UnknownName, Unsupported
from bench.report.results import Results
from bench.runs.launch.local import LocalLauncher
from bench.spec import CODE
from bench.store.store import Store
from bench.verbs import training

KEY = "toy/chain@smoke"


@pytest.fixture
def offered(toys, monkeypatch, tmp_path):
    """The API on the toy's tasks and work, in an empty folder."""
    monkeypatch.setattr(training, "train", partial(training.train, works=toy.WORKS))
    monkeypatch.setattr(training, "timings", lambda *_, **__: {})
    monkeypatch.chdir(tmp_path)
    return bench


def labels(results):
    return sorted(bench.spec.Unit.from_spec(record["spec"]).label for record in results.records)


def python(code, cwd):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_its_names_are_frozen_documented_and_listed():
    assert bench.__all__ == sorted(api.__all__)
    assert set(bench.__all__) <= set(dir(bench))
    assert all(getattr(bench, name) is getattr(api, name) and getattr(api, name).__doc__ for name in bench.__all__)
    with pytest.raises(AttributeError, match="module 'bench' has no attribute 'nothing'"):
        _ = bench.nothing


def test_importing_it_imports_next_to_nothing_and_using_it_no_torch(tmp_path):
    seen = "print(sorted({'torch', 'scipy', 'numpy', 'matplotlib', 'rich'} & set(sys.modules)))"
    code = f"import sys, bench; {seen}; bench.tasks(), bench.suites(), bench.unit('rl/cartpole-a2c@smoke', 'dense'); {seen}"
    first, then = python(code, tmp_path).stdout.splitlines()
    assert first == "[]"
    assert "torch" not in then
    assert "matplotlib" not in then


def test_a_script_runs_a_suite_without_a_main_guard(suite_file, tmp_path):
    code = f"""
import toy; from functools import partial; from bench import registry; from bench.verbs import training
registry.domains = lambda: {{"toy": toy.Toy()}}
training.train = partial(training.train, works=toy.WORKS); training.timings = lambda *_, **__: {{}}
import bench
found = bench.run({str(suite_file)!r}, workers=2)
print(found)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    done = python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')", tmp_path)
    assert done.returncode == 0, done.stderr
    *progress, last = done.stdout.splitlines()
    assert last == "<Results of toy: 14 records in results/runs>"
    assert progress[-1].startswith("[16/16]"), "the same lines as the command line's"


def test_what_it_trains_is_what_the_command_line_finds(offered, command, suite_file, tmp_path):
    found = offered.run(suite_file, store=tmp_path / "runs", progress="none")
    assert isinstance(found, Results)
    assert found.table() in command("run", suite_file, "--store", tmp_path / "runs", "--progress", "none")[1]
    again = offered.results(suite_file, store=tmp_path / "runs")
    assert again.records == found.records
    assert (again.table(), again.name) == (found.table(), "toy")


def test_a_part_of_a_suite_is_asked_for_in_words_or_values(offered, suite_file):
    part = {"methods": ["dense", "ticket"], "levels": range(1, 2), "seeds": 0}
    found = offered.run(suite_file, progress="none", **part)
    assert labels(found) == [f"{KEY} dense L0 s0", f"{KEY} ticket L1 s0"]
    words = offered.results(suite_file, methods="dense, ticket", levels="1", seeds="0")
    assert labels(words) == labels(found)
    assert labels(offered.results(methods="ticket")) == [f"{KEY} ticket L1 s0"]
    with pytest.raises(SpecError, match="levels 2 asked, suite toy has 1, 3"):
        offered.run(suite_file, levels=2)
    with pytest.raises(UnknownName, match="did you mean 'ticket'"):
        offered.run(suite_file, methods=["tickt"])
    with pytest.raises(SpecError, match="nothing is selected of toy"):
        offered.run(offered.suite(tasks=KEY, methods="dense", levels=0, seeds=0, name="toy"), methods=[])


def test_suites_and_units_are_made_here_and_run_together(offered, suite_file):
    mine = offered.suite(tasks=[KEY], methods=["dense", "reinit"], levels=[2], seeds="0-1", name="mine")
    unit = offered.unit(KEY, "snip", level=3, seed=4)
    assert labels(offered.run([mine, unit], progress="none")) == [
        *(f"{KEY} dense L0 s{seed}" for seed in (0, 1)),
        *(f"{KEY} reinit L2 s{seed}" for seed in (0, 1)),
        f"{KEY} snip L3 s4",
        *(f"{KEY} ticket L2 s{seed}" for seed in (0, 1)),
    ]
    assert offered.run(mine, progress="none").name == "mine"


def test_a_unit_is_that_of_the_suite_to_the_last_digit_of_its_id(offered, suite_file):
    suite = bench.suitefile.load_suite(str(suite_file))
    planned = bench.runs.planning.plan.plan(suite).units
    assert offered.unit(KEY, "reinit", 3, 1).id in planned
    assert offered.unit(KEY, "dense").id in planned
    assert offered.unit("toy/still@smoke", "ticket-init", 1).method.name == "ticket", "there it is the same"
    with pytest.raises(SpecError, match="ticket has no level 0: dense is level 0"):
        offered.unit(KEY, "ticket")
    with pytest.raises(SpecError, match="dense has no level 2"):
        offered.unit(KEY, "dense", 2)
    with pytest.raises(UnknownName, match="unknown scale of toy/chain 'paper'"):
        offered.unit("toy/chain@paper", "dense")
    with pytest.raises(SpecError, match="'toy/still' names no scale of it: write toy/still@smoke$"):
        offered.unit("toy/still", "dense")
    with pytest.raises(UnknownName, match="unknown task 'toy/stil': did you mean 'toy/still'"):
        offered.unit("toy/stil", "dense")
    with pytest.raises(Unsupported, match="it has no weights to rewind"):
        offered.unit("toy/picky@smoke", "ticket", 1)


def test_one_unit_is_trained_with_what_it_starts_from(offered):
    record = offered.train(offered.unit(KEY, "reinit", 2, 7), progress="none")
    assert (record["spec"]["level"], record["spec"]["seed"]) == (2, 7)
    assert len(Store("results/runs").records()) == 4, "dense, two rounds of tickets, and it"


def test_what_failed_is_told_and_one_unit_that_failed_is_an_error(offered, trouble):
    trouble({f"{KEY} ticket L1 s0": "fail"})
    unit = offered.unit(KEY, "reinit", 1)
    found = offered.run(unit, progress="none")
    assert found.failed[f"{KEY} ticket L1 s0"].startswith("RuntimeError: the toy was told to fail")
    assert found.failed.keys() == {f"{KEY} ticket L1 s0", f"{KEY} reinit L1 s0"}
    assert repr(found) == "<Results of units: 1 records in results/runs, 2 failed or blocked>"
    with pytest.raises(UnitFailed, match="the toy was told to fail"):
        offered.train(unit, progress="none")
    trouble({})
    assert offered.train(unit, progress="none")["status"] == "ok", "the next one tries it again"


def test_an_interrupt_leaves_what_is_finished_and_the_next_call_goes_on(offered, suite_file, monkeypatch):
    begun, submit = [], LocalLauncher.submit

    def interrupted(self, job):
        begun.append(job)
        if len(begun) == 4:
            raise KeyboardInterrupt
        return submit(self, job)

    monkeypatch.setattr(LocalLauncher, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt, match="of 16 units done; the same command goes on from there"):
        offered.run(suite_file, progress="none", workers=1)
    assert Store("results/runs").records()
    assert len(offered.run(suite_file, progress="none").records) == 14


def test_what_cannot_be_is_refused_in_one_line(offered, suite_file):
    for wrong, message in (
        ({"launcher": "slurm"}, "bench.run waits for its units"),
        ({"launcher": "ray", "device": "cuda"}, "units on GPUs need both"),
        ({"unit_memory": "much"}, "is no size"),
    ):
        with pytest.raises(LaunchError, match=message) as error:
            offered.run(suite_file, **wrong)
        assert "\n" not in str(error.value)
    with pytest.raises(UnknownName, match="unknown suite 'smok': did you mean 'smoke'"):
        offered.run("smok")
    with pytest.raises(StoreError, match="no store results/runs: run something first, or pass another `store`"):
        offered.results()
    with pytest.raises(TicketBenchError, match="unknown method 'tickets'"):
        offered.suite(tasks=KEY, methods="tickets", levels=1, seeds=0)


def test_the_catalogues_are_the_command_lines(offered, command):
    assert {key.partition("@")[0] for key in offered.tasks()} <= set(command("tasks")[1].split())
    assert set(offered.methods()) <= set(command("methods")[1].split())
    assert offered.methods()["ticket"].is_chain


def test_every_bundled_suite_is_there():
    found = bench.suites()
    assert set(found) == {path.stem for path in (Path(bench.__file__).parent / "suites").glob("*.toml")}
    assert all(suite.entries for suite in found.values())


OWN = """
from bench.tickets.methods import define
def chosen(inputs): ...
method = define("chosen", "mine:chosen", "fresh", "full", "")
"""


def test_methods_of_ones_own_join_as_on_the_command_line(offered, brings, monkeypatch):
    monkeypatch.chdir(brings(mine=OWN))
    suite = offered.suite(tasks=KEY, methods=["dense", "mine.py:method"], levels=[1], seeds=[0])
    assert [method.name for method in suite.entries[0].methods] == ["dense", "chosen"]
    assert suite.entries[0].methods[1].options[CODE].keys() == {"mine.py"}
    bare = offered.suite(tasks=KEY, methods="dense", levels=[1], seeds=[0])
    plan = api._plan(bare, tasks=None, methods=["mine.py:method"], levels=None, seeds=None, scale=None)
    assert {unit.method.name for unit in plan.units.values()} == {"chosen"}
    mine = sys.modules["mine"]
    with pytest.raises(SpecError, match="'chosen' names code of yours: ask for it as 'mine.py:method'"):
        offered.suite(tasks=KEY, methods=mine.method, levels=[1], seeds=[0])
    objects = [offered.methods()["dense"], suite.entries[0].methods[1]]
    assert offered.suite(tasks=KEY, methods=objects, levels=[1], seeds=[0]).entries == suite.entries


def test_numbers_of_numpy_are_numbers(offered):
    made = offered.suite(tasks=KEY, methods="ticket", levels=np.arange(1, 3), seeds=np.int64(2))
    assert (made.entries[0].levels, made.entries[0].seeds) == ((1, 2), (2,))
    assert {type(each) for each in made.entries[0].levels} == {int}
    for wrong in (1.0, True, [1.5], None):
        with pytest.raises(SpecError, match="is not a choice of numbers"):
            offered.suite(tasks=KEY, methods="ticket", levels=wrong, seeds=0)
