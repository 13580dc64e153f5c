import toy

from bench.runs.estimates.pace import Pace
from bench.runs.overview import in_columns, lacking, planned, status
from bench.runs.planning.plan import plan as make_plan
from bench.runs.planning.stacking import Stacking
from bench.spec import Suite


def test_columns_are_aligned_and_numbers_stand_to_the_right():
    assert in_columns([("name", "n"), ("a", 1), ("bcdefg", 12_345)]) == "name         n\na            1\nbcdefg  12,345"


def test_a_plan_says_what_is_done_what_is_left_and_how_long_it_takes(filled):
    store, _ = filled
    wider = make_plan(toy.suite(("ticket", "reinit", "snip"), levels=(1, 3), seeds=(0, 1)))
    text = planned(wider, store, Pace(store.records()), Stacking(), workers=2)
    head, row = text.splitlines()[2:4]
    assert head.split("  ")[0] == "task"
    assert row.split() == ["toy/chain@smoke", "4", "16", "6", "0", "10", "270", "6", "s", "one", "by", "one"]
    assert text.endswith("time left: 3 s with 2 workers")


def test_a_plan_says_what_is_trained_together_and_why_the_rest_is_not(store, toys):
    entries = [toy.suite(("dense",), of=of).entries[0] for of in (*toy.TASKS[:2], toy.STACKED)]
    plan = make_plan(Suite(name="three", title="", entries=tuple(entries)))
    rows = planned(plan, store, Pace(), Stacking(), workers=1).splitlines()
    assert [row.rpartition("unknown")[2].strip() for row in rows[3:6]] == [
        "one by one",
        "one by one",
        "up to 8 at once",
    ]
    assert "one by one: toy/chain@quick and 1 more: it is a toy" in rows
    rows = planned(plan, store, Pace(), Stacking(3), workers=1).splitlines()
    assert rows[5].endswith("up to 3 at once")
    rows = planned(plan, store, Pace(), Stacking(0), workers=1).splitlines()
    assert rows[5].endswith("one by one")
    assert "one by one: toy/stack@smoke: --stack off" in rows


def test_a_plan_names_what_coincides(store):
    still = toy.task("toy/still", rewind_step=0)
    text = planned(make_plan(toy.suite(("ticket-init",), of=still)), store, Pace(), Stacking(), workers=1)
    assert "toy/still@smoke: ticket-init coincides with ticket and is not run" in text
    assert text.endswith("time left: unknown with 1 worker")


def test_status_counts_states_and_gives_reasons(store, go, trouble):
    suite = toy.suite(("ticket", "reinit", "snip"), levels=(1, 2), seeds=(0, 1))
    trouble({"toy/chain@smoke ticket L2 s0": "fail", "toy/chain@smoke ticket L1 s1": "diverge"})
    go(suite)
    wider = make_plan(toy.suite(("ticket", "reinit", "snip", "set"), levels=(1, 2), seeds=(0, 1)))
    lines = [line.split() for line in status(wider, store).splitlines()]
    assert lines[2] == ["task", "method", "done", "diverged", "failed", "blocked", "todo"]
    counts = {line[1]: line[2:] for line in lines[3:8]}
    assert counts == {
        "dense": ["2", "0", "0", "0", "0"],
        "ticket": ["1", "1", "1", "1", "0"],
        "reinit": ["1", "0", "0", "3", "0"],
        "snip": ["4", "0", "0", "0", "0"],
        "set": ["0", "0", "0", "0", "4"],
    }
    text = status(wider, store)
    assert "failed: toy/chain@smoke ticket L2 s0: RuntimeError: the toy was told to fail" in text
    assert "blocked: 3 units: toy/chain@smoke ticket L1 s1 diverged" in text


def test_what_a_plan_lacks_is_counted_and_methods_without_a_unit_are_named(store, go):
    def asked(*methods):
        entries = (toy.suite(methods, levels=(1,), of=of).entries[0] for of in toy.TASKS[:2])
        return Suite(name="two", title="", entries=tuple(entries))

    first, second = (of.key for of in toy.TASKS[:2])
    plan = make_plan(asked("ticket", "reinit", "snip"))
    assert lacking(plan, store) == "8 of 8 units of two are not finished, none of ticket, reinit, snip"
    go(asked("ticket"))
    go(toy.suite(("reinit",), levels=(1,)))
    assert lacking(plan, store) == f"3 of 8 units of two are not finished, none of reinit on {second}, snip"
    go(asked("ticket", "reinit"))
    go(toy.suite(("snip",), levels=(1,), of=toy.TASKS[1]))
    assert lacking(plan, store) == f"1 of 8 units of two is not finished, none of snip on {first}"
    go(plan.suite)
    assert lacking(plan, store) == ""
