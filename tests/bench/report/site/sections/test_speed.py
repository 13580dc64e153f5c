"""Seconds and bytes on the page: beside the theory, only of results that are published there."""

import re

import pytest
from pages import Reader, site
from timed import build_speed

from bench.errors import StoreError
from bench.report.site.sections.speed import published
from bench.report.speed import HEADER, line
from bench.verbs.site import site as write


@pytest.fixture(scope="module")
def records(study):
    return study({"dense": 0.0, "ticket": 0.01}, levels=(1, 2, 3), seeds=2)


def of(records, level, seed=0, method="ticket"):
    wanted = (method, level, seed)
    found = [
        each
        for each in records
        if (each["spec"]["method"]["name"], each["spec"]["level"], each["spec"]["seed"]) == wanted
    ]
    return found[0]


def table(text):
    start = text.index("What sparsity is worth")
    return Reader(text[start : text.index("<h3>", start + 10)])


def test_a_small_table_stands_on_the_page_of_the_task(records, study):
    other = study({"dense": 0.0, "ticket": 0.0}, name="vision/other")
    speeds = [build_speed(of(records, level)) for level in (3, 1)]
    text = site({"some": [*records, *other]}, [], speeds=speeds)
    assert text.count("What sparsity is worth") == 1
    found = table(text)
    assert found.told[0] == list(HEADER)
    rows = [row for row in found.told if row and row[0] == "ticket"]
    assert [row[1:6] for row in rows] == [
        ["1", "50", "0.5", "2", "2.00 [1.50, 3.00]"],
        ["3", "12.5", "0.125", "8", "2.00 [1.50, 3.00]"],
    ]
    assert {f"#u-{of(records, level)['unit_id'][:12]}" for level in (1, 3)} == set(found.links), "to the records"
    assert "some model, cpu, AVX2, 1 thread, torch 2.6.0" in text
    assert "What sparsity is worth" not in site({"some": records}, [])


def test_two_machines_have_tables_of_their_own_and_a_unit_its_last_line(records):
    again = build_speed(of(records, 1))
    again["executions"]["sparse"]["faster"]["step"]["median"] = 5.0
    again["rounds"] += 7
    elsewhere = {**again["provenance"], "cpu": "another"}
    speeds = [build_speed(of(records, 1)), again, build_speed(of(records, 2), provenance=elsewhere)]
    text = site({"some": records}, [], speeds=speeds)
    assert text.count("<h3>What sparsity is worth") == 2
    rows = [row for row in Reader(text).told if row[:2] == ["ticket", "1"] and len(row) == len(HEADER)]
    assert [row[HEADER.index("step")] for row in rows if "[1.50, 3.00]" in row[HEADER.index("step")]] == [
        "5.00 [1.50, 3.00]"
    ]
    told = set(re.findall(r" of ([\d, ]+) rounds that time", text))
    assert told == {str(again["rounds"]), str(speeds[2]["rounds"])}, "of the lines that are shown"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit_id": "0" * 64}, "unit 0000000000 is not published"),
        ({"result": "0" * 64}, "was published with another result"),
        ({"level": 3}, r"is vision/toy@small ticket 1 0, not what the line says"),
        ({"task": "vision/toy@paper"}, "not what the line says"),
        ({"density": 0.01}, "has another density, flops, flops_dense than the line says"),
        ({"flops": 1.0}, "has another density, flops, flops_dense than the line says"),
    ],
)
def test_a_line_of_anything_else_is_refused(records, tmp_path, changes, message):
    path = tmp_path / "speed.jsonl"
    path.write_text(line(build_speed(of(records, 1), **changes)))
    with pytest.raises(StoreError, match=message):
        published(path, {"some": records})


def test_the_verb_reads_the_file_beside_the_records(records, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "some.jsonl").write_text("".join(map(record_line, records)))
    write(tmp_path / "records", tmp_path / "index.html")
    assert "What sparsity is worth" not in (tmp_path / "index.html").read_text()
    (tmp_path / "speed.jsonl").write_text(line(build_speed(of(records, 2))))
    write(tmp_path / "records", tmp_path / "index.html")
    assert "What sparsity is worth" in (tmp_path / "index.html").read_text()


def record_line(record):
    from bench.digests import canonical_json

    return canonical_json(record) + "\n"
