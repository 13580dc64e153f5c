"""Published files: the records without weights, and tables and figures that follow from them."""

import pytest

from bench.errors import StoreError
from bench.report.publish import publish, published, refresh
from bench.report.table.render import render


def test_what_is_published_gives_the_tables_again(study, tmp_path):
    records = study({"dense": 0.0, "ticket": 0.01, "random-ticket": -0.01}, levels=(1, 3))
    paths = publish(records, tmp_path, name="some")
    assert [str(path.relative_to(tmp_path)) for path in paths[:3]] == [
        "records/some.jsonl",
        "tables/some.csv",
        "tables/some.md",
    ]
    assert {path.suffix for path in paths[3:]} == {".svg", ".png"}
    assert sorted(record["unit_id"] for record in published(paths[0])) == sorted(each["unit_id"] for each in records)
    for path in paths[1:3]:
        assert path.read_text() == render(published(paths[0]), path.suffix[1:])


def test_the_order_of_records_changes_no_byte(study, tmp_path):
    records = study({"dense": 0.0, "ticket": 0.01})
    one = publish(records, tmp_path / "one", name="some")
    two = publish(records[::-1], tmp_path / "two", name="some")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_publishing_in_parts_gives_the_whole(study, tmp_path):
    records = study({"dense": 0.0, "ticket": 0.01})
    whole = publish(records, tmp_path / "whole", name="some")
    publish(records[::2], tmp_path / "parts", name="some")
    parts = publish(records[1::2], tmp_path / "parts", name="some")
    assert [path.read_bytes() for path in parts] == [path.read_bytes() for path in whole]


def test_a_unit_that_comes_again_replaces_its_record(study, tmp_path):
    first, *rest = study({"dense": 0.0, "ticket": 0.01})
    publish([{**first, "wall_seconds": 1.0}, *rest], tmp_path, name="some")
    again = publish([{**first, "wall_seconds": 2.0}], tmp_path, name="some")
    found = {record["unit_id"]: record for record in published(again[0])}
    assert len(found) == 1 + len(rest)
    assert found[first["unit_id"]]["wall_seconds"] == 2.0


def test_everything_is_made_again_from_the_records_that_lie_there(study, tmp_path):
    first = publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="some")
    second = publish(study({"dense": 0.0, "ticket": 0.02}, name="vision/other"), tmp_path, name="more")
    before = {path: path.read_bytes() for path in (*first, *second)}
    for path in before:
        if path.suffix != ".jsonl":
            path.write_text("spoilt")
    again = refresh(tmp_path)
    assert {path: path.read_bytes() for path in before} == before
    assert set(again) == {*before, tmp_path / "tables" / "claims.md"}
    assert "| F1-4 | not run |" in (tmp_path / "tables" / "claims.md").read_text()
    with pytest.raises(StoreError, match=r"no records/\*.jsonl in .*nowhere"):
        refresh(tmp_path / "nowhere")
