"""Units keep their ids: golden pairs, and what may change without a new id."""

import json
import pickle
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from bench import digests, registry
from bench.digests import canonical_json
from bench.errors import SpecError
from bench.spec import (
    REPORTED_ONLY,
    SCALES,
    Method,
    Pruning,
    Task,
    Unit,
    coincident,
    method_identity,
    search_cost,
    task_from_json,
    task_identity,
    to_json,
    unit_id,
)
from bench.tickets.methods import METHODS, TEMPLATES

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


def test_an_id_is_found_once_from_parts_that_units_share(monkeypatch):
    unit = replace(pinned()[1], task=replace(LENET), method=replace(METHODS["ticket"]))
    found = unit.id
    for name in ("to_json", "text_digest"):
        monkeypatch.setattr(f"bench.spec.{name}", None)
    assert unit.id is found
    monkeypatch.setattr("bench.spec.text_digest", digests.text_digest)
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


def test_tasks_and_methods_are_the_same_where_only_what_is_reported_differs():
    task, method = to_json(LENET), to_json(OWN)
    assert task_identity({**task, "chance": 0.0, "source": "elsewhere"}) == task_identity(task)
    assert task_identity({**task, "budget": 1001}) != task_identity(task)
    assert method_identity({**method, "about": "another sentence"}) == method_identity(method)
    assert method_identity({**method, "version": 4}) != method_identity(method)
    del method["about"]
    assert method_identity(method) == canonical_json(method)


def test_parents_are_part_of_the_id():
    ticket = pinned()[1]
    assert replace(ticket, parents={**ticket.parents, "dense": "0" * 64}).id != ticket.id


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scale": "huge"}, "scale 'huge'"),
        ({"rewind_step": 1000}, "rewinds to step 1000 of 1000"),
        ({"rewind_step": -1}, "rewinds to step -1 of 1000"),
        ({"metric": "f1"}, "without a direction"),
        ({"select": None}, "go together"),
        ({"split": "train"}, "evaluated are val, test"),
        ({"at": (), "select": None}, "reads no score: name in `at` when it is read"),
        ({"at": ("final", "early-stop", "final")}, "names 'final' twice in at"),
        ({"splits": ("val", "test", "val")}, "names 'val' twice in splits"),
        (
            {"at": tuple(f"last-{n}" for n in range(1, 130)), "select": None},
            "names 129 in at: a report has room for 128",
        ),
        ({"splits": tuple(map(str, range(129))), "split": "1"}, "names 129 in splits"),
        (
            {"directions": {**LENET.directions, **dict.fromkeys(map(str, range(128)), "max")}},
            "names 1(29|3[0-9]) in directions",
        ),
        ({"select": "nope"}, "selects by 'nope': measured are accuracy, loss"),
        ({"splits": ("test",)}, "selects by 'loss' on 'val', which it does not evaluate: evaluated are test; add it"),
        *(
            ({"at": ("final", "early-stop", at)}, f"reads scores at '{at}': write final, .* share of the budget as 5%")
            for at in (
                "finl",
                "5",
                "5 %",
                "05%",
                "5.0%",
                "5.%",
                "0%",
                "100%",
                "-5%",
                "1/2%",
                "1e1%",
                "last",
                "last-0",
                "",
            )
        ),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(wrong, said):
    with pytest.raises(SpecError, match=said):
        replace(LENET, **wrong)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": ["mnist"]}, r"method mine has source \['mnist'\]: it is the name of a task"),
        ({"code_sha256": 5}, "method mine has code_sha256 5: it is a table"),
        ({"code_sha256": {"mine.py": 5}}, "it is a table, file -> sha256"),
    ],
)
def test_options_that_everybody_reads_have_one_type(options, said):
    with pytest.raises(SpecError, match=said):
        replace(OWN, options=options)


@pytest.mark.parametrize("at", ["final", "last-100", "last-5", "1%", "5%", "99%", "0.5%", "12.25%"])
def test_a_reading_is_spelled_in_one_way(at):
    assert replace(LENET, at=("early-stop", at)).at == ("early-stop", at)


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


