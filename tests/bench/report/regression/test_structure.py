"""What a broken protocol cannot hide behind the noise of a score."""

import math

import numpy as np
import pytest

from bench.report.regression.gates import compare_sides
from bench.report.regression.side import of_records
from bench.report.regression.structure import shuffled_overlap

OTHER = range(10, 13)


def cells(before, after):
    return {(c.key.method, c.quantity): c for c in compare_sides(of_records("a", before), of_records("b", after)).cells}


@pytest.fixture(name="arm")
def one_arm(record):
    """Records of one arm whose scores are a constant; `changes` replace fields, `counts` some of the counts."""

    def make(method, seeds, *, counts=None, **changes):
        found = [record(method, 0 if method == "dense" else 1, seed, 0.9, **changes) for seed in seeds]
        return [{**each, "counts": {**each["counts"], **(counts or {})}} for each in found]

    return make


@pytest.mark.parametrize("seeds", [range(3), OTHER])
@pytest.mark.parametrize("factor", [0.98, 1.02, 1 + 1 / 500])
def test_another_density_is_worse_whatever_the_score(arm, seeds, factor):
    kept = round(500 * factor)
    after = arm("ticket", seeds, counts={"kept": kept}, density=kept / 1000)
    found = cells(arm("ticket", range(3)), after)
    assert found["ticket", "density"].verdict == "worse"
    assert found["ticket", "density"].reason.startswith("differs under the same protocol: what is meant to change")
    assert f"kept weights: 500 → {kept}" in found["ticket", "density"].reason
    assert found["ticket", "density"].difference == pytest.approx(kept / 1000 - 0.5)
    assert found["ticket", "accuracy final"].verdict == "same"


def test_one_seed_of_another_density_is_enough(arm):
    found = cells(arm("ticket", range(3)), [*arm("ticket", range(2)), *arm("ticket", (2,), density=0.51)])
    assert found["ticket", "density"].candidate == 0.51


@pytest.mark.parametrize(
    ("method", "changes", "quantity"),
    [
        ("dense", {"counts": {"all": 1031}}, "parameters"),
        ("ticket", {"steps": 1000 - 100}, "steps"),  # rewound to step 100, and then not
        ("reinit", {"overlap": 0.99}, "overlap"),
    ],
)
def test_counts_lengths_and_inherited_masks_are_compared_exactly(arm, method, changes, quantity):
    right = {"overlap": 1.0} if method == "reinit" else {}
    found = cells(arm(method, range(3), **right), arm(method, OTHER, **{**right, **changes}))
    assert found[method, quantity].verdict == "worse"
    assert set(cells(arm(method, range(3), **right), arm(method, OTHER, **right))) == {(method, "accuracy final")}


@pytest.mark.parametrize(
    ("method", "scope", "fixed"),
    [
        ("ticket", "layer", True),
        ("ticket", "global", False),
        ("random-erk", "global", True),
        ("snip", "layer", False),
        ("gmp", "layer", True),
        ("gmp", "global", False),
    ],
)
def test_counts_per_layer_are_compared_where_the_level_fixes_them(record, method, scope, fixed):
    def shifted(seeds, shift):
        found = [record(method, 1, seed, 0.9) for seed in seeds]
        for each in found:
            each["spec"]["task"]["pruning"]["scope"] = scope
            layers = each["counts"]["layers"]
            layers["fc1.weight"] = {**layers["fc1.weight"], "kept": layers["fc1.weight"]["kept"] + shift}
        return found

    found = cells(shifted(range(3), 0), shifted(OTHER, 7))
    assert ((method, "kept in fc1.weight") in found) is fixed


def test_a_training_that_diverged_says_nothing_about_its_length(record):
    before = [record("gmp", 1, seed, 0.9) for seed in range(3)]
    after = [*before[:2], record("gmp", 1, 2, None, steps=40, density=0.9)]
    assert set(cells(before, after)) == {("gmp", "accuracy final")}


def test_how_many_episodes_an_update_ends_is_luck(record, task):
    asked = task(unit="episodes")
    before, after = ([record("ticket", 1, s, 0.9, task=asked, steps=900 + s) for s in of] for of in (range(3), OTHER))
    assert set(cells(before, after)) == {("ticket", "accuracy final")}


def shares(seeds, rng, counts=((800, 400), (200, 100))):
    """The overlaps of honest shuffles."""
    total = sum(kept for _, kept in counts)
    return {seed: sum(rng.hypergeometric(kept, n - kept, kept) for n, kept in counts) / total for seed in seeds}


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("first", [0, 10])
def test_a_mask_that_was_not_shuffled_shares_everything_with_the_ticket(record, n, first):
    honest = shares(range(n), np.random.default_rng(1))
    before = [record("shuffled", 1, seed, 0.9, overlap=share) for seed, share in honest.items()]
    after = [record("shuffled", 1, first + seed, 0.9, overlap=1.0) for seed in range(n)]
    found = cells(before, after)["shuffled", "overlap"]
    assert (found.verdict, found.test) == ("worse", "chance")
    assert found.p < 1e-6


