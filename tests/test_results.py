"""What is published in `results/` follows from the records that lie beside it."""

import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from bench.record import FORMAT
from bench.report.claims.definitions import load_claims
from bench.report.claims.verdicts import judge, shown
from bench.report.publish import STYLES, verdicts
from bench.report.published import files, read
from bench.report.site.sections.measured import measurements
from bench.report.table.render import render, resamples
from bench.spec import Unit, unit_id
from bench.verbs.site import site

RESULTS = Path(__file__).parents[1] / "results"
RECORDS = files(RESULTS / "records")


def test_there_are_published_records():
    names = [
        "added-seeds",
        "baselines",
        "cifar",
        "classic-control",
        "cloning",
        "conv2",
        "dqn",
        "inputs",
        "instability",
        "language-modelling",
        "lenet-paper",
        "lenet-seeds",
        "levels",
        "lth-mnist",
        "masks",
        "minatar",
        "teacher",
        "transfer",
        "translation",
    ]
    assert list(RECORDS) == names


def published(suite):
    (records,) = read(RECORDS[suite]).values()
    return records


@pytest.mark.parametrize("suite", RECORDS)
def test_tables_follow_from_the_records(suite):
    records = published(suite)
    for style in STYLES:
        assert (RESULTS / "tables" / f"{suite}.{style}").read_text(encoding="utf-8") == render(records, style)
    bootstrap = RESULTS / "tables" / f"{suite}-bootstrap.csv"
    assert (bootstrap.read_text(encoding="utf-8") if bootstrap.exists() else "") == resamples(records)


def test_the_verdicts_follow_from_all_records_together():
    told = verdicts([record for suite in RECORDS for record in published(suite)])
    assert (RESULTS / "tables" / "claims.md").read_text(encoding="utf-8") == told


def test_the_readme_tells_the_verdict_of_every_claim_of_the_five_papers():
    records = [record for suite in RECORDS for record in published(suite)]
    told = defaultdict(lambda: {status: [] for status in ("holds", "fails", "inconclusive", "not run")})
    for verdict in shown(judge(load_claims(), records)):
        told[verdict.claim.paper][verdict.status].append(verdict.claim.id)
    text = (RESULTS.parent / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d{4}\.\d{5}) \|(.*)\|$", text, flags=re.MULTILINE))
    assert sorted(rows) == ["1803.03635", "1905.13405", "1906.02768", "1906.02773", "1909.13458"]
    for paper, row in rows.items():
        assert [cell.split() for cell in row.replace(",", " ").split("|")] == list(told[paper].values()), paper


def test_the_page_follows_from_the_records(tmp_path):
    own = tmp_path / RESULTS.name
    for name in ("records", "measured"):
        shutil.copytree(RESULTS / name, own / name)
    for name in ("README.md", "speed.jsonl"):
        shutil.copy(RESULTS / name, own)
    shutil.copytree(RESULTS.parent / "docs", tmp_path / "docs")
    site(own / "records", own / "index.html")
    assert (own / "index.html").read_bytes() == (RESULTS / "index.html").read_bytes(), "run `tox -e results`"


def test_what_was_measured_again_belongs_to_published_records():
    again = measurements(RESULTS / "measured", read(RESULTS / "records"))
    assert again.believed
    assert again.aside == ()
    assert all(line["equal"] for line in again.believed.values()), "on the machine that trained them"


@pytest.mark.parametrize("suite", RECORDS)
def test_records_are_of_this_protocol(suite):
    for record in published(suite):
        assert record["format"] in (1, FORMAT)
        assert record["unit_id"] == unit_id(record["spec"]) == Unit.from_spec(record["spec"]).id
        assert "-dirty" not in record["provenance"]["commit"]


@pytest.mark.parametrize("suite", RECORDS)
def test_the_readme_names_command_machine_duration_and_date(suite):
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"`{suite}`" in text
    assert f"ticketbench run {suite}" in text
