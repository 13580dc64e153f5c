import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.record import Record
from bench.report.statistics.seeds import interval
from bench.report.table.arms import comparisons
from bench.report.table.rows import COLUMNS, rows, unjudged, verdict
from bench.schema import decode
from bench.spec import Pruning

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}

UP, DOWN, BOTH = interval([1.0, 1.1, 1.2]), interval([-1.0, -1.1, -1.2]), interval([-1.0, 1.0, 0.0])
TWO = interval([1.0, 1.0])
TOUCHING = interval([0.0, 0.0, 0.0])


def _row(table, method, level=1, at="final"):
    (found,) = [row for row in table if (row.method, row.level, row.at) == (method, level, at)]
    return found


def test_the_columns_are_those_of_the_design():
    vs = ", ".join(f"vs_{name}, vs_{name}_low, vs_{name}_high" for name in ("dense", "random", "reinit", "shuffled"))
    expected = (
        "task, domain, scale, method, level, density, sparsity, n, n_diverged, metric, split, at, direction, mean, low, "
        f"high, score_normalised, {vs}, matching, verdict, density_weights, density_total, effective_density, "
        "flops_ratio, search_cost, versions"
    )
    assert ", ".join(COLUMNS) == expected


@pytest.mark.parametrize(
    ("scale", "method", "random", "reinit", "shuffled", "expected"),
    [
        ("small", "ticket", UP, UP, UP, "winning"),
        ("paper", "ticket", UP, UP, UP, "winning"),
        ("small", "ticket", UP, UP, BOTH, "better"),
        ("small", "ticket", UP, DOWN, UP, "better"),
        ("small", "ticket", UP, None, UP, "better"),
        ("small", "ticket", UP, UP, None, "better"),
        ("small", "ticket", UP, UP, TWO, "better"),
        ("small", "reinit", UP, None, UP, "better"),
        ("small", "ticket", BOTH, UP, UP, "inconclusive"),
        ("small", "ticket", TOUCHING, UP, UP, "inconclusive"),
        ("small", "ticket", DOWN, UP, UP, "worse"),
        ("small", "ticket", TWO, UP, UP, "n < 3"),
        ("small", "ticket", None, UP, UP, None),
        ("small", "dense", None, None, None, None),
        ("small", "random-ticket", None, UP, UP, None),
    ],
)
def test_verdicts(task, scale, method, random, reinit, shuffled, expected):
    gaps = {"random": random, "reinit": reinit, "shuffled": shuffled}
    assert verdict(task(scale=scale), method, gaps) == expected


@pytest.mark.parametrize("gap", [UP, DOWN, TWO])
def test_where_there_can_be_no_verdict_it_says_why(task, gap):
    gaps = {"random": gap, "reinit": gap, "shuffled": gap}
    assert verdict(task(), "ticket", gaps, why_none="quick") == "none (quick)"
    assert verdict(task(), "dense", {**gaps, "random": None}, why_none="quick") is None


def test_every_opponent_must_have_been_run_at_enough_seeds(task):
    asked, many = task(fewest_seeds=5), interval([1.0, 1.1, 1.2, 1.3, 1.4])
    assert verdict(asked, "ticket", {"random": many, "reinit": many, "shuffled": many}) == "winning"
    assert verdict(asked, "ticket", {"random": many, "reinit": UP, "shuffled": many}) == "better"
    assert verdict(asked, "ticket", {"random": UP, "reinit": many, "shuffled": many}) == "n < 5"


@pytest.mark.parametrize(
    ("scale", "expected"), [("smoke", "smoke"), ("quick", "quick"), ("small", None), ("paper", None)]
)
def test_small_budgets_are_not_judged(study, scale, expected):
    (comparison,) = comparisons(study(EFFECTS, scale=scale))
    assert unjudged(comparison, "final") == expected


def test_no_verdict_where_dense_learned_nothing(study):
    hopeless = {name: gain - 0.8 for name, gain in EFFECTS.items()}
    table = rows(study(hopeless, chance=0.1))
    assert _row(table, "ticket").verdict == "none (dense at chance)"
    assert _row(table, "ticket").vs_random > 0
    assert _row(rows(study(hopeless, chance=0.05)), "ticket").verdict == "winning"


