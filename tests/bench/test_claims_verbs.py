"""Listing claims, judging published records, and training exactly what a claim needs."""

from dataclasses import replace
from functools import partial

import pytest
import toy
from records import build_task

from bench.digests import canonical_json
from bench.report.claims import definitions as claims
from bench.report.claims import text
from bench.report.claims.definitions import Claim
from bench.report.claims.definitions import load_claims as definitions
from bench.runs.estimates.pace import duration, steps_of
from bench.runs.planning.plan import plan
from bench.store.store import Store
from bench.suitefile import load_suite
from bench.verbs import claims as verbs

TOY = Claim(
    id="T-1", paper="1803.03635", statement="Tickets of toys win.", where="nowhere", method="ticket", comparator="reinit",
    scale="quick", tasks=("toy/chain",), levels=(2,), seeds=3,
)  # fmt: skip
BLOCKED = Claim(id="T-2", paper="1803.03635", statement="No toy does this.", where="nowhere", blocked="no such toy")


@pytest.fixture(autouse=True)
def toy_claims(monkeypatch):
    monkeypatch.setattr(claims, "load_claims", lambda: (TOY, BLOCKED))
    monkeypatch.setattr(verbs, "load_claims", lambda: (TOY, BLOCKED))
    monkeypatch.setattr(verbs, "reproduce", partial(verbs.reproduce, works=toy.WORKS))


def test_exactly_the_units_of_the_claim_are_trained_and_the_verdict_is_printed(command, tmp_path):
    store = tmp_path / "runs"
    code, out, err = command("reproduce", "1803.03635", "--store", store, "--workers", 2)
    assert (code, err) == (0, "")
    assert "[12/12]" in out
    assert sorted((r["spec"]["method"]["name"], r["spec"]["level"]) for r in Store(store).records()) == sorted(
        [("dense", 0), ("ticket", 1), ("ticket", 2), ("reinit", 2)] * 3
    )
    verdict = out[out.index("T-1 ") :]
    assert verdict.startswith("T-1     no verdict at quick scale\n"), "so short a training says nothing about a paper"
    assert "3 seeds" in verdict
    assert "quick scale spends too little of the paper's budget" in verdict
    assert "Holm" not in verdict
    assert "T-2     not run" in verdict
    assert "no such toy" in verdict
    again = command("reproduce", "T-1", "--store", store)[1]
    assert "[12/12]" not in again, "nothing is trained twice"
    assert verdict.split("\n")[0] in again


PINNED = Claim(
    id="T-3", paper="1803.03635", statement="Tickets of one toy beat those of another.", where="nowhere", method="ticket",
    comparator="ticket", comparator_task="toy/still", scale="smoke", tasks=("toy/chain",), levels=(1,), seeds=3,
)  # fmt: skip


def test_what_a_claim_across_two_tasks_needs_of_either_is_trained(command, tmp_path, monkeypatch):
    for module in (claims, verbs):
        monkeypatch.setattr(module, "load_claims", lambda: (PINNED,))
    store = tmp_path / "runs"
    code, out, err = command("reproduce", "T-3", "--store", store)
    assert (code, err) == (0, "")
    specs = [record["spec"] for record in Store(store).records()]
    arms = {("dense", 0), ("ticket", 1)}
    assert sorted((s["task"]["name"], s["method"]["name"], s["level"], s["seed"]) for s in specs) == sorted(
        (task, method, level, seed)
        for task in ("toy/chain", "toy/still")
        for method, level in arms
        for seed in range(3)
    )
    assert "score of ticket on toy/chain against ticket on toy/still, level 1" in out
    assert "3 seeds" in out


def test_a_suite_asks_of_each_task_what_is_read_there_at_the_seeds_that_either_needs(monkeypatch):
    here, there = build_task(name="vision/here"), build_task(name="vision/there", fewest_seeds=7)
    monkeypatch.setattr(verbs.registry, "task", lambda name, scale: {each.name: each for each in (here, there)}[name])
    claim = replace(
        PINNED,
        scale="small",
        tasks=(here.name,),
        comparator_task=there.name,
        method="dense",
        comparator=("reinit", "shuffled"),
    )
    entries = verbs.suite([claim, BLOCKED], "T").entries
    assert [(e.task, [m.name for m in e.methods], e.levels) for e in entries] == [
        (here, ["dense"], (1,)), (there, ["dense", "reinit", "shuffled"], (1,)),
    ]  # fmt: skip
    assert {entry.seeds for entry in entries} == {tuple(range(7))}
    assert verbs.suite([replace(claim, test="exact")], "T").entries[1].seeds == (0, 1, 2)


