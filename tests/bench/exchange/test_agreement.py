"""What is said of measurements: equality where everything must be equal, the spread of the measured ones elsewhere."""

import dataclasses
from copy import deepcopy

import numpy as np
import pytest

from bench.exchange.agreement import Remeasured, allowed, findings, same_kind
from bench.exchange.submission import read
from bench.store.store import Store

LEFT_ALONE = ["wall_seconds", "peak_memory_bytes", "search_cost"]


@pytest.fixture
def template(trained, example):
    entries = read(Store(trained)).entries.values()
    return {(entry.unit.method.name, entry.unit.level): entry for entry in entries if entry.unit.seed == 0}


def measured(entry, claimed, found, *, seed=0, how="retrain", elsewhere=True, **changes):
    """A unit whose record claims one score, and whose measurement gave another."""
    record = deepcopy(entry.record)
    for metric in record["metrics"]:
        metric["value"] = claimed
    unit = dataclasses.replace(entry.unit, seed=seed)
    theirs = dataclasses.replace(entry, unit=unit, record=record)
    ours = deepcopy(record)
    if elsewhere:
        ours["provenance"]["capability"] = "another"
    for metric in ours["metrics"]:
        metric["value"] = found
    return Remeasured(entry=theirs, how=how, record={**ours, **changes}, curve=theirs.curve)


WHOLE = {
    "density": 0.5, "density_weights": 0.5, "density_total": 0.5, "effective_density": None, "flops": 1.0,
    "flops_dense": 1.0, "steps": 3, "updates": 3, "env_steps": 7, "overlap": 0.25, "status": "diverged", "metrics": [],
}  # fmt: skip


@pytest.mark.parametrize("name", [*WHOLE, "counts", "curve", "weights", "mask", "items", "nodes"])
def test_on_the_same_kind_of_machine_everything_must_be_equal(template, name):
    entry = template["snip", 2]
    unit = measured(entry, 90.0, 90.0, elsewhere=False)
    assert findings([unit]) == []
    if name == "curve":
        unit = dataclasses.replace(unit, curve=unit.curve[:-1])
    elif name == "counts":
        unit.record["counts"]["layers"].popitem()
    elif name in WHOLE:
        unit.record[name] = WHOLE[name]
    else:
        unit.record["digests"][name] = "0" * 64
    (line,) = findings([unit])
    assert line.endswith(f"on the same kind of machine with the same versions it has another {name}")


@pytest.mark.parametrize("how", ["retrain", "replay"])
@pytest.mark.parametrize("method", ["small-dense", "random-ticket", "shuffled", "one-shot"])
@pytest.mark.parametrize("name", ["counts", "density", "density_weights", "density_total", "flops", "flops_dense"])
def test_what_follows_from_the_network_and_its_mask_must_be_equal_everywhere(template, method, name, how):
    """The scores are the same: a network of more weights than it says has them honestly."""
    unit = measured(template[method, 2], 90.0, 90.0, how=how)
    assert findings([unit]) == []
    if name == "counts":
        unit.record["counts"]["layers"]["0.weight"]["kept"] += 1
    else:
        unit.record[name] += 0.01
    (line,) = findings([unit])
    assert line.endswith(f"claimed 90, measured 90: wherever it is measured it has another {name}")


@pytest.mark.parametrize("method", ["snip", "rigl", "gmp"])
def test_elsewhere_layers_may_keep_other_numbers_of_weights_where_rounding_chooses(template, method):
    unit = measured(template[method, 2], 90.0, 90.0)
    unit.record["counts"]["layers"]["0.weight"]["kept"] += 1
    unit.record["flops"] += 1
    assert findings([unit]) == []
    unit.record["counts"]["level_asks"] += 1
    (line,) = findings([unit])
    assert line.endswith("wherever it is measured it has another counts")


def test_how_survivors_differed_is_compared_where_both_tell_it(template):
    """Records that were made before it have none, nor has one that was trained again without the dense states."""
    unit = measured(template["ticket", 2], 90.0, 90.0, elsewhere=False)
    ours, theirs = unit.record, unit.entry.record
    assert "survival" in ours
    ours["digests"]["survival"] = "0" * 64
    (line,) = findings([unit])
    assert line.endswith("it has another survival")
    del theirs["survival"], theirs["digests"]["survival"]
    assert findings([unit]) == []
    unit = measured(template["ticket", 2], 90.0, 90.0, elsewhere=False)
    del unit.record["survival"], unit.record["digests"]["survival"]
    assert findings([unit]) == []


def test_one_and_one_point_zero_are_not_equal_to_the_bit(template):
    unit = measured(template["snip", 2], 90.0, 90, elsewhere=False)
    assert unit.differing == ["metrics"]


