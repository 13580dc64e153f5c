"""Two records of one unit: equal ones merge, others are a conflict."""

import itertools

import pytest

from bench.errors import Conflict
from bench.report.table import merge
from bench.report.table.merge import BESIDE, MEASURED, merged, refuse_additions
from bench.report.table.rows import rows
from bench.spec import Method
from bench.tickets.methods import METHODS


def one(sources):
    (record,) = merged(sources).values()
    return record


def test_of_equal_results_the_first_to_end_stays_wherever_it_stands(record):
    ends = ("2024-02-01", "2024-01-01", "2024-03-01")
    doubles = [record("ticket", 1, 0, 0.5, provenance={"end": end}) for end in ends]
    for order in itertools.permutations(doubles):
        assert one({"": order})["provenance"]["end"] == "2024-01-01"
        assert one({str(place): [double] for place, double in enumerate(order)})["provenance"]["end"] == "2024-01-01"


def test_ties_do_not_depend_on_the_order(record):
    doubles = [record("ticket", 1, 0, 0.5, wall_seconds=seconds) for seconds in (3.0, 1.0, 2.0)]
    assert {one({"": order})["wall_seconds"] for order in itertools.permutations(doubles)} == {1.0}


def test_what_is_beside_a_result_may_differ(record, task):
    first = record("ticket", 1, 0, 0.5)
    again = record(
        "ticket",
        1,
        0,
        0.5,
        task=task(tolerance=0.5),
        reason="in other words",
        nulls={"flops": "elsewhere"},
        wall_seconds=9.0,
        peak_memory_bytes=1,
        provenance={"machine": "elsewhere", "end": "2030"},
        items={"metric": "bleu", "split": "test", "signature": "another version", "statistics": []},
        nodes=[],
        fit={},
        interpolation={},
        survival={"initial": 0.5, "movement": 0.0},
    )
    again["digests"] |= {"files": {"record.json": "00"}}
    changed = {name for name in {*first, *again} if first.get(name) != again.get(name)}
    assert changed == set(BESIDE) - {"format"}
    assert one({"a": [first], "b": [again]}) is again, "it tells more"


def test_of_equal_results_the_one_that_tells_more_stays(record):
    """What is measured beside a result since an earlier version is not lost to a record that ended before."""
    first = record("ticket", 1, 0, 0.5, provenance={"end": "2026"})
    more = record("ticket", 1, 0, 0.5, provenance={"end": "2027"}, survival={"initial": 0.5, "movement": 0.0})
    for sources in ({"a": [first], "b": [more]}, {"a": [more], "b": [first]}):
        assert one(sources) is more


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "diverged"},
        {"metrics": []},
        {"density": 0.4},
        {"flops": 1.0},
        {"updates": 1},
        {"search_cost": 1},
        {"overlap": 0.5},
        {"parents": {"a": "b"}},
        {"digests": {"result": "0" * 64}},
    ],
    ids=str,
)
def test_any_other_number_is_a_conflict_even_under_the_same_digest(record, changes):
    first, again = record("ticket", 1, 0, 0.5), record("ticket", 1, 0, 0.5, **changes)
    under = "under one digest" if "digests" not in changes else ""
    for sources in ({"": [first, again]}, {"a": [again], "b": [first]}):
        with pytest.raises(Conflict, match=f"has two results ?{under}, "):
            merged(sources)


@pytest.mark.parametrize("place", ["aaa.jsonl", "zzz.jsonl"])
def test_a_unit_of_a_stack_and_the_same_by_itself_are_a_conflict_like_any_other(record, place):
    """Both may be right, but whoever names a file, or says when it ended, must not choose which of them stands."""
    alone = record("ticket", 1, 0, 0.5, digests={"result": "1" * 64})
    for end in ("1999", "2099"):
        stacked = record("ticket", 1, 0, 0.4, provenance={"stack": 2, "end": end}, digests={"result": "2" * 64})
        for sources in ({"lth-mnist.jsonl": [alone], place: [stacked]}, {place: [stacked], "lth-mnist.jsonl": [alone]}):
            with pytest.raises(Conflict, match=r"has two results, .*: a stack rounds otherwise .* from one store, or"):
                merged(sources)
    same = record("ticket", 1, 0, 0.5, provenance={"stack": 2}, digests={"result": "1" * 64})
    assert len(merged({"lth-mnist.jsonl": [alone], place: [same]})) == 1, "to the bit"