@pytest.mark.parametrize(
    ("shares", "expected"), [((0, 0, 0), "none (cut off)"), ((0, 0.01, 0), "winning"), ((None, None, None), "winning")]
)
def test_a_ticket_without_a_path_from_input_to_output_at_any_seed_wins_nothing(study, shares, expected):
    found = study(EFFECTS)
    for record in found:
        if record["spec"]["method"]["name"] == "ticket":
            record["effective_density"] = shares[record["spec"]["seed"]]
    table = rows(found)
    assert _row(table, "ticket").verdict == expected
    assert _row(table, "ticket").vs_random_low > 0, "what was measured stays"
    assert _row(table, "reinit").verdict == "better", "others are not judged by it"


def test_a_control_that_is_cut_off_is_still_lost_to(study):
    found = study(EFFECTS)
    for record in found:
        if record["spec"]["method"]["name"] in ("random-ticket", "shuffled"):
            record["effective_density"] = 0
    verdicts = {row.method: row.verdict for row in rows(found)}
    assert verdicts == {
        "dense": None, "random-ticket": None, "ticket": "winning", "reinit": "better", "shuffled": "none (cut off)",
    }  # fmt: skip


@pytest.mark.parametrize(("seeds", "expected"), [(3, "n < 10"), (9, "n < 10"), (10, "winning")])
def test_a_task_may_ask_for_more_seeds_before_any_verdict(study, seeds, expected):
    table = rows(study(EFFECTS, seeds=seeds, fewest_seeds=10))
    assert _row(table, "ticket").verdict == expected
    assert _row(table, "ticket").vs_random_low > 0
    assert _row(table, "ticket").matching is (True if seeds == 10 else None)


def test_every_metric_of_the_task_has_its_rows_and_no_verdict(study):
    found = study(EFFECTS)
    for record in found:
        ((headline,), (other,)) = (
            [each for each in record["metrics"] if each["split"] == "test" and each["name"] == name]
            for name in ("accuracy", "other")
        )
        other |= {"name": "loss", "value": 1 - headline["value"]}
    table = rows(found)
    assert [row.metric for row in table] == ["accuracy"] * 5 + ["loss"] * 5
    score, loss = (
        next(row for row in table if (row.method, row.metric) == ("ticket", m)) for m in ("accuracy", "loss")
    )
    assert (loss.direction, loss.mean) == ("min", pytest.approx(1 - score.mean))
    assert (loss.vs_random, loss.vs_random_low) == (pytest.approx(score.vs_random), pytest.approx(score.vs_random_low))
    assert (loss.verdict, loss.matching, loss.score_normalised) == (None, None, None)


def test_a_known_world(study):
    table = rows(study(EFFECTS))
    ticket = _row(table, "ticket")
    assert (ticket.task, ticket.domain, ticket.scale, ticket.direction) == ("vision/toy", "vision", "small", "max")
    assert (ticket.density, ticket.sparsity, ticket.n, ticket.n_diverged) == (0.5, 0.5, 3, 0)
    assert (ticket.flops_ratio, ticket.search_cost, ticket.effective_density) == (0.5, 2000, 0.5)
    assert ticket.versions == "ticketbench 0.1.0, torch 2.6.0, task 1, method 1"
    for column, effect in (("dense", 0.01), ("random", 0.06), ("reinit", 0.03), ("shuffled", 0.04)):
        assert getattr(ticket, f"vs_{column}") == pytest.approx(effect, abs=0.004)
    verdicts = {row.method: row.verdict for row in table}
    assert verdicts == {
        "dense": None,
        "ticket": "winning",
        "reinit": "better",
        "shuffled": "better",
        "random-ticket": None,
    }
    assert [row.matching for row in table] == [None, True, False, False, False]


def test_opponents_are_never_the_method_itself(study):
    table = rows(study(EFFECTS))
    empty = {
        row.method: [name for name in COLUMNS if name.startswith("vs_") and getattr(row, name) is None] for row in table
    }
    assert len(empty["dense"]) == 12
    assert empty["ticket"] == []
    assert empty["reinit"] == ["vs_reinit", "vs_reinit_low", "vs_reinit_high"]
    assert empty["random-ticket"] == ["vs_random", "vs_random_low", "vs_random_high"]


