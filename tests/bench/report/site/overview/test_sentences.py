"""Three sentences that are true of any records: the numbers are the ranking's, and what is undecided is called so."""

import re

import pytest

from bench.report.site.anchors import pages
from bench.report.site.overview.ranking import rank
from bench.report.site.overview.sentences import sentences
from bench.report.site.sections.standings import standings

ARMS = {"dense": 0.0, "ticket": 0.0, "reinit": -0.08, "random-ticket": -0.16, "one-shot": -0.001}


@pytest.fixture
def told(study):
    """The sentences of some studies, by their word, and the ranking."""

    def of(*arms, **more):
        studies = [
            study(effects, **{"levels": (1, 3), "seeds": 5, "name": f"vision/task-{n}", **more})
            for n, effects in enumerate(arms)
        ]
        ranking = rank(standings(pages({"some": [record for records in studies for record in records]})))
        return dict(sentences(ranking)), ranking

    return of


def test_the_best_is_named_with_its_interval_and_field(told):
    said, ranking = told(ARMS, ARMS)
    first, last = ranking.ranked[0], ranking.ranked[-1]
    assert list(said) == ["Best", "How sure", "Price"]
    assert said["Best"].startswith(
        f"of the 4 methods run on all 2 tasks, `{first.method}` keeps the most of what the dense network learns, at 12 to 50 % of the weights: "
        f"{_percent(first.score)} in the middle half of seeds and tasks ({100 * first.whole:.0f} % over all); "
    )
    fresh = "uniform over the whole network, fresh weights"
    assert f"the last, `random-ticket` ({fresh}), {_percent(last.score)} ({100 * last.whole:.0f} %)" in said["Best"]


def test_what_the_middle_half_leaves_out_is_told_beside_it(told):
    """A method that fails on one task of five keeps all in the middle half, and four fifths over all."""
    fine = {"dense": 0.0, "ticket": 0.0, "reinit": -0.3}
    said, ranking = told(*[fine] * 4, {**fine, "ticket": -0.4}, noise=0.0001)
    ticket = next(each for each in ranking.ranked if each.method == "ticket")
    fails = 1 - 0.4 / 0.8
    assert ticket.whole == pytest.approx((4 + fails) / 5, abs=0.01)
    assert ticket.score.mean == pytest.approx(1, abs=0.01)
    assert f"in the middle half of seeds and tasks ({100 * ticket.whole:.0f} % over all)" in said["Best"]


def _percent(found):
    return f"{100 * found.mean:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def test_what_the_intervals_do_not_tell_apart_is_called_so(told):
    doubt = "the first two cannot be told apart"
    assert doubt in told({**ARMS, "one-shot": 0.0}, noise=0.01)[0]["Best"]
    assert doubt not in told({"dense": 0.0, "ticket": 0.0, "reinit": -0.2})[0]["Best"]


def test_how_sure_it_is_are_the_odds_against_the_rivals(told):
    said, ranking = told({"dense": 0.0, "ticket": 0.0, "reinit": -0.02, "random-ticket": -0.03}, noise=0.02)
    odds = {each.method: each.worse for each in ranking.methods if each.worse}
    gaps = {each.method: each.gap for each in ranking.methods if each.gap}
    assert said["How sure"].startswith("`ticket` is ahead of `reinit`")
    for method, found in odds.items():
        gap = gaps[method]
        points = f"{-100 * gap.mean:.0f} [{-100 * gap.high:.0f}, {-100 * gap.low:.0f}] points"
        assert f"of `{method}` by {points} ({_percent(found)} of seed pairs)" in said["How sure"]
    assert said["How sure"].endswith("; brackets: 95 % intervals, 5 seeds a task, as many as all have.")


def test_a_rival_of_fewer_tasks_says_on_how_many(told):
    said, _ = told(ARMS, {"dense": 0.0, "ticket": 0.0, "snip": -0.1})
    assert re.search("on the 1 task they share", said["How sure"])
    assert "no other method was run on all of them" in said["Best"]


