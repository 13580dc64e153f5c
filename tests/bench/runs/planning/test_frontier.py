"""What can run, what waits and what never will, as units finish, fail, diverge or lose their states."""

import toy

from bench.runs.planning.frontier import Frontier
from bench.runs.planning.plan import plan as make_plan


def labels(frontier, ids):
    return {frontier.plan.units[each].label.removeprefix("toy/chain@smoke ") for each in ids}


def short(unit):
    return unit and unit.label.removeprefix("toy/chain@smoke ")


def states_of(store, unit):
    return [store.folder(unit) / f"{name}.safetensors" for name in ("initial", "rewind", "final")]


def test_the_longest_chain_goes_first(store):
    plan = make_plan(toy.suite(("random-ticket", "reinit"), levels=(1, 2), seeds=(0, 1)))
    frontier = Frontier(plan, store)
    assert [short(frontier.next()) for _ in range(4)] == [
        "dense L0 s0", "dense L0 s1", "random-ticket L1 s0", "random-ticket L2 s0",
    ]  # fmt: skip
    dense = next(unit for unit in plan.units.values() if short(unit) == "dense L0 s1")
    toy.finish(dense, store, plan)
    frontier.finish(dense, "ok", None)
    assert short(frontier.next()) == "ticket L1 s1"


def test_a_child_waits_for_all_its_parents(store):
    plan = make_plan(toy.suite(("ticket",), levels=(1,)))
    frontier = Frontier(plan, store)
    dense = frontier.next()
    assert frontier.next() is None
    toy.finish(dense, store, plan)
    frontier.finish(dense, "ok", None)
    assert short(frontier.next()) == "ticket L1 s0"
    assert frontier.next() is None


def test_what_is_finished_is_not_done_again(filled):
    store, plan = filled
    frontier = Frontier(plan, store)
    assert not frontier.is_waiting
    assert frontier.next() is None
    assert len(frontier.finished) == len(plan.units)


def test_what_waits_for_a_failure_is_blocked_and_the_rest_goes_on(store):
    plan = make_plan(toy.suite(("reinit", "random-ticket"), levels=(1, 2)))
    frontier = Frontier(plan, store)
    dense = frontier.next()
    frontier.fail(dense, "no data")
    assert labels(frontier, frontier.failed) == {"dense L0 s0"}
    assert labels(frontier, frontier.blocked) == {"ticket L1 s0", "ticket L2 s0", "reinit L1 s0", "reinit L2 s0"}
    assert set(frontier.blocked.values()) == {"toy/chain@smoke dense L0 s0 failed: no data"}
    assert labels(frontier, frontier.todo) == {"random-ticket L1 s0", "random-ticket L2 s0"}


def test_what_waits_for_a_diverged_unit_is_blocked_now_and_later(store, trouble):
    plan = make_plan(toy.suite(("reinit",), levels=(1, 2)))
    by_label = {short(unit): unit for unit in plan.units.values()}
    trouble({"toy/chain@smoke ticket L1 s0": "diverge"})
    for label in ("dense L0 s0", "ticket L1 s0"):
        toy.finish(by_label[label], store, plan)
    frontier = Frontier(plan, store)
    assert labels(frontier, frontier.blocked) == {"ticket L2 s0", "reinit L1 s0", "reinit L2 s0"}
    assert "ticket L1 s0 diverged" in frontier.blocked[by_label["reinit L2 s0"].id]
    assert not frontier.is_waiting


def test_a_parent_whose_states_were_cleaned_is_trained_again_if_a_child_needs_them(filled):
    store, _ = filled
    wider = make_plan(toy.suite(("ticket", "reinit", "one-shot"), levels=(1, 3)))
    by_label = {short(unit): unit for unit in wider.units.values()}
    for label in ("dense L0 s0", "ticket L3 s0"):
        for path in states_of(store, by_label[label]):
            path.unlink(missing_ok=True)
    frontier = Frontier(wider, store)
    assert labels(frontier, frontier.todo) == {"dense L0 s0", "one-shot L1 s0", "one-shot L3 s0"}
    assert short(frontier.next()) == "dense L0 s0"
    assert frontier.next() is None
    assert toy.finish(by_label["dense L0 s0"], store, wider) == "kept"
    frontier.finish(by_label["dense L0 s0"], "ok", None)
    assert {short(frontier.next()), short(frontier.next())} == {"one-shot L1 s0", "one-shot L3 s0"}


def test_a_whole_chain_is_trained_again_if_it_must(filled):
    store, plan = filled
    for unit in plan.units.values():
        for path in states_of(store, unit):
            path.unlink(missing_ok=True)
    longer = make_plan(toy.suite(("ticket",), levels=(4,)))
    frontier = Frontier(longer, store)
    assert labels(frontier, frontier.todo) == {f"ticket L{level} s0" for level in (1, 2, 3, 4)} | {"dense L0 s0"}
    order = []
    while unit := frontier.next():
        order.append(short(unit))
        toy.finish(unit, store, longer)
        frontier.finish(unit, "ok", None)
    assert order == ["dense L0 s0", *(f"ticket L{level} s0" for level in (1, 2, 3, 4))]


