"""Which arms the figures of nodes show."""

import json
from dataclasses import replace

import pytest
from nodes import build_layer, with_nodes

from bench.record import node_layers
from bench.report.figures.nodes.arms import ARMS, LAYERS, groups
from bench.report.table.rows import sections
from bench.tickets.methods import METHODS


def told(records):
    (section,) = sections(records)
    return [(group.title, group.labels) for group in groups(section)]


def narrower(records):
    """Small networks with as many nodes as their level leaves."""
    return with_nodes(records, lambda: build_layer(students={"fanout_final": [1.0] * 3}))


def test_widths_stand_apart_from_the_ticket_and_its_controls(study):
    found = with_nodes(study({"dense": 0.0, "ticket": 0.0, "reinit": 0.0}, levels=(1, 2)))
    found += narrower(study({"small-dense": 0.0}, levels=(1, 3)))
    assert told(found) == [
        ("by width (nodes)", ["dense: 2", "small-dense L1: 3", "small-dense L3: 3"]),
        ("at level 2: 25 % of the weights", ["dense", "ticket L2", "reinit L2"]),
    ]


def test_the_level_is_the_sparsest_of_those_with_the_most_methods(study):
    found = with_nodes(study({"ticket": 0.0}, levels=(1, 2, 3, 4)) + study({"reinit": 0.0}, levels=(1, 3)))
    assert told(found) == [("at level 3: 12.5 % of the weights", ["ticket L3", "reinit L3"])]


def test_dense_alone_is_a_width(study):
    assert told(with_nodes(study({"dense": 0.0}))) == [("by width (nodes)", ["dense"])]


def test_without_nodes_nothing_is_drawn(study, record):
    assert told(study({"dense": 0.0, "ticket": 0.0})) == []
    some = [*with_nodes(study({"dense": 0.0})), record("ticket", 1, 0, 0.9)]
    assert told(some) == [("by width (nodes)", ["dense"])]


def test_of_many_methods_every_family_shows_one(study):
    methods = ("dense", "ticket", "reinit", "shuffled", "permuted", "random-ticket", "one-shot", "snip")
    ((_, labels),) = told(with_nodes(study(dict.fromkeys(methods, 0.0))))
    assert labels == ["dense", "ticket L1", "reinit L1", "random-ticket L1", "one-shot L1", "snip L1"]
    ((_, labels),) = told(
        with_nodes(study(dict.fromkeys(("dense", "ticket", "shuffled", "reinit", "random-ticket"), 0.0)))
    )
    assert labels == ["dense", "ticket L1", "reinit L1", "shuffled L1", "random-ticket L1"]


def test_an_arm_has_the_colour_of_its_family_unless_another_has_it(study):
    def colours(*methods, levels=(1,)):
        found = with_nodes(study({"dense": 0.0, **dict.fromkeys(methods, 0.0)}, levels=levels))
        (section,) = sections(found)
        return [tone and tone.title for tone in groups(section)[-1].tones]

    assert colours("ticket", "random-ticket", "one-shot") == [None, "ticket", "random or small", "trained weights"]
    assert colours("reinit", "shuffled") == [None, "ticket's mask", "ticket"]
    assert colours("small-dense", levels=(1, 2, 3)) == [None, "random or small", "ticket", "ticket's mask"]


def test_of_many_widths_the_first_and_the_last_are_shown(study):
    found = with_nodes(study({"dense": 0.0})) + narrower(study({"small-dense": 0.0}, levels=tuple(range(1, 11))))
    ((_, labels),) = told(found)
    assert labels == ["dense: 2", *(f"small-dense L{level}: 3" for level in (1, 3, 5, 8, 10))]
    assert len(labels) == ARMS


@pytest.mark.parametrize("changes", [{"version": 99}, {"weights": "fresh"}], ids=str)
def test_a_strangers_dense_network_stands_before_nobody(study, record, changes):
    forged = with_nodes([record(replace(METHODS["dense"], **changes), 0, seed, 0.9) for seed in range(3)])
    honest = with_nodes(study({"dense": 0.0, "ticket": 0.0}))
    assert told([*honest, *forged]) == told(honest)


def test_a_strangers_arm_says_so(study, record):
    stranger = with_nodes([record("a-method", 1, seed, 0.9) for seed in range(3)])
    assert told([*with_nodes(study({"dense": 0.0})), *stranger])[-1][1] == ["dense", "a-method (version 1) ‖ L1"]
    forged = replace(METHODS["dense"], version=99)
    assert told(with_nodes([record(forged, 0, 0, 0.9)])) == [("by width (nodes)", ["dense (version 99) ‖"])]


def _without(layer, side, fact):
    layer[side][fact] = layer[side][fact][:-1]
    return layer


@pytest.mark.parametrize(
    ("side", "fact"), [("teachers", "dead"), ("students", "kept_in"), ("students", "correlation_final")]
)
def test_a_layer_whose_lists_do_not_fit_together_is_left_out_with_those_above(record, side, fact):
    broken = _without(build_layer(name="hidden2"), side, fact)
    found = record("dense", 0, 0, 0.9, nodes=[build_layer(), broken, build_layer(name="hidden3")])
    assert [layer["layer"] for layer in node_layers(found)] == ["hidden1"]
    assert told([{**found, "nodes": [broken]}]) == []


def test_a_layer_without_nodes_is_none(record):
    nothing = {name: [] for name in build_layer()["students"]}
    assert told([record("dense", 0, 0, 0.9, nodes=[{**build_layer(), "students": nothing}])]) == []


def test_of_very_many_layers_the_lowest_are_drawn(record):
    found = record("dense", 0, 0, 0.9, nodes=[build_layer(name=f"hidden{place}") for place in range(10_000)])
    (section,) = sections([json.loads(json.dumps(found))])
    ((group),) = groups(section)
    assert group.layers == [f"hidden{place}" for place in range(LAYERS)]
