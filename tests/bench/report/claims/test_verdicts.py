"""Verdicts: what holds, what fails, what cannot be told, and what was never run."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.report.claims.definitions import Claim
from bench.report.claims.text import blocks, markdown
from bench.report.claims.verdicts import judge
from bench.report.statistics.seeds import detectable

CLAIM = Claim(
    id="X-1", paper="1803.03635", statement="Tickets win.", where="here", method="ticket", comparator="reinit",
    scale="small", tasks=("vision/toy",), levels=(1,), seeds=5,
)  # fmt: skip


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
    records, flagged = [], 0
    for world_number in range(40):
        generator = np.random.default_rng(world_number)
        family = [replace(CLAIM, id=f"X-{k}", tasks=(f"vision/t{k}",)) for k in range(20)]
        records = []
        for k in range(20):
            base = study({"dense": 0.0, "ticket": 0.0, "reinit": 0.0}, seeds=5, name=f"vision/t{k}")
            for record in base:
                for metric in record["metrics"]:
                    metric["value"] += float(generator.normal(scale=0.01))
            records += base
        flagged += any(verdict.status in ("holds", "fails") for verdict in judge(family, records))
    assert flagged <= 6, "5 % of 40 are 2; 7 or more have a chance of 0.3 %"


def test_holm_is_within_a_paper_and_scale(study):
    records = world(study, ticket=0.02)
    alone = one(CLAIM, records)
    twice = judge([CLAIM, replace(CLAIM, id="X-2")], records)
    apart = judge([CLAIM, replace(CLAIM, id="X-2", paper="1906.02768")], records)
    assert twice[0].p == pytest.approx(2 * alone.p)
    assert apart[0].p == alone.p


def test_a_verdict_that_the_correction_takes_back_says_so(study):
    records = world(study, ticket=0.004)
    assert one(CLAIM, records).status == "holds"
    family = judge([replace(CLAIM, id=f"X-{k}") for k in range(200)], records)
    assert {verdict.status for verdict in family} == {"inconclusive"}
    assert family[0].reason == "it holds by itself, but not after Holm's correction for 200 claims"
    assert family[0].detectable is not None


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
    assert "learned something" in one(replace(CLAIM, statistic="area", levels=(1, 2, 4)), hopeless).reason


def test_exact_claims_have_no_interval(study):
    records = study({"dense": 0.0, "ticket": 0.0}, levels=(1,), seeds=1)
    told = 100 * next(r["density_weights"] for r in records if r["spec"]["level"] == 1)
    claim = replace(CLAIM, statistic="weights", comparator=None, test="exact", margin=0.1, seeds=1)
    assert one(replace(claim, expected={1: told + 0.05}), records).status == "holds"
    failed = one(replace(claim, expected={1: told + 0.2}), records)
    assert (failed.status, failed.interval.low, failed.p) == ("fails", None, None)


def test_the_iqm_is_over_tasks(study):
    records = world(study, ticket=0.04) + world(study, ticket=0.04, name="vision/other")
    claim = replace(CLAIM, statistic="iqm", tasks=("vision/toy", "vision/other"))
    verdict = one(claim, records)
    assert verdict.status == "holds"
    assert verdict.interval.mean == pytest.approx(0.05, abs=0.01)
    assert "vision/other at small scale" in one(claim, world(study, ticket=0.04)).reason


def test_a_newer_version_of_a_task_takes_the_place_of_the_old(study):
    records = world(study, ticket=-0.02) + world(study, ticket=0.02, version=2)
    assert one(CLAIM, records).status == "holds"
    assert one(CLAIM, records[::-1]).status == "holds"


def test_the_text_has_the_verdict_its_numbers_and_its_scale(study):
    verdicts = judge([CLAIM, replace(CLAIM, id="X-2", blocked="no VGG", scale=None)], world(study, ticket=0.02))
    text, table = blocks(verdicts), markdown(verdicts)
    assert "X-1     holds at small scale" in text
    assert "claimed > 0; 5 seeds; p " in text
    assert "X-2     not run" in text
    assert "| X-1 | holds | small | 0.0" in table
    assert "- X-2: no VGG" in table
