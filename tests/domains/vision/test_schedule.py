import math

import pytest

from bench.errors import SpecError, UnknownName
from domains.vision.schedule import Schedule


def rates(schedule, origin=0, until=None):
    return [schedule.at(step, origin) for step in range(origin, until or schedule.budget)]


def test_a_constant_schedule_is_constant():
    schedule = Schedule.of({"schedule": "constant", "rate": 1.2e-3}, 100)
    assert schedule.is_constant
    assert set(rates(schedule, until=300)) == {1.2e-3}


@pytest.mark.parametrize("milestones", [[0.5, 0.75], [10, 15]])
def test_drops_come_at_their_fractions_or_steps(milestones):
    schedule = Schedule.of({"schedule": "step", "rate": 1.0, "milestones": milestones, "gamma": 0.5}, 20)
    assert not schedule.is_constant
    assert rates(schedule) == [1.0] * 10 + [0.5] * 5 + [0.25] * 5


def test_a_linear_warm_up_ends_at_the_full_rate():
    schedule = Schedule.of({"schedule": "step", "rate": 1.0, "warmup": 4}, 10)
    assert rates(schedule) == [0.25, 0.5, 0.75] + [1.0] * 7


def test_beyond_the_budget_the_last_rate_is_held():
    config = {"schedule": "step", "rate": 1.0, "milestones": [10, 20, 25], "gamma": 0.5}
    schedule = Schedule.of(config, 20)
    assert rates(schedule, until=60)[20:] == [0.5] * 40


def test_a_resumed_schedule_goes_on_where_it_was():
    schedule = Schedule(rate=1.0, budget=20, milestones=(0.5,), gamma=0.5, warmup=2)
    assert [schedule.at(step, 0) for step in range(5, 20)] == rates(schedule)[5:]


def test_a_restarted_schedule_spans_what_is_left():
    schedule = Schedule(rate=1.0, budget=20, milestones=(0.5, 15), gamma=0.5, warmup=4)
    restarted = rates(schedule, origin=10)
    assert restarted == [0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert rates(schedule, origin=10, until=30)[10:] == [0.25] * 10


def test_an_unknown_schedule_is_named():
    with pytest.raises(UnknownName, match="square"):
        Schedule.of({"schedule": "square", "rate": 1.0}, 10)


def test_a_constant_schedule_with_drops_contradicts_itself():
    with pytest.raises(SpecError, match="milestones"):
        Schedule.of({"schedule": "constant", "rate": 1.0, "milestones": [5]}, 10)


def test_a_position_of_one_is_a_step_and_below_it_a_share():
    assert rates(Schedule(rate=1.0, budget=4, milestones=(1,), gamma=0.5)) == [1.0, 0.5, 0.5, 0.5]
    assert rates(Schedule(rate=1.0, budget=4, milestones=(0.75,), gamma=0.5)) == [1.0, 1.0, 1.0, 0.5]


def test_a_warm_up_may_be_a_share_of_the_length():
    schedule = Schedule(rate=1.0, budget=20, warmup=0.2)
    assert rates(schedule)[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates(schedule, origin=10)[:3] == [0.5, 1.0, 1.0]


def test_a_drop_is_to_a_tenth_unless_it_is_said_otherwise():
    assert Schedule.of({"schedule": "step", "rate": 1.0, "milestones": [2]}, 4).at(3) == pytest.approx(0.1)


def test_a_cosine_falls_from_the_end_of_the_warm_up_to_nothing():
    schedule = Schedule.of({"schedule": "cosine", "rate": 1.0, "warmup": 0.2}, 10)
    assert not schedule.is_constant
    expected = [0.5, 1.0] + [(1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert rates(schedule) == pytest.approx(expected)
    assert rates(schedule, until=13)[10:] == [rates(schedule)[-1]] * 3
    assert rates(schedule, origin=5) == pytest.approx(
        [1.0] + [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)]
    )


@pytest.mark.parametrize("more", [{"milestones": [5]}, {"gamma": 0.1}])
def test_a_cosine_with_drops_contradicts_itself(more):
    with pytest.raises(SpecError, match="cosine"):
        Schedule.of({"schedule": "cosine", "rate": 1.0, **more}, 10)
