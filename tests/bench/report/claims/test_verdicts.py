"""Verdicts: what holds, what fails, what cannot be told, and what was never run."""

import math
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.report.claims import definitions
from bench.report.claims.definitions import Claim
from bench.report.claims.text import blocks, claimed, measured, read, verdict_table
from bench.report.claims.verdicts import judge, shown
from bench.report.statistics.aggregates import stratified
from bench.report.statistics.families import holm, sign_flip
from bench.report.statistics.seeds import Interval, deciding, detectable
from bench.report.table.rows import rows

CLAIM = Claim(
    id="X-1", paper="1803.03635", statement="Tickets win.", where="here", method="ticket", comparator="reinit",
    scale="small", tasks=("vision/toy",), levels=(1,), seeds=5,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_other_claims(monkeypatch):
    """A family is what a test asks for."""
    monkeypatch.setattr(definitions, "load_claims", tuple)


def one(claim, records):
    (verdict,) = judge([claim], records)
    return verdict


def world(study, *, ticket, seeds=5, **about):
    return study({"dense": 0.0, "ticket": ticket, "reinit": 0.0}, seeds=seeds, **about)


@pytest.mark.parametrize(
    ("ticket", "change", "status"),
    [
        (0.02, {}, "holds"),
        (-0.02, {}, "fails"),
        (0.0002, {"threshold": 0.0}, "inconclusive"),
        (0.02, {"threshold": 0.05}, "fails"),
        (-0.02, {"test": "less"}, "holds"),
        (0.02, {"test": "less"}, "fails"),
        (0.0, {"test": "equivalent", "margin": 0.01}, "holds"),
        (0.02, {"test": "equivalent", "margin": 0.01}, "fails"),
        (-0.02, {"test": "equivalent", "margin": 0.01}, "fails"),
        (0.01, {"test": "equivalent", "margin": 0.01}, "inconclusive"),
        (-0.005, {"test": "not-worse", "margin": 0.01}, "holds"),
        (-0.02, {"test": "not-worse", "margin": 0.01}, "fails"),
        (-0.01, {"test": "not-worse", "margin": 0.01}, "inconclusive"),
        (1.02 * 0.02, {"comparator": "dense"}, "holds"),
        (0.02, {"statistic": "ratio", "comparator": "dense", "threshold": 1.0}, "holds"),
        (-0.1, {"statistic": "ratio", "comparator": "dense", "threshold": 0.99}, "fails"),
    ],
)
def test_the_interval_decides(study, ticket, change, status):
    assert one(replace(CLAIM, **change), world(study, ticket=ticket)).status == status


def test_a_metric_to_be_minimised_is_turned_round(study):
    records = world(study, ticket=-0.02, directions={"accuracy": "min"}, chance=3.0)
    verdict = one(CLAIM, records)
    assert verdict.status == "holds"
    assert verdict.interval.mean == pytest.approx(0.02, abs=0.003)


def test_what_is_inconclusive_says_what_it_could_have_seen(study):
    verdict = one(CLAIM, world(study, ticket=0.0002))
    assert verdict.detectable == pytest.approx(detectable(list(verdict.values.values())))
    assert one(CLAIM, world(study, ticket=0.02)).detectable is None


def test_what_is_inconclusive_says_how_many_seeds_would_decide_it(sampled):
    gaps = [-0.1, 0.0, 0.1, 0.2, 0.3]
    verdict = one(CLAIM, sampled(gaps))
    assert verdict.status == "inconclusive"
    assert verdict.deciding == deciding(gaps) > 5
    assert f"{verdict.deciding} seeds would decide" in " ".join(blocks([verdict]).split())
    assert f" | {verdict.deciding} | " in verdict_table([verdict])
    decided = one(CLAIM, sampled([0.1, 0.1, 0.11, 0.1, 0.1]))
    assert decided.deciding is None
    assert "would decide" not in blocks([decided])
    hopeless = one(CLAIM, sampled([-0.1, 0.0, 0.1, -0.1, 0.101]))
    assert hopeless.deciding is None
    assert "over 100 seeds would decide" in " ".join(blocks([hopeless]).split())


def test_what_a_first_look_said_stays_on_record(sampled):
    looked = one(replace(CLAIM, first_look="3 seeds: 0.1"), sampled([0.1, 0.1, 0.11, 0.1, 0.1]))
    for text in (blocks([looked]), verdict_table([looked])):
        assert "a first look, before the seeds were fixed: 3 seeds: 0.1" in text


def test_the_seeds_that_followed_a_first_look_are_told_alone(sampled):
    """They did not decide how many there would be, so their p-value is of one look."""
    first, since = [0.3, 0.3, 0.31], [-0.1, 0.0, 0.1, 0.05]
    looked = one(replace(CLAIM, seeds=7, first_look="3 seeds: 0.3"), sampled([*first, *since]))
    alone = one(replace(CLAIM, seeds=4), sampled(since))
    assert looked.added.values == {seed + 3: value for seed, value in alone.values.items()}
    assert (looked.added.interval, looked.added.p) == (alone.interval, alone.p)
    told = f"the seeds added since, alone: 4 seeds: 0.0125 [-0.123, 0.148], p {alone.p:.2g} uncorrected"
    assert told in " ".join(blocks([looked]).split())
    assert told in verdict_table([looked])
    few = one(replace(CLAIM, seeds=5, first_look="3 seeds: 0.3"), sampled([*first, 0.1, 0.2]))
    assert few.added is None


def test_seeds_that_tell_nothing_alone_take_no_verdict_away(study, record):
    """By themselves they had a dense network that learned nothing, which no mean of all seeds has."""
    records = study({"dense": 0.0, "ticket": 0.0, "reinit": -0.2}, levels=(1, 2), seeds=10)
    records = [r for r in records if r["spec"]["method"]["name"] != "dense"]
    records += [record("dense", 0, seed, 0.9 if seed < 5 else 0.1) for seed in range(10)]
    whole = replace(CLAIM, statistic="area", levels=(1, 2), seeds=10)
    looked = one(replace(whole, first_look="5 seeds: 0.2"), records)
    assert (looked.status, looked.p, looked.added) == ("holds", one(whole, records).p, None)


def test_seeds_that_are_added_move_no_verdict(sampled):
    """Nobody adds seeds until a verdict appears, and nobody sends those that please him."""
    gaps = [-0.1, 0.0, 0.1, 0.2, 0.3]
    few, more = one(CLAIM, sampled(gaps)), one(CLAIM, sampled([*gaps, 0.3, 0.3, 0.3, 0.3, 0.3]))
    assert (more.status, more.values, more.p, more.interval) == (few.status, few.values, few.p, few.interval)
    told = "judged by the lowest 5 of 10 seeds, as many as the claim fixes"
    assert all(told in text([more]) and told not in text([few]) for text in (blocks, verdict_table))
    assert one(replace(CLAIM, seeds=10), sampled([*gaps, 0.3, 0.3, 0.3, 0.3, 0.3])).status == "holds"


def test_seeds_behind_one_that_nobody_ran_may_have_been_chosen(study):
    """Whoever trains a hundred could send the five that please him: the board sets them aside, and so do claims."""
    records = world(study, ticket=0.02, seeds=12)
    chosen = [each for each in records if each["spec"]["seed"] in (0, 1, 4, 7, 11)]
    verdict = one(CLAIM, chosen)
    assert (verdict.status, verdict.known) == ("not run", 0)
    assert verdict.reason.startswith("5 seeds of which there are 2 to be run: ")
    whole = [each for each in records if each["spec"]["seed"] < 5]
    assert one(CLAIM, whole + chosen[-2:]) == one(CLAIM, whole)


@pytest.mark.parametrize(
    ("arm", "change"),
    [
        (("snip", 1), {}),
        (("ticket", 1), {}),
        (("ticket", 1), {"statistic": "best-elsewhere", "comparator": "dense"}),
    ],
)
def test_four_times_as_many_seeds_take_four_times_as_long(record, study, arm, change):
    """Whether a claim reads their arm or not, and has its statistic of fewer seeds than it asks for."""
    claim = replace(CLAIM, seeds=9, **change)
    ours, seconds = world(study, ticket=0.02), {}
    for count in (1600, 6400):
        records = [*ours, *(record(*arm, seed, 0.5) for seed in range(5, 5 + count))]
        begun = time.process_time()
        one(claim, records)
        seconds[count] = time.process_time() - begun
    assert seconds[6400] < 4 * seconds[1600] * 1.7, seconds


@pytest.mark.parametrize("theirs", [{}, {"irrelevant inputs": {"all": 0, "prunable": 0, "kept": 0}}])
def test_a_seed_that_is_added_and_contradicts_itself_moves_no_verdict(study, theirs):
    told = {"all": 60, "prunable": 60, "kept": 30}
    records = world(study, ticket=0.02, seeds=6)
    for each in records:
        seed = each["spec"]["seed"]
        other = theirs if seed == 5 else {"irrelevant inputs": {**told, "kept": 10 + seed}}
        each["counts"]["groups"] = {"relevant inputs": told, **other}
    claim = replace(CLAIM, statistic="input-density", comparator=None, threshold=1.0)
    before = one(claim, [each for each in records if each["spec"]["seed"] < 5])
    assert before.status == "holds"
    assert one(claim, records) == before


def test_seeds_that_are_added_choose_no_level(record, task):
    """At level 2 the ticket is better, but for the seeds that nobody had fixed."""
    scores = {("ticket", 1): [0.51] * 10, ("ticket", 2): [0.52] * 5 + [0.1] * 5}
    scores |= {("reinit", level): [0.5] * 10 for level in (1, 2)}
    records = [
        record(name, level, seed, score, task=task())
        for (name, level), all_ in scores.items()
        for seed, score in enumerate(all_)
    ]
    claim = replace(CLAIM, statistic="best", levels=(1, 2))
    assert one(claim, records).interval.mean == pytest.approx(0.02)
    assert one(replace(claim, seeds=10), records).interval.mean == pytest.approx(0.01)


def test_of_several_tasks_and_of_two_none_is_judged_by_more_seeds_than_were_fixed(study):
    records, claim = iqm_world(study, 0.004, 0.002, seeds=9)
    first = [record for record in records if record["spec"]["seed"] < 6]
    few, more = (one(replace(claim, seeds=6), known) for known in (first, records))
    assert (more.interval, more.p, few.known, more.known) == (few.interval, few.p, 6, 9)
    here, there = world(study, ticket=0.05, seeds=9), world(study, ticket=0.0, seeds=7, name="vision/there")
    across = one(ACROSS, here + there)
    assert (sorted(across.values), across.known) == ([0, 1, 2, 3, 4], 7)


def test_a_whole_family_takes_more_seeds_and_an_equivalence_those_of_its_nearer_margin(sampled):
    gaps = [-0.1, 0.0, 0.1, 0.2, 0.3]
    family = judge([replace(CLAIM, id=f"X-{k}") for k in range(10)], sampled(gaps))
    assert family[0].deciding == deciding(gaps, tests=10) > deciding(gaps)
    for sign in (1, -1):
        told = [sign * gap for gap in gaps]
        near = one(replace(CLAIM, test="equivalent", margin=0.25), sampled(told))
        assert near.deciding == deciding(told, sign * 0.25)
    assert one(replace(CLAIM, test="not-worse", margin=0.05), sampled(gaps)).deciding == deciding(gaps, -0.05)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (lambda study: [], "vision/toy at small scale"),
        (lambda study: world(study, ticket=0.02, scale="quick"), "vision/toy at small scale"),
        (lambda study: world(study, ticket=0.02, seeds=4), "5 seeds of which there are 4"),
        (lambda study: world(study, ticket=0.02, levels=(2,)), "ticket at level 1"),
        (lambda study: study({"ticket": 0.0}, seeds=5), "reinit at level 1"),
    ],
)
def test_what_is_missing_is_named(study, records, said):
    verdict = one(CLAIM, records(study))
    assert (verdict.status, verdict.interval) == ("not run", None)
    assert said in verdict.reason


