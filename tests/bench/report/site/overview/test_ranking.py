"""Methods are compared on what they share: tasks, levels and seeds; and nothing that they do not share decides."""

import math

import numpy as np
import pytest
from scipy import stats

from bench import registry
from bench.report.site.anchors import pages
from bench.report.site.overview.ranking import rank
from bench.report.site.sections.standings import standings
from bench.report.statistics.aggregates import improvement, iqm, stratified
from bench.report.statistics.seeds import resampled

ARMS = {"dense": 0.0, "ticket": 0.0, "reinit": -0.08, "random-ticket": -0.16}
GAIN = 0.8
"""Of the dense network over chance, about, in the made-up world."""


def ranking(*studies):
    return rank(standings(pages({"some": [record for records in studies for record in records]})))


def told(found):
    return [(each.method, each.rank) for each in found.methods]


def test_partial_coverage_never_ranks_above_full_coverage(study):
    both = [study(ARMS, seeds=4, name=name) for name in ("vision/one", "rl/two")]
    found = ranking(*both, study({"one-shot": 0.05}, seeds=4, name="vision/one"))
    assert told(found) == [("ticket", 1), ("reinit", 2), ("random-ticket", 3), ("one-shot", None)]
    partial = found.methods[-1]
    assert (partial.tasks, partial.shared, partial.score) == (1, 1, None)
    assert partial.gap.low > 0, "it is better where it was run, and still has no rank"
    assert [page.task.name for page in found.ground] == ["rl/two", "vision/one"]


def test_a_task_of_the_ticket_alone_is_no_ground(study):
    found = ranking(study(ARMS, name="vision/one"), study({"dense": 0.0, "ticket": -0.5}, name="vision/alone"))
    assert [page.task.name for page in found.ground] == ["vision/one"]
    assert found.ranked[0].method == "ticket"
    assert found.ranked[0].tasks == 1


@pytest.mark.parametrize(("arms", "chosen"), [
    ({"dense": 0.0, "small-dense": -0.1}, "small"),
    ({"dense": 0.0, "small-dense": -0.1, "reinit": -0.2, "random-ticket": -0.2, "shuffled": -0.2}, "small"),
    ({"dense": 0.0, "ticket": 0.0, "reinit": -0.1}, "small"),
    (ARMS, "paper"),
])  # fmt: skip
def test_a_task_counts_at_the_scale_that_tells_most_beside_the_ticket(study, arms, chosen):
    """A few arms of a larger one take no method off the ground."""
    found = ranking(study(ARMS, seeds=4), study(arms, seeds=4, scale="paper"))
    assert [page.task.scale for page in found.ground] == [chosen]
    assert {each.method for each in found.methods} == ARMS.keys() - {"dense"}


def test_transfers_from_nowhere_have_no_rank_and_choose_no_scale(study, record, task):
    paper, names = task(scale="paper"), [f"transfer+nowhere{each}" for each in range(4)]
    made_up = [record(registry.method(name), 1, seed, 0.99, task=paper) for name in names for seed in range(3)]
    found = ranking(study(ARMS), study({"dense": 0.0, "ticket": 0.0}, scale="paper"), made_up)
    assert told(found) == [("ticket", 1), ("reinit", 2), ("random-ticket", 3)]
    assert [page.task.scale for page in found.ground] == ["small"]


def test_scores_are_those_of_shared_levels_and_seeds(study):
    """The ticket collapses at a level at which nothing else was run, and at a seed that nothing else has."""
    arms = study(ARMS, levels=(1, 2), seeds=3)
    found = ranking(
        arms, study({"ticket": -0.7}, levels=(3,), seeds=3), study({"ticket": -0.7}, levels=(1,), seeds=4)[3:]
    )
    assert found.seeds == 3
    assert [each.score.mean for each in found.ranked] == pytest.approx([1.0, 0.9, 0.8], abs=0.01)


