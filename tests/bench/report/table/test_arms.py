import pytest

from bench.report.table.rows import rows, sections
from bench.spec import Method


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


def test_a_new_tolerance_or_sentence_is_the_same_task_and_the_latest_counts(record, task):
    old, new = task(), task(tolerance=0.5, deviations=("A sentence.",))
    found = [record("dense", 0, seed, 0.9, task=old) for seed in range(3)]
    found += [record("ticket", 1, seed, 0.7, task=new, provenance={"end": "2025-01-01"}) for seed in range(3)]
    (section,) = sections(found)
    assert section.comparison.task.deviations == ("A sentence.",)
    assert _row(section.rows, "ticket").matching is True


def test_of_two_records_of_one_seed_the_later_counts(record):
    first = record("ticket", 1, 0, 0.5, provenance={"end": "2024-01-01"})
    again = record("ticket", 1, 0, 0.6, provenance={"end": "2024-01-02"})
    for found in ([first, again], [again, first]):
        (row,) = rows(found)
        assert (row.n, row.mean) == (1, 0.6)


def test_versions_of_a_method_are_kept_apart_and_the_highest_is_the_opponent(record):
    newer = Method(name="random-ticket", mask="uniform", weights="fresh", training="full", version=2)
    found = [record("random-ticket", 1, 0, 0.5), record(newer, 1, 0, 0.6), record("ticket", 1, 0, 0.9)]
    table = rows(found)
    assert [(row.method, row.mean) for row in table] == [
        ("ticket", 0.9),
        ("random-ticket", 0.5),
        ("random-ticket", 0.6),
    ]
    assert table[0].vs_random == pytest.approx(0.3)
    assert [row.versions[-8:] for row in table] == ["method 1", "method 1", "method 2"]


def test_methods_stand_in_the_order_of_the_paper_and_strangers_last(study):
    table = rows(
        study({"zebra": 0.0, "rigl": 0.0, "abacus": 0.0, "dense": 0.0, "snip": 0.0, "ticket": 0.0}, levels=(2, 1))
    )
    order = ["dense", "ticket", "ticket", "snip", "snip", "rigl", "rigl", "abacus", "abacus", "zebra", "zebra"]
    assert [row.method for row in table] == order
    assert [row.level for row in table] == [0] + [1, 2] * 5