PLACE = {
    "device": "cpu", "threads": 1, "machine": "Linux x86_64", "cpu": "a", "capability": "AVX2",
    "versions": {"ticketbench": "1", "numpy": "2", "torch": "2", "box2d": "2"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"versions": {"ticketbench": "1", "numpy": "2", "torch": "2"}}, True),
        ({"versions": {"ticketbench": "1", "numpy": "2", "torch": "3", "box2d": "2"}}, False),
        ({"versions": {"numpy": "2", "torch": "2"}}, False),
        ({"versions": {"ticketbench": "1", "numpy": "2", "torch": "2", "box2d": "3"}}, False),
        *(({name: value}, False) for name in ("device", "machine", "cpu", "capability") for value in ("other", None)),
        ({"threads": 2}, False),
    ],
)
def test_a_kind_of_machine_is_its_processor_threads_and_versions(change, same):
    assert same_kind(PLACE, {**PLACE, **change}) == same_kind({**PLACE, **change}, PLACE) == same


def test_what_neither_tells_is_not_the_same():
    assert not same_kind({**PLACE, "cpu": None}, {**PLACE, "cpu": None})


def test_elsewhere_a_replay_is_allowed_a_tenth_of_the_tolerance(template):
    entry = template["ticket", 2]
    assert findings([measured(entry, 90.0, 90.09, how="replay")]) == []
    assert len(findings([measured(entry, 90.0, 90.11, how="replay")])) == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_elsewhere_one_unit_is_allowed_the_tolerance_either_way(template, sign):
    entry = template["random-ticket", 2]
    assert findings([measured(entry, 90.0, 90.0 + sign * 0.99)]) == []
    (line,) = findings([measured(entry, 90.0, 90.0 + sign * 1.5)])
    assert line.endswith("1.5 apart, 1 is allowed")


def test_the_allowance_is_that_of_the_installed_task(template):
    entry = template["random-ticket", 2]
    task = dataclasses.replace(entry.unit.task, tolerance=50.0)
    unit = measured(dataclasses.replace(entry, unit=dataclasses.replace(entry.unit, task=task)), 90.0, 92.0)
    assert findings([unit])[0].endswith("2 apart, 1 is allowed")


def test_the_spread_of_what_was_trained_widens_the_allowance(template):
    """Student's t of 4 degrees of freedom, 99 %, two-sided: 4.604."""
    unit = measured(template["ticket", 2], 90.0, 99.0)
    assert allowed(unit, [2.0, -2.0, 2.0, -2.0]) == pytest.approx(4.6041 * 2, rel=1e-4)
    assert allowed(unit, [0.0, 0.0, 0.0]) == 1.0
    assert allowed(unit, [5.0, -5.0]) == 1.0, "two tell nothing"


def test_what_diverges_on_one_side_only_is_a_finding(template):
    entry = template["ticket", 2]
    assert findings([measured(entry, 90.0, None)])[0].endswith("claimed 90, measured diverged")
    assert findings([measured(entry, None, 90.0)])[0].endswith("claimed diverged, measured 90")
    assert findings([measured(entry, None, None)]) == []


def test_controls_that_are_a_little_worse_each_are_found_together(template):
    """Every one within its tolerance; together they turn the verdict."""
    noise = np.random.default_rng(0).normal(0, 0.05, 12)
    controls = [
        measured(template[name, 2], 90.0, 90.3 + float(noise[number * 3 + seed]), seed=seed)
        for number, name in enumerate(("reinit", "shuffled", "random-ticket", "permuted"))
        for seed in range(3)
    ]
    tickets = [measured(template["ticket", 2], 91.0, 91.0, seed=seed) for seed in range(3)]
    lines = findings([*controls, *tickets])
    assert any("every control: 12 measurements are +0.3" in line for line in lines)
    assert all("from their claims on average" in line for line in lines)


def test_a_ticket_that_gains_what_its_control_does_not_is_found(template):
    noise = np.random.default_rng(1).normal(0, 0.4, 5)
    shared = [
        unit
        for seed in range(5)
        for unit in (
            measured(template["ticket", 2], 91.0, 91.0 + float(noise[seed]) - 0.6, seed=seed),
            measured(template["reinit", 2], 90.0, 90.0 + float(noise[seed]), seed=seed),
        )
    ]
    assert any("ticket minus reinit: 5 measurements are -0.6" in line for line in findings(shared))


def test_honest_trainings_elsewhere_are_not_accused(template):
    """Twelve comparisons of five units each, all ending as another seed would: at most one in a hundred is accused."""
    generator, accused = np.random.default_rng(2), 0
    for _ in range(60):
        units = [
            measured(template[name, level], 90.0, 90.0 + float(generator.normal(0, 0.3)), seed=seed)
            for name, level in (("dense", 0), ("ticket", 2), ("reinit", 2), ("shuffled", 2), ("random-ticket", 2))
            for seed in range(3)
        ]
        accused += bool(findings(units))
    assert accused <= 3


def test_a_shift_that_turns_no_verdict_is_none(template):
    units = [measured(template["reinit", 2], 90.0, 90.05, seed=seed) for seed in range(4)]
    assert findings(units) == []


def test_a_mask_that_was_believed_is_told(template):
    unit = dataclasses.replace(measured(template["ticket", 2], 90.0, 90.0, elsewhere=False), believes_mask=True)
    assert unit.line.endswith("(accuracy, equal to the bit; mask believed)")
    assert unit.measurement["believed"] == ["mask"]
    assert unit.measurement["result"] == unit.entry.record["digests"]["result"]
