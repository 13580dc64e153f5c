"""Units keep their ids: golden pairs, and what may change without a new id."""

import json
import pickle
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from specs import AGENT, LENET, OWN, TRANSFER

from bench import digests
from bench.digests import canonical_json
from bench.errors import SpecError
from bench.spec import REPORTED_ONLY, Unit, search_cost, unit_id
from bench.tickets.methods import METHODS

GOLDEN = Path(__file__).parents[1] / "golden" / "unit_ids.json"


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


def test_an_id_is_found_once_from_parts_that_units_share(monkeypatch):
    unit = replace(pinned()[1], task=replace(LENET), method=replace(METHODS["ticket"]))
    found = unit.id
    for name in ("task.to_json", "method.to_json", "unit.text_digest"):
        monkeypatch.setattr(f"bench.spec.{name}", None)
    assert unit.id is found
    monkeypatch.setattr("bench.spec.unit.text_digest", digests.text_digest)
    assert replace(unit, seed=1).id != found
    assert replace(unit, seed=0).id == found
    assert (unit.task.identity, unit.method.identity) == (LENET.identity, METHODS["ticket"].identity)


def test_what_was_found_of_a_unit_is_no_part_of_it():
    known, fresh = pinned()[1], pinned()[1]
    assert known.id
    assert known == fresh
    assert repr(known) == repr(fresh)
    assert known.spec() == fresh.spec()
    for again in (pickle.loads(pickle.dumps(known)), deepcopy(known), Unit.from_spec(known.spec())):  # noqa: S301  ours
        assert (again, again.id) == (known, known.id)


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


def test_a_unit_says_in_a_message_and_in_a_path_what_it_is():
    unit = Unit(task=AGENT, method=METHODS["snip"], level=4, seed=12)
    assert unit.label == "rl/cartpole@small snip L4 s12"
    assert unit.path == f"rl/cartpole/snip/s12/L04-{unit.id[:10]}"


@pytest.mark.parametrize("spoil", [{"spec_version": 99}, {"task": None}, {"method": {"parents": 3}}, {"level": None}])
def test_a_foreign_spec_is_refused_in_one_line(spoil):
    spec = {**pinned()[0].spec(), **spoil}
    if spoil == {"level": None}:
        del spec["level"]
    with pytest.raises(SpecError) as error:
        Unit.from_spec(spec)
    assert "\n" not in str(error.value)


def test_a_transfer_is_another_unit_if_anything_of_its_source_is_another():
    """The task of the source is no field of the unit: the ids of its parents tell it whole."""
    dense = Unit(task=LENET, method=METHODS["dense"], level=0, seed=0)
    sources = [
        Unit(task=task, method=METHODS["ticket"], level=1, seed=seed, parents={"previous": dense.id, "dense": dense.id})
        for task in (replace(LENET, name="vision/other"), replace(LENET, name="vision/other", budget=999))
        for seed in (0, 1)
    ]
    parents = [{"source": each.id, "source-dense": dense.id, "dense": dense.id} for each in sources]
    ids = {Unit(task=LENET, method=TRANSFER, level=1, seed=0, parents=each).id for each in parents}
    assert len(ids) == 4


def test_a_transfer_survives_its_own_spec():
    unit = Unit(task=LENET, method=TRANSFER, level=1, seed=0, parents={"source": "a" * 64, "source-dense": "b" * 64})
    assert Unit.from_spec(json.loads(canonical_json(unit.spec()))) == unit
    assert unit.path.startswith("vision/lenet/transfer+other/s0/L01-")


@pytest.mark.parametrize(
    ("parents", "cost"),
    [
        ({}, 10),
        ({"previous": 40, "dense": 30}, 50),
        ({"source": 160, "source-dense": 40, "dense": 30}, 170),
        ({"source": 160, "source-dense": 40, "dense": 5000}, 170),
        ({"source": 160}, 170),
    ],
)
def test_a_search_costs_what_its_dearest_parent_did_and_a_transfer_its_sources_chain(parents, cost):
    """However dear the target's dense network: nothing was searched for there."""
    assert search_cost(10, parents) == cost
