"""Scores between chance and the dense network, in the arrays that rliable takes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bench.report.table.arms import comparisons
from bench.report.table.normalised import runs
from bench.report.table.render import render
from bench.tickets.methods import METHODS


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


def test_what_is_not_installed_is_left_out(study, record, task, install):
    install(task(), task(name="vision/other"))
    honest = study({"dense": 0.0, "ticket": 0.02}) + study({"dense": 0.0, "ticket": 0.03}, name="vision/other")
    forged = replace(METHODS["ticket"], version=99)
    strange = study({"dense": 0.0, "ticket": 0.5}, version=2)
    strange += [
        record(forged, 1, seed, 0.2, task=task(name=name))
        for name in ("vision/toy", "vision/other")
        for seed in range(3)
    ]
    before, after = runs(comparisons(honest)), runs(comparisons(strange + honest))
    assert {label: array.tolist() for label, array in after.items()} == {
        label: array.tolist() for label, array in before.items()
    }
    assert list(after) == ["dense L0", "ticket L1"]


def test_the_export_is_what_rliable_reads(study):
    records = study({"dense": 0.0, "ticket": 0.02, "reinit": -0.02}, seeds=4)
    told = json.loads(render(records, "rliable", methods=["ticket"]))
    assert told["tasks"] == ["vision/toy@small"]
    assert list(told["scores"]) == ["ticket L1"]
    assert np.array(told["scores"]["ticket L1"]).shape == (4, 1)
