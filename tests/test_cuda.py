"""On a GPU: learners, methods, a chain and stacks are there what they are on the CPU. `python -m pytest -m cuda` from a checkout."""

import pytest
import torch

from bench.registry import domain
from bench.spec import Unit
from bench.stacks.alone import SeatedDomain
from bench.streams import Streams
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.inputs import Parent
from bench.tickets.methods import METHODS
from bench.tickets.protocol import run_unit, run_units

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
DEVICE = "cuda"
VISION, TEACHER = domain("vision"), domain("teacher")
LENET, STUDENT = VISION.tasks()["vision/lenet-mnist@smoke"], TEACHER.tasks()["teacher/two-layer@smoke"]
CASES = [pytest.param(VISION, LENET, id="vision"), pytest.param(TEACHER, STUDENT, id="teacher")]


@pytest.mark.parametrize(("kind", "task"), CASES)
@pytest.mark.parametrize("wrap", [lambda kind: kind, SeatedDomain], ids=["alone", "seated"])
def test_learners_conform(kind, task, wrap):
    assert check_learner(wrap(kind), task, device=DEVICE) == []


@pytest.mark.parametrize(("kind", "task"), CASES)
@pytest.mark.parametrize("name", ["ticket", "reinit", "random-ticket", "rigl"])
def test_methods_conform(kind, task, name):
    assert check_method(METHODS[name], kind, task, device=DEVICE) == []


def as_parent(result):
    trained = result.trained
    return Parent(mask=trained.mask, state=trained.states.__getitem__, search_cost=0, result="")


@pytest.mark.parametrize("device", [DEVICE, "cpu"])
def test_a_chain_of_tickets_keeps_the_same_counts_as_on_the_cpu(device):
    """Chosen from weights that trained there; from the initial weights that the seed gives everywhere."""
    dense = run_unit(Unit(task=LENET, method=METHODS["dense"], level=0, seed=0), VISION, {}, device=device)
    found = [dense]
    for level in (1, 2, 3):
        unit = Unit(task=LENET, method=METHODS["ticket"], level=level, seed=0)
        parents = {"dense": as_parent(dense), "previous": as_parent(found[-1])}
        found.append(run_unit(unit, VISION, parents, device=device))
    kept = [result.counts["kept"] for result in found]
    assert kept == [found[0].counts["prunable"], *kept[1:]]
    assert kept == sorted(kept, reverse=True)
    initial = VISION.learner(LENET, streams=Streams(0), device="cpu").snapshot().weights
    for name, weight in dense.trained.states["initial"].weights.items():
        assert torch.equal(weight.cpu(), initial[name])
    for result in found[1:]:
        final, mask = result.trained.states["final"], result.trained.mask
        assert all(not final.weights[name].cpu()[~kept_entries].any() for name, kept_entries in mask.items())


def test_64_lenets_are_what_they_are_in_stacks_of_two():
    """A GPU's library may choose another kernel for another number of products: equal up to rounding, with equal masks."""
    units = [
        Unit(task=LENET, method=METHODS[name], level=level, seed=seed)
        for seed in range(32)
        for name, level in (("dense", 0), ("random-ticket", 3))
    ]
    whole = dict(run_units(units, VISION, [{}] * 64, device=DEVICE, reports=[None] * 64))
    for place in (0, 1, 20, 21, 62, 63):
        pair = [units[place], units[(place + 7) % 64]]
        single = dict(run_units(pair, VISION, [{}] * 2, device=DEVICE, reports=[None] * 2))[0]
        one, other = whole[place].trained, single.trained
        assert all(torch.equal(one.mask[name], other.mask[name]) for name in other.mask)
        for name, weight in other.states["final"].weights.items():
            assert torch.allclose(one.states["final"].weights[name], weight, rtol=1e-3, atol=1e-4), (place, name)
