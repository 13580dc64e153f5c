"""Scores between chance and the dense network, in the arrays that rliable takes."""

import json

import numpy as np
import pytest

from bench.report.table.arms import comparisons
from bench.report.table.normalised import runs
from bench.report.table.render import render


def test_runs_have_the_shape_that_rliable_takes(study):
    records = study({"dense": 0.0, "ticket": 0.02, "reinit": -0.02}, seeds=4)
    records += study({"dense": 0.0, "ticket": 0.03}, seeds=3, name="vision/other")
    found = runs(comparisons(records))
    assert {label: array.shape for label, array in found.items()} == {"dense L0": (3, 2), "ticket L1": (3, 2)}
    assert found["dense L0"].mean() == pytest.approx(1, abs=0.02)
    assert found["ticket L1"].mean(axis=0) == pytest.approx([1 + 0.02 / 0.8, 1 + 0.03 / 0.8], abs=0.02)


def test_a_task_whose_dense_network_learned_nothing_cannot_be_normalised(study):
    records = study({"dense": -0.8, "ticket": 0.0}) + study({"dense": 0.0, "ticket": 0.0}, name="vision/other")
    assert {array.shape for array in runs(comparisons(records)).values()} == {(3, 1)}
    assert runs(comparisons(study({"ticket": 0.0}))) == {}


def test_the_export_is_what_rliable_reads(study):
    records = study({"dense": 0.0, "ticket": 0.02, "reinit": -0.02}, seeds=4)
    told = json.loads(render(records, "rliable", methods=["ticket"]))
    assert told["tasks"] == ["vision/toy@small"]
    assert list(told["scores"]) == ["ticket L1"]
    assert np.array(told["scores"]["ticket L1"]).shape == (4, 1)
