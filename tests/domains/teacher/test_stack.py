"""Students that train together are the students that they are alone."""

import pytest
from company import alone, check_company, check_leaving, check_trouble, check_units, distance, trained

from bench.registry import method
from bench.stacks.alone import SeatedDomain
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


def test_seats_conform_as_learners():
    assert check_learner(SeatedDomain(domain), TASKS["teacher/two-layer@smoke"]) == []


@pytest.mark.parametrize("name", ["ticket", "reinit", "random-ticket", "rigl"])
def test_methods_conform_in_seats(name):
    assert check_method(METHODS[name], SeatedDomain(domain), TASKS["teacher/two-layer@smoke"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["snip", "gmp", "set", "one-shot", "shuffled", "fine-tune", "fanout"])
def test_other_methods_conform_in_seats(name):
    assert check_method(method(name), SeatedDomain(domain), TASKS["teacher/two-layer@smoke"]) == []
