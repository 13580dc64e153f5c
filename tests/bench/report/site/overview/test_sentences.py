"""Three sentences that are true of any records: the numbers are the ranking's, and what is undecided is called so."""

import re

import pytest

from bench.report.site.anchors import pages
from bench.report.site.overview.ranking import rank
from bench.report.site.overview.sentences import sentences
from bench.report.site.standings import standings

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
    assert said["Best"].startswith(f"`{first.method}` keeps {_percent(first.score)} of what the dense network learns")
    assert "4 methods run on all 2 tasks" in said["Best"]
    assert (
        f"the last, `random-ticket` (uniform over the whole network, fresh weights), {_percent(last.score)}"
        in said["Best"]
    )


def _percent(found):
    return f"{100 * found.mean:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def test_what_the_intervals_do_not_tell_apart_is_called_so(told):
    doubt = "the first two cannot be told apart"
    assert doubt in told({**ARMS, "one-shot": 0.0}, noise=0.01)[0]["Best"]
    assert doubt not in told({"dense": 0.0, "ticket": 0.0, "reinit": -0.2})[0]["Best"]


def test_how_sure_it_is_are_the_odds_against_the_rivals(told):
    said, ranking = told({"dense": 0.0, "ticket": 0.0, "reinit": -0.02, "random-ticket": -0.03}, noise=0.02)
    odds = {each.method: each.worse for each in ranking.methods if each.worse}
    assert said["How sure"].startswith("a run of `ticket` beats one of `reinit`")
    for method, found in odds.items():
        assert f"`{method}` {_percent(found)}" in said["How sure"]
    assert "5 seeds of each task, as many as all have, 95 % intervals" in said["How sure"]


def test_a_rival_of_fewer_tasks_says_on_how_many(told):
    said, _ = told(ARMS, {"dense": 0.0, "ticket": 0.0, "snip": -0.1})
    assert re.search("on the 1 task they share", said["How sure"])
    assert "no other method was run on all of them" in said["Best"]


def test_where_the_ticket_is_not_best_it_is_set_against_the_best(told):
    said, ranking = told({**ARMS, "snip": 0.1})
    best = ranking.ranked[0]
    assert best.method == "snip"
    assert said["How sure"].startswith(f"a run of it beats one of `ticket` {_percent(best.better)} of the time")


def test_the_price_is_density_cost_and_the_best_of_what_is_cheaper(told):
    said, _ = told({"dense": 0.0, "ticket": 0.0, "reinit": -0.2}, noise=0.0001)
    assert (
        "matches dense on 1 of 1 task, at its sparsest with 13 % of the weights, and costs 4 trainings of dense"
        in said["Price"]
    )
    assert said["Price"].endswith("; nothing cheaper matches anywhere.")


def test_what_matches_nowhere_has_no_density(told):
    said, _ = told({"dense": 0.0, "ticket": -0.2, "reinit": -0.3})
    assert said["Price"].startswith("`ticket` matches dense on none of 1 task, after 4 trainings of dense")
    assert "100 %" not in said["Price"]


def test_a_cheaper_method_that_matches_is_named(told, study):
    cheap = study({"one-shot": 0.0}, levels=(1,), seeds=5, name="vision/task-0")
    arms = study({"dense": 0.0, "ticket": 0.01, "one-shot": -0.2}, levels=(3,), seeds=5, name="vision/task-0")
    ranking = rank(standings(pages({"some": [*arms, *cheap]})))
    price = dict(sentences(ranking))["Price"]
    assert price.endswith("the best that is cheaper, `one-shot`, matches on 1 of 1, with 50 % for 2.")


@pytest.mark.parametrize("more", [{"seeds": 1}, {"seeds": 2}, {"scale": "quick"}, {"chance": 0.9}])
def test_a_tiny_record_set_claims_nothing(told, more):
    said, _ = told(ARMS, **more)
    assert list(said) == ["Best", "How sure", "Price"]
    assert said["Best"].startswith("no method can be named yet")
    assert "`" not in "".join(said.values())