def test_the_chance_of_an_overlap_is_that_of_shuffled_masks(record):
    rng = np.random.default_rng(0)
    drawn = [shares([0], rng)[0] for _ in range(20_000)]
    side = of_records("a", [record("shuffled", 1, 0, 0.9, overlap=0.5)])
    told = shuffled_overlap(next(iter(side.arms.values()))[0])
    assert told.estimate.error == pytest.approx(np.std(drawn), rel=0.02)
    assert (told.estimate.mean, told.estimate.freedom, told.estimate.n) == (0.5, math.inf, 1)
    four = of_records(
        "a", [record("shuffled", 1, seed, 0.9, overlap=share) for seed, share in enumerate((0.4, 0.5, 0.5, 0.6))]
    )
    several = shuffled_overlap(next(iter(four.arms.values()))[0]).estimate
    assert (several.mean, several.n) == (pytest.approx(0.5), 4)
    assert several.error == pytest.approx(told.estimate.error / 2)


def test_only_what_shuffles_the_tickets_own_counts_is_held_to_their_chance(record):
    for method in ("random-erk", "random-ticket", "reinit", "snip"):
        before, after = ([record(method, 1, seed, 0.9, overlap=0.5) for seed in seeds] for seeds in (range(3), OTHER))
        assert (method, "overlap") not in cells(before, after)


def test_honest_shuffles_are_rarely_told_apart(record):
    rng, alarms = np.random.default_rng(3), 0
    for _ in range(200):
        before, after = (
            [record("shuffled", 1, seed, 0.9, overlap=share) for seed, share in shares(of, rng).items()]
            for of in (range(3), OTHER)
        )
        alarms += cells(before, after)["shuffled", "overlap"].verdict == "worse"
    assert alarms <= 0.05 * 200


def lineage(record, seeds, *, ticket="t", dense="d", score=0.9, ended=(), **made):
    """Dense and ticket of each seed; their digests and where they were made are what a test says."""
    found = []
    for seed in seeds:
        for method, level, digest, parents in (
            ("dense", 0, dense, {}),
            ("ticket", 1, ticket, {f"dense {seed}": dense, f"previous {seed}": dense}),
        ):
            each = record(method, level, seed, score, parents=parents)
            each["digests"] = {**each["digests"], "result": f"{digest} {seed}"}
            each["provenance"] = {**each["provenance"], "device": "cpu", "threads": 1, "machine": "x", **made}
            found.append(each)
    return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ticket": "u"}, True),
        ({}, False),
        ({"ticket": "u", "dense": "e"}, False),  # the arithmetic changed, and with it the parents
        ({"ticket": "u", "threads": 2}, False),
        ({"ticket": "u", "machine": "y"}, False),
        ({"ticket": "u", "stack": 8}, False),  # one by one or in a stack: both are right
        ({"ticket": "u", "versions": {"ticketbench": "0.1.0", "torch": "2.7.0"}}, False),
        ({"ticket": "u", "versions": {"ticketbench": "0.2.0", "torch": "2.6.0"}}, True),
        ({"ticket": "u", "commit": "another"}, True),
    ],
)
def test_the_same_unit_from_the_same_parents_must_have_the_same_result(record, changes, expected):
    cell = cells(lineage(record, (0, 1)), lineage(record, (0, 1), **changes))["ticket", "accuracy final"]
    assert cell.trained_differently is expected
    assert (cell.verdict == "worse") is expected, "two seeds: scores alone say nothing"
    assert ("trained differently at seeds 0, 1" in cell.reason) is expected


@pytest.mark.parametrize(("score", "expected"), [(0.9001, "same"), (0.8, "worse"), (1.0, "worse")])
def test_what_was_trained_otherwise_must_be_shown_to_be_the_same(record, score, expected):
    """A gain is none: what is meant to get better gets a new version."""
    before, after = lineage(record, range(4)), lineage(record, range(4), ticket="u", score=score)
    assert cells(before, after)["ticket", "accuracy final"].verdict == expected


def test_only_the_origin_of_a_change_is_named(record):
    """Level 2 starts from another parent: it was trained as it should be."""
    before, after = lineage(record, (0,)), lineage(record, (0,), ticket="u")
    for side, digest in ((before, "t"), (after, "u")):
        child = record("ticket", 2, 0, 0.9, parents={"previous": digest, "dense": "d"})
        child["digests"] = {**child["digests"], "result": f"child of {digest}"}
        child["provenance"] = side[0]["provenance"]
        side.append(child)
    found = compare_sides(of_records("a", before), of_records("b", after)).cells
    assert [cell.key.level for cell in found if cell.trained_differently] == [1]


@pytest.mark.parametrize(("dense", "expected"), [("d", True), ("e", False)])
def test_without_parents_only_the_dense_network_tells_the_method_from_the_arithmetic(record, dense, expected):
    def run(digests):
        found = [record(method, level, 0, 0.9) for method, level in (("dense", 0), ("random-ticket", 1))]
        for each, digest in zip(found, digests, strict=True):
            each["digests"] = {**each["digests"], "result": digest}
        return found

    found = cells(run(["d", "r"]), run([dense, "s"]))
    assert found["random-ticket", "accuracy final"].trained_differently is expected
    assert not found["dense", "accuracy final"].trained_differently


def test_other_scores_under_the_same_digest_are_not_the_same_to_the_bit(record):
    before = [record("ticket", 1, seed, 0.9 + seed / 1000) for seed in range(3)]
    after = [{**record("ticket", 1, seed, 0.4), "digests": each["digests"]} for seed, each in enumerate(before)]
    assert cells(before, after)["ticket", "accuracy final"].verdict == "worse"
    assert cells(before, before)["ticket", "accuracy final"].reason == "the same to the bit"
