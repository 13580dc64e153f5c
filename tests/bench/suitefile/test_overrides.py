"""A task made from another: fields set otherwise, checked against what a task is, each told, and in the ids where it trains."""

from dataclasses import replace

import pytest
import toy

from bench.errors import SpecError
from bench.spec import REPORTED_ONLY, Pruning, Unit
from bench.suitefile.overrides import FIELDS, Misfit, derived, merged
from bench.tickets.methods import METHODS

BASE = toy.task(
    config={"rate": 0.1, "batch": 60, "augment": {"crop": 4, "flip": True}, "name": "a"},
    pruning=Pruning(rates={"b.*": 0.1}),
    deviations=("It is a toy.",),
)
OTHER = toy.task("toy/other", config={"momentum": 0.9, "rate": 1, "augment": None})


def made(changes, name="toy/made"):
    return derived(BASE, changes, name=name, relatives=[OTHER])


def unit(task):
    return Unit(task=task, method=METHODS["dense"], level=0, seed=0).id


def test_what_is_set_is_set_and_all_else_is_the_bases():
    changes = {
        "rewind_step": 5,
        "budget": 40,
        "config": {"rate": 0.2, "augment": {"crop": 2}},
        "pruning": {"rate": 0.3},
    }
    wanted = {
        "name": "toy/made", "rewind_step": 5, "budget": 40, "pruning": Pruning(rate=0.3, rates={"b.*": 0.1}),
        "config": {"rate": 0.2, "batch": 60, "augment": {"crop": 2, "flip": True}, "name": "a"},
    }  # fmt: skip
    task = made(changes)
    assert replace(task, deviations=()) == replace(BASE, deviations=(), **wanted)
    assert BASE.config["rate"] == 0.1, "the base stays as it is"


def test_every_change_is_a_deviation_before_those_of_the_base():
    changes = {"rewind_step": 5, "config": {"rate": 0.2, "momentum": 0.5, "name": "b"}, "tolerance": 1.0}
    assert made(changes).deviations == (
        "Made from toy/chain@smoke.",
        "Rewind step 5 instead of 10.",
        "Config.rate 0.2 instead of 0.1.",
        "Config.momentum 0.5 instead of nothing.",
        "Config.name b instead of a.",
        "Otherwise as toy/chain@smoke, which says:",
        "It is a toy.",
    ), "a value that the base has already is none"


def test_tables_that_map_names_are_set_whole_and_empty_ones_empty():
    assert made({"pruning": {"rates": {"a.*": 0.5}}}).pruning.rates == {"a.*": 0.5}
    assert made({"pruning": {"rates": {}}}).pruning == Pruning()
    assert made({"groups": {"a.*": "first"}}).groups == {"a.*": "first"}
    assert made({"config": {"augment": {}}}).config["augment"] == {}


def test_global_scope_drops_the_rates_per_layer_of_the_base_and_says_so():
    task = made({"pruning": {"scope": "global"}})
    assert task.pruning == Pruning(scope="global")
    assert task.deviations[1:3] == (
        "Pruning.scope global instead of layer.",
        'Pruning.rates {} instead of {"b.*":0.1}.',
    )
    assert made({"pruning": {"scope": "global", "rates": {}}}) == task, "whether or not somebody clears them"
    assert made({"pruning": {"scope": "layer"}, "budget": 40}).pruning.rates == {"b.*": 0.1}
    pooled = replace(BASE, pruning=Pruning(scope="global"))
    with pytest.raises(Misfit, match="rates per layer and global scope") as error:
        derived(pooled, {"budget": 40, "pruning": {"rates": {"a.*": 0.5}}}, name=None, relatives=[])
    assert error.value.path == ("pruning", "rates"), "of a base with global scope it is the rates that do not fit"


def test_of_fields_that_contradict_each_other_the_first_is_at_fault():
    for changes, path in (
        ({"tolerance": 1.0, "budget": 25, "rewind_step": 40}, "rewind_step"),
        ({"rewind_step": 12, "budget": 10}, "budget"),
        ({"budget": 10, "rewind_step": 40}, "budget"),
    ):
        with pytest.raises(Misfit, match="rewinds to step") as error:
            made(changes)
        assert error.value.path == (path,)


def test_a_unit_has_another_id_for_what_trains_and_the_same_for_what_is_only_reported():
    plain = made({"tolerance": 2.0})
    for field, value in {"tolerance": 3.0, "chance": 1.0, "fewest_seeds": 5, "reference": 9.0}.items():
        assert field in REPORTED_ONLY
        assert unit(made({"tolerance": 2.0, field: value})) == unit(plain)
    for changes in ({"rewind_step": 5}, {"budget": 31}, {"config": {"rate": 0.2}}, {"pruning": {"rate": 0.3}}):
        assert unit(made({"tolerance": 2.0, **changes})) != unit(plain)


