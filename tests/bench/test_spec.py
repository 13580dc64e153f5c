"""Units keep their ids: golden pairs, and what may change without a new id."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import SpecError
from bench.spec import REPORTED_ONLY, Method, Pruning, Task, Unit, coincident, unit_id
from bench.tickets.methods import METHODS

GOLDEN = Path(__file__).parent / "golden" / "unit_ids.json"

LENET = Task(
    name="vision/lenet", scale="quick", config={"model": "lenet", "rate": 1.2e-3}, data={"mnist": "ab" * 32},
    budget=1000, evaluate_every=250, pruning=Pruning(rate=0.2, rates={"fc3.*": 0.1}), metric="accuracy",
    directions={"accuracy": "max", "loss": "min"}, at=("final", "early-stop"), select="loss",
    evaluation={"test": 10_000}, tolerance=0.2, chance=10.0, constant_rate=True,
)  # fmt: skip
AGENT = Task(
    name="rl/cartpole", scale="small", version=2, config={"envs": 8}, budget=100_000, unit="env_steps",
    evaluate_every=5_000, rewind_step=1_000, schedule="restart", pruning=Pruning(scope="global", exempt=("log_std",)),
    metric="return", directions={"return": "max"}, split="eval", splits=("eval",), at=("last-100",), tolerance=10,
    chance=20, constant_rate=False,
)  # fmt: skip
OWN = Method(name="mine", mask="my.package:mask", weights="fresh", training="full", options={"share": 0.5}, version=3)


def pinned():
    """Every unit whose id is pinned."""
    dense = Unit(task=LENET, method=METHODS["dense"], level=0, seed=0)
    parents = {"previous": dense.id, "dense": dense.id}
    ticket = Unit(task=LENET, method=METHODS["ticket"], level=1, seed=0, parents=parents)
    units = [dense, ticket, replace(dense, seed=7), replace(dense, task=AGENT)]
    units.append(Unit(task=LENET, method=METHODS["reinit"], level=1, seed=0, parents={"ticket": ticket.id}))
    names = ("random-ticket", "snip", "gmp", "small-dense")
    units += [Unit(task=AGENT, method=METHODS[name], level=4, seed=1) for name in names]
    return [*units, Unit(task=LENET, method=OWN, level=20, seed=2)]


def test_ids_are_the_golden_ones():
    """Another id means that every published record is orphaned: raise SPEC_VERSION only if that is meant."""
    golden = json.loads(GOLDEN.read_text())
    assert [{"spec": unit.spec(), "id": unit.id} for unit in pinned()] == golden
    assert [unit_id(each["spec"]) for each in golden] == [each["id"] for each in golden]


def test_ids_differ():
    assert len({unit.id for unit in pinned()}) == len(pinned())


def test_a_spec_survives_json():
    for unit in pinned():
        again = Unit.from_spec(json.loads(json.dumps(unit.spec())))
        assert (again.id, again.spec(), again.path) == (unit.id, unit.spec(), unit.path)


def test_what_only_changes_how_results_read_leaves_the_id():
    other = replace(
        LENET, tolerance=9.0, chance=0.0, reference=1.0, fewest_seeds=9, constant_rate=False, groups={"*": "all"},
        unsupported={"snip": "no"}, source="elsewhere", deviations=("one",),
    )  # fmt: skip
    assert {name for name in REPORTED_ONLY if getattr(other, name) == getattr(LENET, name)} == set()
    unit = pinned()[0]
    assert replace(unit, task=other).id == unit.id
    assert replace(unit, method=replace(unit.method, about="another sentence")).id == unit.id


@pytest.mark.parametrize(
    "change",
    [{"budget": 1001}, {"version": 2}, {"data": {"mnist": "cd" * 32}}, {"evaluation": {"test": 1}}, {"rewind_step": 1}],
)
def test_what_changes_the_training_or_its_evaluation_changes_the_id(change):
    unit = pinned()[0]
    assert replace(unit, task=replace(LENET, **change)).id != unit.id


def test_parents_are_part_of_the_id():
    ticket = pinned()[1]
    assert replace(ticket, parents={**ticket.parents, "dense": "0" * 64}).id != ticket.id


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scale": "huge"}, "scale 'huge'"),
        ({"rewind_step": 1000}, "rewinds to step 1000 of 1000"),
        ({"metric": "f1"}, "without a direction"),
        ({"select": None}, "go together"),
        ({"split": "train"}, "evaluated are val, test"),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(wrong, said):
    with pytest.raises(SpecError, match=said):
        replace(LENET, **wrong)


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"rate": 1.0}, {"scope": "row"}, {"scope": "global", "rates": {"a": 0.1}}]
)
def test_a_pruning_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(SpecError):
        Pruning(**wrong)


@pytest.mark.parametrize("level", [0, 1, 5, 13, 30])
def test_level_k_keeps_exactly_what_k_rounds_leave(level):
    sizes = {"fc1": 235_200, "fc2": 30_000, "fc3.w": 1_000}
    layers = Pruning(rate=0.2, rates={"fc3.*": 0.1}).keep(sizes, level)
    assert layers == {
        "fc1": round(235_200 * 0.8**level),
        "fc2": round(30_000 * 0.8**level),
        "fc3.w": round(1_000 * 0.9**level),
    }
    assert Pruning(scope="global").keep(sizes, level) == {"": round(266_200 * 0.8**level)}


def test_methods_coincide_where_nothing_tells_them_apart():
    assert coincident("ticket-init", LENET) == "ticket"
    assert coincident("fine-tune", LENET) == "lr-rewind"
    assert coincident("ticket-init", AGENT) is None
    assert coincident("ticket", LENET) is None


@pytest.mark.parametrize("spoil", [{"spec_version": 99}, {"task": None}, {"method": {"parents": 3}}, {"level": None}])
def test_a_foreign_spec_is_refused_in_one_line(spoil):
    spec = {**pinned()[0].spec(), **spoil}
    if spoil == {"level": None}:
        del spec["level"]
    with pytest.raises(SpecError) as error:
        Unit.from_spec(spec)
    assert "\n" not in str(error.value)
