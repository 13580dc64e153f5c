"""Which units are measured again: whole comparisons, claimed divergences first, everything else by chance."""

import pytest

from bench.exchange import draw
from bench.exchange.draw import draw_comparisons, draw_units, retrainable
from bench.exchange.submission import read
from bench.store.store import Store
from bench.tickets.methods import METHODS

CONTROLS = {"reinit", "reinit-signed", "permuted", "shuffled", "random-ticket", "random-erk"}


@pytest.fixture
def entries(trained, example):
    return retrainable(read(Store(trained)))


def keys(drawn):
    return [(entry.unit.method.name, entry.unit.level, entry.unit.seed) for entry in drawn]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_whatever_the_number_a_ticket_is_drawn_with_its_controls_and_dense(entries, count):
    for seed in range(20):
        drawn = draw_comparisons(entries, count, seed=seed)
        tickets = [entry.unit for entry in drawn if entry.unit.method.name == "ticket"]
        whole = [
            unit for unit in tickets
            if {(name, unit.level, unit.seed) for name in CONTROLS if unit.level == 2} | {("dense", 0, unit.seed)} <= set(keys(drawn))
        ]  # fmt: skip
        assert whole, keys(drawn)
        assert len(drawn) >= count


@pytest.mark.parametrize("mine", [{"snip", "gmp"}, {"reinit-signed"}])
@pytest.mark.parametrize("count", [1, 3])
def test_what_is_submitted_is_drawn_whatever_the_number(entries, count, mine, monkeypatch):
    """A unit of each method that is not built in, a control or not, beside one whole comparison."""
    # one seed of it: a control is in one comparison, and another one may be drawn
    entries = [each for each in entries if each.unit.method.name not in mine or each.unit.seed == 0]
    monkeypatch.setattr(draw, "is_built_in", lambda name: name not in mine)
    for seed in range(20):
        drawn = keys(draw_comparisons(entries, count, seed=seed))
        assert mine | {"ticket", "dense"} <= {name for name, _, _ in drawn}
        assert len(set(drawn)) == len(drawn)


def test_the_draw_is_its_seeds_and_every_unit_may_be_asked_for(entries):
    first = draw_comparisons(entries, 8, seed=1)
    assert draw_comparisons(reversed(entries), 8, seed=1) == first, "whatever order they are found in"
    assert any(draw_comparisons(entries, 8, seed=seed) != first for seed in range(2, 6))
    assert {entry.unit.method.name for entry in draw_comparisons(entries, 40, seed=1)} > CONTROLS | {"ticket", "dense"}
    assert len(draw_comparisons(entries, 10**6, seed=1)) == len(entries) == len(set(keys(entries)))
    assert draw_comparisons(entries, 0, seed=1) == draw_comparisons([], 5, seed=1) == []
    seen = {entry.unit.id for seed in range(400) for entry in draw_comparisons(entries, 20, seed=seed)}
    assert len(seen) == len(entries)


def test_claimed_divergences_come_first(moons, forge, example):
    def diverge(units):
        for key in (("snip", 2, 0), ("gmp", 2, 1)):
            units[key].record.update(status="diverged", reason="the loss is not finite")

    forge(moons, diverge)
    drawn = keys(draw_comparisons(retrainable(read(Store(moons))), 2, seed=3))
    assert set(drawn[:2]) == {("snip", 2, 0), ("gmp", 2, 1)}
    assert "ticket" in {name for name, _, _ in drawn}, "and still a whole comparison"


def test_single_units_are_drawn_method_by_method(entries):
    firsts = {draw_units(entries, 1, seed=seed)[0].unit.method.name for seed in range(400)}
    assert firsts == set(METHODS)
    assert draw_units(entries, 3, seed=1) == draw_units(reversed(entries), 3, seed=1)
    assert len(draw_units(entries, 10**6, seed=1)) == len(entries)