def test_what_cannot_be_run_says_why():
    verdict = one(Claim(id="M", paper="1906.02773", statement="s.", where="w", blocked="no VGG"), [])
    assert (verdict.status, verdict.reason, verdict.scale) == ("not run", "no VGG", None)


def test_claims_of_a_paper_share_their_false_alarms(study):
    """Twenty claims without any effect: uncorrected, one of them would hold or fail by chance more often than not."""
    names, flagged = [f"vision/t{k}" for k in range(20)], 0
    family = [replace(CLAIM, id=f"X-{name}", tasks=(name,)) for name in names]
    base = [record for name in names for record in world(study, ticket=0.0, name=name)]
    for world_number in range(40):
        noise = np.random.default_rng(world_number).normal(scale=0.01, size=len(base))
        records = [
            {**record, "metrics": [{**metric, "value": metric["value"] + shift} for metric in record["metrics"]]}
            for record, shift in zip(base, noise.tolist(), strict=True)
        ]
        flagged += any(verdict.status in ("holds", "fails") for verdict in judge(family, records))
    assert flagged <= 6, "5 % of 40 are 2; 7 or more have a chance of 0.3 %"


def test_holm_is_within_a_paper_and_scale(study):
    records = world(study, ticket=0.02)
    alone = one(CLAIM, records)
    twice = judge([CLAIM, replace(CLAIM, id="X-2")], records)
    apart = judge([CLAIM, replace(CLAIM, id="X-2", paper="1906.02768")], records)
    assert twice[0].p == pytest.approx(2 * alone.p)
    assert apart[0].p == alone.p
    scaled = judge([CLAIM, replace(CLAIM, id="X-2", scale="paper")], records + world(study, ticket=0.02, scale="paper"))
    assert (scaled[0].p, scaled[0].family, scaled[1].family) == (alone.p, 1, 1)