def test_scores_intervals_and_odds_are_those_of_the_aggregates(study):
    records = [record for name in ("vision/one", "rl/two") for record in study(ARMS, seeds=5, noise=0.03, name=name)]
    found = ranking(records)
    dense, ticket, reinit = (
        np.array([[_score(records, name, method, seed) for name in ("rl/two", "vision/one")] for seed in range(5)])
        for method in ("dense", "ticket", "reinit")
    )
    own, other = ((scores - 0.1) / (dense.mean(axis=0) - 0.1) for scores in (ticket, reinit))
    by_name = {each.method: each for each in found.methods}
    assert by_name["ticket"].score.mean == pytest.approx(iqm(own))
    assert by_name["reinit"].gap.mean == pytest.approx(iqm(other) - iqm(own))
    assert by_name["reinit"].better.mean == pytest.approx(improvement(other, own))
    assert by_name["reinit"].worse.mean == pytest.approx(improvement(own, other))
    assert by_name["reinit"].worse.low == 1 - by_name["reinit"].better.high
    assert by_name["ticket"].gap is None
    assert found.lead.mean == pytest.approx(iqm(own) - iqm(other))
    assert found.lead.low < found.lead.mean < found.lead.high


def _score(records, name, method, seed):
    (value,) = [
        record["metrics"][0]["value"]
        for record in records
        if (record["spec"]["task"]["name"], record["spec"]["method"]["name"], record["spec"]["seed"])
        == (name, method, seed)
    ]
    return value


@pytest.mark.parametrize("tasks", [1, 3])
def test_intervals_are_as_wide_as_those_of_claims(study, tasks):
    """n seeds drawn from themselves spread too little by (n - 1) / n, and a few tell their spread badly."""
    studies = [study(ARMS, seeds=4, noise=0.03, name=f"vision/task-{each}") for each in range(tasks)]
    found = {each.method: each for each in ranking(*studies).methods}["reinit"]
    own, other = (
        np.array([[_normalised(records, method, seed) for records in studies] for seed in range(4)])
        for method in ("reinit", "ticket")
    )
    plain = stratified(lambda a, b: iqm(a) - iqm(b), own, other)
    wider = math.sqrt(4 / 3) * stats.t.ppf(0.975, 3 * tasks) / stats.norm.ppf(0.975)
    half = wider * (plain.high - plain.low) / 2
    assert (found.gap.low, found.gap.high) == pytest.approx((plain.mean - half, plain.mean + half))
    assert 0 <= found.better.low <= found.better.mean <= found.better.high <= 1


def test_odds_stay_between_none_and_all(study):
    """Where nearly all pairs are won the wider interval would reach beyond."""
    records = study({"dense": 0.0, "ticket": 0.0, "reinit": -0.08, "snip": 0.04}, seeds=4, noise=0.07)
    found = {each.method: each.better for each in ranking(records).methods if each.better}
    ticket, *rivals = (
        np.array([[_normalised(records, method, seed)] for seed in range(4)]) for method in ("ticket", "reinit", "snip")
    )
    low, high = (resampled(stratified(improvement, rival, ticket), samples=1).interval for rival in rivals)
    assert (low.low < 0, high.high > 1) == (True, True), "or nothing is asked here"
    assert (found["reinit"].low, found["snip"].high) == (0, 1)


@pytest.mark.parametrize("effect", [-0.5, 0.5, 0.0])
def test_odds_of_all_pairs_or_none_have_no_interval(study, effect):
    """No resample of three seeds that won all tells how rare it is to lose: of 95 in 100, three in four would be [100, 100]."""
    records = study({"dense": 0.0, "ticket": 0.0, "snip": effect}, seeds=3)
    if effect == 0:
        for record in records:
            record["metrics"] = [{**each, "value": 0.9} for each in record["metrics"]]
    (better,) = (each.better for each in ranking(records).methods if each.better)
    assert (better.mean, better.low, better.high) == ((effect > 0) + (effect == 0) / 2, None, None)


def _normalised(records, method, seed):
    dense = np.mean([_score(records, records[0]["spec"]["task"]["name"], "dense", each) for each in range(4)])
    return (_score(records, records[0]["spec"]["task"]["name"], method, seed) - 0.1) / (dense - 0.1)


def test_a_method_that_matches_nowhere_has_no_density_and_one_that_matches_has_its_price(study):
    both = [study(ARMS, levels=(1, 3), seeds=5, name=name) for name in ("vision/one", "rl/two")]
    found = {each.method: each for each in ranking(*both).methods}
    assert (found["reinit"].matched, found["reinit"].density, found["reinit"].cost) == (0, None, None)
    assert (found["ticket"].matched, found["ticket"].density) == (2, pytest.approx(0.125))
    assert [network.cost for network in found["ticket"].matching] == [4, 4]
    assert found["ticket"].cost == pytest.approx(4)


