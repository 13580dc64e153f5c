"""The claims as data: whole, well formed, and of tasks and methods that exist."""

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from bench import registry
from bench.errors import SpecError, UnknownName
from bench.report.claims import definitions as claims
from bench.report.claims.definitions import Claim, Test, find, load_claims, papers
from bench.report.claims.measures import STATISTICS
from bench.report.claims.text import about
from bench.runs.planning.plan import refusal

SEED_PAPERS = {"1803.03635": 25, "1906.02773": 13, "1906.02768": 18, "1905.13405": 9, "1909.13458": 6}
"""Paper -> claims; one that names two quantities is two, and what is derived from one is another. A-1, of five networks, is five."""

ALONE = (
    "value",
    "late",
    "weights",
    "layer-density",
    "effective",
    "survivors-began",
    "survivors-moved",
    "instability",
    "input-density",
)
"""Statistics that need no comparator."""


@pytest.mark.parametrize(("paper", "n"), SEED_PAPERS.items())
def test_every_claim_of_the_seed_papers_is_encoded(paper, n):
    found = {claim.id for claim in load_claims() if claim.paper == paper}
    assert len(found) == n


@pytest.mark.parametrize("claim", load_claims(), ids=lambda claim: f"{claim.id}-{claim.scale}")
def test_a_claim_is_whole(claim):
    assert claim.statement.endswith(".")
    assert claim.where
    assert claim.paper in papers()
    assert (claim.blocked is None) == bool(claim.scale and claim.tasks and claim.levels and claim.seeds)
    if claim.blocked is not None:
        return
    assert claim.test in get_args(Test)
    assert (claim.margin is None) == (claim.test in ("greater", "less"))
    assert claim.statistic in {"iqm", *STATISTICS}
    assert about(claim)
    assert len(claim.tasks) == 1 or claim.statistic == "iqm"
    assert claim.seeds >= 3 or claim.test == "exact"
    assert set(claim.expected) <= set(claim.levels)
    assert claim.method
    assert bool(claim.comparators) == (claim.statistic not in ALONE)
    assert len(claim.comparators) <= 1 or claim.statistic in ("gain", "rounds", "ratio", "best")
    assert (claim.layer is not None) == (claim.statistic == "layer-density")


@pytest.mark.parametrize("claim", [c for c in load_claims() if c.scale], ids=lambda claim: f"{claim.id}-{claim.scale}")
def test_a_claim_is_of_tasks_methods_metrics_and_readings_that_exist(claim):
    for name, methods in claim.arms.items():
        task = registry.task(name, claim.scale)
        assert claim.at in (None, *task.at)
        assert claim.metric in (None, *task.directions)
        assert claim.statistic != "late" or claim.at not in (None, task.at[0])
        assert claim.statistic != "early-stop" or "early-stop" in task.at
        assert methods
        for method in methods:
            assert refusal(task, registry.method(method)) is None


@pytest.mark.parametrize(
    "claim", [c for c in load_claims() if c.comparator_task], ids=lambda claim: f"{claim.id}-{claim.scale}"
)
def test_two_tasks_that_are_compared_score_the_same_thing(claim):
    own, other = (registry.task(name, claim.scale) for name in claim.arms)
    assert own.name != other.name
    assert claim.statistic in ("gain", "rounds", "rounds-kept", "best", "stable-matching", "loss-per-round")
    same = ("metric", "directions", "split", "at", "data", "evaluation", "chance", "tolerance")
    if claim.statistic == "rounds-kept":  # each is held against its own dense network, whatever it learns from
        same = ("metric", "chance", "tolerance")
    assert [getattr(own, field) for field in same] == [getattr(other, field) for field in same]


VISION = (*(f"F1-{n}" for n in range(9, 14)), "R-1", "R-2", "R-5", "R-5b", "R-6", "M2-5b", "M2-8a", "M2-8b",
          *(f"M2-{n}" for n in range(1, 10) if n != 8))  # fmt: skip
UNASKED = ("M2-3", "M2-4")
"""Of whole data sets, and of a network that overfits Fashion-MNIST: no stand-in shows them."""


