"""A method's options tell which of them were read."""

from bench.tickets.inputs import Options


def test_an_option_counts_as_read_when_its_value_was_looked_at():
    options = Options({"b": 2, "a": 1, "c": 3})
    assert (len(options), list(options), options.unread) == (3, ["b", "a", "c"], ["a", "b", "c"])
    assert options["b"] == 2
    assert options.get("c") == 3
    assert options.unread == ["a"]
    assert dict(**options) == {"b": 2, "a": 1, "c": 3}
    assert options.unread == []