def test_whatever_is_asked_the_whole_family_is_judged(study, monkeypatch):
    names = ("vision/toy", "vision/other", "vision/never")
    family = tuple(replace(CLAIM, id=f"X-{k}", tasks=(name,)) for k, name in enumerate(names))
    elsewhere = replace(CLAIM, id="X-0", scale="paper")
    blocked = replace(CLAIM, id="X-9", blocked="no VGG")
    exact = replace(CLAIM, id="X-8", test="exact", statistic="weights", margin=0.1, expected={1: 50.0})
    monkeypatch.setattr(definitions, "load_claims", lambda: (elsewhere, exact, *family, blocked))
    records = world(study, ticket=0.02) + world(study, ticket=0.001, name="vision/other")
    whole = judge(family, records)
    assert [judge([claim], records) for claim in family] == [[verdict] for verdict in whole]
    assert judge(family[::-1], records) == whole[::-1]
    assert [verdict.family for verdict in whole] == [3, 3, 0], "the third was not run"
    assert "(Holm, 3 claims)" in blocks(whole[:1])
    monkeypatch.setattr(definitions, "load_claims", lambda: family[:1])
    alone = one(family[0], records)
    assert whole[0].p == pytest.approx(3 * alone.p)
    assert "(Holm, 1 claim)" in blocks([alone])


@pytest.mark.parametrize("scores", [None, []])
def test_without_a_score_of_dense_nothing_is_normalised(study, scores):
    records = world(study, ticket=0.02)
    for record in records:
        if record["spec"]["method"]["name"] == "dense":
            record["metrics"] = [] if scores == [] else [{**each, "value": None} for each in record["metrics"]]
    verdict = one(replace(CLAIM, statistic="iqm"), records)
    assert (verdict.status, verdict.reason) == (
        "not run",
        "vision/toy@small: `dense` has no score, so nothing is normalised.",
    )


def test_records_that_contradict_themselves_break_no_claim(study):
    records = world(study, ticket=0.02)
    for record in records:
        record["density"] = 0.0
    verdict = one(replace(CLAIM, statistic="layer-density", layer="fc1.weight", comparator=None), records)
    assert verdict.status == "not run"
    assert verdict.reason == "the records contradict themselves (ZeroDivisionError: float division by zero)"


def test_what_else_is_run_takes_no_verdict_away(study, monkeypatch):
    """Nor who runs it: a stranger's records of a claim that nobody had run."""
    names = ("vision/toy", *(f"vision/other-{k}" for k in range(30)))
    family = tuple(replace(CLAIM, id=f"X-{k}", tasks=(name,)) for k, name in enumerate(names))
    monkeypatch.setattr(definitions, "load_claims", lambda: family)
    own = world(study, ticket=0.004)
    theirs = [record for name in names[1:] for record in world(study, ticket=0.0001, name=name)]
    assert one(family[0], own + theirs) == one(family[0], own)


def test_what_else_is_run_may_give_a_verdict(sampled, study, monkeypatch):
    family = (CLAIM, replace(CLAIM, id="X-2", tasks=("vision/other",)))
    monkeypatch.setattr(definitions, "load_claims", lambda: family)
    own, theirs = sampled([0.0, 0.1, 0.2, 0.3, 0.4]), world(study, ticket=0.02, name="vision/other")
    assert [one(CLAIM, records).status for records in (own, own + theirs)] == ["inconclusive", "holds"]


def test_a_verdict_that_the_correction_takes_back_says_so(study):
    records = world(study, ticket=0.004)
    assert one(CLAIM, records).status == "holds"
    family = judge([replace(CLAIM, id=f"X-{k}") for k in range(200)], records)
    assert {verdict.status for verdict in family} == {"inconclusive"}
    assert family[0].reason == "it holds by itself, but not after Holm's correction for 200 claims"
    assert family[0].detectable is not None


@pytest.mark.parametrize(("n", "status"), [(3, "inconclusive"), (5, "inconclusive"), (6, "holds")])
def test_equal_values_are_as_sure_as_their_signs(sampled, n, status):
    """A mean without an error is certain only of what has no spread, which so few seeds do not tell."""
    verdict = one(replace(CLAIM, seeds=n, test="greater", threshold=0.1), sampled([0.25] * n))
    assert (verdict.status, verdict.p, verdict.signs) == (status, 2 / 2**n, 2 / 2**n)
    assert verdict.interval == Interval(0.25, None, None, n)
    assert (verdict.detectable, verdict.deciding) == (None, None if status == "holds" else 6)


@pytest.mark.parametrize(("n", "status"), [(5, "inconclusive"), (6, "holds")])
def test_equal_values_of_several_tasks_are_as_sure_as_their_signs(study, n, status):
    names = ("vision/one", "vision/two")
    records = [r for name in names for r in world(study, ticket=0.1, seeds=n, noise=0.0, name=name)]
    verdict = one(replace(CLAIM, statistic="iqm", tasks=names, seeds=n), records)
    assert (verdict.status, verdict.p, verdict.deciding) == (status, 2 / 2**n, None if status == "holds" else 6)
    assert (verdict.interval.low, verdict.detectable) == (None, None)


