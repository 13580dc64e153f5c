from collections import Counter
from dataclasses import replace

import pytest
import toy

from bench.runs.estimates.pace import Left, Pace, duration, sample, steps_of
from bench.runs.estimates.timing import Timing
from bench.runs.planning.plan import plan as make_plan


def unit_of(method, **changes):
    made = make_plan(toy.suite((method,), levels=(1,), of=toy.task(**changes)))
    return next(reversed(list(made.units.values())))


def test_a_rewound_run_is_shorter_by_the_steps_before_the_rewind_step():
    steps = {name: steps_of(unit_of(name)) for name in ("dense", "reinit", "ticket", "lr-rewind", "fine-tune")}
    assert steps == {"dense": 30, "reinit": 30, "ticket": 20, "lr-rewind": 20, "fine-tune": 20}


def test_the_same_method_tells_more_than_the_same_task(filled):
    records = filled[0].records()
    for record in records:
        record["wall_seconds"] = 3.0 if record["spec"]["method"]["name"] == "ticket" else 30.0
    pace = Pace(records)
    assert pace.seconds(unit_of("ticket")) == pytest.approx(3.0)
    assert pace.seconds(unit_of("reinit")) == pytest.approx(30.0)
    assert pace.seconds(unit_of("snip")) == pytest.approx(30 * (3 / 20 + 30 / 30) / 2), (
        "the median of the task, by steps"
    )
    assert pace.seconds(unit_of("snip", scale="quick")) is None, "another scale is another task"


def test_what_remains_is_shared_by_the_workers(filled):
    pace = Pace(filled[0].records())
    units = [unit_of("dense"), replace(unit_of("dense"), seed=5)]
    left = Left(units)
    assert pace.remaining(left, workers=2) == pytest.approx(0.5)
    left.remove(units[1])
    assert (len(left), pace.remaining(left, workers=2)) == (1, pytest.approx(0.5)), "no two workers train one unit"
    unknown = unit_of("dense", scale="quick")
    assert pace.remaining(Left([*units, unknown]), workers=2) is None
    left = Left([unknown])
    left.remove(unknown)
    assert pace.remaining(left, workers=2) == 0, "what is done need not be known"
    assert pace.remaining(Left(), workers=2) == 0


def test_levels_of_a_chain_wait_for_one_another_however_many_workers_there_are():
    pace = Pace(timings={("toy/chain@smoke", False): Timing(start=0.0, step=1.0, evaluation=0.0)})
    units = list(make_plan(toy.suite(("ticket", "reinit"), levels=(20,), seeds=(0, 1))).units.values())
    dense, ticket, reinit = 2 * 30, 2 * 20 * 20, 2 * 30
    assert pace.remaining(Left(units), workers=1) == dense + ticket + reinit
    assert pace.remaining(Left(units), workers=2) == (dense + ticket + reinit) / 2
    assert pace.remaining(Left(units), workers=64) == 20 * 20
    left = Left(units)
    for unit in units:
        if unit.seed == 1 or unit.level < 18:
            left.remove(unit)
    assert pace.remaining(left, workers=64) == 3 * 20
    assert pace.remaining(left, workers=1) == 3 * 20 + 30, "never more than all of it"


def test_a_stack_is_one_workers(toys):
    timing = {("toy/stack@smoke", True): Timing(start=0.0, step=1.0, evaluation=0.0)}
    pace = Pace(timings=timing, stacks=lambda _: True, company={"toy/stack@smoke": 4})
    made = make_plan(toy.suite(("ticket",), levels=(10,), seeds=range(8), of=toy.STACKED))
    left = Left(made.units.values())
    assert pace.remaining(left, workers=2) == 8 * (10 * 20 + 30) / 2, "two stacks of four"
    for unit in made.units.values():
        if unit.level != 10 or unit.seed == 7:
            left.remove(unit)
    assert pace.remaining(left, workers=7) == 4 * 20
    for unit in made.units.values():
        if unit.level == 10 and unit.seed in (0, 1, 2, 3, 4):
            left.remove(unit)
    assert pace.remaining(left, workers=7) == 2 * 20, "not as many are left as it might have"


