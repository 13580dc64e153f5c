"""Methods say which units they need, and where two are the same."""

import json
from dataclasses import replace

import pytest
from specs import AGENT, LENET, OWN, TRANSFER

from bench.errors import SpecError
from bench.spec import Method, Unit, coincident, task_from_json
from bench.tickets.methods import METHODS, TEMPLATES


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


def test_methods_coincide_where_nothing_tells_them_apart():
    assert coincident("ticket-init", LENET) == "ticket"
    assert coincident("fine-tune", LENET) == "lr-rewind"
    assert coincident("ticket-init", AGENT) is None
    assert coincident("fine-tune", AGENT) is None
    assert coincident("ticket", LENET) is None


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
