"""What is published in `results/` follows from the records that lie beside it."""

from pathlib import Path

import pytest

from bench.record import FORMAT
from bench.report.publish import STYLES, published, verdicts
from bench.report.render import render, resamples
from bench.spec import Unit, unit_id

RESULTS = Path(__file__).parents[1] / "results"
RECORDS = sorted((RESULTS / "records").glob("*.jsonl"))


def test_there_are_published_records():
    assert [path.stem for path in RECORDS] == ["classic-control", "language-modelling", "lth-mnist", "translation"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_tables_follow_from_the_records(path):
    records = published(path)
    for style in STYLES:
        assert (RESULTS / "tables" / f"{path.stem}.{style}").read_text(encoding="utf-8") == render(records, style)
    bootstrap = RESULTS / "tables" / f"{path.stem}-bootstrap.csv"
    assert (bootstrap.read_text(encoding="utf-8") if bootstrap.exists() else "") == resamples(records)


def test_the_verdicts_follow_from_all_records_together():
    told = verdicts([record for path in RECORDS for record in published(path)])
    assert (RESULTS / "tables" / "claims.md").read_text(encoding="utf-8") == told


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_records_are_of_this_protocol(path):
    for record in published(path):
        assert record["format"] == FORMAT
        assert record["unit_id"] == unit_id(record["spec"]) == Unit.from_spec(record["spec"]).id
        assert "-dirty" not in record["provenance"]["commit"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_readme_names_command_machine_duration_and_date(path):
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"`{path.stem}`" in text
    assert f"ticketbench run {path.stem}" in text
