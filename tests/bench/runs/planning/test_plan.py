"""A plan is the science of a suite: complete chains, and controls that are paired by structure."""

from dataclasses import replace
from pathlib import Path

import pytest
import toy

from bench import registry
from bench.errors import SpecError, Unsupported
from bench.runs.planning.plan import plan, refusal
from bench.spec import Pruning, Suite
from bench.suitefile import parse
from bench.tickets.columns import MaskColumn
from bench.tickets.methods import METHODS, define


def units_of(made, method):
    return {(unit.level, unit.seed): unit for unit in made.units.values() if unit.method.name == method}


def test_chains_run_every_round_and_other_methods_the_levels_listed():
    made = plan(toy.suite(("dense", "ticket", "random-ticket"), levels=(2, 5), seeds=(0, 1)))
    assert set(units_of(made, "ticket")) == {(level, seed) for level in range(1, 6) for seed in (0, 1)}
    assert set(units_of(made, "random-ticket")) == {(level, seed) for level in (2, 5) for seed in (0, 1)}
    assert set(units_of(made, "dense")) == {(0, 0), (0, 1)}


def test_a_chain_starts_at_dense_and_every_round_prunes_the_one_before():
    made = plan(toy.suite(("ticket",), levels=(3,)))
    ticket, dense = units_of(made, "ticket"), units_of(made, "dense")[0, 0]
    assert ticket[1, 0].parents == {"previous": dense.id, "dense": dense.id}
    assert ticket[3, 0].parents == {"previous": ticket[2, 0].id, "dense": dense.id}


@pytest.mark.parametrize("control", ["reinit", "reinit-signed", "permuted", "shuffled"])
def test_controls_take_the_ticket_of_their_own_level_and_seed(control):
    made = plan(toy.suite((control,), levels=(1, 4), seeds=(0, 3)))
    ticket = units_of(made, "ticket")
    for at, unit in units_of(made, control).items():
        assert unit.parents["ticket"] == ticket[at].id
    assert set(units_of(made, control)) == {(1, 0), (1, 3), (4, 0), (4, 3)}


def test_parents_that_the_suite_does_not_list_are_added():
    assert {unit.method.name for unit in plan(toy.suite(("reinit",))).units.values()} == {"reinit", "ticket", "dense"}


@pytest.mark.parametrize("name", METHODS)
def test_parents_come_before_their_children(name, toys):
    made = plan(toy.suite((name,), levels=(1, 3)))
    seen = set()
    for unit in made.units.values():
        assert seen.issuperset(unit.parents.values())
        seen.add(unit.id)
    assert all(each == unit.id for each, unit in made.units.items())


def test_units_of_overlapping_entries_run_once():
    one, two = toy.suite(("ticket",), levels=(2,)).entries + toy.suite(("ticket", "reinit"), levels=(3,)).entries
    both = Suite(name="both", title="", entries=(one, two))
    assert plan(both).units.keys() == plan(toy.suite(("ticket", "reinit"), levels=(3,))).units.keys()


def test_coincident_methods_run_once_and_are_remembered():
    made = plan(
        toy.suite(("ticket-init", "fine-tune", "ticket"), of=toy.task("toy/still", rewind_step=0, constant_rate=True))
    )
    assert made.aliases == {
        ("toy/still@smoke", "ticket-init"): "ticket",
        ("toy/still@smoke", "fine-tune"): "lr-rewind",
    }
    assert {unit.method.name for unit in made.units.values()} == {"dense", "ticket", "lr-rewind"}


def test_methods_that_do_not_coincide_both_run():
    assert {"ticket", "ticket-init"} <= {
        unit.method.name for unit in plan(toy.suite(("ticket-init", "ticket"))).units.values()
    }


@pytest.mark.parametrize(
    ("method", "why"),
    [("ticket", "no weights to rewind"), ("reinit", "needs the ticket: it has no"), ("snip", "no losses")],
)
def test_an_unsupported_method_is_refused_with_the_tasks_reason(method, why):
    picky = toy.task("toy/picky", unsupported={"ticket": "it has no weights to rewind", "snip": "it has no losses"})
    with pytest.raises(Unsupported, match=f"toy/picky@smoke cannot run {method}: .*{why}"):
        plan(toy.suite((method,), of=picky))