def test_without_a_name_it_has_one_that_follows_from_the_changes_alone():
    one, same, other = (made(changes, None) for changes in ({"budget": 40}, {"budget": 40}, {"budget": 41}))
    assert one.name == same.name != other.name
    assert one.name.startswith("toy/chain-")
    again = derived(replace(BASE, deviations=("Told otherwise.",)), {"budget": 40}, name=None, relatives=[])
    assert again.name == one.name
    two = made({"rewind_step": 5, "budget": 40}, None)
    assert two.name == made({"budget": 40, "rewind_step": 5}, None).name != one.name


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({}, "", "nothing of toy/chain@smoke is set otherwise"),
        ({"rewnd_step": 5}, "rewnd_step", "unknown field of a task 'rewnd_step': did you mean 'rewind_step'"),
        ({"version": 2}, "version", "version of toy/chain@smoke cannot be set: config, budget"),
        ({"unit": "episodes"}, "unit", "unit of toy/chain@smoke cannot be set"),
        ({"data": {"a": "b"}}, "data", "data of toy/chain@smoke cannot be set"),
        ({"rewind_step": "5"}, "rewind_step", "is '5': expected `int`, got `str`"),
        ({"rewind_step": True}, "rewind_step", "is True: expected `int`, got `bool`"),
        ({"rewind_step": 5.5}, "rewind_step", "is 5.5: expected `int`, got `float`"),
        ({"budget": -1}, "budget", "is -1: expected `int` >= 0"),
        ({"at": []}, "at", "reads no score"),
        (
            {"at": ["final", "early-stop"], "select": "accuracy"},
            "at",
            "selects by 'accuracy' on 'val', which it does not",
        ),
        ({"tolerance": float("nan")}, "tolerance", "only finite numbers"),
        ({"config": {"rate": float("inf")}}, "config.rate", "only finite numbers"),
        ({"schedule": "again"}, "schedule", "is 'again': invalid enum value 'again'"),
        ({"config": 3}, "config", "is 3: expected `object`, got `int`"),
        ({"config": {"rte": 0.1}}, "config.rte", "unknown key of config in tasks of toy 'rte': did you mean 'rate'"),
        ({"config": {"rate": "fast"}}, "config.rate", "is 'fast': it is a number or a whole number in tasks of toy"),
        ({"config": {"batch": 60.5}}, "config.batch", "is 60.5: it is a whole number in tasks of toy"),
        ({"config": {"batch": True}}, "config.batch", "is True: it is a whole number"),
        (
            {"config": {"augment": {"crp": 1}}},
            "config.augment.crp",
            "unknown key of config.augment in tasks of toy 'crp'",
        ),
        ({"pruning": {"rte": 0.1}}, "pruning.rte", "unknown field of pruning 'rte': did you mean 'rate'"),
        ({"pruning": {"biases": 1}}, "pruning.biases", "is 1: expected `bool`, got `int`"),
        (
            {"rewind_step": 30},
            "rewind_step",
            "task toy/made rewinds to step 30 of 30: choose a rewind step from 0 to below the budget",
        ),
        ({"budget": 10}, "budget", "rewinds to step 10 of 10"),
        ({"evaluate_every": 0}, "evaluate_every", "task toy/made evaluates every 0 steps: choose 1 or more"),
        (
            {"tolerance": 1.0, "pruning": {"scope": "global", "rates": {"a.*": 0.5}}},
            "pruning.scope",
            "pruning has rates per layer and global scope",
        ),
        (
            {"tolerance": 1.0, "pruning": {"rate": 1.0}},
            "pruning.rate",
            "pruning rate is 1.0: it is the fraction removed per round",
        ),
        ({"metric": "speed"}, "metric", "scores 'speed' without a direction"),
    ],
)
def test_what_cannot_be_set_is_told_with_its_place(changes, path, said):
    with pytest.raises(Misfit) as error:
        made(changes)
    assert ".".join(error.value.path) == path
    assert said in str(error.value)
    assert isinstance(error.value, SpecError)


def test_a_whole_number_stands_for_a_number_where_some_task_has_one():
    assert made({"config": {"rate": 2, "momentum": 0}}).config["rate"] == 2
    with pytest.raises(Misfit, match="true or false"):
        made({"config": {"augment": {"flip": 1}}})


def test_what_can_be_set_is_all_but_what_says_which_task_it_is():
    assert {"budget", "rewind_step", "evaluate_every", "tolerance", "config", "pruning", "at"} <= set(FIELDS)
    assert not {"name", "scale", "version", "data", "unit", "deviations"} & set(FIELDS)


def test_tables_beside_each_other_are_one():
    one, other = {"budget": 3, "config": {"rate": 0.1}}, {"rewind_step": 1, "config": {"batch": 2}}
    assert merged(one, other) == {"budget": 3, "rewind_step": 1, "config": {"rate": 0.1, "batch": 2}}
    with pytest.raises(Misfit, match="set twice") as error:
        merged(one, {"config": {"rate": 0.1}})
    assert error.value.path == ("config", "rate")
    with pytest.raises(Misfit, match="is 3: write a table"):
        merged(one, 3)
