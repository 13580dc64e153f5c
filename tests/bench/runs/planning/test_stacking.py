"""Which units may sit in one stack, and how many: by what their domain offers, their schedules, and what was asked."""

from dataclasses import replace

import pytest
import toy

from bench import registry
from bench.errors import LaunchError
from bench.runs.planning.plan import plan as make_plan
from bench.runs.planning.stacking import Seats, Stacking
from bench.store.attempt import Attempt
from bench.tickets.columns import TRAININGS

METHODS = ("dense", "ticket", "reinit", "lr-rewind", "fine-tune", "gmp", "small-dense")


def units(**changes):
    of = replace(toy.STACKED, **changes)
    made = make_plan(toy.suite(METHODS, levels=(1,), of=of))
    return {unit.method.name: unit for unit in made.units.values()}


def company(stacking, **changes):
    """Names of methods whose units may sit beside each other."""
    found = {}
    for name, unit in units(**changes).items():
        found.setdefault(stacking.lockstep(unit), set()).add(name)
    return found


@pytest.mark.usefixtures("toys")
def test_units_whose_schedules_are_at_one_point_at_one_time_may_sit_together():
    known = company(Stacking())
    assert known.pop(None) == {"small-dense"}, "it has another architecture"
    assert sorted(known.values(), key=len) == [{"fine-tune"}, {"ticket", "lr-rewind"}, {"dense", "reinit", "gmp"}]
    known = company(Stacking(), rewind_step=0)
    assert {"dense", "reinit", "gmp", "ticket", "lr-rewind"} in known.values(), "rewinding to the start is a start"


@pytest.mark.usefixtures("toys")
def test_without_a_schedule_all_of_a_task_may_sit_together():
    known = company(Stacking(), constant_rate=True)
    assert known.pop(None) == {"small-dense"}
    assert len(known) == 1
    other = units(constant_rate=True, name="toy/other")["dense"]
    assert Stacking().lockstep(other) not in known, "but not of two tasks"


@pytest.mark.usefixtures("toys")
def test_without_a_schedule_those_begin_together_of_whom_the_domain_says_so(monkeypatch):
    monkeypatch.setattr(toy.Toy, "aligned", lambda _, task: task.name == "toy/stack", raising=False)
    known = company(Stacking(), constant_rate=True)
    assert known.pop(None) == {"small-dense"}
    assert sorted(known.values(), key=len) == [{"ticket", "lr-rewind"}, {"dense", "reinit", "gmp"}]
    assert len(company(Stacking(), constant_rate=True, name="toy/other").keys() - {None}) == 1


@pytest.mark.usefixtures("toys")
def test_a_training_that_promises_nothing_of_its_steps_sits_alone_where_there_is_a_schedule(monkeypatch):
    monkeypatch.setitem(TRAININGS, "full", replace(TRAININGS["full"], begins=None))
    assert Stacking().lockstep(units()["dense"]) is None
    assert Stacking().lockstep(units(constant_rate=True)["dense"]) is not None
    monkeypatch.setitem(TRAININGS, "full", replace(TRAININGS["full"], begins="start", length=None))
    assert Stacking().lockstep(units()["dense"]) is None


@pytest.mark.usefixtures("toys")
def test_as_many_as_the_domain_says_or_as_are_asked_for():
    chain, stacked = toy.TASKS[0], toy.STACKED
    slow = replace(stacked, config={"seconds": 0.0, "seats": 1}, name="toy/alone")
    assert {asked: Stacking(asked).seats(stacked) for asked in (None, 0, 1, 20)} == {
        None: 8, 0: "--stack off", 1: 1, 20: 20
    }  # fmt: skip
    assert {asked: Stacking(asked, device="cuda").seats(slow) for asked in (None, 5)} == {
        None: "a stack of it does not pay on cuda", 5: 5
    }  # fmt: skip
    assert {Stacking(asked).seats(chain) for asked in (None, 0, 20)} == {"it is a toy"}, "never"
    assert not Stacking(0).stacks(units()["dense"])
    assert not Stacking(5).stacks(units()["small-dense"])
    assert Stacking(1).stacks(units()["dense"]), "beside an empty seat"


def test_a_domain_that_does_not_say_trains_one_unit_at_a_time():
    assert registry.seats(toy.TASKS[0], "cpu") == "domain 'toy' trains one unit at a time"


@pytest.mark.usefixtures("toys")
def test_a_number_where_nothing_stacks_is_refused_with_the_reason():
    with pytest.raises(LaunchError, match=r"^--stack 4: no task here stacks \(toy/chain@smoke: it is a toy\); leave"):
        Stacking(4).check(toy.TASKS)
    Stacking(4).check([*toy.TASKS, toy.STACKED])
    Stacking(None).check(toy.TASKS)
    Stacking(0).check(toy.TASKS)


@pytest.mark.usefixtures("toys")
def test_what_is_expected_in_a_stack_is_what_one_level_has_for_each_worker():
    made = make_plan(toy.suite(("dense", "ticket", "reinit"), levels=(1, 2, 3), seeds=tuple(range(10)), of=toy.STACKED))
    expected = {
        (asked, workers): Stacking(asked).company(made.units.values(), workers=workers).get("toy/stack@smoke")
        for asked, workers in ((None, 1), (None, 4), (None, 99), (6, 2), (0, 2))
    }
    assert expected == {(None, 1): 8, (None, 4): 5, (None, 99): 1, (6, 2): 6, (0, 2): None}


@pytest.mark.usefixtures("toys")
def test_what_is_made_again_is_made_as_it_was(store):
    unit, plan = units()["dense"], make_plan(toy.suite(("dense",), of=toy.STACKED))
    stacked, off = Seats(Stacking(), store), Seats(Stacking(0), store)
    assert (stacked.is_stacked(unit, False), off.is_stacked(unit, False)) == (True, False)
    assert (stacked.group(unit, False) is None, off.group(unit, False)) == (False, None)
    toy.finish(unit, store, plan)
    for seats in (stacked, off):
        assert not seats.is_stacked(unit, True)
        assert seats.group(unit, True) is None
    gmp = units()["gmp"]
    toy.finish(gmp, store, plan, stack=3)
    for seats, most in ((stacked, 8), (off, 1)):
        assert seats.is_stacked(gmp, True)
        assert seats.group(gmp, True)
        assert seats.most(gmp) == most


@pytest.mark.usefixtures("toys")
def test_after_a_crash_nobody_sits_beside_a_unit(store):
    unit = units()["dense"]
    Attempt(store.root, unit).fail("its own fault")
    assert Seats(Stacking(), store).group(unit, False)
    Attempt(store.root, unit).fail("the worker died", stack=4)
    seats = Seats(Stacking(), store)
    assert seats.group(unit, False) is None
    assert seats.is_stacked(unit, False), "but for an empty seat"
    assert seats.group(units()["reinit"], False)