@pytest.mark.parametrize(("effect", "word"), [(-0.1, "How sure"), (0.1, "Best")])
def test_seeds_that_are_not_those_of_all_are_told(study, effect, word):
    rivals = {"dense": 0.0, "ticket": 0.0, "reinit": -0.2}
    few = study(rivals, levels=(1, 3), seeds=3, name="vision/few")
    many = study({**rivals, "snip": effect}, levels=(1, 3), seeds=8, name="vision/many")
    found = rank(standings(pages({"some": [*few, *many]})))
    (snip,) = (each for each in found.methods if each.method == "snip")
    assert (found.seeds, snip.gap.n) == (3, 8)
    said = dict(sentences(found))
    assert ("1 task they share, 8 seeds" if effect < 0 else "(1 task of vision, 8 seeds)") in said[word]
    assert "3 seeds a task, as many as all have" in said["How sure"]


def test_nobody_is_ahead_by_less_than_nothing(told, study):
    """Who leads over all tasks may be behind on those that it shares with one rival, or at levels that not all have."""
    arms = {"dense": 0.0, "ticket": 0.0, "reinit": -0.2}
    said, ranking = told({**arms, "snip": 0.1}, arms)
    (snip,) = ranking.ahead
    points = f"{100 * snip.gap.mean:.0f} [{100 * snip.gap.low:.0f}, {100 * snip.gap.high:.0f}] points"
    assert re.match("`ticket` is ahead of `reinit` by 2[45] ", said["How sure"])
    assert f", behind `snip` by {points} (100 % of seed pairs) on the 1 task they share; " in said["How sure"]
    one = study({"dense": 0.0, "ticket": 0.0, "reinit": 0.1, "random-ticket": -0.3}, levels=(1,), seeds=5)
    more = study({"ticket": 0.0, "reinit": -0.3}, levels=(3,), seeds=5)
    found = rank(standings(pages({"some": [*one, *more]})))
    assert [each.method for each in found.ranked] == ["reinit", "ticket", "random-ticket"]
    assert dict(sentences(found))["How sure"].startswith("`reinit` is behind `ticket` by 12 [")
    equal, _ = told({"dense": 0.0, "ticket": 0.0, "reinit": 0.0, "random-ticket": 0.0}, noise=0.0001)
    assert not re.search(r"-0\b", equal["How sure"])


def test_where_the_ticket_is_not_best_it_is_set_against_the_best(told):
    said, ranking = told({**ARMS, "snip": 0.1})
    best = ranking.ranked[0]
    assert best.method == "snip"
    assert "Run on fewer" not in said["Best"], "it was run on all"
    assert said["How sure"].startswith("`snip` is ahead of `ticket` by ")
    assert "points (100 % of seed pairs); " in said["How sure"]


def test_who_is_better_on_fewer_tasks_is_named_beside_the_best(told, study):
    """No rank without the whole ground; and yet the first sentence must not hide it."""
    arms = {"dense": 0.0, "ticket": 0.0, "reinit": -0.2, "random-ticket": -0.3}
    said, ranking = told({**arms, "snip": 0.1, "grasp": -0.1}, arms)
    (snip,) = ranking.ahead
    points = f"{100 * snip.gap.mean:.0f} [{100 * snip.gap.low:.0f}, {100 * snip.gap.high:.0f}] points"
    assert said["Best"].endswith(f". Run on fewer, but better there: `snip` by {points} (1 task of vision).")
    more, _ = told({**arms, "snip": 0.1, "grasp": 0.09, "synflow": 0.08, "gmp": 0.07}, arms)
    assert re.search(r"`snip` [^`]*, `grasp` [^`]*, and 2 more\.$", more["Best"])
    assert "Run on fewer" not in told(arms, arms)[0]["Best"]