@pytest.mark.parametrize("name", VISION)
def test_claims_about_images_can_be_asked_of_the_paper_and_of_a_stand_in(name):
    scales = {claim.scale for claim in load_claims() if claim.id == name}
    assert scales == ({"paper"} if name in UNASKED else {"paper", "small"})


def test_whoever_fixed_more_seeds_by_power_tells_what_fewer_had_said():
    """And asks for no fewer than those."""
    looked = [claim for claim in load_claims() if claim.first_look]
    assert looked
    for claim in looked:
        seen, told = claim.first_look.split(" seeds: ")
        assert 3 <= int(seen) < claim.seeds
        assert re.search(
            r"(\[.*\]|^[^\[]*), p .* after Holm's correction; (over )?\d+ would decide it \(20\d\d-\d\d-\d\d\)", told
        )


def test_what_is_derived_says_so():
    ours = [c for c in load_claims() if "derived" in c.where or "this suite's" in c.where]
    assert {claim.id for claim in ours} >= {"M2-3-size", "M2-3-classes", "F1-9", "F1-10", "R-3", "R-8"}
    for claim in load_claims():
        assert claim.statement.startswith("Derived: ") == (claim in ours), claim.id


def test_the_documentation_tells_every_statistic_and_no_other():
    page = (Path(__file__).parents[4] / "docs" / "claims.md").read_text(encoding="utf-8")
    table = page[page.index("| statistic |") : page.index("A metric that no record has")]
    told = re.findall(
        r"`([^`]+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    )
    assert sorted(told) == sorted([*STATISTICS, "iqm"])


def test_ids_are_unique_at_a_scale():
    assert len({(claim.id, claim.scale) for claim in load_claims()}) == len(load_claims())


def test_a_paper_is_shown_at_the_largest_scale_it_has_units_for():
    assert {claim.scale for claim in find("1803.03635")} == {"paper", "small", "smoke"}
    assert [claim.scale for claim in find("F1-4")] == ["paper"]
    small = find("1803.03635", scale="small")
    assert {claim.scale for claim in small} == {"small"}
    assert len({claim.id for claim in small}) == len(small)


def test_what_is_not_there_is_named():
    with pytest.raises(UnknownName, match="did you mean 'F1-4'"):
        find("F14")
    with pytest.raises(UnknownName, match="unknown scale 'tiny'"):
        find("F1-4", scale="tiny")
    with pytest.raises(SpecError, match="F1-4 has no units at scale quick: it has paper, small"):
        find("F1-4", scale="quick")
    with pytest.raises(SpecError, match="B-1 has no units at scale small: it has no scale: it cannot be run"):
        find("B-1", scale="small")


def test_a_setting_overrides_nothing_else():
    told = {
        "id": "X",
        "statement": "s.",
        "where": "w",
        "setting": [{"scale": "small", "tasks": ["a/b"], "levels": [1], "seeds": 3}],
    }
    (claim,) = claims._expand("1", told)
    assert (claim.tasks, claim.levels, claim.arms) == (("a/b",), (1,), {"a/b": ()})


def test_lists_are_tuples_wherever_they_stand():
    common = {"id": "X", "statement": "s.", "where": "w", "method": "ticket", "comparator": ["reinit", "shuffled"]}
    setting = {"scale": "small", "tasks": ["a/b"], "levels": [1], "seeds": 3}
    (claim,) = claims._expand("1", {**common, "setting": [setting]})
    assert claim.comparators == claim.comparator == ("reinit", "shuffled")
    (claim,) = claims._expand("1", {**common, "setting": [{**setting, "comparator": "dense"}]})
    assert claim.comparators == ("dense",)


def test_a_claim_reads_its_method_here_and_its_comparators_where_they_are_trained():
    claim = Claim(id="X", paper="1", statement="s.", where="w", method="ticket", comparator=("reinit", "dense"))
    assert replace(claim, tasks=("a/b", "a/c")).arms == dict.fromkeys(("a/b", "a/c"), ("ticket", "reinit", "dense"))
    assert replace(claim, tasks=("a/b",), comparator_task="a/d").arms == {
        "a/b": ("ticket",),
        "a/d": ("reinit", "dense"),
    }
    assert replace(claim, tasks=("a/b",), comparator=None).arms == {"a/b": ("ticket",)}