def test_level_zero_is_dense_only():
    made = plan(toy.suite(("random-ticket", "ticket"), levels=(0, 1)))
    assert [unit.method.name for unit in made.units.values() if unit.level == 0] == ["dense"]


def test_heights_count_the_longest_chain_that_waits():
    made = plan(toy.suite(("ticket", "reinit"), levels=(3,)))
    height = {unit.label.split(" ", 1)[1]: made.heights[unit.id] for unit in made.units.values()}
    assert height == {"dense L0 s0": 5, "ticket L1 s0": 4, "ticket L2 s0": 3, "ticket L3 s0": 2, "reinit L3 s0": 1}


def test_a_very_long_chain_is_planned():
    assert len(plan(toy.suite(("ticket", "reinit"), levels=(700,))).units) == 702


def test_which_levels_the_suite_lists():
    made = plan(toy.suite(("ticket",), levels=(3,)))
    assert [unit.level for unit in made.units.values() if made.lists(unit)] == [0, 3]


def test_synflow_is_refused_where_learners_do_not_forward_ones(toys, monkeypatch):
    plan(toy.suite(("synflow",)))
    monkeypatch.delattr(toy.Toy, "forwards_ones")
    with pytest.raises(
        Unsupported, match="toy/chain@smoke cannot run synflow: domain 'toy' does not say .*forwards_ones"
    ):
        plan(toy.suite(("synflow",)))


def test_whole_nodes_are_refused_where_learners_do_not_name_them(toys, monkeypatch):
    column = MaskColumn(function="bench.tickets.choose:uniform_mask", nodes=True)
    monkeypatch.setitem(globals(), "NODES", column)
    method = define("mine", f"{__name__}:NODES", "fresh", "full", "")
    task = toy.TASKS[0]
    assert refusal(task, method).startswith(
        "domain 'toy' does not say that whole hidden nodes of its learners can be pruned"
    )
    monkeypatch.setattr(toy.Toy, "names_nodes", True, raising=False)
    assert refusal(task, method) is None


def test_another_order_of_the_data_is_refused_where_learners_do_not_offer_it(toys, monkeypatch):
    task, method = toy.TASKS[0], METHODS["ticket-reordered"]
    assert refusal(task, method) is None
    monkeypatch.delattr(toy.Toy, "interpolates")
    assert refusal(task, method).startswith("domain 'toy' does not say that its learners train on another order")


def test_a_saliency_that_a_task_declines_is_declined_under_any_methods_name(toys):
    method = define("mine", "snip", "fresh", "full", "", losses=3)
    assert refusal(toy.TASKS[-1], method) == "it has no losses"


# Tickets of other tasks.

TRANSFERS = ("dense", "transfer+slow", "transfer-reinit+slow")


def test_a_transfer_has_its_source_planned_too(toys):
    made = plan(toy.suite(TRANSFERS, levels=(1, 3), seeds=(0, 4)))
    there = {(u.method.name, u.level, u.seed): u.id for u in made.units.values() if u.task.name == "toy/slow"}
    assert set(there) == {(name, level, seed) for seed in (0, 4) for name, level in (
        ("dense", 0), ("ticket", 1), ("ticket", 2), ("ticket", 3),
    )}  # fmt: skip
    own = {unit.seed: unit.id for unit in made.units.values() if unit.task.name == "toy/chain" and unit.level == 0}
    for (level, seed), unit in units_of(made, "transfer+slow").items():
        assert unit.task.name == "toy/chain"
        assert unit.parents == {
            "source": there["ticket", level, seed], "source-dense": there["dense", 0, seed], "dense": own[seed],
        }  # fmt: skip
    for (level, seed), unit in units_of(made, "transfer-reinit+slow").items():
        assert unit.parents == {"source": there["ticket", level, seed]}


