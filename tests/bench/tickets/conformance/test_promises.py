"""A column from outside is held to what it promises."""

import re
from dataclasses import replace

import pytest
import torch
from broken import broken_column, method_checks
from example import MOONS, ExampleDomain

from bench.tickets import masks
from bench.tickets.columns import WEIGHTS, MaskColumn, TrainingColumn, WeightsColumn
from bench.tickets.conformance import check_method
from bench.tickets.inputs import Start
from bench.tickets.methods import METHODS, define

HERE = f"{__name__}:"


def test_one_cause_is_one_finding_however_many_layers_it_shows_in():
    found = check_method(define("mine", "ticket", HERE + "DOUBLED", "rewound", ""), ExampleDomain(), MOONS)
    starts = [each.what for each in found if "rewind weights" in each.what]
    assert starts == [
        "survivors of 6 parameters (0.weight, 0.bias, 1.weight, ...) do not start from the rewind weights"
    ]


def doubled(inputs, _):
    state = inputs.parents["dense"].state("rewind")
    return replace(state, weights={name: 2 * weight + 1 for name, weight in state.weights.items()})


DOUBLED = WeightsColumn(function=HERE + "doubled", needs=("dense",), state="rewind", exact=True)


def test_a_ranking_upside_down_is_one_finding_for_all_layers():
    found = check_method(define("mine", HERE + "RANKED", "rewind", "rewound", ""), ExampleDomain(), MOONS)
    (finding,) = (each.what for each in found if each.check == "C5")
    assert re.fullmatch(
        r"the mask of 2 parameters \(0.weight, 4.weight\) cuts larger weights than it keeps: one of [\d.]+, while it keeps one "
        r"of [\d.e-]+",
        finding,
    )


def signs_of_ticket(inputs, size):
    """The ticket's signs on other sizes, rewound."""
    state = inputs.parents["dense"].state("rewind")
    weights = {name: size(name, weight).abs().copysign(weight) for name, weight in state.weights.items()}
    return replace(state, weights={name: weights[name] if name in inputs.entries else each
                                   for name, each in state.weights.items()})  # fmt: skip


def signs_alone(inputs, _):
    return signs_of_ticket(inputs, lambda _, weight: torch.full_like(weight, float(weight.std())))


def signs_turned(inputs, _):
    state = signs_alone(inputs, _)
    return replace(state, weights={**state.weights, "0.weight": -state.weights["0.weight"]})


@pytest.mark.parametrize(("function", "told", "found"), [
    ("signs_alone", {"state": "rewind"}, []),
    ("signs_turned", {"state": "rewind"}, ["C8: training does not start with the ticket's signs in 0.weight"]),
    ("signs_alone", {"state": "rewind", "exact": True},
     ["C1: survivors of 2 parameters (0.weight, 4.weight) do not start from the sizes of the rewind weights"]),
])  # fmt: skip
def test_a_column_that_keeps_signs_is_held_to_the_signs_and_to_the_sizes_of_a_state_only_if_exact(
    monkeypatch, function, told, found
):
    column = WeightsColumn(function=HERE + function, needs=("dense",), keeps="signs", **told)
    monkeypatch.setitem(globals(), "SIGNS", column)
    method = define("mine", "ticket", HERE + "SIGNS", "rewound", "")
    assert [str(each) for each in check_method(method, ExampleDomain(), MOONS)] == found


def test_fresh_signs_without_fresh_sizes_are_caught(monkeypatch):
    broken_column(monkeypatch, WEIGHTS, "fresh-signed", lambda inputs, mask: replace(
        signs_alone(inputs, mask), buffers=inputs.fresh.buffers))  # fmt: skip
    assert "sizes of the fresh weights" in " ".join(
        map(str, check_method(METHODS["reinit-signed"], ExampleDomain(), MOONS))
    )


def test_a_saliency_of_other_weights_than_the_start_is_noted():
    findings = check_method(define("mine", "magnitude", "fresh", "full", ""), ExampleDomain(), MOONS)
    assert [str(finding) for finding in findings] == [
        "note: the mask is scored at the initial weights, training starts from fresh: the scores are of another network"
    ]


def test_a_drawn_mask_that_is_not_is_told_with_its_promise_and_its_column():
    found = check_method(define("mine", HERE + "DRAWN", "fresh", "full", ""), ExampleDomain(), MOONS)
    (finding,) = (each for each in found if each.check == "C8")
    assert re.search(
        rf"^the mask column {HERE}DRAWN promises drawn='layers', and its mask shares \d+ weights with the ticket where chance",
        finding.what,
    )


PROMISES = {
    "RANKED": MaskColumn(function=HERE + "of_smallest", needs=("dense",), ranked="dense", layers="level"),
    "QUOTA": MaskColumn(function="bench.tickets.choose:uniform_mask", layers="level"),
    "SHAPE": MaskColumn(function="bench.tickets.choose:uniform_mask", layers="shape"),
    "TAKEN": MaskColumn(function="bench.tickets.choose:shuffled_mask", needs=("ticket",), taken="ticket"),
    "DRAWN": MaskColumn(function="bench.tickets.choose:ticket_mask", needs=("ticket",), drawn="layers"),
    "EXACT": WeightsColumn(function="bench.tickets.choose:fresh_weights", state="initial", exact=True),
    "FRESH": WeightsColumn(function="bench.tickets.choose:initial_weights", state="fresh", exact=True),
    "SIGNED": WeightsColumn(function="bench.tickets.choose:fresh_weights", state="fresh", keeps="signs"),
    "VALUES": WeightsColumn(
        function="bench.tickets.choose:rewind_weights", needs=("dense",), state="rewind", keeps="values"
    ),
    "LATE": TrainingColumn(function="bench.tickets.choose:full_training", begins="rewind", length="rewound"),
    "SHORT": TrainingColumn(function=HERE + "short", begins="start", length="budget"),
    "STILL": TrainingColumn(
        function="bench.tickets.choose:full_training", begins="start", length="budget", dynamic=True
    ),
}
globals().update(PROMISES)


def of_smallest(inputs):
    weights = inputs.parents["dense"].state("final").weights
    scores = {name: -weights[name].abs() for name in inputs.entries}
    return masks.highest(scores, inputs.entries, inputs.entries, inputs.keep)


def short(inputs, mask, state):
    return Start(mask=mask, state=state, until=inputs.task.budget - 10)


@pytest.mark.parametrize(
    ("column", "name", "check"),
    [
        ("mask", "RANKED", "C5"), ("mask", "QUOTA", "C5"), ("mask", "SHAPE", "C5"), ("mask", "TAKEN", "C8"),
        ("mask", "DRAWN", "C8"), ("weights", "EXACT", "C1"), ("weights", "FRESH", "C1"), ("weights", "SIGNED", "C8"),
        ("weights", "VALUES", "C8"), ("training", "LATE", "C9"), ("training", "SHORT", "C9"), ("training", "STILL", "C14"),
    ],
)  # fmt: skip
def test_a_column_from_outside_is_held_to_what_it_promises(column, name, check):
    choice = {"mask": "ticket" if column == "weights" else "uniform", "weights": "fresh", "training": "full"}
    method = define("mine", *{**choice, column: HERE + name}.values(), "")
    assert check in method_checks(method)
