"""The door for columns from outside: nothing is raised, everything is named, and each is held to what it promises."""

import re
from dataclasses import replace

import pytest
import torch
from broken import broken_column, method_checks
from example import MOONS, ExampleDomain

from bench.spec import Method
from bench.store.integrity import revived
from bench.tickets import masks
from bench.tickets.columns import WEIGHTS, MaskColumn, TrainingColumn, WeightsColumn
from bench.tickets.conformance import check_method
from bench.tickets.conformance.observe import Lineage
from bench.tickets.inputs import Start
from bench.tickets.methods import METHODS, define

HERE = f"{__name__}:"


def outside(**changes):
    columns = {"mask": "uniform", "weights": "fresh", "training": "full", **changes}
    return Method(name="outside", **columns)


def breaks(inputs):
    return masks.ones(inputs.entries)["no such layer"]


def floating(inputs):
    return {name: entries.float() for name, entries in inputs.entries.items()}


def misspelt(inputs):
    return {f"{name}s": entries for name, entries in inputs.entries.items()}


def too_few(inputs):
    return masks.uniform(inputs.entries, inputs.count - 1, inputs.generator(0))


def of_dense(inputs):
    return masks.highest(inputs.parents["dense"].state("final").weights, inputs.entries, inputs.entries, inputs.keep)


@pytest.mark.parametrize(
    ("method", "check", "said"),
    [
        (outside(mask=HERE + "breaks"), "C14", rf"^KeyError: 'no such layer' \(.*test_columns\.py:{breaks.__code__.co_firstlineno + 1}\)$"),
        (outside(mask=HERE + "floating"), "C14", r"is torch.float32 in 0.weight: give a bool tensor"),
        (outside(mask=HERE + "misspelt"), "C14", r"names '0.weights', which is no parameter: the network has 0.weight"),
        (outside(mask=HERE + "too_few"), "C5", r"kept \d+ weights, level 3 leaves \d+"),
        (outside(mask=HERE + "of_dense"), "C14", r"looks at its 'dense' parent and does not name it: add it to `needs`"),
        (outside(mask="no_such:mask"), "C14", r"method column 'no_such:mask' cannot be imported"),
        (outside(mask="uniformly"), "C14", r"method column 'uniformly': write one of none, ones, iterative"),
        (outside(options={"los": 1}), "C14", r"has options that no column reads: los"),
        (outside(mask="snip", options={"loses": 1}), "C14", r"TypeError: .*'loses'"),
        (outside(training=HERE + "breaks"), "C14", r"TypeError: .*breaks\(\)"),
    ],
)  # fmt: skip
def test_what_a_method_from_outside_does_wrong_is_a_finding_that_names_the_cause(method, check, said):
    (finding,) = check_method(method, ExampleDomain(), MOONS)
    assert finding.check == check
    assert re.search(said, finding.what), finding.what
    assert "\n" not in finding.what


def writes_to_its_parent(inputs, _):
    state = inputs.parents["dense"].state("rewind")
    state.weights["0.weight"].mul_(2)
    return state


LENT = WeightsColumn(function=HERE + "writes_to_its_parent", needs=("dense",))


def test_a_column_that_writes_to_what_its_parent_lent_is_caught():
    findings = check_method(define("mine", "one-shot", HERE + "LENT", "full", ""), ExampleDomain(), MOONS)
    assert "it writes to its parents' states, which are shared: 0.weight; clone what you change" in [
        each.what for each in findings
    ]


@pytest.mark.parametrize("how", ["trains", "loads", "writes"])
def test_a_column_that_changes_the_learner_that_all_columns_share_is_told_that_and_nothing_else(monkeypatch, how):
    """What it did there is no training of the unit: no start and no learning rate is held against it."""
    monkeypatch.setitem(globals(), "CHANGING", MaskColumn(function=HERE + how, needs=("dense",), layers="level"))
    (finding,) = check_method(define("mine", HERE + "CHANGING", "rewind", "rewound", ""), ExampleDomain(), MOONS)
    assert finding.check == "C1"
    assert re.fullmatch(
        r"it changes `inputs.learner`, which all columns share, in (0.weight|\d+ parts of its state \(0.weight, .*\)): leave it "
        r"as you found it, and change one of your own, `inputs.build\(1.0\)`",
        finding.what,
    )


