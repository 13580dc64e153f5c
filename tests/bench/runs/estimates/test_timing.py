"""Trials of tasks, in a process of their own: what they tell, what is kept of it, and what becomes of broken ones."""

import re
from dataclasses import replace

import pytest
import toy

from bench import versions
from bench.runs.estimates import timing
from bench.runs.estimates.timing import Timing, Tried, timings
from bench.verbs import training

CHAIN, QUICK, _, STILL, PICKY = toy.TASKS
TOLD = Timing(start=1.0, step=0.1, evaluation=0.5)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ticketbench" / "timings"


@pytest.fixture
def tried(cache):
    """Try tasks; gives what came out, what was tried, and why something is unknown."""

    def run(*tasks, **options):
        trying, failed = [], []
        options = {"trial": "toy:trial", **options}
        found = timings(
            [each if isinstance(each, Tried) else Tried(each) for each in tasks],
            trying=trying.append,
            failed=failed.append,
            **options,
        )
        assert all(40 < timing.worker < 60 for timing in found.values()), "what the trial says, and its import"
        return {key: replace(timing, worker=0.0) for key, timing in found.items()}, trying, failed

    return run


def test_a_task_is_tried_once_on_a_machine(tried, cache, monkeypatch):
    found, trying, failed = tried(CHAIN, QUICK)
    assert found == {("toy/chain@smoke", False): TOLD, ("toy/chain@quick", False): TOLD}
    assert trying == [
        f"trying how fast toy/chain@{scale} trains here ({n} of 2)" for n, scale in ((1, "smoke"), (2, "quick"))
    ]
    assert failed == []
    assert len(list(cache.iterdir())) == 2
    assert tried(CHAIN, QUICK) == (found, [], [])
    for other in ({"threads": 2}, {"device": "cuda"}):
        assert tried(CHAIN, **other)[1], "it is not the same then"
    assert tried(replace(CHAIN, budget=60))[1], "nor is this the same task"
    assert not tried(replace(CHAIN, source="elsewhere"))[1], "but this is"
    monkeypatch.setattr(versions, "cpu", lambda: "another processor")
    assert tried(CHAIN)[1]


def test_a_stack_is_tried_beside_what_is_trained_by_itself(tried, cache):
    found, trying, _ = tried(Tried(CHAIN), Tried(CHAIN, 4))
    assert found == {("toy/chain@smoke", False): TOLD, ("toy/chain@smoke", True): replace(TOLD, step=0.025)}
    assert trying[1] == "trying how fast toy/chain@smoke trains here in a stack of 4 (2 of 2)"
    assert not tried(Tried(CHAIN, 4))[1]
    assert tried(Tried(CHAIN, 5))[1], "other seats, another share"
    assert tried(Tried(STILL, 2))[2] == [
        "how long toy/still@smoke takes in a stack of 2 is unknown: its trial ended with exit code 7"
    ]


def test_what_cannot_be_tried_is_told_in_a_line_and_the_rest_goes_on(tried, cache):
    found, trying, failed = tried(STILL, PICKY, CHAIN)
    assert found == {("toy/chain@smoke", False): TOLD}
    assert len(trying) == 3
    assert failed[0] == "how long toy/still@smoke takes is unknown: its trial ended with exit code 7"
    assert failed[1].startswith(
        "how long toy/picky@smoke takes is unknown: no data of toy/picky@smoke on cpu: get them"
    )
    assert not any("\n" in line for line in failed)
    assert len(list(cache.iterdir())) == 1, "a failure is no knowledge"


def test_a_trial_that_hangs_is_given_up(tried, monkeypatch):
    monkeypatch.setattr(timing, "LONGEST", 0.2)
    found, _, failed = tried(CHAIN, trial="time:sleep")
    assert found == {}
    assert "unknown" in failed[0]
    monkeypatch.setattr(timing, "LONGEST", 0.01)
    assert tried(CHAIN)[2] == ["how long toy/chain@smoke takes is unknown: a trial took longer than 0 s"]


@pytest.mark.parametrize("text", ["", "{", '{"start": "soon"}', '{"start": 1, "step": 1}'])
def test_a_damaged_note_is_made_anew(tried, cache, text):
    tried(CHAIN)
    (note,) = cache.iterdir()
    note.write_text(text)
    assert tried(CHAIN)[0] == {("toy/chain@smoke", False): TOLD}
    assert "0.1" in note.read_text()


def test_without_a_home_nothing_is_kept(tried, monkeypatch):
    def nobody():
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(timing.Path, "home", nobody)
    assert tried(CHAIN)[1]
    assert tried(CHAIN)[1], "tried again"
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self/no")
    assert tried(CHAIN)[0] == {("toy/chain@smoke", False): TOLD}, "a folder that cannot be written is no error"


def test_plan_tells_how_long_a_task_takes_that_was_never_run(command, suite_file, tmp_path, monkeypatch, cache):
    monkeypatch.setattr(
        training, "timings", lambda *tasks, **options: timings(*tasks, **{**options, "trial": "toy:trial"})
    )
    code, out, err = command("plan", suite_file, "--store", tmp_path / "runs", "--workers", 2)
    assert (code, err) == (0, "ticketbench: trying how fast toy/chain@smoke trains here (1 of 1)\n")
    dense, rewound = (1 + steps * 0.1 + steps / 10 * 0.5 for steps in (30, 20))
    left = (2 * dense + 6 * rewound + 4 * dense + 4 * dense) / 2
    told = re.search(r"time left: (\d+) s with 2 workers\n$", out)
    assert left + 40 <= int(told[1]) <= left + 60, "workers start, too"
    suite_file.write_text(suite_file.read_text().replace("toy/chain", "toy/still"))
    code, out, err = command("plan", suite_file, "--store", tmp_path / "runs", "--workers", 2)
    assert code == 0, "what cannot be tried hinders no plan"
    assert err.splitlines() == [
        "ticketbench: trying how fast toy/still@smoke trains here (1 of 1)",
        "ticketbench: how long toy/still@smoke takes is unknown: its trial ended with exit code 7",
    ]
    assert out.endswith("time left: unknown with 2 workers\n")


def test_a_plan_tries_stacks_of_as_many_as_a_level_has_for_each_worker(command, suite_file, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(training, "timings", lambda tried, **_: asked.extend(tried) or {})
    suite_file.write_text(
        suite_file.read_text().replace("toy/chain", "toy/stack").replace("random-ticket", "small-dense")
    )
    options = ("--store", tmp_path / "runs", "--workers", 2)
    assert command("plan", suite_file, *options)[0] == 0
    assert [(each.task.key, each.seats) for each in asked] == [("toy/stack@smoke", 2), ("toy/stack@smoke", None)]
    asked.clear()
    assert command("plan", suite_file, *options, "--stack", "off")[0] == 0
    assert [each.seats for each in asked] == [None]