def test_equal_values_at_the_threshold_are_told_by_no_number_of_seeds(sampled):
    verdict = one(replace(CLAIM, seeds=6, threshold=0.25), sampled([0.25] * 6))
    assert (verdict.status, verdict.p, verdict.deciding) == ("inconclusive", 1.0, None)


def test_early_stop_steps_are_compared_as_ratios(study, task):
    records = study({"dense": 0.0, "ticket": 0.0}, seeds=5, at=("final", "early-stop"), select="accuracy")
    for record in records:
        for metric in record["metrics"]:
            metric["step"] = (600 if record["spec"]["level"] == 0 else 300) + 10 * record["spec"]["seed"]
    verdict = one(replace(CLAIM, statistic="early-stop", comparator="dense", test="less", threshold=1.0), records)
    assert verdict.status == "holds"
    steps = [(300 + 10 * seed) / (600 + 10 * seed) for seed in range(5)]
    assert verdict.interval.mean == pytest.approx(math.exp(np.mean(np.log(steps))))
    assert verdict.interval.high < 1


def test_rounds_count_up_to_the_first_that_does_not_match(study):
    records = study({"dense": 0.0, "ticket": 0.0, "reinit": -0.05}, levels=(1, 2, 3), seeds=5)
    claim = replace(CLAIM, statistic="rounds", levels=(1, 2, 3))
    assert one(claim, records).interval.mean == 3
    for record in records:
        if (record["spec"]["method"]["name"], record["spec"]["level"]) == ("ticket", 2):
            for metric in record["metrics"]:
                metric["value"] -= 0.5
    assert one(claim, records).interval.mean == 1, "level 3 matches, but level 2 did not"


def test_areas_are_of_normalised_scores_over_log_density(study):
    records = study({"dense": 0.0, "ticket": 0.04, "reinit": 0.0}, levels=(1, 2, 4), seeds=5)
    verdict = one(replace(CLAIM, statistic="area", levels=(1, 2, 4)), records)
    assert verdict.interval.mean == pytest.approx(0.04 / 0.8, abs=0.003)
    hopeless = study({"dense": -0.8, "ticket": 0.04, "reinit": 0.0}, levels=(1, 2, 4), seeds=5)
    assert "learned nothing" in one(replace(CLAIM, statistic="area", levels=(1, 2, 4)), hopeless).reason


def test_a_dense_network_that_is_added_moves_no_verdict(study, record):
    """An area is of scores that are normalised by the mean of the dense networks: of those that were fixed."""
    claim = replace(CLAIM, statistic="area", levels=(1, 2))
    few = study({"dense": 0.0, "ticket": 0.0, "reinit": -0.2}, levels=(1, 2), seeds=5)
    before = one(claim, few)
    assert before.status == "holds"
    for score in (-10.0, 10.0):
        after = one(claim, [*few, record("dense", 0, 5, score)])
        assert replace(after, known=0) == replace(before, known=0)
    hopeless = study({"dense": -0.8, "ticket": 0.0, "reinit": -0.2}, levels=(1, 2), seeds=5)
    rescued = one(claim, [*hopeless, record("dense", 0, 5, 10.0)])
    assert (rescued.status, "learned nothing" in rescued.reason) == ("not run", True)


def test_seeds_are_counted_over_those_that_were_left_out(study):
    """Neither a seed without a score among the first nor what lies beyond those that were fixed is in the way."""
    records = study({"dense": 0.0, "ticket": 0.02, "reinit": 0.0}, seeds=7)
    for each in records:
        if (each["spec"]["method"]["name"], each["spec"]["seed"]) == ("reinit", 1):
            each["metrics"] = []
    verdict = one(CLAIM, records)
    assert (verdict.status, sorted(verdict.values), verdict.known) == ("holds", [0, 2, 3, 4, 5], 6)


@pytest.mark.parametrize(("lost", "expected"), [(0.2, 1.0), (0.2 + 1e-6, 0.0)])
def test_a_round_at_exactly_the_tolerance_matches(record, task, lost, expected):
    asked = task(tolerance=0.2, chance=10.0)
    found = [
        record(method, level, seed, score, task=asked)
        for seed in range(5)
        for method, level, score in (("dense", 0, 97.65), ("ticket", 1, 97.65 - lost), ("reinit", 1, 50.0))
    ]
    assert one(replace(CLAIM, statistic="rounds"), found).interval.mean == expected
    row = next(row for row in rows(found) if (row.method, row.metric) == ("ticket", "accuracy"))
    assert row.matching is (expected == 1), "as the table says"


def test_exact_claims_have_no_interval(study):
    records = study({"dense": 0.0, "ticket": 0.0}, levels=(1,), seeds=1)
    told = 100 * next(r["density_weights"] for r in records if r["spec"]["level"] == 1)
    claim = replace(CLAIM, statistic="weights", comparator=None, test="exact", margin=0.1, seeds=1)
    assert one(replace(claim, expected={1: told + 0.05}), records).status == "holds"
    more = study({"dense": 0.0, "ticket": 0.0}, levels=(1,), seeds=2)
    assert one(replace(claim, expected={1: told + 0.05}), more).status == "holds"
    more = [{**r, "density_weights": 0.4} if (r["spec"]["level"], r["spec"]["seed"]) == (1, 1) else r for r in more]
    every = one(replace(claim, expected={1: told + 0.05}), more)
    assert (every.status, every.interval.n) == ("fails", 2), "every seed that is there must be exact"
    failed = one(replace(claim, expected={1: told + 0.2}), records)
    assert (failed.status, failed.interval.low, failed.p) == ("fails", None, None)


@pytest.fixture(name="sampled")
def records_of_gaps(record, task):
    """Gap of each seed -> records of a ticket that is so much better than reinit, to the bit."""

    def make(gaps, **changes):
        asked = task(**changes)
        arms = [("dense", 0, [0.5] * len(gaps)), ("ticket", 1, gaps), ("reinit", 1, [0.0] * len(gaps))]
        return [record(name, level, s, float(v), task=asked) for name, level, all_ in arms for s, v in enumerate(all_)]

    return make