def test_the_suites_list_every_unit_that_a_small_claim_about_their_tasks_reads():
    *plans, instability = (plan(load_suite(name)) for name in ("transfer", "cifar", "teacher", "instability"))
    listed = {unit.id for made in (*plans, instability) for unit in made.units.values() if made.lists(unit)}
    tasks = {entry.task.name for made in plans for entry in made.suite.entries}
    small = [claim for claim in definitions() if claim.scale == "small" and tasks & set(claim.arms)]
    assert len([claim for claim in small if claim.id.startswith(("T4", "T5"))]) == 14
    assert {"F1-13", "R-1", "R-5", "R-5b", "R-6", "M2-7", "M2-9"} <= {claim.id for claim in small}
    for claim in small:
        asked = plan(verbs.suite([claim], claim.id))
        read = [asked.units[each] for each in asked.asked if asked.units[each].level in (0, *claim.levels)]
        assert {unit.label for unit in read if unit.id not in listed} == set(), claim.id


def test_claims_are_listed_and_judged_by_published_records(command, tmp_path):
    code, out, _ = command("claims")
    assert code == 0
    assert "T-1    1803.03635  quick          Tickets of toys win." in out
    assert "T-2    1803.03635  cannot be run  No toy does this." in out
    command("reproduce", "T-1", "--store", tmp_path / "runs")
    records = tmp_path / "records" / "toys.jsonl"
    records.parent.mkdir()
    records.write_text("".join(canonical_json(each) + "\n" for each in Store(tmp_path / "runs").records()))
    told = command("claims", "T-1", "--records", records.parent)[1]
    assert "T-1     no verdict at quick scale" in told
    assert "| T-1 | " in command("claims", "T-1", "--records", records, "--format", "md")[1]


def test_of_one_claim_everything_is_told_before_anything_is_trained(command):
    code, out, err = command("claims", "T-1")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "T-1",
        "  statement   Tickets of toys win.",
        "  where       nowhere; 1803.03635, The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks",
        f"  at quick    score of ticket against reinit on toy/chain, level 2: {text.about(TOY)}",
        "              claimed > 0, two-sided p below 5 % after Holm's correction within the paper",
        "              3 seeds or more: 12 units to train",
        "              to see it: ticketbench reproduce T-1 --scale quick",
        "              what that would train, and how long: ticketbench reproduce T-1 --scale quick --plan",
    ]
    assert command("claims", "T-2")[1].splitlines()[-1] == "  not run     no such toy"
    marked = command("claims", "T-1", "--format", "md")[1].splitlines()
    assert marked[:3] == ["**T-1**", "", "- statement: Tickets of toys win."]
    assert marked[-1].startswith(
        "- at quick: score of ticket against reinit on toy/chain, level 2: difference of scores"
    )


def test_what_a_claim_across_tasks_that_was_looked_at_before_rests_on(command, monkeypatch):
    claim = replace(PINNED, reported="3 %", first_look="it failed.", test="exact", margin=0.5)
    for module in (claims, verbs):
        monkeypatch.setattr(module, "load_claims", lambda: (claim, replace(claim, scale="quick", tasks=("toy/chain",))))
    out = command("claims", "T-3", "--scale", "smoke")[1]
    assert "  reported    3 %\n" in out
    assert "score of ticket on toy/chain against ticket on toy/still, level 1: " in out
    assert "claimed within 0.5, at every seed\n" in out
    assert "3 seeds or more: 12 units to train\n" in out
    assert "a first look, before the seeds were fixed: it failed.\n" in out
    assert "at quick" not in out