def test_where_only_some_tasks_match_the_others_count_as_dense(study):
    one, two = study(ARMS, levels=(2,), seeds=5), study({**ARMS, "ticket": -0.3}, levels=(2,), seeds=5, name="rl/two")
    (ticket,) = [each for each in ranking(one, two).methods if each.method == "ticket"]
    assert (ticket.matched, ticket.density) == (1, pytest.approx(0.5))


def test_a_search_that_finds_nothing_has_no_part_in_the_price(study):
    """In a budget of episodes an agent that learns nothing is trained by fewer updates: that is no bargain."""
    one = study(ARMS, levels=(2,), seeds=5)
    two = study({**ARMS, "ticket": -0.3}, levels=(2,), seeds=5, name="rl/two")
    for each in two:
        if each["spec"]["method"]["name"] == "ticket":
            each["search_cost"] //= 100
    (ticket,) = [each for each in ranking(one, two).methods if each.method == "ticket"]
    assert (ticket.tasks, ticket.matched, ticket.cost) == (2, 1, pytest.approx(3))


def test_the_densities_are_those_of_the_levels_that_the_ranked_share(study):
    found = ranking(study(ARMS, levels=(1, 2, 3)), study({"ticket": 0.0}, levels=(5,)))
    assert found.densities == (0.125, 0.5)


def test_who_is_better_on_a_part_of_the_ground_is_told_and_the_interval_decides(study):
    both = [study(ARMS, seeds=4, noise=0.03, name=name) for name in ("vision/one", "rl/two")]
    some = {"one-shot": 0.1, "snip": -0.05, "grasp": 0.001}
    found = ranking(*both, study(some, seeds=4, noise=0.03, name="vision/one"))
    assert [each.method for each in found.ahead] == ["one-shot"]
    assert found.broad == found.ranked, "one task may be easy"


def test_a_method_at_odd_levels_leaves_the_field_and_not_the_others(study):
    found = ranking(study(ARMS, levels=(1, 2)), study({"snip": 0.05}, levels=(9,)))
    assert told(found) == [("ticket", 1), ("reinit", 2), ("random-ticket", 3), ("snip", None)]
    assert found.methods[-1].gap is None
    assert found.methods[-1].shared == 0


def test_without_a_ticket_the_method_of_most_tasks_is_the_reference(study):
    arms = {"dense": 0.0, "snip": -0.1, "grasp": -0.2}
    found = ranking(study(arms, name="vision/one"), study({"dense": 0.0, "snip": -0.1}, name="vision/two"))
    assert found.reference == "snip"
    assert told(found) == [("snip", 1), ("grasp", 2)]


@pytest.mark.parametrize("changes", [{"seeds": 2}, {"scale": "smoke"}, {"chance": 0.9}])
def test_nothing_is_ranked_where_nothing_carries_a_verdict(study, changes):
    found = ranking(study(ARMS, **changes))
    assert (found.methods, found.reference, found.ground, found.lead) == ((), None, (), None)


def test_equal_scores_share_a_rank(study, record):
    records = [
        record(method, level, seed, 0.9)
        for method, level in (("dense", 0), ("ticket", 1), ("reinit", 1), ("snip", 1))
        for seed in range(3)
    ]
    assert {each.rank for each in ranking(records).methods} == {1}


def test_a_search_that_is_said_to_cost_nothing_costs_an_update(study):
    records = study(ARMS)
    for each in records:
        each["search_cost"] = 0
    assert {each.cost for each in ranking(records).methods if each.matched} == {1}


def test_methods_that_share_too_few_seeds_are_not_compared(study):
    """Both are judged against dense, at three seeds each, of which they have one in common."""
    arms = [(method, study({method: effect}, seeds=5)) for method, effect in ARMS.items()]
    seeds = {"reinit": (0, 1, 2), "ticket": (2, 3, 4)}
    kept = [each for method, records in arms for each in records if each["spec"]["seed"] in seeds.get(method, range(5))]
    found = {each.method: each for each in ranking(kept).methods}
    assert (found["reinit"].rank, found["reinit"].gap, found["reinit"].shared) == (None, None, 0)
    assert found["random-ticket"].rank == 2
