from bench.runs.planning.ready import Ready

GROUPS = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "x": None, "y": None}


def filled(can_run):
    ready = Ready(GROUPS.get, lambda unit: unit in can_run)
    for place, unit in enumerate(("x", "b1", "a2", "a1", "y", "a3")):
        ready.push((-1, place, unit))
    return ready


def test_the_first_comes_first_and_what_cannot_run_not_at_all():
    can_run = {*GROUPS} - {"b1"}
    ready = filled(can_run)
    ready.push((-2, 9, "a3"))
    order = []
    while unit := ready.pop():
        order.append(unit)
        can_run.discard(unit)
    assert order == ["a3", "x", "a2", "a1", "y"]


def test_beside_a_unit_are_only_those_of_its_group():
    can_run = {*GROUPS}
    ready = filled(can_run)
    assert [ready.pop_beside("b1"), ready.pop_beside("b1")] == ["b1", None]
    assert ready.pop_beside("x") is None, "a unit without a group is alone, even among others without one"
    can_run.discard("a2")
    assert [ready.pop_beside("a2") for _ in range(3)] == ["a1", "a3", None]


def test_counting_changes_nothing_and_counts_each_once():
    can_run = {*GROUPS} - {"a2", "a3", "b1"}
    ready = filled(can_run)
    ready.push((-1, 3, "a1"))
    assert ready.count_beside("a2", most=9) == 1
    assert ready.count_beside("b1", most=9) == 0
    assert ready.count_beside("x", most=9) == 0
    can_run.add("a3")
    ready.push((-1, 5, "a3"))
    assert [ready.count_beside("a2", most=most) for most in (9, 2, 1, 0)] == [2, 2, 1, 0]
    assert [ready.pop_beside("a2"), ready.pop_beside("a2")] == ["a1", "a3"]