def test_several_claims_are_a_table_in_markdown(command):
    assert command("claims", "--format", "md")[1].splitlines() == [
        "| claim | paper | at | statement |",
        "| --- | --- | --- | --- |",
        "| T-1 | 1803.03635 | quick | Tickets of toys win. |",
        "| T-2 | 1803.03635 | cannot be run | No toy does this. |",
    ]


def test_a_reproduction_is_planned_and_trains_nothing(command, tmp_path):
    code, out, err = command("reproduce", "T-1", "--plan", "--store", tmp_path / "runs", "--workers", 3)
    assert (code, err) == (0, "")
    assert out.startswith("T-1: What T-1 claims\n")
    assert out.endswith("time left: unknown with 3 workers\n")
    assert not (tmp_path / "runs").exists()


def test_a_plan_says_where_the_claim_can_be_seen_for_less(command, tmp_path, monkeypatch):
    for module in (claims, verbs):
        monkeypatch.setattr(module, "load_claims", lambda: (TOY, replace(TOY, scale="smoke")))
    asked = ("reproduce", "T-1", "--plan", "--store", tmp_path)
    assert command(*asked)[1].endswith("at quick scale; less of the budget: --scale smoke\n")
    for scale in ("smoke", "quick"):
        assert "less of the budget" not in command(*asked, "--scale", scale)[1]


def test_what_claims_cost_is_tried_here_and_what_cannot_be_is_said(command, tmp_path, monkeypatch):
    """Twelve toys of ten steps, evaluated each fifth; a task whose data are missing costs nobody knows what."""
    picky = replace(TOY, id="T-4", method="random-ticket", comparator="dense", scale="smoke", tasks=("toy/picky",))
    for module in (claims, verbs):
        monkeypatch.setattr(module, "load_claims", lambda: (TOY, picky, BLOCKED))
    monkeypatch.setattr(verbs, "claims", partial(verbs.claims, trial="toy:trial"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = ["claims", "1803.03635", "--cost", "--format", "md"]
    code, out, err = command(*asked)
    assert code == 0, err
    made = plan(verbs.suite([TOY], "T-1"))
    seconds = sum(
        1.0 + 0.1 * steps_of(unit) + 0.5 * steps_of(unit) / unit.task.evaluate_every for unit in made.units.values()
    )
    assert "| claim | at | units | on one worker here |" in out
    assert f"| T-1 | quick | 12 | {duration(seconds)} |" in out
    assert "| T-4 | smoke | 6 | unknown |" in out
    assert "- how long toy/picky@smoke takes is unknown: no data of toy/picky@smoke on cpu: get them" in out
    assert "- T-2 cannot be run: no such toy" in out
    assert "trying how fast toy/chain@quick trains here" in err
    (tmp_path / "none.jsonl").touch()
    judged = command(*asked, "--records", tmp_path / "none.jsonl", "--verdict", "not run")[1]
    assert judged == out, "of what no record tells"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reproduce", "T-9"], "unknown claim or paper 'T-9'"),
        (["reproduce", "T-1", "--scale", "paper"], "T-1 has no units at scale paper: it has quick"),
        (["reproduce", "T-1", "--nodes", "2"], "--nodes is for --launcher slurm"),
        (["reproduce", "T-1", "--device", "gpu"], "--device 'gpu' cannot be used on this machine"),
        (["claims", "--records", "nowhere"], "no published records in nowhere"),
        (["claims", "--format", "pdf"], "unknown format 'pdf'"),
    ],
)
def test_what_is_wrong_is_one_line(command, words, said):
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_slurm_gets_the_same_claim_for_every_node(command, tmp_path):
    asked = ("reproduce", "T-1", "--scale", "quick", "--store", tmp_path / "runs", "--unit-timeout", "90")
    code, out, _ = command(*asked, "--launcher", "slurm", "--dry-run")
    assert code == 0
    assert " reproduce T-1 --scale quick --store " in out
    assert " --unit-timeout 90.0 --launcher local --progress plain" in out


def test_the_limits_hold_for_claims_too(command, tmp_path, trouble):
    trouble({"toy/chain@quick reinit L2 s0": "hang"})
    code, out, _ = command("reproduce", "T-1", "--store", tmp_path / "runs", "--unit-timeout", 10)
    assert code == 1
    assert "reinit L2 s0: it took longer than the 10 s of --unit-timeout" in out