def trains(inputs):
    inputs.learner.load(inputs.parents["dense"].state("initial"))
    inputs.learner.train(5)
    return of_dense(inputs)


def loads(inputs):
    inputs.learner.load(inputs.parents["dense"].state("final"))
    return of_dense(inputs)


def writes(inputs):
    with torch.no_grad():
        inputs.learner.module[0].weight.mul_(2)
    return of_dense(inputs)


@pytest.mark.parametrize("how", ["borrows", "builds"])
def test_a_column_that_leaves_the_learner_as_it_was_found_conforms(monkeypatch, how):
    monkeypatch.setitem(globals(), "CAREFUL", MaskColumn(function=HERE + how, needs=("dense",), layers="level"))
    assert check_method(define("mine", HERE + "CAREFUL", "rewind", "rewound", ""), ExampleDomain(), MOONS) == []


def borrows(inputs):
    found = inputs.learner.snapshot()
    mask = trains(inputs)
    inputs.learner.load(found)
    return mask


def builds(inputs):
    own = inputs.build(1.0)
    own.load(inputs.parents["dense"].state("final"))
    own.train(own.step + 5)
    return of_dense(inputs)


def test_a_chain_of_own_ranking_that_is_not_nested_is_caught_by_the_rule_of_verify(monkeypatch):
    """It promises no ranking by magnitude, so that nothing but its need of the level before makes it a chain."""
    monkeypatch.setitem(
        globals(), "REVIVING", MaskColumn(function=HERE + "reviving", needs=("previous",), layers="level")
    )
    method = define("mine", HERE + "REVIVING", "rewind", "rewound", "")
    (finding,) = check_method(method, ExampleDomain(), MOONS)
    family = Lineage(ExampleDomain(), MOONS, device="cpu", seed=0)
    mask, before = (
        {name: each.numpy() for name, each in family.run(method, level)[0].trained.mask.items()} for level in (3, 2)
    )
    counts = revived(mask, before)
    assert set(counts) == {"0.weight", "4.weight"}
    assert str(finding) == (
        f"C3: the mask of 2 parameters (0.weight, 4.weight) keeps {sum(counts.values())} weights that the level before had "
        "pruned: what needs `previous` prunes its survivors"
    )


def reviving(inputs):
    """A score that knows nothing of what is left."""
    learner = inputs.learner.snapshot().weights
    scores = {name: (learner[name] * 1000 * inputs.unit.level).sin() for name in inputs.entries}
    return masks.highest(scores, inputs.entries, inputs.entries, inputs.keep)


def test_a_chain_of_own_ranking_among_survivors_conforms(monkeypatch):
    monkeypatch.setitem(globals(), "NESTED", MaskColumn(function=HERE + "nested", needs=("previous",), layers="level"))
    assert check_method(define("mine", HERE + "NESTED", "rewind", "rewound", ""), ExampleDomain(), MOONS) == []


def nested(inputs):
    survivors = {**masks.ones(inputs.entries), **inputs.parents["previous"].mask}
    scores = inputs.learner.snapshot().weights
    return masks.highest(scores, survivors, inputs.entries, inputs.keep)


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


GIVE = "give it as a record of bench.tickets.columns"


def test_a_column_without_facts_is_noted(monkeypatch):
    findings = check_method(outside(mask="bench.tickets.choose:uniform_mask"), ExampleDomain(), MOONS)
    assert [str(finding) for finding in findings] == [
        f"note: the mask column promises nothing, so that which weights it keeps, but for their number, was not checked: {GIVE}"
    ]


@pytest.mark.parametrize(
    ("column", "unchecked"),
    [
        ("weights", "which weights training starts from, be they rewound or not"),
        ("training", "where training starts and ends, and at which learning rates"),
    ],
)
def test_a_note_says_what_was_not_checked(column, unchecked):
    bare = {"weights": "fresh_weights", "training": "full_training"}[column]
    (note,) = check_method(outside(**{column: f"bench.tickets.choose:{bare}"}), ExampleDomain(), MOONS)
    assert note.check == "note"
    assert f"the {column} column promises nothing, so that {unchecked}, was not checked" in note.what


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
