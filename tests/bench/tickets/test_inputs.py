"""A method's options tell which of them were read."""

from dataclasses import replace

from example import MOONS, ExampleDomain

from bench.spec import CODE, Unit
from bench.tickets.inputs import MethodInputs, Options
from bench.tickets.methods import METHODS


def test_an_option_counts_as_read_when_its_value_was_looked_at():
    options = Options({"b": 2, "a": 1, "c": 3})
    assert (len(options), list(options), options.unread) == (3, ["b", "a", "c"], ["a", "b", "c"])
    assert options["b"] == 2
    assert options.get("c") == 3
    assert options.unread == ["a"]
    assert dict(**options) == {"b": 2, "a": 1, "c": 3}
    assert options.unread == []


def test_digests_of_the_methods_files_are_no_option_that_a_column_meets():
    method = replace(METHODS["snip"], options={**METHODS["snip"].options, CODE: {"mine.py": "0" * 64}})
    inputs = MethodInputs(Unit(task=MOONS, method=method, level=1, seed=0), ExampleDomain(), "cpu", {})
    assert dict(inputs.options) == {"losses": 10}
    assert method.code == {"mine.py": "0" * 64}
    assert METHODS["snip"].code == {}