def test_the_p_value_is_the_t_test_of_the_distance_from_the_threshold(sampled):
    gaps = [0.01, 0.02, 0.03, 0.04, 0.05]
    assert one(CLAIM, sampled(gaps)).p == pytest.approx(0.0132356, rel=1e-5), "one-sided .0066178, ddof 0 .0090145"
    moved = one(replace(CLAIM, threshold=0.01), sampled(gaps))
    assert moved.p == pytest.approx(stats.ttest_1samp(gaps, 0.01).pvalue)
    assert moved.signs == pytest.approx(2 * 2 / 2**5), "one distance is zero, the others have one sign"
    least = one(replace(CLAIM, test="not-worse", margin=0.01), sampled(gaps))
    assert least.p == pytest.approx(stats.ttest_1samp(gaps, -0.01).pvalue)


@pytest.mark.parametrize(
    ("shift", "status"), [(0.0, "holds"), (0.19, "inconclusive"), (0.3, "inconclusive"), (1.0, "fails")]
)
@pytest.mark.parametrize("side", [1, -1])
def test_an_equivalence_is_tested_from_its_nearer_margin(sampled, shift, status, side):
    gaps = [side * (shift + wiggle) for wiggle in (-0.15, 0.05, 0.1, -0.1, 0.1)]
    verdict = one(replace(CLAIM, test="equivalent", margin=0.25), sampled(gaps))
    p = max(stats.ttest_1samp(gaps, margin).pvalue for margin in (-0.25, 0.25))
    assert (verdict.status, verdict.p) == (status, pytest.approx(p))
    assert (verdict.p < 0.05) == (status != "inconclusive")


TESTS = [
    {"test": "greater"},
    {"test": "less"},
    {"test": "not-worse", "margin": 0.3},
    {"test": "equivalent", "margin": 0.8},
]


@pytest.mark.parametrize("change", TESTS, ids=lambda change: change["test"])
def test_a_claim_that_is_alone_never_blames_the_correction(sampled, change):
    """The p-value inverts the interval: by itself a claim is decided exactly where the interval clears the thresholds."""
    rng, claim = np.random.default_rng(2), replace(CLAIM, **change)
    thresholds = {"not-worse": (-0.3,), "equivalent": (-0.8, 0.8)}.get(claim.test, (0.0,))
    seen = set()
    for n in (3, 5, 8, 9, 13, 20) * 5:
        verdict = one(replace(claim, seeds=n), sampled(rng.exponential(1, n) - rng.choice([0.3, 1.0, 1.5])))
        assert verdict.interval.n == n
        low, high = verdict.interval.low, verdict.interval.high
        assert (verdict.status == "inconclusive") == any(low <= threshold <= high for threshold in thresholds)
        assert (verdict.reason, verdict.family) == ("", 1)
        seen.add(verdict.status)
    assert len(seen) >= 2


def test_the_signs_of_an_equivalence_are_those_about_the_nearer_margin(sampled):
    claim = replace(CLAIM, test="equivalent", margin=0.2)
    for gaps in ([0.04, 0.05, 0.06, 0.05, 0.04], [-0.01, 0.01, 0.0, -0.01, 0.01], [0.1, 0.3, 0.15, 0.05, 0.1]):
        nearer = math.copysign(0.2, sum(gaps))
        assert one(claim, sampled(gaps)).signs == pytest.approx(sign_flip([gap - nearer for gap in gaps]))


def test_without_spread_six_seeds_are_told_and_on_the_threshold_nothing_is(sampled):
    asked = replace(CLAIM, seeds=6)
    assert [one(asked, sampled([gap] * 6)).status for gap in (0.25, 0.0, -0.25)] == ["holds", "inconclusive", "fails"]
    edge = replace(asked, test="equivalent", margin=0.25)
    assert [one(edge, sampled([gap] * 6)).status for gap in (0.1, 0.25, 0.5)] == ["holds", "inconclusive", "fails"]


def test_no_number_of_seeds_decides_between_equals(sampled):
    verdict = one(CLAIM, sampled([0.0] * 5))
    assert (verdict.status, verdict.p, verdict.deciding) == ("inconclusive", 1.0, None)


def test_ratios_of_steps_are_tested_as_logarithms(study):
    records = study({"dense": 0.0, "ticket": 0.0}, seeds=5, at=("final", "early-stop"), select="accuracy")
    steps = {0: [600, 500, 640, 580, 610], 1: [300, 410, 280, 390, 350]}
    for record in records:
        for metric in record["metrics"]:
            metric["step"] = steps[record["spec"]["level"]][record["spec"]["seed"]]
    claim = replace(CLAIM, statistic="early-stop", comparator="dense", test="less", threshold=0.7)
    logs, verdict = np.log(np.array(steps[1]) / steps[0]), one(claim, records)
    told = stats.ttest_1samp(logs, math.log(0.7))
    assert verdict.p == pytest.approx(told.pvalue)
    assert (verdict.interval.low, verdict.interval.high) == pytest.approx(tuple(np.exp(told.confidence_interval(0.95))))
    assert verdict.status == "inconclusive"
    assert verdict.detectable == pytest.approx(math.exp(detectable(logs))), "a ratio, like the interval beside it"


def iqm_world(study, *gaps, seeds=6):
    """Tasks whose tickets are so much better than reinit."""
    names = [f"vision/t{place}" for place in range(len(gaps))]
    records = [
        r for name, gap in zip(names, gaps, strict=True) for r in world(study, ticket=gap, seeds=seeds, name=name)
    ]
    return records, replace(CLAIM, statistic="iqm", tasks=tuple(names), seeds=seeds)


def test_the_iqm_is_over_tasks(study):
    records, claim = iqm_world(study, 0.04, 0.04)
    verdict = one(claim, records)
    assert verdict.status == "holds"
    assert verdict.interval.mean == pytest.approx(0.05, abs=0.01)
    only = [record for record in records if record["spec"]["task"]["name"] == "vision/t0"]
    assert "vision/t1 at small scale" in one(claim, only).reason


def middle(scores):
    """The mean of the middle half."""
    ordered = sorted(np.ravel(scores))
    cut = len(ordered) // 4
    return np.mean(ordered[cut : len(ordered) - cut])


