"""Whole nodes: a learner names those that it has, and a mask that promises them cuts no part of one."""

import pytest
from example import MOONS, ExampleDomain, Moons, variant

from bench.doors import HiddenLayer
from bench.spec import Pruning
from bench.tickets import masks
from bench.tickets.columns import MaskColumn
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.methods import define

HERE = f"{__name__}:"


class Named(Moons):
    hidden = (HiddenLayer("0.weight", "4.weight"),)


class Naming(ExampleDomain):
    names_nodes = True


def test_what_planning_knows_of_whole_nodes_is_checked():
    assert check_learner(Naming(Named), MOONS) == []
    assert "this learner has no `hidden`" in " ".join(map(str, check_learner(Naming(), MOONS)))
    assert "whole nodes are never pruned" in " ".join(map(str, check_learner(ExampleDomain(Named), MOONS)))


@pytest.mark.parametrize("names", [("4.bias", "4.weight"), ("0.weight", "1.weight"), ("0.weight", "none")])
def test_layers_that_do_not_fit_are_told(names):
    wrong = type("Wrong", (Named,), {"hidden": (HiddenLayer(*names),)})
    (finding,) = check_learner(Naming(wrong), MOONS)
    assert f"`hidden` names {names[0]!r} and {names[1]!r}" in finding.what


def nodewise(below, above, inputs):
    """A mask by a score of each node, for what comes in and for what goes out."""
    incoming, outgoing = inputs.entries["0.weight"].shape, inputs.entries["4.weight"].shape
    scores = {"0.weight": below[:, None].expand(incoming), "4.weight": above.expand(outgoing)}
    return masks.highest(scores, inputs.entries, inputs.entries, inputs.keep)


def norms(inputs):
    norm = inputs.parents["dense"].state("final").weights["4.weight"].norm(dim=0)
    return norm.argsort().argsort().double()


def of_fanout(inputs):
    return nodewise(norms(inputs), norms(inputs), inputs)


def of_small_fanout(inputs):
    return nodewise(-norms(inputs), -norms(inputs), inputs)


def of_different_nodes(inputs):
    return nodewise(norms(inputs), -norms(inputs), inputs)


@pytest.mark.parametrize(("function", "said"), [
    (HERE + "of_fanout", []),
    (HERE + "of_small_fanout", ["cuts a node of a larger fan-out than one that it keeps"]),
    (HERE + "of_different_nodes", ["keep different nodes"]),
    ("bench.tickets.choose:one_shot_mask", ["nodes in part: it prunes weights, not nodes"] * 2 + ["keep different nodes"]),
])  # fmt: skip
def test_a_mask_of_nodes_is_held_to_whole_nodes_of_the_largest_fanout(monkeypatch, function, said):
    column = MaskColumn(function=function, needs=("dense",), ranked="dense", layers="level", nodes=True)
    monkeypatch.setitem(globals(), "NODES", column)
    task = variant(pruning=Pruning(rate=0.2))
    found = check_method(define("mine", HERE + "NODES", "rewind", "rewound", ""), Naming(Named, task=task), task)
    assert {finding.check for finding in found} <= {"C5"}
    for sentence in said:
        assert any(sentence in finding.what for finding in found), found
    assert bool(found) is bool(said)


def test_nodes_that_chance_draws_may_meet_the_ticket_as_they_like(monkeypatch):
    """Their weights come in bundles: what weights drawn one by one would share is no measure."""
    column = MaskColumn(function="bench.tickets.choose:ticket_mask", needs=("ticket",), drawn="network", nodes=True)
    monkeypatch.setitem(globals(), "NODES", column)
    found = check_method(define("mine", HERE + "NODES", "fresh", "full", ""), ExampleDomain(), MOONS)
    assert found == []
