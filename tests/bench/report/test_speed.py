"""What sparsity is worth, as text: one row a unit, what it was measured with beside it, and nothing of it obeyed."""

import csv
import io
import json

import pytest
from timed import build_speed, execution, spread

from bench.errors import StoreError, UnknownName
from bench.report.speed import HEADER, cells, line, read, render
from bench.speed import WAYS

HOSTILE = "=cmd|'x'!A1 <script>`|"


@pytest.fixture
def ticket(record):
    return lambda level, seed=0, **changes: build_speed(record("ticket", level, seed, 0.9), **changes)


def rows(text):
    return [[cell.strip() for cell in each.split("|")[1:-1]] for each in text.splitlines() if each.startswith("|")]


def test_a_row_has_theory_and_what_was_measured_side_by_side(ticket):
    told = dict(zip(HEADER, cells(ticket(2)), strict=True))
    assert told == {
        "method": "ticket",
        "level": "2",
        "density %": "25",
        "flops_ratio": "0.25",
        "by FLOPs": "4",
        "batch 1": "2.00 [1.50, 3.00]",
        "batch 128": "2.00 [1.50, 3.00]",
        "step": "2.00 [1.50, 3.00]",
        "masked step": "0.90 [0.68, 1.35]",
        "16 nets' step": "3.20 [2.40, 4.80]",
        "memory": "0.25",
        "training memory": "0.25",
        "disk": "0.25",
    }


def test_what_was_not_measured_is_empty_and_told(ticket):
    dense = {"conv.weight": "no kernel", **{f"{layer}.bias": "it is a bias" for layer in range(5)}}
    speed = ticket(2, flops=None, nulls={"several": "it convolves"}, masked_dense=dense)
    del speed["several"]
    told = dict(zip(HEADER, cells(speed), strict=True))
    assert [told[name] for name in ("flops_ratio", "by FLOPs", "16 nets' step")] == ["", "", ""]
    text = render([speed], "md")
    assert "- 16 nets at once are not measured: it convolves." in text
    told = "conv.weight (no kernel); 0.bias, 1.bias, 2.bias and 2 more (it is a bias)"
    assert f"- Executed masked-dense all the same: {told}." in text
    nothing = ticket(2, flops=0.0)
    assert cells(nothing)[3:5] == ("0", ""), "of a network without weights"


def test_markdown_has_a_table_per_setting_with_machine_threads_and_tolerance(ticket):
    elsewhere = {**ticket(1)["provenance"], "threads": 4, "cpu": "another"}
    text = render([ticket(3), ticket(1), ticket(1, provenance=elsewhere), ticket(2, 1)], "md")
    assert text.count("## vision/toy@small") == 2
    table = rows(text)
    assert [each[1] for each in table if each[0] == "ticket"] == ["1", "1", "2", "3"]
    assert "- Measured with another, cpu, AVX2, 4 threads, torch 2.6.0; of seed 0." in text
    assert "- Measured with some model, cpu, AVX2, 1 thread, torch 2.6.0; of seed 0, 1." in text
    assert "median [quartiles] of 30 rounds" in text
    assert "a batch of 60" in text
    assert text.count("- Seconds of the processor, whatever else ran on the machine.") == 2
    both = render([ticket(1), ticket(2, clock="wall")], "md")
    assert "- Seconds of the clock on the wall: with the time that other programs took and of the processor" in both
    assert "outputs 2e-07 (at most 1e-05), gradients 3e-07 (at most 1e-05), updates 4e-07 (at most 0.01)" in text


def test_csv_and_json_have_every_number(ticket):
    speeds = [ticket(2), ticket(1)]
    (first, second) = csv.DictReader(io.StringIO(render(speeds, "csv")))
    assert (first["level"], second["level"]) == ("1", "2")
    assert second["sparse_step_seconds"] == "0.0005"
    assert second["sparse_step_faster_low"] == "1.5"
    assert second["masked_batch_128_seconds_high"] == f"{1.5 * 0.001 / 0.9:.6g}"
    assert second["dense_disk_bytes"] == "1000"
    assert (second["several_nets"], second["several_step_faster"]) == ("16", "3.2")
    assert (second["flops_ratio"], second["setting"].partition(",")[0]) == ("0.25", "some model")
    assert json.loads(render(speeds, "json")) == [ticket(1), ticket(2)]
    lines = render(speeds, "jsonl").splitlines()
    assert [json.loads(each) for each in lines] == [ticket(1), ticket(2)]
    with pytest.raises(UnknownName, match="known are csv, json, jsonl, md"):
        render(speeds, "tex")


def test_a_row_without_some_numbers_has_the_columns_of_the_others(ticket):
    without = ticket(1)
    del without["several"]
    (first, second) = csv.DictReader(io.StringIO(render([without, ticket(2)], "csv")))
    assert (first["several_nets"], second["several_nets"]) == ("", "16")


def test_hostile_text_is_quoted(ticket):
    speed = ticket(1, method=HOSTILE.replace("<script>`", ""), provenance={"cpu": HOSTILE})
    assert "\\<script>" in render([speed], "md")
    for each in rows(render([speed], "md"))[2:]:
        assert len(each) == len(HEADER) + 2, "both bars are in the text, escaped"
    (row,) = csv.DictReader(io.StringIO(render([speed], "csv")))
    assert row["method"].startswith("'=")
    assert row["setting"].startswith("'=")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "line 2: not a measured speed"),
        ({"density": 1.5}, "density"),
        ({"rounds": -1}, "rounds"),
        ({"unit_id": "x"}, "unit_id"),
        ({"method": "<b>"}, "method"),
        ({"more": 1}, "'more' is no field"),
        ({"executions": {}}, "does not say how long dense takes"),
        (
            {
                "executions": {
                    **dict.fromkeys(WAYS, execution("dense")),
                    "sparse": {**execution("sparse"), "faster": {}},
                }
            },
            "sparse takes",
        ),
        ({"several": {"nets": 16, "seconds": spread(1.0), "faster": {"median": "2"}}}, "faster.median"),
    ],
)
def test_anybodys_line_is_checked(ticket, tmp_path, change, message):
    path = tmp_path / "speed.jsonl"
    path.write_text(line(ticket(1)) + json.dumps({**ticket(2), **change}) + "\n")
    with pytest.raises(StoreError, match=message):
        read(path)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(StoreError, match="cannot read"):
        read(tmp_path)


def test_a_link_to_what_never_ends_is_not_followed(tmp_path):
    (tmp_path / "speed.jsonl").symlink_to("/dev/zero")
    with pytest.raises(StoreError, match=r"cannot read .*speed.jsonl: it is a symbolic link; remove it"):
        read(tmp_path / "speed.jsonl")
