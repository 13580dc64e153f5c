from dataclasses import asdict, replace

import pytest

from bench import registry
from bench.report.table.arms import comparisons
from bench.report.table.render import render
from bench.report.table.rows import rows, sections
from bench.spec import REPORTED_ONLY, Method, Pruning
from bench.tickets.methods import METHODS

WORLD = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}


def _row(table, method, level=1):
    (found,) = [row for row in table if (row.method, row.level) == (method, level)]
    return found


def test_a_record_without_the_score_is_not_in_n(record):
    silent = record("ticket", 1, 2, 0.9)
    silent["metrics"] = [{**each, "value": None} for each in silent["metrics"]]
    ticket = _row(rows([record("ticket", 1, 0, 0.8), record("ticket", 1, 1, 0.8), silent]), "ticket")
    assert (ticket.n, ticket.mean) == (2, 0.8)
    (nothing,) = rows([silent])
    assert (nothing.n, nothing.mean, nothing.score_normalised) == (0, None, None)


def test_versions_scales_and_budgets_are_kept_apart(record, task):
    asked = [task(), task(version=2), task(scale="quick"), task(budget=2000)]
    found = [record("ticket", 1, seed, 0.9, task=each) for each in asked for seed in range(3)]
    assert [row.n for row in rows(found)] == [3, 3, 3, 3]


def test_a_new_tolerance_or_sentence_is_the_same_task(record, task):
    old, new = task(), task(tolerance=0.5, deviations=("A sentence.",))
    found = [record("dense", 0, seed, 0.9, task=old) for seed in range(3)]
    found += [record("ticket", 1, seed, 0.7, task=new) for seed in range(3)]
    (section,) = sections(found)
    assert [row.n for row in section.rows] == [3, 3]


LIES = {
    "tolerance": 0.5,
    "chance": 0.95,
    "reference": 0.99,
    "fewest_seeds": 4,
    "deviations": ("None at all.",),
    "source": "Nobody 2099",
    "groups": {},
    "unsupported": {"ticket": "no"},
    "constant_rate": True,
}


@pytest.mark.parametrize("field", LIES)
def test_what_a_record_says_of_an_installed_task_moves_nothing(study, task, install, field):
    assert set(LIES) == set(REPORTED_ONLY)
    install(task())
    honest, liar = study(WORLD), study(WORLD, **{field: LIES[field]})
    assert liar != honest
    for found in (liar, honest[:7] + [{**each, "provenance": {"end": "2099"}} for each in liar[7:]]):
        (comparison,) = comparisons(found)
        assert comparison.installed
        assert comparison.task == task()
        assert render(found, "md").replace("(n < 3)", "") == render(honest, "md")
        assert [replace(row, versions="") for row in rows(found)] == [replace(row, versions="") for row in rows(honest)]


def test_other_directions_inside_a_record_are_another_task(study, task, install):
    """They decide what is better, so they are part of what a task is."""
    install(task())
    honest, liar = study(WORLD), study(WORLD, directions={"accuracy": "min", "loss": "min"})
    for each in honest:
        each["metrics"] = [{**metric, "direction": "min"} for metric in each["metrics"]]
    mine, other = (section for section in sections(honest + liar))
    if not mine.comparison.installed:
        mine, other = other, mine
    assert (mine.comparison.installed, other.comparison.installed) == (True, False)
    assert list(mine.rows) == rows(study(WORLD))


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_task_that_is_not_installed_stands_apart_without_verdicts(study, task, install, version):
    install(task())
    honest, strange = study(WORLD), study(WORLD, version=version)
    mine, other = sorted(sections(strange + honest), key=lambda section: not section.comparison.installed)
    assert list(mine.rows) == rows(honest)
    assert {row.verdict for row in mine.rows} == {None, "winning", "better"}
    assert not other.comparison.installed
    assert {row.verdict for row in other.rows} == {None, "none (not installed)"}
    assert {(row.matching, row.score_normalised) for row in other.rows} == {(None, None)}
    assert all(row.versions.endswith(f"task {version} (not installed), method 1") for row in other.rows)
    text = render(strange, "md")
    assert "\nnot installed here; accuracy" in text
    assert "- This task is not installed here:" in text
    assert "not installed" not in render(honest, "md")


@pytest.mark.parametrize(
    "changes", [{"version": 99}, {"mask": "ones"}, {"options": {"share": 0.5}}, {"parents": ("dense",)}]
)
def test_a_stranger_called_random_ticket_is_nobodys_opponent(study, record, changes):
    honest = study(WORLD)
    forged = Method(**{**asdict(METHODS["random-ticket"]), **changes})
    strange = [record(forged, 1, seed, 0.99, provenance={"end": "2099"}) for seed in range(3)]
    found = {(row.method, row.mean): row for row in rows(strange + honest)}
    before = {(row.method, row.mean): row for row in rows(honest)}
    assert {key: found[key] for key in before} == before
    (key,) = found.keys() - before.keys()
    assert key == ("random-ticket", pytest.approx(0.99))
    assert found[key].versions.endswith(f"method {forged.version} (not installed)")
    (comparison,) = comparisons(strange + honest)
    assert comparison.arm("random-ticket", 1).scores["accuracy", "final"][0] < 0.9
    text = render(strange + honest, "md")
    assert f"| random-ticket (version {forged.version}) ‖ " in text
    assert f"- ‖ Not installed here, or another version of it: random-ticket (version {forged.version});" in text
    (alone,) = comparisons(strange)
    assert alone.arm("random-ticket", 1) is None


@pytest.mark.parametrize(
    ("source", "pruning", "fits"),
    [("there", 0.5, True), ("nowhere", 0.5, False), ("toy", 0.5, False), ("there", 0.2, False)],
)
def test_a_transfer_is_installed_where_a_ticket_of_its_source_fits(record, task, install, source, pruning, fits):
    install(task(), task(name="vision/there", pruning=Pruning(rate=pruning)))
    (comparison,) = comparisons([record(registry.method(f"transfer+{source}"), 1, 0, 0.9)])
    assert [arm.installed for arm in comparison.arms] == [fits]


def test_the_line_about_a_method_is_no_part_of_it(record):
    worded = Method(**{**asdict(METHODS["ticket"]), "about": "the best"})
    (comparison,) = comparisons([record(worded, 1, 0, 0.9), record("ticket", 1, 1, 0.9)])
    assert [(arm.installed, list(arm.records)) for arm in comparison.arms] == [(True, [0, 1])]


def test_methods_stand_in_the_order_of_the_paper_and_strangers_last(study):
    table = rows(
        study({"zebra": 0.0, "rigl": 0.0, "abacus": 0.0, "dense": 0.0, "snip": 0.0, "ticket": 0.0}, levels=(2, 1))
    )
    order = ["dense", "ticket", "ticket", "snip", "snip", "rigl", "rigl", "abacus", "abacus", "zebra", "zebra"]
    assert [row.method for row in table] == order
    assert [row.level for row in table] == [0] + [1, 2] * 5


def test_multiply_adds_of_less_than_one_network_give_no_ratio(study):
    records = [{**each, "flops_dense": 5e-324} for each in study({"dense": 0.0, "ticket": 0.0})]
    assert {row.flops_ratio for row in rows(records)} == {None}
    assert "Infinity" not in render(records, "json")