def test_pairing_by_seed_finds_what_unpaired_arms_hide(record):
    luck = {0: 0.0, 1: 0.15, 2: -0.2}
    gains = {"dense": 0.0, "ticket": 0.02, "reinit": 0.01, "shuffled": 0.005, "random-ticket": 0.0}
    jitter = {0: 0.0, 1: 0.001, 2: -0.001}
    found = [
        record(method, int(method != "dense"), seed, 0.7 + gain + luck[seed] + jitter[seed] * (method == "ticket"))
        for method, gain in gains.items()
        for seed in luck
    ]
    ticket = _row(rows(found), "ticket")
    scores = {name: [0.7 + gains[name] + luck[seed] for seed in luck] for name in gains}
    assert stats.ttest_ind(scores["ticket"], scores["random-ticket"]).pvalue > 0.5
    assert ticket.verdict == "winning"
    assert (ticket.vs_random_low, ticket.vs_random_high) == pytest.approx((0.01752, 0.02248), abs=1e-4)
    shifted = [each if each["spec"]["method"]["name"] == "ticket" else _moved(each) for each in found]
    assert _row(rows(shifted), "ticket").verdict == "inconclusive"


def _moved(each):
    seed = (each["spec"]["seed"] + 1) % 3
    return {**each, "spec": {**each["spec"], "seed": seed}}


def test_less_is_better_flips_every_difference(study):
    table = rows(study({name: -gain for name, gain in EFFECTS.items()}, metric="loss", chance=2.3))
    ticket = _row(table, "ticket")
    assert ticket.direction == "min"
    assert ticket.mean < _row(table, "dense", 0).mean
    assert ticket.vs_dense == pytest.approx(0.01, abs=0.004)
    assert 0 < ticket.vs_random_low < ticket.vs_random < ticket.vs_random_high
    assert (ticket.verdict, ticket.matching, _row(table, "reinit").matching) == ("winning", True, False)
    assert ticket.score_normalised > 1


def test_a_diverged_seed_counts_at_chance_and_is_counted(record):
    found = [record("dense", 0, seed, 0.9) for seed in range(3)]
    found += [record("ticket", 1, 0, 0.9), record("ticket", 1, 1, None), record("ticket", 1, 2, 0.9)]
    ticket = _row(rows(found), "ticket")
    assert (ticket.n, ticket.n_diverged) == (3, 1)
    assert ticket.mean == pytest.approx((0.9 + 0.1 + 0.9) / 3)
    assert ticket.vs_dense == pytest.approx(-0.8 / 3)
    assert ticket.matching is False


def test_a_diverged_record_counts_at_chance_even_if_it_has_metrics(record):
    last = record("ticket", 1, 0, 0.9, status="diverged", reason="loss is not finite at step 40")
    assert _row(rows([last]), "ticket").mean == 0.1


def test_fewer_than_three_seeds_have_no_interval_and_no_verdict(study):
    ticket = _row(rows(study(EFFECTS, seeds=2)), "ticket")
    assert ticket.mean is not None
    assert ticket.vs_random > 0
    assert (ticket.low, ticket.high, ticket.vs_random_low, ticket.matching) == (None, None, None, None)
    assert ticket.verdict == "n < 3"


def test_comparisons_use_the_seeds_that_both_have(study):
    found = [
        each
        for each in study(EFFECTS, seeds=5)
        if _key(each) not in {("random-ticket", 0), ("random-ticket", 1), ("reinit", 4)}
    ]
    ticket = _row(rows(found), "ticket")
    assert ticket.n == 5
    assert ticket.verdict == "winning"
    fewer = _row(rows([each for each in found if _key(each) != ("random-ticket", 2)]), "ticket")
    assert (fewer.vs_random_low, fewer.verdict) == (None, "n < 3")


def _key(each):
    return each["spec"]["method"]["name"], each["spec"]["seed"]


@pytest.mark.parametrize(
    ("missing", "expected"), [("random-ticket", None), ("reinit", "better"), ("shuffled", "better")]
)
def test_a_missing_opponent_leaves_its_columns_empty(study, missing, expected):
    ticket = _row(rows(study({name: gain for name, gain in EFFECTS.items() if name != missing})), "ticket")
    column = missing.removesuffix("-ticket")
    assert (getattr(ticket, f"vs_{column}"), getattr(ticket, f"vs_{column}_low")) == (None, None)
    assert ticket.verdict == expected