def test_the_price_is_density_cost_and_the_best_of_what_is_cheaper(told):
    said, _ = told({"dense": 0.0, "ticket": 0.0, "reinit": -0.2}, noise=0.0001)
    assert said["Price"] == (
        "`ticket` matches dense (within tolerance, by its interval) on 1 of 1 task, "
        "with 13 % of the weights for 4 dense trainings; nothing cheaper matches anywhere."
    )


def test_what_matches_nowhere_has_neither_density_nor_price(told):
    said, _ = told({"dense": 0.0, "ticket": -0.2, "reinit": -0.3})
    assert said["Price"] == (
        "`ticket` matches dense (within tolerance, by its interval) on none of 1 task; "
        "nothing cheaper matches anywhere."
    )


def test_a_cheaper_method_that_matches_is_named(told, study):
    cheap = study({"one-shot": 0.0}, levels=(1,), seeds=5, name="vision/task-0")
    arms = study({"dense": 0.0, "ticket": 0.01, "one-shot": -0.2}, levels=(3,), seeds=5, name="vision/task-0")
    ranking = rank(standings(pages({"some": [*arms, *cheap]})))
    price = dict(sentences(ranking))["Price"]
    assert price.endswith(
        "; of what is cheaper `one-shot` matches most, on 1 of its 1 task, with 50 % for 2 dense trainings; "
        "there `ticket` matches on 1, with 13 % for 4 dense trainings."
    )


def test_the_cheaper_method_is_chosen_by_share_of_its_tasks_and_set_beside_the_best_on_them(study):
    """`one-shot` matches on two of three tasks, `snip` on both of its two, `gmp` on a single easy one."""
    arms = {"dense": 0.0, "ticket": 0.0, "reinit": -0.3, "one-shot": 0.0}
    several = (
        {**arms, "snip": 0.0, "gmp": 0.0},
        {**arms, "snip": 0.0, "ticket": -0.05},
        {**arms, "one-shot": -0.3},
    )
    records = [
        record
        for place, each in enumerate(several)
        for record in study(each, levels=(3,), seeds=5, name=f"vision/task-{place}", noise=0.0001)
    ]
    for record in records:
        if record["spec"]["method"]["name"] in ("one-shot", "snip", "gmp"):
            record["search_cost"] //= 4
    ranking = rank(standings(pages({"some": records})))
    assert dict(sentences(ranking))["Price"].endswith(
        "; of what is cheaper `snip` matches most, on 2 of its 2 tasks, "
        "with 13 % for 1 dense training; there `ticket` matches on 1, with 35 % for 4 dense trainings."
    )
    assert (
        "on 2 of 3 tasks, with 25 % of the weights (100 % where it does not) for 4" in dict(sentences(ranking))["Price"]
    )


def test_a_single_easy_task_makes_no_cheaper_method(study):
    records = [
        record
        for place, extra in enumerate(({"gmp": 0.0}, {}))
        for record in study(
            {"dense": 0.0, "ticket": 0.0, "reinit": -0.3, **extra},
            levels=(3,),
            seeds=5,
            name=f"vision/task-{place}",
            noise=0.0001,
        )
    ]
    for record in records:
        if record["spec"]["method"]["name"] == "gmp":
            record["search_cost"] //= 4
    ranking = rank(standings(pages({"some": records})))
    assert dict(sentences(ranking))["Price"].endswith("; nothing cheaper matches anywhere.")


@pytest.mark.parametrize("more", [{"seeds": 1}, {"seeds": 2}, {"scale": "quick"}, {"chance": 0.9}])
def test_a_tiny_record_set_claims_nothing(told, more):
    said, _ = told(ARMS, **more)
    assert list(said) == ["Best", "How sure", "Price"]
    tiny = more.get("scale") == "quick"
    assert ("smoke or quick scale" in said["Best"]) == tiny, "the reason is the one that holds"
    assert ("with 3 seeds or more" in said["Best"]) != tiny
    assert said["Best"].startswith("no method can be named yet")
    assert "`" not in "".join(said.values())