def test_a_control_needs_no_states_of_its_ticket(filled):
    store, plan = filled
    for unit in plan.units.values():
        for path in states_of(store, unit):
            path.unlink(missing_ok=True)
    more = make_plan(toy.suite(("reinit", "shuffled"), levels=(1, 3)))
    frontier = Frontier(more, store)
    assert labels(frontier, frontier.todo) == {"shuffled L1 s0", "shuffled L3 s0"}


def test_a_parent_that_cannot_be_trained_to_the_same_result_blocks_its_children(filled, trouble):
    store, plan = filled
    dense = next(iter(plan.units.values()))
    for path in states_of(store, dense):
        path.unlink()
    trouble({dense.label: "differ"})
    more = make_plan(toy.suite(("one-shot",), levels=(1,)))
    frontier = Frontier(more, store)
    assert frontier.next() == dense
    assert toy.finish(dense, store, more) == "conflict"
    frontier.finish(dense, "ok", None)
    assert frontier.next() is None
    assert not frontier.is_waiting
    assert "came out differently" in next(iter(frontier.blocked.values()))


def test_what_another_drive_finished_in_the_meantime_is_not_done_again(store):
    plan = make_plan(toy.suite(("ticket",), levels=(1,)))
    frontier = Frontier(plan, store)
    dense = frontier.next()
    assert not frontier.is_settled(dense)
    for unit in plan.units.values():
        toy.finish(unit, store, plan)
    assert frontier.is_settled(dense)
    ticket = frontier.next()
    assert short(ticket) == "ticket L1 s0"
    assert frontier.is_settled(ticket)
    assert frontier.next() is None
    assert not frontier.is_waiting
    assert len(frontier.finished) == 2


def test_what_another_drive_saw_diverge_blocks_its_children(store, trouble):
    plan = make_plan(toy.suite(("ticket",), levels=(2,)))
    frontier = Frontier(plan, store)
    dense = frontier.next()
    trouble({dense.label: "diverge"})
    toy.finish(dense, store, plan)
    assert frontier.is_settled(dense)
    assert labels(frontier, frontier.blocked) == {"ticket L1 s0", "ticket L2 s0"}
    assert not frontier.is_waiting


def test_what_another_drive_repaired_in_the_meantime_is_not_done_again(filled):
    store, plan = filled
    dense = next(iter(plan.units.values()))
    for path in states_of(store, dense):
        path.unlink()
    more = make_plan(toy.suite(("one-shot",), levels=(1,)))
    frontier = Frontier(more, store)
    assert frontier.next() == dense
    assert not frontier.is_settled(dense)
    assert toy.finish(dense, store, more) == "kept"
    assert frontier.is_settled(dense)
    assert short(frontier.next()) == "one-shot L1 s0"


def test_what_somebody_else_is_at_can_be_asked_for_again(store):
    plan = make_plan(toy.suite(("dense",), seeds=(0, 1)))
    first, second = plan.units.values()
    frontier = Frontier(plan, store)
    assert [frontier.next(), frontier.next(), frontier.next()] == [first, second, None]
    assert frontier.is_waiting
    frontier.put_back(first)
    assert [frontier.next(), frontier.next()] == [first, None]


def test_a_parent_that_loses_its_states_while_its_child_waits_is_trained_again_first(filled):
    store, _ = filled
    wider = make_plan(toy.suite(("ticket", "one-shot", "fine-tune"), levels=(1, 3)))
    frontier = Frontier(wider, store)
    first = frontier.next()
    dense = next(unit for unit in wider.units.values() if short(unit) == "dense L0 s0")
    for path in states_of(store, dense):
        path.unlink()
    assert short(first) == "fine-tune L1 s0"
    assert frontier.next() == dense
    assert frontier.next() is None, "everything else waits for it"
    toy.finish(dense, store, wider)
    frontier.finish(dense, "ok", None)
    assert {short(frontier.next()), short(frontier.next())} == {"one-shot L1 s0", "one-shot L3 s0"}
    assert frontier.next() is None, "the first one runs still"


def test_a_twin_whose_final_weights_were_cleaned_is_trained_again(filled, toys):
    """The line between two copies needs both ends, and not only the mask as other controls do."""
    store, _ = filled
    wider = make_plan(toy.suite(("ticket", "ticket-reordered"), levels=(3,)))
    by_label = {short(unit): unit for unit in wider.units.values()}
    for path in states_of(store, by_label["ticket L3 s0"]):
        path.unlink(missing_ok=True)
    frontier = Frontier(wider, store)
    assert labels(frontier, frontier.todo) == {"ticket L3 s0", "ticket-reordered L3 s0"}
    assert short(frontier.next()) == "ticket L3 s0"
    assert frontier.next() is None