@pytest.mark.parametrize("threshold", [0.0, 0.01])
def test_the_gap_of_iqms_is_of_two_iqms_and_its_p_value_that_of_its_interval(study, threshold):
    records, claim = iqm_world(study, 0.004, 0.002)
    wild = next(r for r in records if (r["spec"]["method"]["name"], r["spec"]["seed"]) == ("ticket", 3))
    for metric in wild["metrics"]:
        metric["value"] = 100.0
    scores = {"ticket": [], "reinit": []}
    for name in claim.tasks:
        values = {
            (r["spec"]["method"]["name"], r["spec"]["seed"]): r["metrics"][0]["value"]
            for r in records
            if r["spec"]["task"]["name"] == name
        }
        dense = np.mean([value for (method, _), value in values.items() if method == "dense"])
        for method, told in scores.items():
            told.append([(values[method, seed] - 0.1) / (dense - 0.1) for seed in range(6)])
    verdict = one(replace(claim, threshold=threshold), records)
    low, high = verdict.interval.low, verdict.interval.high
    assert verdict.interval.mean == pytest.approx(middle(scores["ticket"]) - middle(scores["reinit"]))
    assert verdict.interval.mean == pytest.approx((low + high) / 2)
    arrays = [np.transpose(scores[method]) for method in ("ticket", "reinit")]
    percentiles = stratified(lambda own, other: float(middle(own) - middle(other)), *arrays)
    error, freedom = (percentiles.high - percentiles.low) / 3.92 * math.sqrt(6 / 5), 2 * (6 - 1)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, freedom) * error, rel=2e-3)
    distance = abs(verdict.interval.mean - threshold)
    assert verdict.p == pytest.approx(2 * stats.t.cdf(-distance / error, freedom), rel=2e-3)
    assert (verdict.p < 0.05) == (not low <= threshold <= high) == (verdict.status != "inconclusive")
    differences = np.array(scores["ticket"]) - np.array(scores["reinit"])
    assert verdict.values == pytest.approx(dict(enumerate(differences.mean(axis=0))))


def test_what_an_iqm_could_have_seen_is_told_by_its_own_error(task, record):
    """The means over the tasks are alike to the bit at every seed, and their t test would be sure of anything."""
    scatter = np.random.default_rng(1).normal(0, 0.2, (5, 3))
    scatter -= scatter.mean(1, keepdims=True)
    names = [f"vision/{name}" for name in "abc"]
    found = [
        record(method, level, seed, score, task=task(name=name))
        for seed, shifts in enumerate(scatter)
        for name, shift in zip(names, shifts, strict=True)
        for method, level, score in (("dense", 0, 0.9), ("ticket", 1, 0.71 + shift), ("reinit", 1, 0.7))
    ]
    verdict = one(replace(CLAIM, statistic="iqm", tasks=tuple(names)), found)
    assert verdict.status == "inconclusive"
    error = (verdict.interval.high - verdict.interval.low) / 2 / stats.t.ppf(0.975, 12)
    assert verdict.detectable == pytest.approx(error * (stats.t.ppf(0.975, 12) + stats.t.ppf(0.8, 12)), rel=0.05)
    assert verdict.deciding is None or verdict.deciding > 5


def test_an_iqm_reads_losses_the_other_way_round_and_the_mean_over_levels(study):
    turned = {"directions": {"accuracy": "min"}, "chance": 3.0, "levels": (1, 2)}
    records = study({"dense": 0.0, "ticket": -0.04, "reinit": 0.0}, seeds=5, **turned)
    for record in records:
        if record["spec"]["level"] == 2:
            for metric in record["metrics"]:
                metric["value"] = 1.0
    verdict = one(replace(CLAIM, statistic="iqm", levels=(1, 2)), records)
    assert verdict.interval.mean == pytest.approx(0.04 / 2.1 / 2, abs=0.001)
    assert verdict.status == "holds"


def test_a_newer_version_of_a_task_takes_the_place_of_the_old(study):
    records = world(study, ticket=-0.02) + world(study, ticket=0.02, version=2)
    assert one(CLAIM, records).status == "holds"
    assert one(CLAIM, records[::-1]).status == "holds"


def test_what_is_not_installed_decides_nothing(study, install, task):
    install(task())
    records = world(study, ticket=0.02) + world(study, ticket=-0.5, version=99)
    assert one(CLAIM, records).status == "holds"
    assert one(CLAIM, world(study, ticket=-0.5, version=99)).status == "not run"


@pytest.mark.parametrize(
    "change",
    [*TESTS, {"statistic": "iqm"}, {"test": "exact", "statistic": "effective", "margin": 0.1, "levels": (1,)}],
)
@pytest.mark.parametrize("scale", ["smoke", "quick"])
def test_scales_without_verdicts_have_none(study, change, scale):
    claim = replace(CLAIM, scale=scale, **change)
    verdict = one(claim, world(study, ticket=0.5, scale=scale))
    assert (verdict.status, verdict.p, verdict.family) == ("no verdict", None, 0)
    assert verdict.interval.mean != 0, "what was measured is told all the same"
    text = blocks([verdict])
    assert f"X-1     no verdict at {scale} scale" in text
    assert f"{scale} scale spends too little of the paper's budget" in text
    assert not {"holds", "fails", "inconclusive"} & set(text.split())
    assert "| X-1 | no verdict | " in verdict_table([verdict])


@pytest.mark.parametrize(("told", "status"), [(50.0, "holds"), (99.0, "fails")])
def test_what_pruning_alone_decides_has_a_verdict_at_every_scale(study, told, status):
    exact = {"test": "exact", "statistic": "weights", "margin": 0.1, "expected": {1: told}}
    records = [{**r, "density_weights": 0.5} for r in world(study, ticket=0.5, scale="smoke")]
    assert one(replace(CLAIM, scale="smoke", **exact), records).status == status


def test_a_verdict_is_shown_before_a_larger_scale_without_one(study):
    none, small, paper = (replace(CLAIM, scale=scale) for scale in ("quick", "small", "paper"))
    records = world(study, ticket=0.5, scale="quick") + world(study, ticket=0.5)
    assert [v.scale for v in shown(judge([none, small, paper], records))] == ["small"]
    assert [v.scale for v in shown(judge([paper, none], records))] == ["quick"]
    assert [v.scale for v in shown(judge([none, small, paper], []))] == ["paper"]
    both = records + world(study, ticket=0.5, scale="paper")
    assert [v.scale for v in shown(judge([paper, none, small], both))] == ["paper"]