def test_counts_are_rounded_to_the_nearest_and_not_down():
    assert Pruning(rate=0.2).keep({"a": 7, "b": 3}, 1) == {"a": 6, "b": 2}
    assert Pruning(rate=0.2, scope="global").keep({"a": 4, "b": 3}, 1) == {"": 6}


PATTERNS = Pruning(rate=0.2, rates={"head.*": 0.1, "*.weight": 0.3}, exempt=("*.bias", "norm*"))


@pytest.mark.parametrize(("name", "rate", "exempt"), [
    ("head.weight", 0.1, False), ("body.weight", 0.3, False), ("HEAD.x", 0.2, False), ("norm1.weight", 0.3, True),
    ("body.bias", 0.2, True), ("*.bia", 0.2, False), ("*.bias.x", 0.2, False),
])  # fmt: skip
def test_the_first_pattern_of_a_parameters_name_gives_its_rate_and_any_exempts_it(name, rate, exempt):
    assert PATTERNS.rate_of(name) == rate
    assert PATTERNS.is_exempt(name) is exempt


def test_a_parameter_belongs_to_the_first_group_that_names_it():
    task = replace(LENET, groups={"fc1.*": "first", "*.weight": "rest"})
    names = ("fc1.weight", "fc2.weight", "fc2.bias")
    assert [task.group_of(name) for name in names] == ["first", "rest", None]
    assert LENET.group_of("fc1.weight") is None


def test_a_task_says_its_domain_key_and_direction():
    assert (AGENT.domain, AGENT.key, AGENT.direction) == ("rl", "rl/cartpole@small", "max")
    assert replace(LENET, metric="loss").direction == "min"
    assert LENET.at == ("final", "early-stop")
    assert replace(LENET, at=("final",), select=None) == replace(
        Task(**{name: getattr(LENET, name) for name in Task.__slots__ if name not in ("at", "select")})
    )
    assert SCALES == ("smoke", "quick", "small", "paper")  # from the least to the most of the source's budget


def test_a_unit_says_in_a_message_and_in_a_path_what_it_is():
    unit = Unit(task=AGENT, method=METHODS["snip"], level=4, seed=12)
    assert unit.label == "rl/cartpole@small snip L4 s12"
    assert unit.path == f"rl/cartpole/snip/s12/L04-{unit.id[:10]}"


CHAIN = replace(OWN, name="chain", parents=("previous", "dense"))


@pytest.mark.parametrize(("role", "level", "expected"), [
    ("dense", 5, ("dense", 0)), ("ticket", 5, ("ticket", 5)), ("ticket", 1, ("ticket", 1)),
    ("previous", 1, ("dense", 0)), ("previous", 2, ("chain", 1)), ("previous", 5, ("chain", 4)),
])  # fmt: skip
def test_parents_are_the_dense_network_the_round_before_and_the_ticket_of_the_level(role, level, expected):
    assert CHAIN.parent_of(role, level) == expected


def test_a_chain_is_what_needs_the_round_before():
    assert [CHAIN.is_chain, OWN.is_chain, METHODS["one-shot"].is_chain] == [True, False, False]


def test_what_was_read_from_json_is_what_was_asked():
    agent = replace(AGENT, deviations=("one", "two"))
    unit = Unit(task=agent, method=CHAIN, level=3, seed=1, parents={"previous": "a" * 64, "dense": "b" * 64})
    spec = json.loads(json.dumps(unit.spec()))
    assert Unit.from_spec(spec) == unit
    assert task_from_json(spec["task"]) == agent


def test_a_method_has_no_parents_and_no_options_unless_it_says_so():
    method = Method(name="mine", mask="ones", weights="initial", training="full")
    assert (method.parents, method.options, method.version, method.about) == ((), {}, 1, "")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, (float("-inf"),)], {"a": float("nan")}])
def test_a_number_that_is_not_finite_has_no_id(value):
    with pytest.raises(SpecError, match="only finite numbers have an id"):
        to_json(value)


