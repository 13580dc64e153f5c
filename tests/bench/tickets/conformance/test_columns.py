"""The door for columns from outside: nothing is raised, everything is named, and what was not checked is noted."""

import re

import pytest
import torch
from example import MOONS, ExampleDomain

from bench.spec import Method
from bench.store.integrity import revived
from bench.tickets import masks
from bench.tickets.columns import MaskColumn, WeightsColumn
from bench.tickets.conformance import check_method
from bench.tickets.conformance.observe import Lineage
from bench.tickets.methods import define

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
        (outside(mask="snip", options={"loses": 1}), "C14", r"needs the option 'losses', and it has loses: give it"),
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