BESIDE_A_RESULT = {
    "items": [{"metric": "bleu", "split": "test", "signature": "", "statistics": each} for each in (["1 1"], ["2 1"])],
    "nodes": [[{"layer": "1"}], [{"layer": "2"}]],
    "fit": [{"accuracy": 0.5}, {"accuracy": 0.6}],
    "interpolation": [{"accuracy": [0.5]}, {"accuracy": [0.6]}],
    "survival": [{"initial": 0.5, "movement": 0.0}, {"initial": 0.1, "movement": -3.0}],
}


@pytest.mark.parametrize("part", MEASURED)
def test_what_both_measured_beside_a_result_contradicts_if_it_differs(record, part):
    ours, theirs = (record("ticket", 1, 0, 0.5, **{part: told}) for told in BESIDE_A_RESULT[part])
    neither = record("ticket", 1, 0, 0.5, provenance={"end": "1999"})
    assert one({"a": [ours], "b": [neither]}) is ours
    for order in itertools.permutations([ours, theirs, neither]):
        with pytest.raises(Conflict, match=f"L1 s0 has one result with two {part}, .*remove the one that is wrong"):
            merged({str(place): [each] for place, each in enumerate(order)})


def test_another_version_that_computed_the_same_items_is_no_conflict(record):
    told = {"metric": "bleu", "split": "test", "statistics": ["1 1"]}
    merged({each: [record("ticket", 1, 0, 0.5, items={**told, "signature": each})] for each in ("2.5", "2.6")})


@pytest.mark.parametrize("part", MEASURED)
def test_no_file_adds_to_what_is_told_of_a_unit(record, part):
    less, more = record("ticket", 1, 0, 0.5), record("ticket", 1, 0, 0.5, **{part: BESIDE_A_RESULT[part][0]})
    for sources in ({"a": [less], "b": [more]}, {"b": [more], "a": [less]}):
        with pytest.raises(Conflict, match=f"L1 s0 has {part} in b, and not in a: publish both again, from one store$"):
            refuse_additions(sources)
    refuse_additions({"a": [less], "b": [less, record("ticket", 2, 0, 0.5, **{part: BESIDE_A_RESULT[part][0]})]})
    refuse_additions({"a": [more], "b": [more]})


def test_a_conflict_names_the_unit_both_digests_and_where_they_stand(record):
    mine = record("ticket", 7, 2, 0.5, provenance={"machine": "Linux x86_64", "end": "2024-01-01"})
    forged = record("ticket", 7, 2, 0.9, provenance={"end": "2024-01-02\n\x1b[31m"})
    for sources in ({"a.jsonl": [mine], "": [forged]}, {"": [forged], "a.jsonl": [mine]}):
        with pytest.raises(Conflict) as told:
            merged(sources)
        id_, results = mine["unit_id"][:10], [each["digests"]["result"][:12] for each in (mine, forged)]
        assert str(told.value) == (
            f"vision/toy@small ticket L7 s2 has two results, {results[0]} (in a.jsonl, unit {id_}, on Linux x86_64, ended 2024-01-01) "
            f"and {results[1]} (unit {id_}, on an unknown machine, ended 2024-01-02  [31m): remove the one that is wrong"
        )


def test_two_units_of_one_seed_are_a_conflict(record):
    first, other = record("reinit", 1, 0, 0.5), record("reinit", 1, 0, 0.6)
    other["spec"] = {**other["spec"], "parents": {"ticket": "another"}}
    other["unit_id"] = "0" * 64
    with pytest.raises(Conflict, match="unit 0000000000"):
        rows([first, other])


def test_one_id_for_two_methods_is_a_conflict(record):
    first, other = record("reinit", 1, 0, 0.5), record("shuffled", 1, 0, 0.6)
    with pytest.raises(Conflict, match="has two results"):
        rows([first, {**other, "unit_id": first["unit_id"]}])


def test_what_is_told_apart_is_no_conflict(record, task):
    newer = Method(name="ticket", mask="iterative", weights="rewind", training="rewound", version=2)
    apart = [
        record("ticket", 1, 0, 0.1),
        record("ticket", 2, 0, 0.2),
        record("ticket", 1, 1, 0.3),
        record("reinit", 1, 0, 0.4),
        record(newer, 1, 0, 0.5),
        record("ticket", 1, 0, 0.6, task=task(version=2)),
        record("ticket", 1, 0, 0.7, task=task(scale="paper")),
    ]
    assert list(merged({"": apart}).values()) == apart
    assert METHODS["ticket"] != newer


def test_a_record_that_stands_once_is_not_written_out_to_be_ranked(record, monkeypatch):
    """Of a hundred thousand that took longer than all tables."""
    monkeypatch.setattr(merge, "canonical_json", lambda _: pytest.fail("written out"))
    assert len(merged({"a": [record("ticket", level, 0, 0.5) for level in (1, 2)]})) == 2