def test_mappings_of_any_kind_are_plain_json():
    data = MappingProxyType({"a": (1, 2.5, None), "b": MappingProxyType({1: True})})
    assert json.dumps(to_json(data)) == '{"a": [1, 2.5, null], "b": {"1": true}}'


def test_methods_coincide_where_nothing_tells_them_apart():
    assert coincident("ticket-init", LENET) == "ticket"
    assert coincident("fine-tune", LENET) == "lr-rewind"
    assert coincident("ticket-init", AGENT) is None
    assert coincident("fine-tune", AGENT) is None
    assert coincident("ticket", LENET) is None


@pytest.mark.parametrize("spoil", [{"spec_version": 99}, {"task": None}, {"method": {"parents": 3}}, {"level": None}])
def test_a_foreign_spec_is_refused_in_one_line(spoil):
    spec = {**pinned()[0].spec(), **spoil}
    if spoil == {"level": None}:
        del spec["level"]
    with pytest.raises(SpecError) as error:
        Unit.from_spec(spec)
    assert "\n" not in str(error.value)


TRANSFER = TEMPLATES["transfer"].from_source("other")


def test_a_template_becomes_an_arm_by_the_name_of_a_source():
    assert TEMPLATES["transfer"].is_template
    assert TEMPLATES["transfer"].source is None
    assert (TRANSFER.name, TRANSFER.source, TRANSFER.is_template) == ("transfer+other", "other", False)
    assert TRANSFER.identity != TEMPLATES["transfer"].from_source("another").identity
    assert not any(method.is_template or method.source for method in METHODS.values())


def test_the_roles_of_a_source_are_played_on_the_source_task_at_the_same_level():
    homes = {role: (TRANSFER.task_of(role, LENET), *TRANSFER.parent_of(role, 4)) for role in TRANSFER.parents}
    assert homes == {
        "source": ("vision/other", "ticket", 4),
        "source-dense": ("vision/other", "dense", 0),
        "dense": ("vision/lenet", "dense", 0),
    }
    assert METHODS["permuted"].task_of("ticket", LENET) == "vision/lenet"
    assert METHODS["ticket-reordered"].parent_of("twin", 4) == ("ticket", 4)
    assert METHODS["ticket-reordered"].task_of("twin", LENET) == "vision/lenet"


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


def test_two_rates_for_one_parameter_are_refused_since_the_id_does_not_tell_their_order():
    with pytest.raises(SpecError, match=r"give head.weight more than one rate: 'head.\*' 0.1 and '\*.weight' 0.3"):
        replace(PATTERNS, exempt=()).check(["head.weight", "body.weight"])
    Pruning(rates={"head.*": 0.1, "*.weight": 0.1}).check(["head.weight", "body.weight"])
    PATTERNS.check(["head.bias", "body.weight"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": 4e1}, "budget is 40.0: expected `int`, got `float`"),
        ({"budget": "40"}, "budget is '40': expected `int`"),
        ({"rewind_step": 5.0}, "rewind_step is 5.0: expected `int`"),
        ({"tolerance": "1"}, "tolerance is '1': expected `int | float`"),
        ({"version": True}, "version is True: expected `int`"),
        ({"pruning": {"rate": 0.2}}, "pruning is {'rate': 0.2}: expected a bench.spec.Pruning"),
        ({"pruning": Pruning(exempt="output.*")}, "expected `array`, got `str` - at `$.exempt`"),
        ({"at": None}, "at is None: expected `array`"),
        ({"deviations": "A sentence."}, "deviations is 'A sentence.': expected `array`"),
    ],
)
def test_a_field_of_another_kind_is_told_by_its_name_where_tasks_are_brought(changes, said):
    with pytest.raises(SpecError) as caught:
        registry.each_task(replace(LENET, **changes))
    assert f"task vision/lenet: {next(iter(changes))} is" in str(caught.value)
    assert said in str(caught.value)


def test_a_task_as_it_was_made_has_fields_of_its_kinds():
    assert registry.each_task([LENET, AGENT]) == (LENET, AGENT)
