"""What each built-in column promises, written down a second time; and how a column of a name is found."""

from dataclasses import fields

import pytest

from bench.code.named import named
from bench.errors import SpecError
from bench.spec import Method
from bench.tickets.columns import MASKS, TRAININGS, WEIGHTS, MaskColumn, TrainingColumn, WeightsColumn, columns
from bench.tickets.methods import METHODS

DYNAMIC = {"begins": "start", "length": "budget", "dynamic": True}
PROMISES = {  # what differs from promising nothing
    "none": {"whole": True},
    "ones": {"whole": True},
    "iterative": {"needs": ("previous",), "ranked": "previous", "layers": "level"},
    "one-shot": {"needs": ("dense",), "ranked": "dense", "layers": "level"},
    "ticket": {"needs": ("ticket",), "taken": "ticket", "layers": "ticket"},
    "shuffled": {"needs": ("ticket",), "drawn": "layers", "layers": "ticket"},
    "source mask": {"needs": ("source",), "taken": "source", "layers": "source"},
    "increase": {"needs": ("dense",), "layers": "level"},
    "uniform": {"drawn": "network"},
    "erk": {"drawn": "layers", "layers": "shape"},
    "magnitude": {"scored": "initial"},
    "snip": {"scored": "initial"},
    "magnitude-shuffled": {"drawn": "layers"},
    "snip-shuffled": {"drawn": "layers"},
    "grasp": {"scored": "initial"},
    "synflow": {"scored": "initial", "ones": True},
    "initial": {"state": "initial", "exact": True},
    "rewind": {"needs": ("dense",), "state": "rewind", "exact": True},
    "trained": {"needs": ("previous",), "state": "trained", "exact": True},
    "fresh": {"state": "fresh", "exact": True},
    "fresh-signed": {"needs": ("dense",), "state": "fresh", "exact": True, "keeps": "signs"},
    "permuted": {"needs": ("dense",), "state": "rewind", "keeps": "values"},
    "carried": {"needs": ("ticket", "dense"), "state": "rewind", "keeps": "values"},
    "noisy": {"needs": ("dense",), "state": "rewind"},
    "source weights": {"needs": ("source-dense", "dense"), "state": "source", "exact": True},
    "narrow": {"state": "fresh", "narrower": True},
    "full": {"begins": "start", "length": "budget"},
    "rewound": {"needs": ("dense",), "begins": "rewind", "length": "rewound"},
    "last-rate": {"needs": ("dense",), "begins": "budget", "length": "rewound"},
    "reordered": {"needs": ("dense", "twin"), "begins": "rewind", "length": "rewound", "reordered": True},
    "untrained": {"begins": "start", "length": "none"},
    "gmp": {**DYNAMIC, "cuts": True},
    "set": DYNAMIC,
    "rigl": DYNAMIC,
}
SHARED = {(kind, name): f"{name} {kind}" for name in MASKS.keys() & WEIGHTS for kind in ("mask", "weights")}
BUILT_IN = {
    SHARED.get((kind, name), name): column
    for kind, table in (("mask", MASKS), ("weights", WEIGHTS), ("training", TRAININGS))
    for name, column in table.items()
}


def promised(column):
    return {
        item.name: getattr(column, item.name)
        for item in fields(column)
        if item.name != "function" and getattr(column, item.name) not in (None, False, ())
    }


def test_the_columns_are_those_of_the_list():
    assert list(BUILT_IN) == list(PROMISES)


@pytest.mark.parametrize("name", PROMISES)
def test_a_column_promises_what_it_is_known_for_and_names_its_function(name):
    assert promised(BUILT_IN[name]) == PROMISES[name]
    assert callable(named(BUILT_IN[name].function, "method column"))


def test_no_two_columns_share_a_function():
    assert len({column.function for column in BUILT_IN.values()}) == len(BUILT_IN)


def test_what_is_not_said_is_not_promised():
    for kind in (MaskColumn, WeightsColumn, TrainingColumn):
        assert promised(kind(function="a:b")) == {}


def test_weights_are_inherited_where_other_arms_start_from_them_to_the_bit():
    assert {name for name, column in WEIGHTS.items() if column.inherited} == {
        "initial", "rewind", "trained", "source",
    }  # fmt: skip


def test_parents_follow_from_the_columns_each_once():
    assert columns(METHODS["ticket"]).needs == ("previous", "dense")
    assert columns(METHODS["permuted"]).needs == ("ticket", "dense")
    assert columns(METHODS["snip"]).needs == ()


# Columns from outside.

OWN = MaskColumn(function="bench.tickets.choose:whole_mask", drawn="network")


def own_function(inputs):
    return {}


def method(**changes):
    return Method(**{"name": "mine", "mask": "ones", "weights": "initial", "training": "full", **changes})


def test_a_column_from_outside_is_the_record_or_a_function_that_promises_nothing():
    assert columns(method(mask=f"{__name__}:OWN")).mask is OWN
    column = columns(method(training=f"{__name__}:own_function")).training
    assert (type(column), column.function, promised(column)) == (TrainingColumn, own_function, {})


@pytest.mark.parametrize(("wrong", "said"), [
    ({"mask": "rewind"}, "method column 'rewind': write one of none, ones, iterative, .*, or package.module:name"),
    ({"weights": f"{__name__}:OWN"}, "is MaskColumn: give a WeightsColumn or its function"),
    ({"training": f"{__name__}:PROMISES"}, "is dict: give a TrainingColumn or its function"),
])  # fmt: skip
def test_what_is_no_column_of_the_kind_is_refused_with_what_to_give(wrong, said):
    with pytest.raises(SpecError, match=said):
        columns(method(**wrong))


@pytest.mark.parametrize(
    ("kind", "fact", "told", "known"),
    [
        (MaskColumn, "taken", True, "'ticket', 'source'"),  # what it once was
        (MaskColumn, "drawn", "network ", "'network', 'layers'"),
        (MaskColumn, "needs", ("dense", "parent"), "'dense', 'previous', 'ticket', 'twin', 'source', 'source-dense'"),
        (WeightsColumn, "state", "final", "'initial', 'rewind', 'trained', 'fresh', 'source'"),
        (TrainingColumn, "begins", 0, "'start', 'rewind', 'budget'"),
    ],
)
def test_a_fact_that_nobody_would_read_is_told(kind, fact, told, known):
    with pytest.raises(SpecError) as error:
        kind(function="a:b", **{fact: told})
    assert str(error.value) == f"{kind.__name__} has {fact}={told!r}: known are {known}; or leave it out"


@pytest.mark.parametrize(("told", "said"), [
    ({"exact": True}, "has exact=True and no state: say which"),
    ({"exact": True, "keeps": "signs"}, "has exact=True and no state: say which"),
    ({"state": "rewind", "exact": True, "keeps": "values"}, "values in another order are no state to the bit; drop one"),
])  # fmt: skip
def test_promises_of_weights_that_contradict_each_other_are_refused(told, said):
    with pytest.raises(SpecError, match=said) as error:
        WeightsColumn(function="a:b", **told)
    assert "\n" not in str(error.value)


def test_weights_that_keep_only_the_sizes_of_a_state_are_nobody_elses():
    assert not WeightsColumn(function="a:b", state="initial", exact=True, keeps="signs").inherited
    assert WeightsColumn(function="a:b", state="initial", exact=True).inherited
