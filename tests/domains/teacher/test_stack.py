"""Students that train together are the students that they are alone."""

from dataclasses import replace

import pytest
from company import (
    alone,
    check_company,
    check_divergence,
    check_leaving,
    check_trouble,
    check_units,
    distance,
    same,
    trained,
)

from bench.errors import SpecError
from bench.registry import method
from bench.runs.planning.stacking import Stacking
from bench.spec import Unit
from bench.stacks.alone import SeatedDomain
from bench.streams import Streams
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.methods import METHODS
from domains.teacher import domain

TASKS = domain.tasks()
KINDS = ("two-layer", "deep", "planted")


@pytest.mark.parametrize("kind", KINDS)
def test_a_seat_does_not_depend_on_its_company(kind):
    check_company(domain, TASKS[f"teacher/{kind}@smoke"], 30)


@pytest.mark.parametrize("kind", KINDS)
def test_who_leaves_changes_nothing_for_those_who_stay(kind):
    check_leaving(domain, TASKS[f"teacher/{kind}@smoke"], 20)


def seats_from(task, *steps):
    """A stack whose seats have loaded the states in which training was at these steps."""
    stack = domain.stack(task, streams=[Streams(seed) for seed in range(len(steps))], device="cpu")
    for seat, step in zip(stack.seats, steps, strict=True):
        seat.load(replace(seat.snapshot(), step=step, updates=step))
    return stack


def test_whose_batches_differ_in_size_does_not_train_together():
    """The last batch of an epoch of 1,000 has 40 examples: the two seats are not there at one time."""
    task = TASKS["teacher/deep@smoke"]
    for steps in ((0, 1), (0, 1, 1)):
        stack = seats_from(task, *steps)
        stack.train(dict.fromkeys(range(len(steps)), 15))
        with pytest.raises(SpecError, match=r"differ in the size of their batches \(40, 64\)"):
            stack.train(dict.fromkeys(range(len(steps)), 17))


def test_where_all_batches_are_of_one_size_a_seat_may_be_at_any_step():
    task = TASKS["teacher/two-layer@smoke"]
    stack, lone = seats_from(task, 0, 7), seats_from(task, 0)
    stack.train({0: 20, 1: 27})
    lone.train({0: 20})
    assert same(stack.seats[0].snapshot(), lone.seats[0].snapshot())


@pytest.mark.parametrize(("kind", "samples", "together"), [
    ("two-layer", 1_000, True), ("planted", 0, True), ("deep", 1_000, False), ("deep", 1_024, True),
])  # fmt: skip
def test_who_begins_elsewhere_sits_elsewhere_if_an_epoch_ends_in_a_short_batch(kind, samples, together):
    task = TASKS[f"teacher/{kind}@smoke"]
    task = replace(task, rewind_step=20, config={**task.config, "samples": samples})
    seated = [
        Stacking().lockstep(Unit(task=task, method=method(name), level=1, seed=0))
        for name in ("dense", "ticket", "reinit")
    ]
    assert None not in seated
    assert seated[0] == seated[2], "both begin at the start"
    assert (seated[0] == seated[1]) is together


def test_units_come_out_as_one_by_one():
    check_units(domain, TASKS["teacher/two-layer@smoke"], tolerance=1e-10)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seat_is_the_student_that_it_is_alone(seed):
    """Small products are the same kernels' in double precision: the two differ by nothing, or by rounding."""
    task = TASKS["teacher/two-layer@smoke"]
    assert (
        distance(trained(domain, task, [0, 1], 40, masked={1})[seed], alone(domain, task, seed, 40, masked={1})) < 1e-12
    )


def test_a_seat_that_diverges_is_alone_with_it():
    check_trouble(domain, TASKS["teacher/two-layer@smoke"], 40)


def test_where_a_seat_diverges_does_not_depend_on_its_company():
    check_divergence(domain, TASKS["teacher/two-layer@smoke"])


def test_seats_conform_as_learners():
    assert check_learner(SeatedDomain(domain), TASKS["teacher/two-layer@smoke"]) == []


@pytest.mark.parametrize("name", ["ticket", "reinit", "random-ticket", "rigl"])
def test_methods_conform_in_seats(name):
    assert check_method(METHODS[name], SeatedDomain(domain), TASKS["teacher/two-layer@smoke"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["snip", "gmp", "set", "one-shot", "shuffled", "fine-tune", "fanout"])
def test_other_methods_conform_in_seats(name):
    assert check_method(method(name), SeatedDomain(domain), TASKS["teacher/two-layer@smoke"]) == []