def test_opponents_come_from_the_same_level(study):
    table = rows(study(EFFECTS, levels=(1, 2)) + study({"snip": 0.0}, levels=(3,)))
    assert _row(table, "snip", 3).vs_random is None
    assert _row(table, "snip", 3).vs_dense is not None
    assert _row(table, "ticket", 2).verdict == "winning"


@pytest.mark.parametrize(("dense", "expected"), [(0.9, 0.5), (0.1, None), (0.105, None), (0.05, None)])
def test_scores_are_normalised_between_chance_and_dense(record, dense, expected):
    found = [record("dense", 0, seed, dense) for seed in range(3)] + [record("ticket", 1, 0, 0.5)]
    value = _row(rows(found), "ticket").score_normalised
    assert value == (None if expected is None else pytest.approx(expected))


def test_without_dense_nothing_is_normalised_or_matching(study):
    ticket = _row(rows(study({"ticket": 0.0})), "ticket")
    assert (ticket.score_normalised, ticket.vs_dense, ticket.matching) == (None, None, None)


@pytest.mark.parametrize(("loss", "matching"), [(0.009, True), (0.01, True), (0.0101, False)])
def test_matching_at_the_margin(record, loss, matching):
    found = [record("dense", 0, seed, 0.99) for seed in range(3)]
    found += [record("ticket", 1, seed, 0.99 - loss) for seed in range(3)]
    assert _row(rows(found), "ticket").matching is matching


def test_every_way_of_reading_the_score_has_its_rows(study):
    table = rows(study(EFFECTS, at=("final", "early-stop"), select="loss"))
    assert [row.at for row in table] == ["final"] * 5 + ["early-stop"] * 5
    assert _row(table, "ticket", at="early-stop").mean == pytest.approx(_row(table, "ticket").mean + 0.01)


def test_a_reading_early_in_training_has_rows_of_its_own_and_passes_the_schema(study):
    records = study(EFFECTS, at=("final", "5%"))
    assert decode(json.dumps(records), list[Record]) == records
    table = rows(records)
    assert [row.at for row in table] == ["final"] * 5 + ["5%"] * 5
    assert _row(table, "ticket", at="5%").vs_dense == pytest.approx(_row(table, "ticket").vs_dense)


def test_densities_that_differ_over_seeds_are_averaged(record):
    found = [record("small-dense", 1, seed, 0.9, density=density) for seed, density in enumerate((0.5, 0.52, 0.54))]
    (row,) = rows(found)
    assert row.density == pytest.approx(0.52)
    assert row.sparsity == pytest.approx(0.48)


def test_what_a_task_cannot_give_is_null(record):
    changes = {"effective_density": None, "flops": None, "flops_dense": None, "provenance": {}}
    (row,) = rows([record("ticket", 1, 0, 0.9, **changes)])
    assert (row.effective_density, row.flops_ratio, row.versions) == (None, None, "task 1, method 1")


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_order_of_the_records_changes_nothing(data, study):
    found = study(EFFECTS, levels=(1, 2)) + study(EFFECTS, name="rl/toy", pruning=Pruning(rate=0.2))
    shuffled = data.draw(st.permutations(found))
    assert rows(shuffled) == rows(found)


def test_no_records_make_no_rows():
    assert rows([]) == []


def test_a_table_needs_no_torch_and_no_pandas():
    modules = "bench.report.table.render, bench.report.figures.plots, bench.report.show"
    code = f"import sys, {modules}; print({{'torch', 'pandas'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_order_in_which_a_task_names_its_metrics_changes_nothing(study):
    """Published records come back with sorted keys."""
    tables = []
    for directions in (
        {"accuracy": "max", "loss": "min", "area": "max"},
        {"area": "max", "loss": "min", "accuracy": "max"},
    ):
        found = study(EFFECTS, directions=directions)
        for record in found:
            extra = [{**record["metrics"][0], "name": name, "value": 1.0} for name in directions if name != "accuracy"]
            record["metrics"] = [*record["metrics"], *extra]
        tables.append([(row.metric, row.method) for row in rows(found)])
    assert tables[0] == tables[1]
    assert [metric for metric, _ in tables[0]] == ["accuracy"] * 5 + ["area"] * 5 + ["loss"] * 5