def test_another_verdict_at_another_scale_stands_beside_the_one_that_is_shown(study):
    small, paper = (replace(CLAIM, scale=scale) for scale in ("small", "paper"))
    quick = replace(CLAIM, scale="quick")
    records = (
        world(study, ticket=0.5) + world(study, ticket=-0.5, scale="paper") + world(study, ticket=0, scale="quick")
    )
    (verdict,) = shown(judge([quick, small, paper], records))
    assert (verdict.status, [v.scale for v in verdict.elsewhere]) == ("fails", ["small"])
    (told,) = re.findall(r"- X-1: (at .*)", verdict_table([verdict]))
    assert re.fullmatch(
        r"at small scale: holds, 0\.\d+ \[0\.\d+, 0\.\d+\] of 5 seeds, p .* after Holm's correction", told
    )
    (same,) = shown(judge([small, paper], world(study, ticket=0.5) + world(study, ticket=0.4, scale="paper")))
    assert same.elsewhere == ()


def test_a_smaller_scale_does_not_hide_what_a_first_look_at_a_larger_one_said(study):
    small, paper = (replace(CLAIM, scale=scale) for scale in ("small", "paper"))
    records = world(study, ticket=0.5) + world(study, ticket=0.5, scale="paper")
    asked = replace(paper, seeds=9, first_look="5 seeds: 0.1")
    (verdict,) = shown(judge([small, asked], records))
    assert (verdict.scale, verdict.status) == ("small", "holds")
    told = "at paper scale: not run; a first look, before the seeds were fixed: 5 seeds: 0.1"
    assert f"- X-1: {told}\n" in verdict_table([verdict])
    (never,) = shown(judge([small, replace(asked, first_look=None)], records))
    assert never.elsewhere == ()


def test_a_task_that_asks_for_more_seeds_than_the_claim_gets_them(study):
    assert one(CLAIM, world(study, ticket=0.02, fewest_seeds=6)).reason.startswith("6 seeds of which there are 5")
    assert one(CLAIM, world(study, ticket=0.02, seeds=6, fewest_seeds=6)).status == "holds"
    records, claim = iqm_world(study, 0.04, 0.04)
    more = [r for r in records if r["spec"]["task"]["name"] == "vision/t0"]
    more += world(study, ticket=0.04, name="vision/t1", fewest_seeds=7)
    assert "7 seeds of which there are 5" in one(claim, more).reason


ACROSS = replace(CLAIM, comparator="ticket", comparator_task="vision/there")


@pytest.mark.parametrize(("gap", "status"), [(0.05, "holds"), (-0.05, "fails")])
def test_two_tasks_are_compared_seed_by_seed(study, gap, status):
    here, there = world(study, ticket=gap, seeds=6), world(study, ticket=0.0, seeds=6, name="vision/there")
    verdict = one(replace(ACROSS, seeds=6), here + there)
    scores = [{r["spec"]["seed"]: r["metrics"][0]["value"] for r in records if r["spec"]["level"] and
               r["spec"]["method"]["name"] == "ticket"} for records in (here, there)]  # fmt: skip
    assert verdict.values == pytest.approx({seed: scores[0][seed] - scores[1][seed] for seed in range(6)})
    assert (verdict.status, verdict.interval.n) == (status, 6)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (
            {"name": "vision/elsewhere"},
            "vision/there at small scale to be run: ticketbench reproduce X-1 --scale small",
        ),
        ({"name": "vision/there", "seeds": 4}, "5 seeds of which there are 4 to be run"),
        ({"name": "vision/there", "levels": (2,)}, "ticket at level 1 on vision/there to be run"),
        ({"name": "vision/there", "fewest_seeds": 6}, "6 seeds of which there are 5 to be run"),
    ],
)
def test_what_the_other_task_lacks_is_named(study, there, said):
    verdict = one(ACROSS, world(study, ticket=0.05) + world(study, ticket=0.0, **there))
    assert (verdict.status, verdict.interval) == ("not run", None)
    assert verdict.reason.startswith(said)


def test_no_seed_is_dropped_below_the_number_that_is_asked(study):
    here, there = world(study, ticket=0.05, seeds=6), world(study, ticket=0.0, seeds=6, name="vision/there")
    ours = [record for record in here if record["spec"]["seed"] != 0]
    assert one(ACROSS, ours + there).interval.n == 5
    theirs = [record for record in there if record["spec"]["seed"] != 5]
    assert one(ACROSS, ours + theirs).reason.startswith("5 seeds of which there are 4")


def with_luck(records, seeds):
    """A second metric, at the first of the seeds."""
    return [
        {**r, "metrics": [*r["metrics"], {**r["metrics"][0], "name": "luck", "value": 0.1 + r["spec"]["seed"] / 100}]}
        if r["spec"]["seed"] < seeds
        else r
        for r in records
    ]


LUCKY = replace(CLAIM, statistic="value", comparator=None, metric="luck")


def test_a_reading_is_tested_against_a_threshold(study):
    directions = {"accuracy": "max", "luck": "max"}
    records = with_luck(world(study, ticket=0.0, directions=directions), 5)
    numbers = [0.1, 0.11, 0.12, 0.13, 0.14]
    verdict = one(LUCKY, records)
    assert (verdict.status, verdict.p) == ("holds", pytest.approx(stats.ttest_1samp(numbers, 0).pvalue))
    assert verdict.interval.mean == pytest.approx(0.12)
    assert one(replace(LUCKY, test="less", threshold=0.05), records).status == "fails"
    assert one(replace(LUCKY, threshold=0.12), records).status == "inconclusive"


def test_a_metric_that_is_not_there_is_not_asked_to_be_run(study):
    directions = {"accuracy": "max", "luck": "max"}
    records = world(study, ticket=0.0, directions=directions)
    none = one(LUCKY, records)
    assert (none.status, none.reason) == ("not run", "no record of ticket L1 on vision/toy has luck at final")
    some = one(LUCKY, with_luck(records, 4))
    assert some.reason.startswith("5 seeds with luck of which there are 4")


