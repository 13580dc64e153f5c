"""What the page draws of hidden nodes: numbers by hand, a size that does not grow with theirs, and nothing of other tasks."""

import json
import re

import pytest
from nodes import build_layer, with_nodes
from pages import Reader, site

from bench.report.site.anchors import pages
from bench.report.site.sections.nodes import node_charts

STUDENTS = {
    "correlation_final": [0.96, 0.96, 0.5],
    "fanout_final": [2.0, 2.0, 0.0],
    "kept_in": [3, 3, 3],
    "kept_out": [3, 3, 0],
}
TEACHERS = {
    "correlation_final": [0.5, 0.96, 0.97],
    "correlation_early": [0.5, 0.96, 0.5],
    "initial_rank": [0.0, 0.05, 0.95],
}


@pytest.fixture
def records(study):
    found = study({"dense": 0.0, "ticket": 0.0, "small-dense": 0.0}, levels=(2,), seeds=3)
    return with_nodes(found, lambda: build_layer(TEACHERS, STUDENTS))


def told(records):
    (page,) = pages({"some": records})
    return node_charts(page)


def test_the_lshape_of_each_arm_of_a_level(records):
    found = told(records)["lshape"]
    assert (found["recovered"], found["top"]) == (0.95, 2.0)
    kept, pruned = [[0.96, 2.0, 6]], [[0.5, 0.0, 3]]
    assert found["arms"] == [["dense", "dense", kept, pruned], ["ticket L2", "c0", kept, pruned]]


def test_recovery_by_width_and_at_a_level(records):
    widths, level = told(records)["recovery"]["groups"]
    early, final = [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]
    assert widths == ["by width (nodes)", [["dense", "dense", early, final], ["small-dense L2", "c2", early, final]]]
    assert level[0] == "at level 2: 25 % of the weights"
    assert [arm[0] for arm in level[1]] == ["dense", "ticket L2"]


def test_training_at_three_readings_and_a_word_on_what_lies_between(records):
    found = told(records)["training"]
    assert "What lies between is in curves, which published records leave out" in found["about"]
    title, arms, ((best, lines), (share, others)) = found["groups"][0]
    assert (title, arms[0], best, share) == ("by width (nodes)", ["dense", "dense"], "best correlation", "recovered")
    assert lines[0] == [[0.0, 0.4, 0.4, 0.4], [50.0, *[0.653333] * 3], [1000.0, *[0.81] * 3]]
    assert [point[1] for point in others[0]] == [0.0, 0.333333, 0.666667]


def test_ranks_against_chance(records):
    found = told(records)["ranks"]
    assert found["chance"] == 0.1
    assert found["arms"][1] == ["ticket L2", "c0", [0.666667, *[0.0] * 8, 0.333333]]


def test_the_page_holds_them_as_data_and_those_of_no_other_task(records, study):
    other = study({"dense": 0.0, "ticket": 0.0}, name="vision/other")
    found = Reader(site({"some": [*records, *other]}, []))
    (data,) = [
        text
        for tag, attributes, text in found.inline
        if tag == "script" and attributes.get("id", "").endswith(".nodes")
    ]
    assert json.loads(data) == told(records)
    assert sum(attributes.get("class") == "nodes" for _, attributes in found.tags) == 1


def test_only_the_lowest_layer_is_drawn_and_that_is_said(records):
    deep = [{**each, "nodes": [*each["nodes"], build_layer(name="hidden2")]} for each in records]
    assert told(deep)["lshape"]["arms"] == told(records)["lshape"]["arms"]
    for kind in ("lshape", "recovery", "ranks"):
        assert told(deep)[kind]["about"].endswith("Only the lowest hidden layer; ticketbench plot draws the others.")
        assert "lowest hidden layer" not in told(records)[kind]["about"]


def test_a_page_does_not_grow_with_the_nodes_that_anybody_tells_of(study):
    """Eight lists of 20,000 numbers in each record: a few dozen kilobytes for all."""
    many = 20_000
    students = {
        "fanout_final": [place % 97 / 97 for place in range(many)],
        "correlation_final": [place % 101 / 100 for place in range(many)],
    }
    teachers = {"fanout": list(range(many)), "correlation_final": [1.0] * many}
    layer = build_layer(teachers, students)
    records = with_nodes(study({"dense": 0.0, "ticket": 0.0}, seeds=2), lambda: layer)
    assert len(json.dumps(told(records))) < 200_000


def test_hostile_names_are_labels(study, record):
    hostile = "</script><b>x" + "y" * 200
    records = with_nodes([*study({"dense": 0.0}), *(record(hostile, 1, seed, 0.9) for seed in range(3))])
    text = site({"some": records}, [])
    data = re.search(r'\.nodes">(.*?)</script>', text)[1]
    assert "<" not in data
    label, colour = json.loads(data)["lshape"]["arms"][1][:2]
    assert len(label) <= 60
    assert colour == "others"
