"""Units are measured one after another in a process that may die, and this one needs no torch."""

import pytest
from timed import TROUBLE, build_speed

from bench.runs.speed import speeds

ASKED = {"device": "cpu", "threads": 2, "rounds": 5, "serve": "timed:serve"}


@pytest.fixture
def tickets(filled):
    """Folders of the tickets of levels 1 to 3."""
    store, plan = filled
    units = [unit for unit in plan.units.values() if unit.method.name == "ticket"]
    return [store.folder(unit) for unit in sorted(units, key=lambda unit: unit.level)]


def test_every_unit_is_measured_by_one_process_as_asked(tickets):
    asked = []
    told = list(speeds(tickets, measuring=asked.append, **ASKED))
    assert asked == tickets == [each.folder for each in told]
    assert [each.speed["level"] for each in told] == [1, 2, 3]
    for each in told:
        assert (each.kind, each.reason, each.speed["rounds"]) == ("speed", "", 5)
        assert (each.speed["provenance"]["threads"], each.speed["provenance"]["device"]) == (2, "cpu")


def test_a_unit_that_takes_its_process_down_leaves_the_next_to_another(tickets, monkeypatch):
    monkeypatch.setenv(TROUBLE, '{"1": {"refused": "it has no linear layers"}, "2": "die"}')
    told = list(speeds(tickets, measuring=lambda _: None, **ASKED))
    assert [(each.kind, each.reason) for each in told] == [
        ("refused", "it has no linear layers"),
        ("failed", "the process that measured it ended with exit code 7"),
        ("speed", ""),
    ]


def test_the_process_that_really_measures_is_found_and_refuses_in_a_line(tickets):
    (told,) = speeds(tickets[:1], device="cpu", threads=1, rounds=3, measuring=lambda _: None)
    assert told.kind == "refused"
    assert told.reason.startswith("unknown domain 'toy'"), "which no process but this one knows"


def test_what_is_no_measurement_is_not_believed(tickets, monkeypatch):
    monkeypatch.setenv(TROUBLE, '{"1": {"speed": {"format": 1}}}')
    with pytest.raises(ValueError, match="missing required field"):
        list(speeds(tickets[:1], measuring=lambda _: None, **ASKED))


def test_the_made_up_measurement_is_one(filled):
    from bench.report.speed import line, read

    record = filled[0].records()[-1]
    path = filled[0].root / "some.jsonl"
    path.write_text(line(build_speed(record)) + "\n")
    assert read(path) == [build_speed(record)]