@pytest.mark.parametrize(
    ("seeds", "with_it", "said"),
    [
        (5, {0, 1, 2, 4}, "5 seeds with luck of which there are 4; seed 3 was run without one"),
        (5, {0, 2}, "5 seeds with luck of which there are 2; seeds 1, 3, 4 were run without one"),
        (4, {0, 1, 2}, "5 seeds with luck of which there are 3 to be run: ticketbench reproduce X-1 --scale small"),
    ],
)
def test_what_was_run_is_not_asked_to_be_run_again(study, seeds, with_it, said):
    records = world(study, ticket=0.0, directions={"accuracy": "max", "luck": "max"}, seeds=seeds)
    found = [
        lucky if plain["spec"]["seed"] in with_it else plain
        for lucky, plain in zip(with_luck(records, seeds), records, strict=True)
    ]
    assert one(LUCKY, found).reason == said


def test_readings_and_claims_across_tasks_are_in_the_family_of_their_paper(study):
    directions = {"accuracy": "max", "luck": "max"}
    records = with_luck(world(study, ticket=0.004, directions=directions), 5)
    records += world(study, ticket=0.0, name="vision/there")
    claims = [CLAIM, replace(ACROSS, id="X-2"), replace(LUCKY, id="X-3")]
    alone = {verdict.claim.id: one(verdict.claim, records).p for verdict in judge(claims, records)}
    family = judge(claims, records)
    assert {verdict.family for verdict in family} == {3}
    assert [verdict.p for verdict in family] == pytest.approx(holm(list(alone.values())))
    assert [verdict.p for verdict in family] != pytest.approx(list(alone.values()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "score of ticket against reinit on vision/toy, level 1"),
        (
            {"at": "early-stop", "levels": (3, 5)},
            "score at early-stop of ticket against reinit on vision/toy, levels 3, 5",
        ),
        ({"statistic": "value", "comparator": None, "metric": "luck"}, "luck of ticket on vision/toy, level 1"),
        ({"levels": (2, 3, 4)}, "score of ticket against reinit on vision/toy, levels 2 to 4"),
        ({"levels": (2, 3)}, "score of ticket against reinit on vision/toy, levels 2, 3"),
        ({"levels": (2, 4, 5)}, "score of ticket against reinit on vision/toy, levels 2, 4, 5"),
        ({"statistic": "early-stop"}, "early-stop step of ticket against reinit on vision/toy, level 1"),
        ({"statistic": "weights", "comparator": None}, "density of ticket on vision/toy, level 1"),
        ({"statistic": "effective", "comparator": None}, "density of ticket on vision/toy, level 1"),
        (
            {"statistic": "iqm", "tasks": ("vision/toy", "vision/b")},
            "score of ticket against reinit on vision/toy, vision/b, level 1",
        ),
        ({"statistic": "late", "comparator": None, "at": "5%"}, "score at 5% of ticket on vision/toy, level 1"),
        (
            {"comparator": ("reinit", "shuffled")},
            "score of ticket against the mean of reinit and shuffled on vision/toy, level 1",
        ),
        (
            {"comparator_task": "vision/there", "comparator": "ticket"},
            "score of ticket on vision/toy against ticket on vision/there, level 1",
        ),
        (
            {"statistic": "layer-density", "comparator": None, "layer": "fc1.weight"},
            "density of fc1.weight of ticket on vision/toy, level 1",
        ),
        ({"scale": None, "tasks": (), "blocked": "no such toy"}, ""),
    ],
)
def test_what_is_read_and_where_is_said(study, change, said):
    claim = replace(CLAIM, **change)
    assert read(claim) == said
    row = verdict_table(judge([claim], [])).splitlines()[2]
    assert row.endswith(f" | {said} | Tickets win. |")
    assert said.split(" ")[0] in blocks(judge([claim], [])), "and in the terminal"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": 0.5}, "> 0.5"),
        ({"test": "less"}, "< 0"),
        ({"test": "not-worse", "margin": 0.25}, "> -0.25"),
        ({"test": "equivalent", "margin": 0.25}, "within 0.25"),
        ({"test": "exact", "margin": 0.25, "statistic": "weights"}, "within 0.25"),
        ({"test": "exact", "margin": 0.0, "statistic": "weights"}, "exactly 0"),
        ({"test": "exact", "margin": 0.0, "statistic": "effective"}, "exactly 1"),
    ],
)
def test_what_is_claimed_is_said(change, said):
    assert claimed(replace(CLAIM, **change)) == said


def test_a_reason_of_a_record_is_shown_and_not_obeyed(study):
    told = "<!-- [here](https://example.org) <img src=x> | `winning"
    records = [{**each, "metrics": [], "nulls": {"accuracy": told}} for each in world(study, ticket=0.5)]
    verdict = one(CLAIM, records)
    assert told in verdict.reason
    table = verdict_table([verdict])
    assert r"\<!-- [here\](https://example.org) \<img src=x> \| \`winning" in table


def test_an_exact_claim_shows_what_it_fails_by(study):
    records = study({"dense": 0.0, "synflow": 0.0}, seeds=2)
    claim = replace(CLAIM, method="synflow", comparator=None, statistic="effective", test="exact", margin=0.0, seeds=1)
    exact = one(claim, records)
    assert (exact.status, measured(exact), exact.interval.n) == ("holds", "1", 2)
    lossy = [{**r, "effective_density": r["density"] / (1.0011 if r["spec"]["seed"] else 1)} for r in records]
    failed = one(claim, lossy)
    assert (failed.status, measured(failed), failed.p, failed.family) == ("fails", "1.0011", None, 0)


def test_an_exact_claim_fails_to_either_side(sampled):
    exact = replace(CLAIM, test="exact", margin=0.125)
    assert [one(exact, sampled([gap] * 5)).status for gap in (0.125, -0.125, 0.25, -0.25)] == ["holds"] * 2 + [
        "fails"
    ] * 2
    assert one(exact, sampled([0.0, 0.0, 0.0, 0.0, -0.5])).status == "fails", "one seed is enough"


def test_the_text_has_the_verdict_its_numbers_and_its_scale(study):
    verdicts = judge([CLAIM, replace(CLAIM, id="X-2", blocked="no VGG", scale=None)], world(study, ticket=0.02))
    text, table = blocks(verdicts), verdict_table(verdicts)
    assert "X-1     holds at small scale" in text
    assert "claimed > 0; 5 seeds; p " in text
    assert "X-2     not run" in text
    assert "| X-1 | holds | small | 0.0" in table
    columns = "claim | verdict | scale | statistic | claimed | n | p (Holm) | p (signs) | detectable | seeds | read | statement"
    assert table.startswith(f"| {columns} |\n| --- | --- |")
    assert "- X-2: no VGG" in table