def test_what_is_trained_already_of_units_that_run_is_not_left(filled):
    pace = Pace(filled[0].records())
    units = [unit_of("dense"), replace(unit_of("dense"), seed=5)]
    left = Left(units)
    assert pace.remaining(left.less([(units[0], 0.5)]), workers=1) == pytest.approx(0.75)
    assert pace.remaining(left.less([(unit, 0.8) for unit in units]), workers=2) == pytest.approx(0.1)
    assert pace.remaining(left.less([(unit_of("reinit"), 0.5)]), workers=1) == pytest.approx(1.0), (
        "it is gone meanwhile"
    )
    assert (len(left), pace.remaining(left, workers=1)) == (2, pytest.approx(1.0)), "nothing was taken from it"


def test_a_trial_counts_where_no_record_tells_anything(filled):
    timing = Timing(start=1.0, step=0.1, evaluation=0.5)
    pace = Pace(filled[0].records(), {("toy/chain@smoke", False): timing, ("toy/chain@quick", False): timing})
    assert pace.seconds(unit_of("dense")) == pytest.approx(0.5), "a record tells more"
    assert pace.seconds(unit_of("dense", scale="quick", budget=60)) == pytest.approx(1 + 60 * 0.1 + 6 * 0.5)
    assert pace.seconds(unit_of("ticket", scale="quick", budget=60)) == pytest.approx(1 + 50 * 0.1 + 5 * 0.5)
    assert pace.knows("toy/chain@smoke")
    assert not pace.knows("toy/chain@quick")


def test_units_in_stacks_and_others_tell_nothing_of_each_other(filled):
    records = filled[0].records()
    for record in records:
        record["wall_seconds"] = 30.0
        if record["spec"]["method"]["name"] == "ticket":
            record["provenance"]["stack"], record["wall_seconds"] = 8, 2.0
    timing = Timing(start=0.0, step=1.0, evaluation=0.0)
    stacked = Pace(records, stacks=lambda unit: unit.method.name != "small-dense")
    assert stacked.seconds(unit_of("ticket")) == pytest.approx(2.0)
    assert stacked.seconds(unit_of("dense")) == pytest.approx(3.0), "by the tickets, for more steps"
    assert stacked.seconds(unit_of("small-dense")) == pytest.approx(30.0)
    alone = Pace(records)
    assert alone.seconds(unit_of("ticket")) == pytest.approx(20.0), "by the others, for fewer steps"
    assert alone.knows("toy/chain@smoke", stack=True)
    assert alone.knows("toy/chain@smoke")
    only = [record for record in records if "stack" in record["provenance"]]
    assert not Pace(only).knows("toy/chain@smoke")
    assert Pace(only).seconds(unit_of("dense")) is None
    assert Pace(only, {("toy/chain@smoke", False): timing}).seconds(unit_of("dense")) == 30.0
    assert Pace(only, {("toy/chain@smoke", True): timing}).seconds(unit_of("dense")) is None


def test_a_few_records_of_each_method_are_read(filled, monkeypatch):
    store, plan = filled
    monkeypatch.setattr("bench.runs.estimates.pace.SAMPLE", 2)
    read = Counter(record["spec"]["method"]["name"] for record in sample(plan, store))
    assert read == {"dense": 1, "ticket": 2, "reinit": 2}
    wider = make_plan(toy.suite(("snip", "reinit"), levels=(1, 3)))
    assert {record["spec"]["method"]["name"] for record in sample(wider, store)} == {"dense", "ticket", "reinit"}


def test_a_diverged_unit_tells_nothing_of_the_pace(filled):
    records = filled[0].records()
    for record in records:
        record["status"] = "diverged"
    assert Pace(records).seconds(unit_of("dense")) is None


@pytest.mark.parametrize(("seconds", "text"), [(None, "unknown"), (7.4, "7 s"), (300, "5 min"), (10_000, "2.8 h")])
def test_durations(seconds, text):
    assert duration(seconds) == text