def test_what_is_only_there_for_a_transfer_is_neither_asked_for_nor_listed(toys):
    made = plan(toy.suite(TRANSFERS, levels=(3,)))
    assert {unit.task.name for unit in made.units.values()} == {"toy/chain", "toy/slow"}
    for unit in made.units.values():
        assert (unit.id in made.asked) == made.lists(unit) == (unit.task.name == "toy/chain"), unit.label


def test_a_source_that_the_suite_runs_too_is_run_once(toys):
    one, two = (
        toy.suite(TRANSFERS, levels=(2,)),
        toy.suite(("ticket",), levels=(3,), of=registry.task("toy/slow", "smoke")),
    )
    made = plan(Suite(name="both", title="", entries=one.entries + two.entries))
    assert sorted(level for level, _ in units_of(made, "ticket")) == [1, 2, 3]


def test_every_source_is_an_arm_of_its_own_at_the_targets_scale(toys, monkeypatch):
    quick = registry.task("toy/chain", "quick")
    other = toy.task("toy/slow", scale="quick", budget=60)
    monkeypatch.setattr(toy, "TASKS", (*toy.TASKS, other, replace(other, name="toy/more")))
    made = plan(toy.suite(("transfer+slow", "transfer+more"), levels=(1,), of=quick))
    assert {unit.task.scale for unit in made.units.values()} == {"quick"}
    assert len(units_of(made, "transfer+slow")) == len(units_of(made, "transfer+more")) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("slwo", "its source is an unknown task 'toy/slwo': did you mean 'toy/slow'"),
        ("chain", "its source is toy/chain itself, whose own ticket is the method `ticket`"),
        ("picky", "toy/picky has no ticket to give: it has no weights to rewind"),
        ("pruned", "toy/pruned prunes otherwise than toy/chain"),
        ("wide", r"toy/wide trains another network than toy/chain: wide, not small"),
        ("large", r"its source is an unknown scale of toy/large 'smoke'"),
    ],
)
def test_a_source_that_does_not_fit_is_refused_when_planning(toys, monkeypatch, source, said):
    tasks = (
        toy.task("toy/pruned", pruning=Pruning(rate=0.2, scope="global")),
        toy.task("toy/wide", config={"seconds": 0.0, "network": "wide"}),
        toy.task("toy/large", scale="paper"),
    )
    monkeypatch.setattr(toy, "TASKS", (*toy.TASKS, *tasks))
    monkeypatch.setattr(toy.Toy, "network", lambda _, task: task.config.get("network", "small"))
    for template in ("transfer", "transfer-reinit"):
        with pytest.raises(Unsupported, match=f"toy/chain@smoke cannot run {template}\\+{source}: {said}"):
            plan(toy.suite((f"{template}+{source}",)))


def test_a_task_may_decline_transfers(toys):
    task = toy.task(unsupported={"transfer": "its outputs move"})
    with pytest.raises(Unsupported, match=r"cannot run transfer\+slow: its outputs move"):
        plan(toy.suite(("transfer+slow",), of=task))
    assert refusal(task, registry.method("transfer-reinit+slow")) is None


def test_a_domain_that_does_not_say_which_networks_are_equal_transfers_nothing(toys, monkeypatch):
    monkeypatch.delattr(toy.Toy, "network")
    with pytest.raises(Unsupported, match="domain 'toy' does not say which of its tasks have the same network"):
        plan(toy.suite(("transfer+slow",)))


def test_all_methods_are_those_that_need_no_source(toys):
    suite = parse(
        '[[task]]\nname = "toy/chain"\nscale = "smoke"\nmethods = "all"\nlevels = [1]\nseeds = [0]',
        name="a",
        file="a",
        folder=Path(),
    )
    assert {method.name for method in suite.entries[0].methods} == set(METHODS)


def test_a_plan_is_bounded(toys, monkeypatch):
    monkeypatch.setattr("bench.runs.planning.plan.MOST", 9)
    assert len(plan(toy.suite(("ticket",), levels=(8,), seeds=(0,))).units) == 9
    with pytest.raises(SpecError, match="more than 9 units: ask for fewer levels or seeds of toy/chain@smoke"):
        plan(toy.suite(("ticket",), levels=(9,), seeds=(0,)))
